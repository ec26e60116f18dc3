// sig: the first byte chooses key and rule, the second how long the message is, the rest is message and signature. The verdict
// does not depend on how the message is cut into parts.
#include "crypto/keys.h"
#include "crypto/sig.h"
#include "base/codec.h"
#include "fuzz_lib.h"

// P-256, P-384, P-521 and Ed25519: the generators or points of RFC 8032; RSA of 2048 bits: 2^2048 - 1.
static const char *const keys[] = {
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "3076301006072a8648ce3d020106052b8104002203620004"
    "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    "30819b301006072a8648ce3d020106052b81040023038186000400"
    "c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"
    "0118"
    "39296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
    "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
};

static struct public_key key[5];

static void make_keys(void)
{
    uint8_t der[300];
    struct err e = {0};
    for (size_t i = 0; i < 4; i++) {
        size_t n = strlen(keys[i]) / 2;
        if (!hex_decode(view_str(keys[i]), der, n) || !public_key_decode(VIEW("PUBLIC KEY"), view_of(der, n), &key[i], &e))
            abort();
    }
    key[4] = (struct public_key){.type = KEY_RSA, .rsa = {.n_size = 256, .e = {0, 1, 0, 1}}};
    memset(key[4].rsa.n, 0xff, 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!key[4].rsa.n_size)
        make_keys();
    if (size < 2)
        return 0;
    struct view rest = view_of(bytes + 2, size - 2), message = view_first(rest, bytes[1]), signature = view_skip(rest, message.n);
    struct view parts[] = {view_first(message, message.n / 3), view_skip(message, message.n / 3)};
    bool one = sig_verify(&key[bytes[0] % 5], bytes[0] & 0x80 ? SIG_RULE_BUNDLE : SIG_RULE_PLAIN, parts, 2, signature);
    bool other = sig_verify(&key[bytes[0] % 5], bytes[0] & 0x80 ? SIG_RULE_BUNDLE : SIG_RULE_PLAIN, &message, 1, signature);
    if (one != other) // how a message is cut changes nothing
        abort();
    return 0;
}
