#include "lib.h"

#include "step/launch.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static struct policy policy;
static struct image_config image;
static struct process process;

static struct text_list list(const char *const *items) {
    struct text_list l = {0};
    l.items = arena_alloc(&arena, 16 * sizeof *l.items);
    for (; items && *items; items++) l.items[l.count++] = view_str(*items);
    return l;
}
#define LIST(...) list((const char *const[]){__VA_ARGS__, NULL})

static void start(void) {
    fresh();
    policy = (struct policy){0};
    image = (struct image_config){0};
}

static bool plan(void) { return launch_plan(&policy, &image, &arena, &process, &err); }

/* All items of a list, joined with '|'. */
static const char *joined(const struct text_list *l) {
    static char text[1024];
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < l->count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", i ? "|" : "", VIEW_ARG(l->items[i]));
    return text;
}

TEST(entrypoint_and_cmd) {
    start();
    image.entrypoint = LIST("/docker-entrypoint.sh", "-x");
    image.cmd = LIST("nginx", "-g", "daemon off;");
    CHECK(plan());
    CHECK_STR(joined(&process.args), "/docker-entrypoint.sh|-x|nginx|-g|daemon off;");
    image.entrypoint.count = 0;
    CHECK(plan());
    CHECK_STR(joined(&process.args), "nginx|-g|daemon off;");
    CHECK(view_is(process.cwd, "/") && process.user.n == 0);
}

TEST(policy_args_replace_both) {
    start();
    image.entrypoint = LIST("/entry");
    image.cmd = LIST("cmd");
    policy.has_args = true;
    policy.args = LIST("/bin/probe", "");
    CHECK(plan());
    CHECK_STR(joined(&process.args), "/bin/probe|");
    policy.args.count = 0; /* an empty list is said, and leaves nothing to run */
    CHECK(!plan());
    CHECK_ERR("nothing to run");
}

TEST(nothing_to_run) {
    start();
    CHECK(!plan());
    CHECK(err.kind == ERR_POLICY);
    image.cmd = LIST("", "x");
    CHECK(!plan());
}

TEST(environment) {
    start();
    image.cmd = LIST("x");
    CHECK(plan());
    CHECK_STR(joined(&process.env), DEFAULT_PATH);
    image.env = LIST("A=1", "PATH=/bin", "B=2", "A=3", "AB=x=y", "EMPTY=");
    CHECK(plan());
    CHECK_STR(joined(&process.env), "A=3|PATH=/bin|B=2|AB=x=y|EMPTY=");
    policy.env = LIST("B=policy", "NEW=n", "PATH=/opt", "NEW=m");
    CHECK(plan());
    CHECK_STR(joined(&process.env), "A=3|PATH=/opt|B=policy|AB=x=y|EMPTY=|NEW=m");
    CHECK_STR(joined(&image.env), "A=1|PATH=/bin|B=2|A=3|AB=x=y|EMPTY="); /* inputs stay */
}

TEST(user_and_directory) {
    start();
    image.cmd = LIST("x");
    image.user = VIEW("nginx");
    image.working_dir = VIEW("/srv/www");
    CHECK(plan());
    CHECK(view_is(process.user, "nginx") && view_is(process.cwd, "/srv/www"));
    policy.user = VIEW("101:102");
    CHECK(plan());
    CHECK(view_is(process.user, "101:102"));
    image.working_dir = VIEW("srv");
    CHECK(!plan());
    CHECK_ERR("WorkingDir 'srv' is not absolute");
}

TEST(full_arena) {
    start();
    image.cmd = LIST("x");
    struct arena small = {arena.base, arena.size, arena.size};
    CHECK(!launch_plan(&policy, &image, &small, &process, &err));
    CHECK(err.kind == ERR_SYSTEM);
}
