/* see launch.h */
#include "step/launch.h"

#include "crypto/wipe.h"
#include "oci/passwd.h"
#include "sys/exec.h"
#include "sys/mounts.h"
#include "sys/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TARGET "/sysroot" /* of the initramfs, where the overlay is put together */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define EVIDENCE_DIRECTORY "/run/plinth"
#define SECRETS_DIRECTORY "/run/secrets"
#define PATH_SIZE 4096

static struct view name_of(struct view variable) { return view_cut(&variable, '=', NULL); }

static struct view *find_variable(const struct text_list *env, struct view name) {
    for (size_t i = 0; i < env->count; i++)
        if (view_eq(name_of(env->items[i]), name)) return &env->items[i];
    return NULL;
}

/* Later ones win, in the place of the earlier. `env` has room. */
static void set_variables(struct text_list *env, const struct text_list *more) {
    for (size_t i = 0; i < more->count; i++) {
        struct view *old = find_variable(env, name_of(more->items[i]));
        *(old ? old : &env->items[env->count++]) = more->items[i];
    }
}

static void append(struct text_list *list, const struct text_list *more) {
    for (size_t i = 0; i < more->count; i++) list->items[list->count++] = more->items[i];
}

bool launch_plan(const struct policy *policy, const struct image_config *image, struct arena *a, struct process *out,
                 struct err *e) {
    static struct view path_item = {(const uint8_t *)DEFAULT_PATH, sizeof DEFAULT_PATH - 1};
    struct process p = {.user = policy->user.n ? policy->user : image->user,
                        .cwd = image->working_dir.n ? image->working_dir : VIEW("/")};
    size_t args = policy->args.count + image->entrypoint.count + image->cmd.count,
           env = image->env.count + policy->env.count + 1;
    p.args.items = arena_alloc(a, args * sizeof *p.args.items);
    p.env.items = arena_alloc(a, env * sizeof *p.env.items);
    if (!p.args.items || !p.env.items) return arena_full(a, e);
    if (policy->has_args)
        append(&p.args, &policy->args);
    else
        append(&p.args, &image->entrypoint), append(&p.args, &image->cmd);
    if (!p.args.count || !p.args.items[0].n) {
        err_set(e, ERR_POLICY, "nothing to run: the image has no Entrypoint and no Cmd, the policy no run.args");
        return err_mend(e, "name the program in run.args of the policy");
    }
    if (p.cwd.p[0] != '/')
        return err_set(e, ERR_FORMAT, "WorkingDir '%.*s' is not absolute", VIEW_ARG(view_first(p.cwd, 200)));
    set_variables(&p.env, &image->env);
    set_variables(&p.env, &policy->env);
    if (!find_variable(&p.env, VIEW("PATH"))) append(&p.env, &(struct text_list){1, &path_item});
    *out = p;
    return true;
}

/* A NULL-terminated array for execve, with room for `spare` more; NULL when the arena is full. */
static char **strings(const struct text_list *list, size_t spare, struct arena *a) {
    char **out = arena_alloc(a, (list->count + spare + 1) * sizeof *out);
    for (size_t i = 0; out && i < list->count; i++)
        if (!(out[i] = arena_str(a, list->items[i]))) return NULL;
    return out;
}

/* Is it a file that somebody may execute? Symbolic links are followed inside the image. */
static bool is_program(int root, const char *path) {
    struct stat st;
    int fd = root_open(root, path, O_PATH, true);
    if (fd < 0) return false;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
    close(fd);
    return ok;
}

/* "/a" stays, "b" is below the working directory; then `name` in it, if not empty. False when it is too long for any
 * path. */
static bool join(struct view cwd, struct view directory, struct view name, char *out) {
    struct writer w = writer_of(out, PATH_SIZE);
    if (!directory.n || directory.p[0] != '/') {
        write_bytes(&w, cwd);
        write_text(&w, "/");
    }
    write_bytes(&w, directory);
    if (name.n) write_text(&w, "/");
    write_bytes(&w, name);
    return writer_str(&w) != NULL;
}

