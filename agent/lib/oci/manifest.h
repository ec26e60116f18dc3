/* manifest: image-spec manifest.md and image-index.md, and Docker's schema 2 forms of both.
 *
 * Pure reading of bytes whose digest or signature the caller has checked (in the monitor), or has not (in the fetch
 * worker, which believes nothing of it). */
#ifndef PLINTH_OCI_MANIFEST_H
#define PLINTH_OCI_MANIFEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"
#include "oci/digest.h"

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

enum layer_compression { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD };

struct descriptor {
    struct view media_type; /* into the arena */
    struct digest digest;
    uint64_t size;
};

/* What ocicrypt (containers/ocicrypt, spec/spec.go) wrote to an encrypted layer's descriptor, as it stands there. */
struct layer_encryption {
    struct view pubopts;  /* org.opencontainers.image.enc.pubopts */
    struct view jwe;      /* ...enc.keys.jwe, or empty */
    struct view provider; /* ...enc.keys.provider.attestation-agent, else the first other provider's, or empty */
};

struct layer {
    struct descriptor descriptor;
    enum layer_compression compression; /* from the media type, never guessed from the bytes */
    bool encrypted;                     /* the media type ends with "+encrypted" */
    struct layer_encryption encryption; /* else empty, whatever the annotations say */
};

struct manifest {
    struct descriptor config;
    size_t layer_count;
    struct layer layers[LAYERS_MAX];
};

struct platform {
    const char *os, *architecture, *variant; /* "linux", "amd64", "" */
};

/* Image or index? By mediaType, or by its members where mediaType is absent (umoci, skopeo). `content_type` is what the
 * registry said (may be empty); when both are there they must agree. A document with both `manifests` and
 * `config`/`layers` (CVE-2021-41190), and schema 1, are refused: ERR_FORMAT. */
bool manifest_kind_of(const struct view bytes, struct view content_type, struct arena *a, enum manifest_kind *out,
                      struct err *e);

/* Decodes an image manifest. Refused: unknown layer or config media type, `urls` in a descriptor (CVE-2020-15157), a
 * negative, fractional or zero size, a config above CONFIG_MAX, sizes above 2^53, no layer or more than LAYERS_MAX, a
 * schemaVersion other than 2, an encrypted layer without pubopts, or with keys in none of the forms above. `data`,
 * `subject` and all other annotations are ignored. The views live in `a`. */
bool manifest_parse(struct view bytes, struct arena *a, struct manifest *out, struct err *e);

/* The first entry of an index that is an image manifest and fits `want`: os, architecture, and the variant where the
 * entry names one (a wish without variant takes the baseline: amd64/v1, arm64/v8). BuildKit's attestation entries
 * (unknown/unknown) never fit. ERR_FORMAT naming what the index offers when none does. */
bool index_select(struct view bytes, const struct platform *want, struct arena *a, struct descriptor *out,
                  struct err *e);

/* A manifest that holds signatures, at a `.sig` or `.att` tag or as referrer: descriptors of its layers with the one
 * annotation that matters. Unverified reading, used by the fetch worker. At most `max` entries; more is an error. */
struct signature_entry {
    struct descriptor payload;
    struct view signature; /* annotation dev.cosignproject.cosign/signature (base64 text), empty when absent */
};
bool signature_manifest_parse(struct view bytes, struct arena *a, struct signature_entry *out, size_t max,
                              size_t *count, struct err *e);

/* What an image manifest says about itself as a referrer. The same reading. */
struct referrer {
    struct view artifact_type; /* empty when absent */
    bool has_subject;
    struct digest subject;
};
bool referrer_parse(struct view bytes, struct arena *a, struct referrer *out, struct err *e);

/* A list of referrers (distribution-spec "Listing Referrers", "Referrers Tag Schema"), which is an index: appends the
 * digests of its manifests that are not in out[0..*count) already. More than `max` is an error. The same reading. */
bool referrers_parse(struct view bytes, struct arena *a, struct digest *out, size_t max, size_t *count, struct err *e);

#endif
