#include "lib.h"

#include "base/codec.h"
#include "base/writer.h"
#include "crypto/ctr_hmac.h"
#include "format/json.h"
#include "oci/manifest.h"
#include "secret/ocicrypt.h"

#include <bearssl_aead.h>

#define KID "kbs:///default/key/layers"
#define SYMKEY "c3ltbWV0cmljIGtleSBvZiB0aGlydHktdHdvIGJ5dGU=" // "symmetric key of thirty-two byte"
#define NONCE "bm9uY2Ugb2Ygc2l4dGVlbg=="                          // "nonce of sixteen"
#define HMAC "aG1hYyBvdmVyIHRoZSBjaXBoZXJ0ZXh0IGluIDMyIGI="      // "hmac over the ciphertext in 32 b"
#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PUBLIC "{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':'" HMAC "','cipheroptions':{}}"
#define PRIVATE "{'symkey':'" SYMKEY "','digest':'sha256:" HEX "','cipheroptions':{'nonce':'" NONCE "'}}"

static const uint8_t kek[32] = "the key in the owner's KBS, 32 b";
static struct arena secrets;
static struct ocicrypt_key key;

// A KBS with one key; `asked` counts.
static struct {
    struct view key;
    enum err_kind fails;
    unsigned asked;
} kbs;

static bool get(void *state, struct view uri, size_t max, struct arena *into, struct view *out, struct err *e)
{
    CHECK(state == &kbs && max >= 32);
    kbs.asked++;
    if (kbs.fails)
        return err_set(e, kbs.fails, "the KBS says no");
    if (!view_is(uri, KID))
        return err_set(e, ERR_POLICY, "no such key");
    *out = arena_copy(into, kbs.key);
    return true;
}

static struct ocicrypt_keys keys;

static void begin(void)
{
    fresh();
    arena_drop(&secrets);
    CHECK(arena_make(&secrets, 1 << 20, &err));
    kbs.key = view_of(kek, 32);
    kbs.fails = ERR_NONE;
    kbs.asked = 0;
    keys = (struct ocicrypt_keys){get, &kbs, 0, NULL};
}

static struct view base64(struct view v)
{
    size_t size = v.n / 3 * 4 + 8;
    struct writer w = writer_of(arena_alloc(&arena, size), size);
    write_base64(&w, v);
    CHECK(!w.full);
    return writer_view(&w);
}

static struct view json_base64(const char *text) { return base64(quoted(text)); }

static bool untouched(void)
{
    for (size_t i = 0; i < sizeof key; i++)
        if (((uint8_t *)&key)[i] != 0x77)
            return false;
    return true;
}

static bool open_it(struct view pubopts, struct view jwe, struct view provider)
{
    struct ocicrypt_annotations from = {pubopts, jwe, provider};
    err = (struct err){0};
    memset(&key, 0x77, sizeof key);
    bool ok = ocicrypt_open(&from, &keys, &arena, &secrets, &key, &err);
    if (!ok) { // says why, changes nothing, and never what is secret
        char line[1500];
        CHECK(err.text[0] && untouched());
        err_line(&err, line, sizeof line);
        CHECK(!strstr(line, SYMKEY) && !strstr(line, NONCE) && !strstr(line, "symmetric") && !strstr(line, "nonce of"));
    }
    return ok;
}

static bool is_the_key(void)
{
    return memcmp(key.key, "symmetric key of thirty-two byte", 32) == 0 && memcmp(key.nonce, "nonce of sixteen", 16) == 0 &&
           memcmp(key.hmac, "hmac over the ciphertext in 32 b", 32) == 0 && key.plain_sha256[0] == 0xe3 && key.plain_sha256[31] == 0x55;
}

// Wraps as CoCo's key provider does, A256GCM or A256CTR.
static struct view wrap(const uint8_t with[32], const uint8_t *iv, struct view plain, bool gcm)
{
    uint8_t *p = arena_alloc(&arena, plain.n + 16);
    memcpy(p, plain.p, plain.n);
    if (!gcm) {
        ctr_once(with, iv, p, plain.n);
        return view_of(p, plain.n);
    }
    br_aes_ct64_ctr_keys aes;
    br_gcm_context c;
    br_aes_ct64_ctr_init(&aes, with, 32);
    br_gcm_init(&c, &aes.vtable, br_ghash_ctmul64);
    br_gcm_reset(&c, iv, 12);
    br_gcm_flip(&c);
    br_gcm_run(&c, 1, p, plain.n);
    br_gcm_get_tag(&c, p + plain.n);
    return view_of(p, plain.n + 16);
}