/* The program that argv[0] names, as execvp would find it in the image. */
static bool find_program(int root, const struct process *p, char *out, struct err *e) {
    const struct view *variable = find_variable(&p->env, VIEW("PATH"));
    struct view name = p->args.items[0], rest = variable ? view_skip(*variable, 5) : (struct view){0};
    if (memchr(name.p, '/', name.n)) {
        if (join(p->cwd, name, (struct view){0}, out) && is_program(root, out)) return true;
        err_set(e, ERR_FORMAT, "%.*s is no executable file of the image", VIEW_ARG(view_first(name, 400)));
        return err_mend(e, "correct Entrypoint, or run.args of the policy");
    }
    for (bool more = true; more;)
        if (join(p->cwd, view_cut(&rest, ':', &more), name, out) && is_program(root, out)) return true;
    err_set(e, ERR_FORMAT, "no program '%.*s' in the image's %.*s", VIEW_ARG(view_first(name, 100)),
            VIEW_ARG(variable ? view_first(*variable, 400) : VIEW("PATH (empty)")));
    return err_mend(e, "correct Entrypoint or PATH, or name the program with its whole path");
}

/* Who the process is, and whose its secrets are. */
struct people {
    struct passwd_user user;
    struct {
        uint32_t uid, gid;
    } owners[POLICY_SECRETS_MAX];
};

static bool find_people(int root, const struct process *p, const struct workload_secrets *secrets, struct arena *a,
                        struct people *out, struct err *e) {
    struct view files[2];
    struct passwd_user owner;
    static const char *const paths[2] = {"/etc/passwd", "/etc/group"};
    for (size_t i = 0; i < 2; i++) {
        bool found;
        void *buffer = arena_alloc(a, PASSWD_FILE_MAX);
        if (!buffer) return arena_full(a, e);
        if (!root_read(root, paths[i], buffer, PASSWD_FILE_MAX, &files[i], &found, e))
            return err_in(e, "the image's own user names");
    }
    if (!passwd_resolve(p->user, files[0], files[1], &out->user, e)) return false;
    for (size_t i = 0; i < secrets->file_count; i++) {
        const struct secret_file *f = &secrets->files[i];
        if (!passwd_resolve(f->owner.n ? f->owner : p->user, files[0], files[1], &owner, e))
            return err_in(e, "owner of " SECRETS_DIRECTORY "/%.*s", VIEW_ARG(f->name));
        out->owners[i].uid = owner.uid, out->owners[i].gid = owner.gid;
    }
    return true;
}

/* Before any file system is mounted over the image: wherever its /etc may point, it is a place in the image. */
static bool write_names(int root, const struct network *network, struct err *e) {
    char name[HOSTNAME_SIZE + 1];
    snprintf(name, sizeof name, "%s\n", network->hostname);
    return root_write(root, "/etc/hostname", view_str(name), 0644, e) &&
           root_write(root, "/etc/hosts", view_str(network->hosts), 0644, e) &&
           root_write(root, "/etc/resolv.conf", view_str(network->resolv), 0644, e);
}

void launch_forget(void) { mount_forget(TARGET); }

int launch_evidence(const struct launch_site *site, struct err *e) {
    uint64_t bytes = (64 << 10) + EVENTLOG_MAX; /* the log grows under a supervisor */
    for (size_t i = 0; i < site->file_count; i++) bytes += (site->files[i].bytes.n | 4095) + 1;
    if (!mount_scratch(site->root, EVIDENCE_DIRECTORY, bytes, 0755, e)) return -1;
    int directory = root_directory(site->root, EVIDENCE_DIRECTORY, 0755, false, e);
    for (size_t i = 0; directory >= 0 && i < site->file_count; i++)
        if (!root_write(directory, site->files[i].name, site->files[i].bytes, 0444, e)) close(directory), directory = -1;
    return directory;
}

/* What the container may know of its own boot, /tmp, and the working directory. */
static bool furnish(int root, const struct launch_site *site, const char *cwd, struct err *e) {
    int evidence = site->supervised ? -1 : launch_evidence(site, e);
    if (evidence >= 0) close(evidence);
    else if (!site->supervised) return false;
    int tmp = root_directory(root, "/tmp", 01777, true, e), directory = root_directory(root, cwd, 0755, true, e);
    if (tmp >= 0) close(tmp);
    if (directory >= 0) close(directory);
    return tmp >= 0 && directory >= 0 && mount_read_only(root, EVIDENCE_DIRECTORY, e);
}

