/* secret_dir: where `plinth pull` and others take secrets from on the host: a directory in place of a KBS,
 * DIR/<repository>/<type>/<tag> as `plinth serve` has it, and private keys by their file names. */
#ifndef PLINTH_TOOLS_SECRET_DIR_H
#define PLINTH_TOOLS_SECRET_DIR_H

#include "step/step.h"
#include "tools/options.h"

#define SECRET_DIR_FILE_MAX (1u << 20)

struct secret_dir {
    struct secret_source source;
    const char *path; /* NULL: none */
    int fd;           /* -1 */
    size_t file_count;
    struct view files[POLICY_DECRYPT_KEYS_MAX]; /* that may be had by their names */
};

/* `path` (--secrets) may be NULL; *out stays where it is until the process ends. Resources are regular files of at most
 * SECRET_DIR_FILE_MAX bytes; no part of their path may be a symbolic link. ERR_USAGE: no directory. */
bool secret_dir_open(const char *path, struct secret_dir *out, struct err *e);
/* --decryption-key: each file (or pipe) is one more of the policy's private keys (policy.decrypt_keys), under its own
 * name instead of a URI; without --secrets they are the only ones. ERR_USAGE: they are too many, or one cannot be
 * read. */
bool secret_dir_keys(struct secret_dir *d, const struct option_list *files, struct policy *policy, struct err *e);

#endif
