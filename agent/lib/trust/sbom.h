/* sbom: what a software bill of materials says is in the image: files with checksums, packages of distributions.
 *
 * SPDX 2.2 and 2.3 as JSON (spdx.github.io/spdx-spec/v2.3), CycloneDX 1.4 and later 1.x as JSON (cyclonedx.org/docs),
 * and either as a JSON text inside a string (`cosign attest --type spdx`). Only for documents whose signature holds. */
#ifndef PLINTH_TRUST_SBOM_H
#define PLINTH_TRUST_SBOM_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "format/json.h"

/* Both predicate types, for messages. */
#define SBOM_TYPE_SPDX "https://spdx.dev/Document"
#define SBOM_TYPE_CYCLONEDX "https://cyclonedx.org/bom"

bool sbom_is_type(struct view predicate_type);

struct sbom_file {
    struct view path; /* without "./" or "/" in front */
    bool present;     /* it has a checksum of any kind (all zeros is none): it must exist */
    bool compared;    /* it has a SHA-256, else SHA-384, else SHA-512: its bytes must be these */
    enum hash_alg alg;
    uint8_t digest[HASH_MAX];
};

/* SBOM_ANY: an SPDX package without a purl; what it is, is not said. */
enum sbom_ecosystem { SBOM_DEB, SBOM_APK, SBOM_RPM, SBOM_ANY };

struct sbom_package {
    struct view name, version, arch; /* the last two may be empty: any */
    enum sbom_ecosystem ecosystem;
    bool found;          /* for the caller */
    struct view instead; /* the same */
};

struct sbom {
    size_t file_count, package_count;
    struct sbom_file *files;       /* in the document's order */
    struct sbom_package *packages; /* sorted by name */
};

/* Everything lives in `a`. Packages of other ecosystems (npm, pypi, ...), source packages (arch=source), what an SPDX
 * document describes as a whole, and purposes that are no installed package (CONTAINER, SOURCE, ...) are left out.
 * ERR_FORMAT: another version, a member of the wrong type, a checksum of the wrong length, a purl that is none. */
bool sbom_read(struct view predicate_type, const json *predicate, struct arena *a, struct sbom *out, struct err *e);

/* The packages of this name: *first, and as many as returned. */
size_t sbom_find(const struct sbom *s, struct view name, struct sbom_package **first);

/* "deb", "apk", "rpm", "package" */
const char *sbom_ecosystem_name(enum sbom_ecosystem ecosystem);

/* A package URL (purl-spec) of type deb, apk or rpm, percent-decoded into `a`. *known false for other types and for
 * source packages. ERR_FORMAT: no "pkg:TYPE/", no name, bad percent-encoding. */
bool purl_parse(struct view text, struct arena *a, struct sbom_package *out, bool *known, struct err *e);

#endif
