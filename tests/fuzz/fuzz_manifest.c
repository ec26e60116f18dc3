// manifest: every reading of the same bytes; the media type told by the registry is the text before the first line's end.
#include "oci/manifest.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct platform amd64 = {"linux", "amd64", ""}, arm64 = {"linux", "arm64", "v8"};
    static struct signature_entry entries[SIGNATURES_MAX];
    static struct manifest m;
    struct view rest = view_of(bytes, size), type = {0};
    struct descriptor d;
    enum manifest_kind kind;
    size_t n;
    struct err e = {0};

    start(16 << 20);
    if (size && bytes[0] != '{')
        type = view_cut(&rest, '\n', NULL);
    bool known = manifest_kind_of(rest, type, &arena, &kind, &e);
    if (manifest_parse(rest, &arena, &m, &e)) {
        if ((known && kind != MANIFEST_IMAGE) || m.layer_count == 0 || m.layer_count > LAYERS_MAX || m.config.size > CONFIG_MAX)
            abort();
        touch(m.config.media_type);
        for (size_t i = 0; i < m.layer_count; i++) {
            const struct layer_encryption *enc = &m.layers[i].encryption;
            touch(m.layers[i].descriptor.media_type);
            touch(enc->pubopts), touch(enc->jwe), touch(enc->provider);
            bool any = enc->pubopts.n && (enc->jwe.n || enc->provider.n);
            if (m.layers[i].encrypted ? !any : enc->pubopts.n || enc->jwe.n || enc->provider.n)
                abort();
        }
    }
    for (int i = 0; i < 2; i++) {
        if (!index_select(rest, i ? &amd64 : &arm64, &arena, &d, &e))
            continue;
        if (d.size == 0 || d.size > MANIFEST_MAX)
            abort();
        touch(d.media_type);
    }
    if (signature_manifest_parse(rest, &arena, entries, SIGNATURES_MAX, &n, &e))
        for (size_t i = 0; i < n; i++)
            touch(entries[i].signature);
    struct referrer r;
    if (referrer_parse(rest, &arena, &r, &e))
        touch(r.artifact_type);
    static struct digest list[REFERRERS_MAX];
    n = 0;
    if (referrers_parse(rest, &arena, list, REFERRERS_MAX, &n, &e) && n > REFERRERS_MAX)
        abort();
    return 0;
}
