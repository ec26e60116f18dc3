/* untar: one layer's tar into one directory (image-spec layer.md), nothing of it outside.
 *
 * The directory is the layer's alone, so whatever is in it this layer put there. Every name is opened from its parent's
 * descriptor without following symlinks. What the layer says about lower layers is left for overlayfs or `plinth pull`
 * to act on: whiteouts as 0:0 nodes, and the two marks of oci/layer.h. libarchive is asked for its tar reader alone. */
#ifndef PLINTH_WORKER_UNTAR_H
#define PLINTH_WORKER_UNTAR_H

#include "worker/job.h"

/* Where the tar comes from. */
struct untar_input {
    /* The next block, full (a multiple of 512 bytes) but for the last; valid until the next call. *ended: it is the
     * last one, or empty and there is none. */
    bool (*next)(void *state, struct view *out, bool *ended, struct err *e);
    void *state;
    bool ended;
};

/* Reads `input` to its end and fills `root_fd`, with the umask 0. Of the result the files and what was skipped are
 * filled in. ERR_FORMAT: no tar, truncated, or an entry that breaks a rule; ERR_POLICY: files of more than bytes_max,
 * files_max, a device without allow_devices; ERR_SYSTEM. The entry is named. On failure the directory holds what was
 * made so far; the caller clears it.
 *
 * Kept: names byte for byte, mode with setuid, mtime to the nanosecond, hard links, holes, owner (as root), the
 * attributes security.capability and user.*. Not kept: ACLs, other attributes, file flags, atime. Without as_root
 * devices are left out; they, owners other than 0:0, and attributes that the file system refuses are counted as
 * skipped. A directory that has entries but is not listed is 0755, root's, of time 0, and marked as implied. */
bool untar(int root_fd, const struct unpack_job *job, struct untar_input *input, struct unpack_result *out,
           struct err *e);

#endif
