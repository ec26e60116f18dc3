// sbom: first byte chooses the format; what is read can be found, and lies in the arena.
#include "fuzz_lib.h"
#include "trust/sbom.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view text = view_of(bytes, size), type = size && bytes[0] & 1 ? VIEW(SBOM_TYPE_SPDX) : VIEW(SBOM_TYPE_CYCLONEDX);
    struct sbom s;
    struct sbom_package *first, purl;
    struct err e = {0};
    const json *v;
    bool known;

    start(32 << 20);
    if (purl_parse(text, &arena, &purl, &known, &e) && known)
        touch(purl.name), touch(purl.version), touch(purl.arch);
    if (!json_parse(view_skip(text, 1), &arena, &v, &e) || !sbom_read(type, v, &arena, &s, &e)) {
        if (e.kind != ERR_FORMAT && e.kind != ERR_SYSTEM)
            abort();
        return 0;
    }
    for (size_t i = 0; i < s.file_count; i++) {
        touch(s.files[i].path);
        if (!s.files[i].path.n || s.files[i].path.p[0] == '/' || (s.files[i].compared && !s.files[i].present))
            abort();
    }
    for (size_t i = 0; i < s.package_count; i++) {
        const struct sbom_package *p = &s.packages[i];
        size_t n = sbom_find(&s, p->name, &first);
        if (p < first || p >= first + n)
            abort();
        touch(p->name), touch(p->version), touch(p->arch);
    }
    return 0;
}
