// Keys that sign, for the tests of trust: P-256 keys whose private scalar is 2, 3, 4 ..., policies that name them, and what they
// sign in each form.
#ifndef TESTS_PARTY_H
#define TESTS_PARTY_H

#include "lib.h"

#include <bearssl_ec.h>
#include <bearssl_hash.h>

#include "base/writer.h"
#include "crypto/hash.h"
#include "trust/claim.h"

#define PARTIES 8

static struct policy policy;
static struct image_subject image;
static struct claims claims;
static struct signature_candidate candidates[SIGNATURES_MAX + 1];
static size_t candidate_count;

static br_ec_private_key party_key(unsigned i, uint8_t x[32])
{
    memset(x, 0, 32);
    x[31] = (uint8_t)(i + 2);
    return (br_ec_private_key){BR_EC_secp256r1, x, 32};
}

// {"name":"p0","pem":"..."}
static void write_party(struct writer *w, unsigned i)
{
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3, 0x42, 0};
    uint8_t x[32], der[26 + 65];
    br_ec_private_key key = party_key(i, x);
    br_ec_public_key public;
    memcpy(der, head, 26);
    CHECK(br_ec_compute_pub(br_ec_get_default(), &public, der + 26, &key) == 65);
    write_text(w, "{\"name\":\"p"), write_dec(w, i), write_text(w, "\",\"pem\":\"-----BEGIN PUBLIC KEY-----\\n");
    write_base64(w, view_of(der, sizeof der)), write_text(w, "\\n-----END PUBLIC KEY-----\\n\"}");
}

// JSON for people: ' stands for ", $0 for the first party as a key of a policy. %D and %I stand for the hex of manifest and index.
__attribute__((unused)) static struct view spelled(const char *text)
{
    size_t size = strlen(text) * 220 + 1;
    struct writer w = writer_of(arena_alloc(&arena, size), size);
    for (; *text; text++) {
        if (*text == '$')
            write_party(&w, (unsigned)(*++text - '0'));
        else if (*text == '%')
            write_hex(&w, view_of((*++text == 'D' ? &image.manifest : &image.index)->sha256, 32));
        else
            write_u8(&w, *text == '\'' ? '"' : (uint8_t)*text);
    }
    CHECK(!w.full);
    return writer_view(&w);
}

// A fresh arena, an image, no candidates, and a policy.
__attribute__((unused)) static bool begin(const char *text)
{
    fresh();
    candidate_count = 0;
    image = (struct image_subject){.has_index = true, .manifest_bytes = VIEW("the manifest"), .index_bytes = VIEW("the index")};
    hash_once(HASH_SHA256, image.manifest_bytes, image.manifest.sha256);
    hash_once(HASH_SHA256, image.index_bytes, image.index.sha256);
    return policy_parse(spelled(text), &arena, &policy, &err);
}

static struct view signed_by(unsigned i, struct view message)
{
    uint8_t x[32], hash[32], *out = arena_alloc(&arena, 80);
    br_ec_private_key key = party_key(i, x);
    hash_once(HASH_SHA256, message, hash);
    return view_of(out, br_ecdsa_i31_sign_asn1(br_ec_get_default(), &br_sha256_vtable, hash, &key, out));
}

// The next candidate: a payload signed in this form.
__attribute__((unused)) static struct signature_candidate *add(unsigned i, enum signature_form form, struct view payload)
{
    struct view message = payload;
    if (form == SIGNATURE_DSSE || form == SIGNATURE_BUNDLE) {
        char *pae = arena_alloc(&arena, payload.n + 80);
        int n = sprintf(pae, "DSSEv1 28 application/vnd.in-toto+json %zu ", payload.n);
        memcpy(pae + n, payload.p, payload.n);
        message = view_of(pae, (size_t)n + payload.n);
    }
    struct signature_candidate *c = &candidates[candidate_count++];
    *c = (struct signature_candidate){form, form == SIGNATURE_MESSAGE ? (struct view){0} : payload, signed_by(i, message)};
    return c;
}

// Simple signing with `optional` of this image.
#define SIMPLE(optional)                                                                                                         \
    "{'critical':{'identity':{'docker-reference':'r.example/app:1'},'image':{'docker-manifest-digest':'sha256:%D'},"              \
    "'type':'cosign container image signature'},'optional':" optional "}"
// A statement with this subject's members besides the digest, and predicate.
#define STATEMENT(type, more, predicate)                                                                                         \
    "{'_type':'https://in-toto.io/Statement/v1','subject':[{'digest':{'sha256':'%D'}" more "}],'predicateType':'" type            \
    "','predicate':" predicate "}"
#define SIGN "https://sigstore.dev/cosign/sign/v1"

// (candidates) -> claims, in the same arena.
__attribute__((unused)) static void open_all(void)
{
    CHECK(claims_open(&policy, &image, candidates, candidate_count, &arena, &claims, &err));
}

#endif