/* Whoever knows a name may try to open it; nobody but root can list them. What is written is wiped here. */
static bool put_secrets(int root, const struct workload_secrets *secrets, const struct people *people, struct err *e) {
    char path[256];
    uint64_t bytes = 64 << 10;
    if (!secrets->file_count) return true;
    for (size_t i = 0; i < secrets->file_count; i++) bytes += (secrets->files[i].bytes.n | 4095) + 1;
    if (!mount_scratch(root, SECRETS_DIRECTORY, bytes, 0711, e)) return false;
    for (size_t i = 0; i < secrets->file_count; i++) {
        const struct secret_file *f = &secrets->files[i];
        snprintf(path, sizeof path, SECRETS_DIRECTORY "/%.*s", VIEW_ARG(f->name));
        if (!root_write(root, path, f->bytes, f->mode, e)) return false;
        int fd = root_open(root, path, O_PATH, false);
        bool ok = fd >= 0 && fchownat(fd, "", people->owners[i].uid, people->owners[i].gid, AT_EMPTY_PATH) == 0;
        if (!ok) err_sys(e, "cannot give %s to %u:%u", path, people->owners[i].uid, people->owners[i].gid);
        if (fd >= 0) close(fd);
        if (!ok) return false;
        wipe((void *)f->bytes.p, f->bytes.n);
    }
    return mount_read_only(root, SECRETS_DIRECTORY, e);
}

int launch_root(const struct launch_site *site, struct err *e) {
    if (!mount_overlay(site->store, site->layer_count, TARGET, site->devices, e)) return -1;
    int root = open(TARGET, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) err_sys(e, "cannot open " TARGET);
    return root;
}

/* Everything up to the last step; the image is "/" afterwards, and still not executable. */
static bool prepare(const struct process *p, const struct launch_site *site, const struct workload_secrets *secrets,
                    const char *cwd, struct arena *a, char *program, struct people *people, struct err *e) {
    int root = site->root;
    return find_people(root, p, secrets, a, people, e) && find_program(root, p, program, e) &&
           write_names(root, site->network, e) && mount_container(root, e) && furnish(root, site, cwd, e) &&
           put_secrets(root, secrets, people, e) && mount_switch_root(TARGET, site->store, !site->supervised, e);
}

bool launch_exec(const struct process *p, const struct launch_site *site, struct arena *a, struct err *e) {
    static const struct workload_secrets none;
    const struct workload_secrets *secrets = site->secrets ? site->secrets : &none;
    struct people people;
    char program[PATH_SIZE], home[PATH_SIZE];
    char **argv = strings(&p->args, 0, a), **envp = strings(&p->env, secrets->env.count + 2, a);
    char *cwd = arena_str(a, p->cwd);
    char *hostname = arena_alloc(a, sizeof "HOSTNAME=" + HOSTNAME_SIZE);
    if (!argv || !envp || !cwd || !hostname) return arena_full(a, e);
    struct launch_site here = *site;
    if (site->supervised && !mount_private(e)) return false;
    if (site->supervised && (here.root = open(TARGET, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) /* of this name space */
        return err_sys(e, "cannot open " TARGET);
    if (!prepare(p, &here, secrets, cwd, a, program, &people, e)) return false;
    const struct passwd_user *user = &people.user;
    size_t n = p->env.count;
    struct view where = user->home.n && user->home.n < PATH_SIZE - 8 ? user->home : VIEW("/");
    snprintf(home, sizeof home, "HOME=%.*s", VIEW_ARG(where));
    sprintf(hostname, "HOSTNAME=%s", site->network->hostname);
    if (!find_variable(&p->env, VIEW("HOME")) && !find_variable(&secrets->env, VIEW("HOME"))) envp[n++] = home;
    if (!find_variable(&p->env, VIEW("HOSTNAME")) && !find_variable(&secrets->env, VIEW("HOSTNAME"))) envp[n++] = hostname;
    for (size_t i = 0; i < secrets->env.count; i++) {
        const struct view *old = find_variable(&p->env, name_of(secrets->env.items[i]));
        envp[old ? (size_t)(old - p->env.items) : n++] = (char *)secrets->env.items[i].p; /* never copied */
    }
    if (chdir(cwd)) return err_sys(e, "cannot enter the working directory %s", cwd);
    struct exec_identity who = {user->uid, user->gid, user->group_count, user->groups, site->devices};
    return mount_make_executable(site->devices, e) && exec_become(&who, program, argv, envp, e);
}
