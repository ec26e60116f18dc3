// x509: certificates, CRLs and chains of a stranger: each input is a list of DER or PEM, 0xff 0x00 between the items.
#include "tools/appraise/x509.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct pool p = {0};
    struct anchors trust = {0};
    struct view rest = view_of(bytes, size), value;
    struct err e;
    char text[256];

    start(64u << 20);
    anchors_add_pin(&trust, "Intel", "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e");
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && !(n + 1 < rest.n && rest.p[n] == 0xff && rest.p[n + 1] == 0)) n++;
        struct view item = view_first(rest, n);
        rest = view_skip(rest, n + 2);
        if (item.n && item.p[0] == '-') pool_add_pem(&p, item, n % 2, &arena, &e);
        else if (!pool_add_certificate(&p, item, &e)) pool_add_crl(&p, item, &e);
        if (p.cert_count < 4) anchors_add_file(&trust, item, "own", &arena, &e);
    }
    for (size_t i = 0; i < p.cert_count; i++) {
        const struct anchor *used = NULL;
        struct chain c;
        x509_describe(p.certs[i], text, sizeof text);
        touch(view_str(text));
        touch(view_str(x509_subject_cn(p.certs[i], text, 64))), touch(view_str(x509_issuer_cn(p.certs[i], text, 64)));
        if (x509_extension(p.certs[i], "1.2.840.113741.1.13.1", &value)) touch(value);
        if (!chain_of(&p, p.certs[i], &c, &e)) continue;
        for (int rule = 0; rule < 3; rule++)
            if (chain_check(&c, &trust, (enum chain_rule)rule, 1751328000, &used, &e) && (!used || c.n < 2)) abort();
        if (c.n > 1) crl_check(&p, c.certs[0], c.certs[1], 1751328000, &e);
    }
    pool_drop(&p);
    return 0;
}