static const uint8_t iv[16] = "initialisation v";

// A packet with these members between '{' and the wrapped text; `format` has %s for the wrapped options and the IV.
static struct view packet(const char *format, const char *options, bool gcm)
{
    char text[9000], wrapped[7000] = "", vector_[32] = "";
    struct writer w = writer_of(wrapped, sizeof wrapped), v = writer_of(vector_, sizeof vector_);
    write_base64(&w, wrap(kek, iv, quoted(options), gcm));
    write_base64(&v, view_of(iv, gcm ? 12 : 16));
    CHECK(writer_str(&w) && writer_str(&v));
    snprintf(text, sizeof text, format, wrapped, vector_);
    return json_base64(text);
}

#define V1 "{'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}"
#define V2 "{'version':'0.1.0','provider':'kbs','kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM','provider_settings':{},'annotations':{}}"
#define CTR1 "{'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256CTR'}"

static const struct view none;

static bool open_packet(const char *format, const char *options, bool gcm)
{
    begin();
    return open_it(json_base64(PUBLIC), none, packet(format, options, gcm));
}

TEST(packets)
{
    CHECK(open_packet(V1, PRIVATE, true) && is_the_key() && kbs.asked == 1);
    CHECK(open_packet(V2, PRIVATE, true) && is_the_key());
    CHECK(open_packet(CTR1, PRIVATE, false) && is_the_key());
    // What Go's encoding/json may write, and members that are not ours.
    CHECK(open_packet(V1, "{'cipheroptions':{'nonce':'" NONCE "','x':'y'},'digest':'sha256:" HEX "','symkey':'" SYMKEY "','new':[1]}", true) && is_the_key());
    begin();
    CHECK(open_it(json_base64("{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':'" HMAC "','cipheroptions':null}"), none, packet(V1, PRIVATE, true)));
    begin();
    CHECK(open_it(json_base64("{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':'" HMAC "'}"), none, packet(V1, PRIVATE, true)));
}

TEST(broken_packets)
{
    static const struct {
        const char *format, *why;
        bool gcm;
    } bad[] = {
        {"[]", "kid", true},
        {"{'wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", "kid is missing", true},
        {"{'kid':7,'wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", "kid must be a string", true},
        {"{'kid':'" KID "','wrapped_data':'%s','x':'%s','wrap_type':'A256GCM'}", "iv is missing", true},
        {"{'kid':'" KID "','x':'%s','iv':'%s','wrap_type':'A256GCM'}", "wrapped_data is missing", true},
        {"{'kid':'" KID "','wrapped_data':'%s','iv':'%s'}", "wrap_type is missing", true},
        {"{'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A128GCM'}", "wrap_type is 'A128GCM', not A256GCM or A256CTR", true},
        {"{'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':''}", "wrap_type is ''", true},
        {"{'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", "iv has 16 bytes, A256GCM takes 12", false},
        {"{'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256CTR'}", "iv has 12 bytes, A256CTR takes 16", true},
        {"{'kid':'" KID "','wrapped_data':'*%s','iv':'%s','wrap_type':'A256GCM'}", "wrapped_data: it is not base64", true},
        {"{'kid':'" KID "','x':'%s','wrapped_data':'','iv':'%s','wrap_type':'A256GCM'}", "wrapped_data has 0 bytes", true},
        {"{'kid':'" KID "','x':'%s','wrapped_data':'AAAAAAAAAAAAAAAAAAAAAA==','iv':'%s','wrap_type':'A256GCM'}", "wrapped_data has 16 bytes", true},
        {"{'kid':'" KID "','wrapped_data':'%s','iv':'*%s','wrap_type':'A256GCM'}", "iv: it is not base64", true},
        {"{'version':'0.2.0','kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", "version '0.2.0'", true},
        {"{'version':1,'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", "only 0.1.0 and kbs are known", true},
        {"{'provider':'aliyun','kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", "provider 'aliyun'", true},
        {"{'kid':'" KID "','kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", "is there twice", true},
        {"{'kid':'" KID "','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}x", "not JSON", true},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (open_packet(bad[i].format, PRIVATE, bad[i].gcm))
            check_fail("%s was accepted", bad[i].format);
        CHECK(err.kind == ERR_FORMAT);
        CHECK_ERR("annotation org.opencontainers.image.enc.keys.provider");
        CHECK_ERR(bad[i].why);
    }
    char *large = malloc(6000);
    memset(large, 'A', 5600);
    large[5600] = 0;
    char *text = malloc(7000);
    snprintf(text, 7000, "{'kid':'" KID "','wrapped_data':'%s','iv':'AAAAAAAAAAAAAAAA','wrap_type':'A256GCM'}", large);
    begin();
    CHECK(!open_it(json_base64(PUBLIC), none, json_base64(text)) && kbs.asked == 0);
    CHECK_ERR("wrapped_data has 5600 characters");
    free(large);
    free(text);
}

