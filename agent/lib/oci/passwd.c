/* see passwd.h */
#include "oci/passwd.h"

/* A uid or gid. Leading zeros are read as decimal, as everywhere in passwd(5). */
static bool parse_id(struct view v, uint32_t *out) {
    uint64_t id;
    while (v.n > 1 && v.p[0] == '0') v = view_skip(v, 1);
    if (!view_u64(v, PASSWD_ID_MAX, &id)) return false;
    *out = (uint32_t)id;
    return true;
}

static bool is_digits(struct view v) {
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9') return false;
    return v.n > 0;
}

/* The next line that has `want` fields at least and a name; false at the end. */
static bool next_entry(struct view *rest, struct view *field, size_t want) {
    while (rest->n) {
        struct view line = view_cut(rest, '\n', NULL);
        bool more = true;
        size_t n = 0;
        for (; n < want && more; n++) field[n] = view_cut(&line, ':', &more);
        if (n == want && field[0].n && field[0].p[0] != '#') return true;
    }
    return false;
}

static bool is_member(struct view list, struct view name) {
    for (bool more = true; more;)
        if (view_eq(view_trim(view_cut(&list, ',', &more)), name)) return true;
    return false;
}

static bool find_user(struct view who, struct view passwd, struct passwd_user *out, struct view *name, struct err *e) {
    struct view field[6];
    bool number = parse_id(who, &out->uid);
    if (!number && is_digits(who))
        return err_set(e, ERR_FORMAT, "user: id %.*s is too large", VIEW_ARG(view_first(who, 100)));
    while (next_entry(&passwd, field, 6)) {
        uint32_t uid, gid;
        if (!parse_id(field[2], &uid) || !parse_id(field[3], &gid)) continue;
        if (number ? uid != out->uid : !view_eq(field[0], who)) continue;
        out->uid = uid;
        out->gid = gid;
        out->home = field[5];
        *name = field[0];
        return true;
    }
    if (number) return true; /* an id needs no entry; its group is 0 then, as with Docker */
    err_set(e, ERR_FORMAT, "user: no '%.*s' in the image's /etc/passwd", VIEW_ARG(view_first(who, 100)));
    return err_mend(e, "put the user into the image, or a uid into run.user of the policy");
}

static bool find_group(struct view wanted, struct view group, uint32_t *gid, struct err *e) {
    struct view field[3];
    if (parse_id(wanted, gid)) return true;
    while (!is_digits(wanted) && next_entry(&group, field, 3))
        if (view_eq(field[0], wanted) && parse_id(field[2], gid)) return true;
    err_set(e, ERR_FORMAT, "user: no group '%.*s' in the image's /etc/group", VIEW_ARG(view_first(wanted, 100)));
    return err_mend(e, "put the group into the image, or a gid into run.user of the policy");
}

static bool add_memberships(struct view name, struct view group, struct passwd_user *out, struct err *e) {
    struct view field[4];
    uint32_t gid;
    while (next_entry(&group, field, 4)) {
        if (!is_member(field[3], name) || !parse_id(field[2], &gid) || gid == out->gid) continue;
        if (out->group_count == PASSWD_GROUPS_MAX)
            return err_set(e, ERR_FORMAT, "user: more than %u supplementary groups", PASSWD_GROUPS_MAX);
        out->groups[out->group_count++] = gid;
    }
    return true;
}

bool passwd_resolve(struct view user, struct view passwd, struct view group, struct passwd_user *out, struct err *e) {
    struct passwd_user u = {0};
    struct view name = {0};
    bool explicit_group;
    struct view who = view_cut(&user, ':', &explicit_group);
    if (!who.n) who = VIEW("0");
    if (!find_user(who, passwd, &u, &name, e)) return false;
    explicit_group = explicit_group && user.n;
    if (explicit_group && !find_group(user, group, &u.gid, e)) return false;
    u.groups[u.group_count++] = u.gid;
    if (!explicit_group && name.n && !add_memberships(name, group, &u, e)) return false;
    *out = u;
    return true;
}
