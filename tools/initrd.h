/* initrd: the measured initramfs. The same inputs give the same bytes, on any machine. */
#ifndef PLINTH_TOOLS_INITRD_H
#define PLINTH_TOOLS_INITRD_H

#include "base/arena.h"
#include "tools/options.h"

#define INITRD_MAX (256u << 20)

struct initrd_parts {
    const char *policy;         /* file, or NULL: none inside */
    const char *initdata;       /* file (tee/initdata.h), or NULL: then the machine looks for it on its block devices */
    const char *agent;          /* file, or NULL: "init" beside this program */
    const char *ca;             /* file, "none", or NULL: the host's bundle, unless the policy brings its own */
    const char *base;           /* an initramfs to append to, or NULL. Then agent and CA are put in only where named */
    struct option_list modules; /* kernel modules, in the order of loading */
    struct option_list adds;    /* "HOST=GUEST" */
};

struct initrd_made {
    struct view image;   /* into the arena */
    size_t archive_size; /* before compression, without the base */
};

/* The room that initrd_build needs. Pages are touched only when used. */
#define INITRD_ARENA (1u << 30)

/* ERR_USAGE: a file that cannot be read, a policy that policy_parse refuses, initdata that the agent would, a compressed module, the module of the SIMULATED TEE
 * (qemu/simtee), a broken "HOST=GUEST", no agent, no CA bundle where one is needed. */
bool initrd_build(const struct initrd_parts *parts, struct arena *a, struct initrd_made *out, struct err *e);

#endif