static struct view good_packet;
static bool accepts_packet(struct view v)
{
    return open_it(json_base64(PUBLIC), none, v);
}

static bool accepts_pubopts(struct view v) { return open_it(v, none, good_packet); }

// Every length and bits of the annotation's base64. A bit that is accepted is one that does not change what is said (a
// member's name that nobody reads), or the HMAC, which is another one then and fails at the layer's end.
TEST(cut_and_flipped)
{
    begin();
    good_packet = packet(V1, PRIVATE, true);
    broken(good_packet, good_packet.n, accepts_packet);
    begin();
    good_packet = packet(V1, PRIVATE, true);
    broken(json_base64(PUBLIC), json_base64(PUBLIC).n, accepts_pubopts);
}

// The tag stands over every bit: of the wrapped options, the IV, and the key.
TEST(changed_packets)
{
    begin();
    struct view plain = quoted(PRIVATE), wrapped = wrap(kek, iv, plain, true);
    uint8_t bytes[600];
    for (size_t bit = 0; bit < 8 * wrapped.n; bit += 5) {
        char text[2000], b64[1000];
        begin();
        memcpy(bytes, wrap(kek, iv, quoted(PRIVATE), true).p, wrapped.n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct writer w = writer_of(b64, sizeof b64);
        write_base64(&w, view_of(bytes, wrapped.n));
        snprintf(text, sizeof text, "{'kid':'" KID "','wrapped_data':'%s','iv':'aW5pdGlhbGlzYXQ=','wrap_type':'A256GCM'}", writer_str(&w));
        CHECK(!open_it(json_base64(PUBLIC), none, json_base64(text)));
        CHECK(err.kind == ERR_FORMAT || err.kind == ERR_DIGEST);
    }
    uint8_t other[32];
    for (size_t bit = 0; bit < 256; bit += 3) {
        begin();
        memcpy(other, kek, 32);
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        kbs.key = view_of(other, 32);
        CHECK(!open_it(json_base64(PUBLIC), none, packet(V1, PRIVATE, true)));
        CHECK(err.kind == ERR_DIGEST);
        CHECK_ERR("key " KID ": the tag is not right");
        // Without a tag it is noise, and noise is no JSON.
        begin();
        kbs.key = view_of(other, 32);
        CHECK(!open_it(json_base64(PUBLIC), none, packet(CTR1, PRIVATE, false)));
        CHECK_ERR("the private options are not JSON");
    }
}

TEST(keys_of_other_sizes)
{
    static const uint8_t long_key[64];
    for (size_t n = 0; n <= 64; n += n == 30 || n == 31 || n == 32 ? 1 : 2) {
        begin();
        kbs.key = n == 32 ? view_of(kek, 32) : view_of(long_key, n);
        bool ok = open_it(json_base64(PUBLIC), none, packet(V1, PRIVATE, true));
        CHECK(ok == (n == 32));
        if (!ok)
            CHECK_ERR("A256GCM takes 32");
    }
}

TEST(public_options)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"{}", "cipher is missing"},
        {"[]", "cipher"},
        {"", "not JSON"},
        {"{'cipher':'AES_256_CTR','hmac':'" HMAC "'}", "cipher is 'AES_256_CTR', only AES_256_CTR_HMAC_SHA256 is known"},
        {"{'cipher':'aes_256_ctr_hmac_sha256','hmac':'" HMAC "'}", "only AES_256_CTR_HMAC_SHA256"},
        {"{'cipher':'','hmac':'" HMAC "'}", "cipher is ''"},
        {"{'cipher':'AES_256_CTR_HMAC_SHA256'}", "hmac is missing, or not 32 bytes"},
        {"{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':null}", "hmac is missing"},
        {"{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':''}", "hmac is missing"},
        {"{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':'AAAA'}", "not 32 bytes"},
        {"{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':'aG1hYyBvdmVyIHRoZSBjaXBoZXJ0ZXh0IGluIDMyIGJi'}", "not 32 bytes"}, // 33
        {"{'cipher':'AES_256_CTR_HMAC_SHA256','hmac':'" HMAC "','cipheroptions':{'nonce':'" NONCE "'}}", "which belong into the private options"},
        {"{'cipher':'AES_256_CTR_HMAC_SHA256','cipher':'AES_256_CTR_HMAC_SHA256','hmac':'" HMAC "'}", "is there twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin();
        if (open_it(json_base64(bad[i].text), none, packet(V1, PRIVATE, true)))
            check_fail("%s was accepted", bad[i].text);
        CHECK(err.kind == ERR_FORMAT && kbs.asked == 0); // nobody is asked for what cannot be used
        CHECK_ERR("annotation org.opencontainers.image.enc.pubopts");
        CHECK_ERR(bad[i].why);
    }
    begin();
    CHECK(!open_it(VIEW("!"), none, packet(V1, PRIVATE, true)));
    CHECK_ERR("it is not base64");
}

