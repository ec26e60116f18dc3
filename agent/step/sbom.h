/* sbom: what the signed SBOMs say is held against what was unpacked (policy member sbom.matchRootfs; trust/sbom.h).
 *
 *   files     each listed one is a regular file of the root (symbolic links are followed inside it) with the listed
 *             SHA-256, SHA-384 or SHA-512; with other checksums only, it must be there, and is counted as uncompared.
 *             Where the SBOM lists any file at all, regular files it does not list are unlisted.
 *   packages  dpkg (also distroless' status.d), apk and RPM (SQLite, NDB, Berkeley DB): listed is installed, in the
 *             listed version, and the other way round. Where a purl names an architecture, that one; where it names
 *             none, what an installed package was built from counts as well. An SPDX package without a purl is only
 *             held against an installed one of its name. RPM's gpg-pubkey need not be listed; a log that SQLite has
 *             not merged into RPM's database is a difference, changed.
 *
 * Every statement that met an entry of policy.attestations is compared; the same bytes by two keys once. The bytes
 * compared are those that verified digests cover; files are read through one buffer. */
#ifndef PLINTH_STEP_SBOM_H
#define PLINTH_STEP_SBOM_H

#include "step/step.h"

#define SBOM_NAMED_MAX 20u
#define SBOM_TEXT_SIZE 640u

/* Printable ASCII, the rest as \xNN; cut where too long. Empty: none. */
struct sbom_difference {
    char name[256]; /* "/usr/bin/x", "deb libc6" */
    char listed[144], found[144];
};

struct sbom_result {
    bool compared; /* sbom.matchRootfs, and it came to an end */
    uint64_t matched, uncompared, count[SBOM_DIFFERENCES];
    struct sbom_difference first[SBOM_DIFFERENCES][SBOM_NAMED_MAX];
};

/* "SBOM: 2 as listed, 0 missing, ..." */
void sbom_summary(const struct sbom_result *r, char out[SBOM_TEXT_SIZE]);
/* "/usr/bin/x is changed: sha256:... in the SBOM, sha256:... in the image"; false where there is no such difference, or
 * it is not named. */
bool sbom_named(const struct sbom_result *r, enum policy_sbom kind, size_t i, char out[SBOM_TEXT_SIZE]);

/* True at once, with an empty result, where the policy does not ask for it. `root_fd` is the merged root, with nothing
 * else mounted over it. ERR_POLICY where sbom.refuse names a kind of difference that there is (`out` is filled then,
 * too), ERR_FORMAT for an SBOM or package database that cannot be read, ERR_SYSTEM (also: limits.seconds ran out). */
bool sbom_match(const struct config *config, const struct verified_image *image, int root_fd, struct sbom_result *out,
                struct err *e);

#endif
