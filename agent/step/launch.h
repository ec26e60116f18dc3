/* launch: the verified image becomes the process that runs (image-spec config.md, "Properties"; Docker's defaults for
 * the rest).
 *
 *   arguments    policy run.args, else Entrypoint followed by Cmd
 *   environment  Env, then policy run.env over it, and PATH when neither gives one; at exec also HOME (from the image's
 *                passwd) and HOSTNAME
 *   user         policy run.user, else User; names are the image's own (oci/passwd.h)
 *   directory    WorkingDir, made when missing
 *   secrets      policy run.secrets (step/secrets.h): files in /run/secrets, a read-only tmpfs of their own where each
 *                has the owner and mode that the policy says; variables over the environment, at exec alone, so that
 *                they stand in no struct process, no digest, no event
 *
 * Standard input is /dev/null: what a host could type at the console is nobody's order. Standard output and error are
 * the console, which the host reads. StopSignal needs a supervisor; in exec mode nobody sends it. When the process
 * ends, so does PID 1, and the kernel panics (boot with panic=-1). */
#ifndef PLINTH_STEP_LAUNCH_H
#define PLINTH_STEP_LAUNCH_H

#include "step/network.h"
#include "step/secrets.h"
#include "step/step.h"

/* What will run; pure. ERR_POLICY: neither image nor policy says what. ERR_FORMAT: WorkingDir is not absolute. */
bool launch_plan(const struct policy *policy, const struct image_config *image, struct arena *a, struct process *out,
                 struct err *e);

struct launch_file {
    const char *name;
    struct view bytes;
};

struct launch_site {
    const char *store; /* mount_image_store's, with the layers in directories 0 .. layer_count - 1 */
    size_t layer_count;
    bool devices; /* limits.allowDevices: device nodes of layers work */
    const struct network *network;
    size_t file_count;
    int root; /* launch_root's */
    bool supervised; /* PID 1 stays in the initramfs, and has called launch_evidence: step/supervise.h */
    /* Become /run/secrets and variables; NULL: none. The files' bytes are wiped when they are written. */
    const struct workload_secrets *secrets;
    const struct launch_file *files; /* become /run/plinth/<name>, 0444, on a file system the container cannot write */
};

/* The merged root, mounted with nothing over it and nothing of it executable: a descriptor, or -1. Once, before
 * launch_exec. */
int launch_root(const struct launch_site *site, struct err *e);

/* Mounts /run/plinth with its files: a descriptor of the directory, which stays writable there, or -1. launch_exec
 * calls it. */
int launch_evidence(const struct launch_site *site, struct err *e);

/* Lets go of what launch_root mounted: the container has it in a name space of its own. */
void launch_forget(void);

/* Mounts, resolves, drops and executes; see sys/mounts.h and sys/exec.h. Returns only when that failed. User and
 * program are looked up before anything is mounted over the image, and nothing of it can be executed before the last
 * step. */
bool launch_exec(const struct process *process, const struct launch_site *site, struct arena *a, struct err *e);

#endif