TEST(private_options)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"x", "the private options are not JSON"},
        {"{'symkey':'" SYMKEY "','symkey':'" SYMKEY "'}", "the private options are not JSON"},
        {"[]", "symkey is not 32 bytes"},
        {"{'digest':'sha256:" HEX "','cipheroptions':{'nonce':'" NONCE "'}}", "symkey is not 32 bytes"},
        {"{'symkey':'c3ltbWV0cmljIGtleSBvZiB0aGlydHktb25lIGJ5dA==','digest':'sha256:" HEX "','cipheroptions':{'nonce':'" NONCE "'}}", "symkey is not 32 bytes"}, // 31
        {"{'symkey':'c3ltbWV0cmljIGtleSBvZiB0aGlydHktdGhyZWUgYnl0','digest':'sha256:" HEX "','cipheroptions':{'nonce':'" NONCE "'}}", "symkey is not 32 bytes"}, // 33
        {"{'symkey':7,'digest':'sha256:" HEX "','cipheroptions':{'nonce':'" NONCE "'}}", "symkey is not 32 bytes"},
        {"{'symkey':'" SYMKEY "','digest':'sha256:" HEX "'}", "nonce is not 16 bytes"},
        {"{'symkey':'" SYMKEY "','digest':'sha256:" HEX "','cipheroptions':{'nonce':'bm9uY2Ugb2YgZmlmdGVl'}}", "nonce is not 16 bytes"}, // 15
        {"{'symkey':'" SYMKEY "','digest':'sha256:" HEX "','cipheroptions':'" NONCE "'}", "nonce is not 16 bytes"},
        {"{'symkey':'" SYMKEY "','cipheroptions':{'nonce':'" NONCE "'}}", "digest is not sha256"},
        {"{'symkey':'" SYMKEY "','digest':'','cipheroptions':{'nonce':'" NONCE "'}}", "digest is not sha256"},
        {"{'symkey':'" SYMKEY "','digest':'sha512:" HEX HEX "','cipheroptions':{'nonce':'" NONCE "'}}", "digest is not sha256"},
        {"{'symkey':'" SYMKEY "','digest':'sha256:" HEX "0','cipheroptions':{'nonce':'" NONCE "'}}", "digest is not sha256"},
        {"{'symkey':'" SYMKEY "','digest':'sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855','cipheroptions':{'nonce':'" NONCE "'}}", "digest is not sha256"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (open_packet(V1, bad[i].text, true))
            check_fail("%s was accepted", bad[i].text);
        CHECK(err.kind == ERR_FORMAT);
        CHECK_ERR(bad[i].why);
    }
    // Cut at each length, and wrapped rightly.
    size_t whole = strlen(PRIVATE);
    for (size_t n = 1; n < whole; n++) {
        char text[400];
        snprintf(text, sizeof text, "%.*s", (int)n, PRIVATE);
        CHECK(!open_packet(V1, text, true));
        CHECK(!open_packet(CTR1, text, false));
    }
}

