// ocicrypt: the three annotations, one a line (pubopts, jwe, provider), and what the key of a packet is wrapped in. The private
// options are also given as they are, under A256CTR with a key that makes them plain, so that their reading is reached.
#include "secret/ocicrypt.h"

#include "base/writer.h"
#include "crypto/ctr_hmac.h"
#include "fuzz_lib.h"

static const uint8_t kek[32] = {1, 2, 3};

static bool get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e)
{
    if (uri.n % 7 == 6)
        return err_set(e, uri.n % 2 ? ERR_POLICY : ERR_NETWORK, "no");
    *out = arena_copy(secrets, view_of(kek, max < 32 ? max : uri.n % 5 ? 32 : 31));
    touch(uri);
    return state == NULL;
}

static void open_it(struct view pubopts, struct view jwe, struct view provider)
{
    static struct private_key key = {.type = PRIVATE_EC_P256, .ec.d = {[31] = 1}};
    static struct arena secrets;
    const struct ocicrypt_keys none = {0}, all = {get, NULL, 1, &key};
    struct ocicrypt_annotations from = {pubopts, jwe, provider};
    struct ocicrypt_key before, out;
    struct err e = {0};

    if (!secrets.base && !arena_make(&secrets, 1 << 20, &e))
        abort();
    memset(secrets.base, 0, secrets.used);
    secrets.used = 0;
    memset(&before, 0x55, sizeof before);
    out = before;
    if (ocicrypt_open(&from, &none, &arena, &secrets, &out, &e)) // nobody gave a key
        abort();
    if (!ocicrypt_open(&from, &all, &arena, &secrets, &out, &e) && (memcmp(&out, &before, sizeof out) != 0 || !e.text[0]))
        abort();
}

static struct view base64(struct view v)
{
    size_t size = v.n / 3 * 4 + 8;
    struct writer w = writer_of(arena_alloc(&arena, size), size);

    write_base64(&w, v);
    return writer_view(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t iv[16];
    struct view rest = view_of(bytes, size), line[3];
    uint8_t plain[4000];

    if (size > 64 << 10)
        return 0;
    start(4 << 20);
    for (int i = 0; i < 3; i++)
        line[i] = view_cut(&rest, '\n', NULL);
    open_it(line[0], line[1], line[2]);

    if (size > sizeof plain)
        return 0;
    memcpy(plain, bytes, size);
    ctr_once(kek, iv, plain, size);
    struct writer w = writer_of(arena_alloc(&arena, 8000), 8000);
    write_text(&w, "{\"kid\":\"kbs:///a/b/c\",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"wrap_type\":\"A256CTR\",\"wrapped_data\":\"");
    write_bytes(&w, base64(view_of(plain, size)));
    write_text(&w, "\"}");
    open_it(base64(VIEW("{\"cipher\":\"AES_256_CTR_HMAC_SHA256\",\"hmac\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}")), (struct view){0},
            base64(writer_view(&w)));
    open_it(base64(view_of(bytes, size)), (struct view){0}, (struct view){0});
    open_it(base64(VIEW("{\"cipher\":\"AES_256_CTR_HMAC_SHA256\",\"hmac\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}")),
            base64(view_of(bytes, size)), base64(view_of(bytes, size)));
    return 0;
}
