/* verifier: plinth verify, verify-quote and serve, as build/plinth has them: it becomes plinth-verify, the same program with
 * tools/appraise, tools/serve and OpenSSL. So the tables of libcrypto lie in the memory of no worker of plinth pull. */
#include "tools/file.h"
#include "tools/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int become(char **argv) {
    char path[FILE_BESIDE_MAX];
    struct err e;
    if (file_beside("plinth-verify", path, &e)) {
        execv(path, argv - 1); /* main gave us its own argv without the program's name */
        err_set(&e, ERR_SYSTEM, "cannot start %s: %s", path, strerror(errno));
        err_mend(&e, "`make` builds it beside plinth");
    }
    return command_fail(&e);
}

int cmd_verify(int argc, char **argv) {
    (void)argc;
    return become(argv);
}

int cmd_serve(int argc, char **argv) {
    (void)argc;
    return become(argv);
}

int cmd_verify_quote(int argc, char **argv) {
    (void)argc;
    return become(argv);
}