TEST(nobody_gives_the_key)
{
    begin();
    keys.get = NULL;
    CHECK(!open_it(json_base64(PUBLIC), none, packet(V1, PRIVATE, true)) && err.kind == ERR_POLICY);
    CHECK_ERR("no key opens it: the key " KID " (no KBS was given)");
    CHECK(strstr(err.mend, "decrypt.keys") && strstr(err.mend, "--secrets"));
    begin();
    kbs.fails = ERR_POLICY;
    CHECK(!open_it(json_base64(PUBLIC), none, packet(V1, PRIVATE, true)) && err.kind == ERR_POLICY);
    CHECK_ERR("the key " KID " (the KBS says no)");
    begin();
    kbs.fails = ERR_NETWORK; // says nothing about the key: another exit status
    CHECK(!open_it(json_base64(PUBLIC), none, packet(V1, PRIVATE, true)) && err.kind == ERR_NETWORK);
    CHECK_ERR("the KBS says no");
    begin();
    CHECK(!open_it(json_base64(PUBLIC), none, none) && err.kind == ERR_POLICY);
}

static struct view list(size_t count, struct view one, struct view last)
{
    struct writer w = writer_of(arena_alloc(&arena, 100000), 100000);
    for (size_t i = 0; i < count; i++)
        write_bytes(&w, i ? VIEW(",") : VIEW("")), write_bytes(&w, i + 1 < count ? one : last);
    CHECK(!w.full);
    return writer_view(&w);
}

TEST(lists)
{
    begin();
    struct view good = packet(V1, PRIVATE, true),
                other = packet("{'kid':'kbs:///default/key/others','wrapped_data':'%s','iv':'%s','wrap_type':'A256GCM'}", PRIVATE, true);
    CHECK(open_it(json_base64(PUBLIC), none, list(OCICRYPT_ENTRIES_MAX, other, good)) && is_the_key());
    CHECK_EQ(kbs.asked, OCICRYPT_ENTRIES_MAX);
    kbs.asked = 0;
    CHECK(open_it(json_base64(PUBLIC), none, list(2, good, good)) && is_the_key() && kbs.asked == 1); // the first is enough
    kbs.asked = 0;
    CHECK(!open_it(json_base64(PUBLIC), none, list(OCICRYPT_ENTRIES_MAX + 1, other, good)));
    CHECK_ERR("more than 16 entries");
    kbs.asked = 0;
    CHECK(!open_it(json_base64(PUBLIC), none, list(3, other, other)));
    CHECK_ERR("the key kbs:///default/key/others (no such key); the key kbs:///default/key/others");
    kbs.asked = 0;
    CHECK(!open_it(json_base64(PUBLIC), none, list(2, other, VIEW(""))));
    CHECK_ERR("not JSON");
    kbs.asked = 0;
    CHECK(!open_it(json_base64(PUBLIC), none, list(2, VIEW(""), good)));
}

// ---- recorded: skopeo 1.18, jwe:enc-rsa.pub, jwe:enc-p256.pub and both (tests/e2e/vectors/README.md) ----

static struct private_key privates[2]; // RSA, P-256

static struct manifest m;
static void recorded(const char *name, struct view *blob)
{
    char path[100];
    begin();
    CHECK(private_key_decode(vector("ocicrypt/enc-rsa.der"), &privates[0], &err) &&
          private_key_decode(vector("ocicrypt/enc-p256.der"), &privates[1], &err));
    snprintf(path, sizeof path, "ocicrypt/%s.json", name);
    CHECK(manifest_parse(vector(path), &arena, &m, &err) && m.layers[0].encrypted);
    snprintf(path, sizeof path, "ocicrypt/%s.layer", name);
    *blob = vector(path);
    CHECK_EQ(blob->n, m.layers[0].descriptor.size);
}

static bool open_recorded(void)
{
    return open_it(m.layers[0].encryption.pubopts, m.layers[0].encryption.jwe, m.layers[0].encryption.provider);
}

