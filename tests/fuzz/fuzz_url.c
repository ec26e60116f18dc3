// url: what is accepted is accepted again when written out, and a resolved reference is a URL.
#include "format/url.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t text[2 * URL_MAX];
    struct view rest = view_of(bytes, size), first = view_cut(&rest, '\n', NULL);
    struct url u, v;
    struct err e;

    if (!url_parse(first, &u, &e))
        return 0;
    struct writer w = writer_of(text, sizeof text);
    write_text(&w, u.https ? "https://" : "http://");
    write_bytes(&w, u.authority);
    url_target(&u, &w);
    if (w.full || (w.n <= URL_MAX && (!url_parse(writer_view(&w), &v, &e) || !url_same_origin(&u, &v))))
        abort();
    w = writer_of(text, URL_MAX);
    if (url_resolve(&u, rest, &w, &e) && !url_parse(writer_view(&w), &v, &e))
        abort();
    return 0;
}
