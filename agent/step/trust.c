/* see trust.h */
#include "step/trust.h"

#include "step/fetcher.h"
#include "trust/claim.h"

/* Address space, not memory: statements of STATEMENTS_MAX by policy keys, parsed, take 4 to 13 times as much; dropped
 * at once. */
#define CLAIMS_ARENA (512u << 20)

/* The index was signed, pinned, or (allowUnsigned) is taken as it is: it must choose exactly the child at hand. */
static bool through_index(const struct config *config, const struct resolved *r, struct arena *a, struct err *e) {
    struct descriptor child;
    char chosen[DIGEST_TEXT_SIZE], served[DIGEST_TEXT_SIZE];
    if (!index_select(r->top, &config->platform, a, &child, e)) return err_in(e, "index");
    if (!digest_eq(&child.digest, &r->child_digest) || child.size != r->child.n)
        return err_set(
            e, ERR_DIGEST, "index: the manifest for %s/%s is %s (%llu bytes), the index says %s (%llu bytes)",
            config->platform.os, config->platform.architecture, digest_text(&r->child_digest, served),
            (unsigned long long)r->child.n, digest_text(&child.digest, chosen), (unsigned long long)child.size);
    return true;
}

/* Signatures and attestations. *over_index: one that counts is over the index, so that this must lead to the manifest.
 */
static bool check_claims(const struct policy *policy, const struct resolved *r, const struct image_subject *subject,
                         struct arena *a, struct verified_image *image, bool *over_index, struct err *e) {
    struct arena scratch;
    struct claims claims;
    if (policy->allow_unsigned && policy->attestation_count == 0) return true;
    if (!arena_make(&scratch, CLAIMS_ARENA, e)) return false;
    bool ok = claims_open(policy, subject, r->candidates, r->candidate_count, &scratch, &claims, e) &&
              (policy->allow_unsigned || signature_check(policy, subject, &claims, &image->signatures, e)) &&
              attestation_check(policy, subject, &claims, &scratch, a, &image->attestations, e);
    arena_drop(&scratch);
    for (size_t i = 0; ok && i < image->signatures.count; i++)
        *over_index |= digest_eq(&image->signatures.matches[i].digest, &r->top_digest);
    for (size_t i = 0; ok && i < image->attestations.count; i++)
        *over_index |= digest_eq(&image->attestations.matches[i].digest, &r->top_digest);
    return ok;
}

bool trust_image(const struct config *config, const struct resolved *r, struct arena *a, struct verified_image *out,
                 struct err *e) {
    const struct policy *policy = &config->policy;
    struct verified_image image = {0};
    bool has_child = r->child.n > 0;
    struct image_subject subject = {r->top_digest, r->top_digest, has_child, r->top, r->top};
    if (has_child) subject.manifest = r->child_digest, subject.manifest_bytes = r->child;
    image.manifest_digest = subject.manifest;
    bool top_vouched = config->image.pinned || policy->allow_unsigned;
    if (!check_claims(policy, r, &subject, a, &image, &top_vouched, e)) return false;
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

bool trust_config(const struct config *config, const struct resolved *resolved, const struct child *fetch,
                  struct arena *a, struct verified_image *image, struct err *e) {
    struct view bytes = resolved->config; /* what fetcher_take_blob gave out has the digest that it was asked for */
    bool same = digest_eq(&resolved->config_said.digest, &image->manifest.config.digest);
    if ((!same || !bytes.n || bytes.n != image->manifest.config.size) &&
        !fetcher_blob(fetch, &image->manifest.config, "config", CONFIG_MAX, config->deadline_ms, a, &bytes, e))
        return false;
    return image_config_parse(bytes, image->manifest.layer_count, &config->platform, a, &image->config, e);
}