// The layer of the same image before it was encrypted (case c2-ident).
#define PLAIN "174b9996c05bc9ba5701449ccad6bc6f38956c1cf863c16f681016e3f9deb578"

static bool decrypts(struct view blob)
{
    uint8_t bytes[200], digest[32], wanted[32];
    struct ctr_hmac c;
    memcpy(bytes, blob.p, blob.n);
    ctr_hmac_begin(&c, key.key, key.nonce);
    ctr_hmac_decrypt(&c, bytes, blob.n);
    hash_once(HASH_SHA256, view_of(bytes, blob.n), digest);
    return ctr_hmac_right(&c, key.hmac) && hex_decode(VIEW(PLAIN), wanted, 32) && memcmp(digest, wanted, 32) == 0 &&
           memcmp(key.plain_sha256, wanted, 32) == 0;
}

TEST(recorded_layers)
{
    static const struct {
        const char *name;
        bool by[2];
    } images[] = {{"enc-rsa", {true, false}}, {"enc-p256", {false, true}}, {"enc-two", {true, true}}};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            struct view blob;
            recorded(images[i].name, &blob);
            keys.private_count = 1;
            keys.privates = &privates[k];
            bool ok = open_recorded();
            if (ok != images[i].by[k])
                check_fail("%s by key %zu: %s", images[i].name, k, err.text);
            if (ok)
                CHECK(decrypts(blob));
            else
                CHECK(err.kind == ERR_POLICY && strstr(err.text, "(by none of the private keys)"));
            CHECK(kbs.asked == 0);
        }
    struct view blob;
    recorded("enc-p256", &blob); // the wrong one first
    keys.private_count = 2;
    keys.privates = privates;
    CHECK(open_recorded() && decrypts(blob));
    recorded("enc-two", &blob);
    CHECK(!open_recorded());
    CHECK_ERR("no key opens it: jwe for RSA-OAEP, ECDH-ES+A256KW (no private key was given)");
}

// Private keys first: where one opens, no KBS hears of it. Where none does, the packet beside counts.
TEST(both_forms)
{
    struct view blob;
    recorded("enc-rsa", &blob);
    keys.private_count = 1;
    keys.privates = &privates[0];
    struct view p = packet(V1, PRIVATE, true);
    CHECK(open_it(m.layers[0].encryption.pubopts, m.layers[0].encryption.jwe, p) && decrypts(blob) && kbs.asked == 0);
    keys.privates = &privates[1];
    CHECK(open_it(json_base64(PUBLIC), m.layers[0].encryption.jwe, p) && is_the_key() && kbs.asked == 1);
    kbs.fails = ERR_POLICY;
    CHECK(!open_it(json_base64(PUBLIC), m.layers[0].encryption.jwe, p));
    CHECK_ERR("no key opens it: jwe for RSA-OAEP (by none of the private keys); the key " KID " (the KBS says no)");
    CHECK(!open_it(json_base64(PUBLIC), list(2, m.layers[0].encryption.jwe, json_base64("{}")), none));
    CHECK_ERR("annotation org.opencontainers.image.enc.keys.jwe");
    // The same recipient twice is as good as once.
    recorded("enc-rsa", &blob);
    keys.private_count = 1;
    keys.privates = &privates[0];
    CHECK(open_it(m.layers[0].encryption.pubopts, list(2, m.layers[0].encryption.jwe, m.layers[0].encryption.jwe), none) && decrypts(blob));
}

// Any one character of the JWE annotation: never another key, never a crash.
TEST(changed_jwe)
{
    struct view blob;
    for (size_t at = 0;; at += 7) {
        recorded("enc-p256", &blob);
        keys.private_count = 1;
        keys.privates = &privates[1];
        struct view text = arena_copy(&arena, m.layers[0].encryption.jwe);
        if (at >= text.n)
            break;
        uint8_t *p = (uint8_t *)(uintptr_t)text.p;
        p[at] = p[at] == 'A' ? 'B' : 'A';
        if (open_it(m.layers[0].encryption.pubopts, text, none))
            CHECK(decrypts(blob));
        else
            CHECK(err.kind == ERR_FORMAT || err.kind == ERR_POLICY || err.kind == ERR_DIGEST);
    }
}
