/* see given.h */
#include "tools/given.h"

#include "base/codec.h"
#include "tools/appraise/moment.h"
#include "tools/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static bool add_file(const char *path, struct arena *a, struct collateral *to, struct err *e) {
    struct view bytes;
    return file_read("collateral", path, COLLATERAL_FILE_MAX, a, &bytes, e) &&
           (collateral_add(to, bytes, a, e) || err_in(e, "--certs %s", path));
}

bool given_certs(const char *path, struct arena *a, struct collateral *to, struct err *e) {
    struct dirent **list;
    struct stat st;
    char name[4096];
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return add_file(path, a, to, e);
    int n = scandir(path, &list, NULL, alphasort);
    bool ok = n >= 0 || err_sys(e, "cannot read the directory %s", path);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%s", path, list[i]->d_name);
        if (ok && list[i]->d_name[0] != '.' && stat(name, &st) == 0 && S_ISREG(st.st_mode))
            ok = add_file(name, a, to, e);
        free(list[i]);
    }
    if (n >= 0) free(list);
    return ok;
}

bool given_moment(const char *text, int64_t *at, struct err *e) {
    *at = time(NULL);
    if (!text || moment_parse(view_str(text), at)) return true;
    err_set(e, ERR_USAGE, "--at '%s' is not a time", text);
    return err_mend(e, "write it as 2025-07-01T00:00:00Z, 2025-07-01 or @1751328000");
}

bool given_root(const char *path, struct arena *a, struct anchors *to, struct collateral *certs, struct err *e) {
    struct view bytes;
    struct err ignored;
    if (!path) return true;
    if (file_read("root", path, CERTIFICATE_MAX, a, &bytes, e) &&
        (anchors_add_file(to, bytes, path, a, e) || err_in(e, "--trust %s", path))) {
        (void)collateral_add(certs, bytes, a, &ignored); /* a bare key is none */
        return true;
    }
    e->kind = ERR_USAGE;
    return false;
}
