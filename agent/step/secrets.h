/* secrets: what run.secrets of the policy gives to the workload, collected before launch: every one of them, or there
 * is no launch. */
#ifndef PLINTH_STEP_SECRETS_H
#define PLINTH_STEP_SECRETS_H

#include "step/step.h"

#define SECRET_VARIABLE_MAX ((128u << 10) - 1) /* "NAME=value": what Linux takes (MAX_ARG_STRLEN, without the NUL) */

struct secret_file {
    struct view name, bytes; /* /run/secrets/<name> */
    uint16_t mode;
    struct view owner; /* "user[:group]"; empty: the process's */
};

struct workload_secrets {
    size_t file_count;
    struct secret_file *files;
    struct text_list env; /* "NAME=value", over the process's, a NUL behind each: execve takes them where they are */
};

/* All of them from config->secrets, sealed ones opened (lib/secret/sealed.h). Only what `out` names comes into
 * `secrets` (sys/secret_memory.h); keys and whatever else was needed is wiped again. Where an entry says neither uri
 * nor sealed, the process's variable is the sealed text.
 * ERR_POLICY: nobody to ask; one is denied, missing, empty, above SECRET_MAX, or for a variable above
 * SECRET_VARIABLE_MAX or with a NUL in it; the process's variable is not sealed. ERR_NETWORK: no answer. ERR_FORMAT,
 * ERR_SIGNATURE, ERR_DIGEST: sealed_open's. Names the entry, never the bytes. */
bool secrets_collect(const struct config *config, const struct process *process, struct arena *secrets,
                     struct workload_secrets *out, struct err *e);

#endif
