/* see trust.h */
#include "step/trust.h"

#include "step/fetcher.h"

/* The index was signed, pinned, or (allowUnsigned) is taken as it is: it must choose exactly the child at hand. */
static bool through_index(const struct config *config, const struct resolved *r, struct arena *a, struct err *e) {
    struct descriptor child;
    char chosen[DIGEST_TEXT_SIZE], served[DIGEST_TEXT_SIZE];
    if (!index_select(r->top, &config->platform, a, &child, e)) return err_in(e, "index");
    if (!digest_eq(&child.digest, &r->child_digest) || child.size != r->child.n)
        return err_set(e, ERR_DIGEST, "index: the manifest for %s/%s is %s (%llu bytes), the index says %s (%llu bytes)",
                       config->platform.os, config->platform.architecture, digest_text(&r->child_digest, served),
                       (unsigned long long)r->child.n, digest_text(&child.digest, chosen),
                       (unsigned long long)child.size);
    return true;
}

bool trust_image(const struct config *config, const struct resolved *r, struct arena *a, struct verified_image *out,
                 struct err *e) {
    const struct policy *policy = &config->policy;
    struct verified_image image = {0};
    bool has_child = r->child.n > 0;
    image.manifest_digest = has_child ? r->child_digest : r->top_digest;
    bool top_vouched = config->image.pinned || policy->allow_unsigned;
    if (!policy->allow_unsigned) {
        if (!signature_check(policy, r->candidates, r->candidate_count, &image.manifest_digest,
                             has_child ? &r->top_digest : NULL, a, &image.signatures, e))
            return false;
        for (size_t i = 0; i < image.signatures.count; i++)
            top_vouched |= digest_eq(&image.signatures.matches[i].digest, &r->top_digest);
    }
    /* Where every signature is on the child itself, nobody vouched for the index: it is not parsed and not recorded. */
    enum manifest_kind kind;
    if (top_vouched) {
        if (!manifest_kind_of(r->top, r->top_type, a, &kind, e)) return false;
        if (kind == MANIFEST_INDEX) {
            if (!through_index(config, r, a, e)) return false;
            image.through_index = true;
            image.index_digest = r->top_digest;
        } else if (has_child) {
            return err_set(e, ERR_FORMAT, "the fetch worker took an image manifest for an index");
        }
    }
    struct view bytes = has_child ? r->child : r->top;
    if (!manifest_kind_of(bytes, has_child ? r->child_type : r->top_type, a, &kind, e)) return false;
    if (kind != MANIFEST_IMAGE) return err_set(e, ERR_FORMAT, "the index leads to another index, not to an image");
    if (!manifest_parse(bytes, a, &image.manifest, e)) return false;
    if (image.manifest.layer_count > policy->limits.layers) {
        err_set(e, ERR_POLICY, "the image has %zu layers, the policy allows %u", image.manifest.layer_count,
                policy->limits.layers);
        return err_mend(e, "raise limits.layers (at most %u)", LAYERS_MAX);
    }
    image.config_digest = image.manifest.config.digest;
    *out = image;
    return true;
}

bool trust_config(const struct config *config, const struct child *fetch, struct arena *a, struct verified_image *image,
                  struct err *e) {
    struct view bytes;
    if (!fetcher_blob(fetch, &image->manifest.config, "config", CONFIG_MAX, config->deadline_ms, a, &bytes, e)) return false;
    return image_config_parse(bytes, image->manifest.layer_count, &config->platform, a, &image->config, e);
}
