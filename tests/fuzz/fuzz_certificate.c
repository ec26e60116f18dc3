// certificate: an X.509 certificate from a server, read for its names.
#include "worker/certificate.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct certificate c;
    uint8_t text[256];
    struct writer w = writer_of(text, sizeof text);

    if (!certificate_parse(view_of(bytes, size), &c))
        return 0;
    if (strlen(c.not_before) != 10 || strlen(c.not_after) != 10)
        abort();
    certificate_names(&c, &w);
    touch(writer_view(&w));
    touch(certificate_common_name(c.issuer));
    certificate_has_ip(&c, view_of("\x7f\0\0\1", 4));
    return 0;
}
