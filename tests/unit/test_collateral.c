// collateral: files told apart by content; the bytes of a signed JSON value.
#include "lib.h"

#include "tools/appraise/collateral.h"

static struct collateral c;

static bool add(struct view v) { return collateral_add(&c, v, &arena, &err); }
static void begin(void)
{
    fresh();
    collateral_drop(&c);
}

TEST(each_form)
{
    begin();
    CHECK(add(vector("tdx/phala/pck_crl_issuer_chain.pem")));
    CHECK_EQ(c.pool.cert_count, 2);
    CHECK(add(vector("tdx/phala/tcb_info_issuer_chain.pem")));
    CHECK_EQ(c.pool.cert_count, 3); // the root is the same one
    CHECK(add(vector("tdx/intel_sgx_root_ca.pem")));
    CHECK_EQ(c.pool.cert_count, 3);
    CHECK(add(vector("tdx/phala/pck_crl.der")) && add(vector("tdx/phala/root_ca_crl.der")) && add(vector("tdx/phala/root_ca_crl.der")));
    CHECK_EQ(c.pool.crl_count, 2);
    CHECK(add(vector("tdx/phala/tcb_info.json")) && add(vector("tdx/phala/qe_identity.json")));
    CHECK(add(vector("tdx/phala/tcb_info_signature.bin")) && add(vector("tdx/phala/qe_identity_signature.bin")));
    CHECK(c.tcb_info_count == 1 && c.qe_identity_count == 1 && c.signature_count == 2 && c.tcb_info[0].signature.n == 0);
    CHECK(add(vector("tdx/spr-e4/tcb_info_response.json")) && add(vector("tdx/spr-e4/qe_identity_response.json")));
    CHECK(c.tcb_info_count == 2 && c.qe_identity_count == 2 && c.tcb_info[1].signature.n == 64);
    CHECK(view_starts(c.tcb_info[1].body, VIEW("{\"id\":\"TDX\"")) && view_ends(c.tcb_info[1].body, VIEW("}]}")));
    CHECK(add(vector("tdx/synthetic/root.der")));
    CHECK_EQ(c.pool.cert_count, 4);
    // a CRL in hex of either case, as Intel's caching service gives it
    struct view der = vector("tdx/spr-e4/root_ca_crl.der");
    char *hex = arena_alloc(&arena, 2 * der.n + 2);
    for (size_t i = 0; i < der.n; i++)
        sprintf(hex + 2 * i, i % 2 ? "%02X" : "%02x", der.p[i]);
    strcat(hex, "\n");
    CHECK(add(view_str(hex)));
    CHECK_EQ(c.pool.crl_count, 3);
    collateral_drop(&c);
}

TEST(nonsense)
{
    static const char *const texts[] = {"", "hello", "{}", "[]", "{\"tcbInfo\":{}}", "{\"tcbInfo\":{},\"signature\":\"00\"}", "{\"tcbInfo\":{},\"signature\":\"zz\"}",
                                        "{\"tcb_info\":\"{}\"}", "{\"tcb_info\":\"{}\",\"tcb_info_signature\":\"0g\"}", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
                                        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "30", "3000", "{\"id\":\"\"}"};
    begin();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (add(view_str(texts[i])))
            check_fail("%s: accepted", texts[i]);
    struct view der = vector("tdx/synthetic/root.der");
    uint8_t *more = arena_alloc(&arena, der.n + 1);
    memcpy(more, der.p, der.n);
    CHECK(!add(view_of(more, der.n + 1)));
    CHECK(!add(view_of(more, der.n - 1)));
    CHECK_EQ(c.pool.cert_count + c.pool.crl_count, 0);
    collateral_drop(&c);
}

TEST(bounds)
{
    begin();
    for (unsigned i = 0; i < 2 * SIGNED_MAX; i++)
        CHECK(add(vector("tdx/phala/tcb_info_signature.bin")));
    CHECK(!add(vector("tdx/phala/tcb_info_signature.bin")));
    CHECK_ERR("more than 8 signatures");
    for (unsigned i = 0; i < SIGNED_MAX; i++)
        CHECK(add(vector("tdx/phala/tcb_info.json")));
    CHECK(!add(vector("tdx/phala/tcb_info.json")));
    CHECK_ERR("more than 4 TCB infos");
    collateral_drop(&c);
}

TEST(bytes_of_a_member)
{
    static const struct {
        const char *text, *raw; // of member a
    } cases[] = {
        {"{'a':1}", "1"},
        {" { 'b' : [ 1 , '}' ] , 'a' : { 'x' : ']' } , 'c' : 2 } ", "{ 'x' : ']' }"},
        {"{'a':'\\\\','b':1}", "'\\\\'"},
        {"{'b':'\\'a\\':7','a':true}", "true"},
        {"{'b':{'a':1},'a':[[],{}]}", "[[],{}]"},
        {"{'a':-1.5e3 }", "-1.5e3"},
        {"{'a':''}", "''"},
        {"{'b':1}", NULL},
        {"{'b':{'a':1}}", NULL},
        {"{}", NULL},
        {"[1]", NULL},
        {"'a'", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct view raw;
        fresh();
        bool ok = json_raw_member(quoted(cases[i].text), "a", &raw);
        if (ok != (cases[i].raw != NULL) || (ok && !view_eq(raw, quoted(cases[i].raw))))
            check_fail("%s: %d '%.*s'", cases[i].text, ok, ok ? (int)raw.n : 0, ok ? (const char *)raw.p : "");
    }
}
