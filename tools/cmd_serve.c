/* plinth serve: the reference relying party (tools/serve/broker.h): who proves itself gets its keys and secrets. */
#include "base/version.h"
#include "crypto/hash.h"
#include "crypto/wipe.h"
#include "sys/console.h"
#include "tools/file.h"
#include "tools/options.h"
#include "tools/serve/identity.h"
#include "tools/serve/server.h"
#include "tools/serve/vault.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_SIZE (512u << 20) /* of address space: reference, policies, collateral */
#define PEM_FILE_MAX (256u << 10)
#define ADMIN_TOKEN_MIN 16u

struct texts {
    const char *listen, *reference, *secrets, *cert, *key, *write_ca, *policy, *token_key, *admin, *audit, *rate,
        *connections, *timeout, *lifetime, *trust, *at, *evaluation;
    bool allow_http;
    struct option_list names, guest_policies, certs, statuses, allow;
};

static bool need(const char *name, const char *value, const char *mend, struct err *e) {
    if (value) return true;
    err_set(e, ERR_USAGE, "%s is missing", name);
    return err_mend(e, "%s", mend);
}

/* A file with a secret: read, and a word when others may read it, too. */
static bool read_secret(const char *what, const char *path, struct arena *a, struct view *out, struct err *e) {
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & 077)
        console_say("weakness: %s %s can be read by others (chmod 600)", what, path);
    return file_read(what, path, PEM_FILE_MAX, a, out, e);
}

static bool load_token_key(const struct texts *t, struct arena *a, struct token_key *out, struct err *e) {
    struct view pem = {0};
    if (t->token_key && !read_secret("token key", t->token_key, a, &pem, e)) return false;
    if (t->token_key && !pem.n) return err_set(e, ERR_USAGE, "the token key %s is empty", t->token_key);
    bool ok = token_key_read(pem, out, e);
    if (pem.n) wipe((void *)pem.p, pem.n);
    return ok || err_in(e, "%s", t->token_key ? t->token_key : "token key");
}

static bool load_admin(const struct texts *t, struct arena *a, struct broker *k, struct err *e) {
    struct view file;
    if (!t->admin) return true;
    if (!read_secret("admin token", t->admin, a, &file, e)) return false;
    struct view token = view_trim(file);
    if (token.n < ADMIN_TOKEN_MIN) {
        err_set(e, ERR_USAGE, "the admin token in %s has less than %u characters", t->admin, ADMIN_TOKEN_MIN);
        return err_mend(e, "openssl rand -hex 32 > %.180s", t->admin);
    }
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= 0x20 || token.p[i] >= 0x7f)
            return err_set(e, ERR_USAGE, "the admin token in %s is not one word of ASCII", t->admin);
    hash_once(HASH_SHA256, token, k->admin_digest);
    k->admin = true;
    wipe((void *)file.p, file.n);
    return true;
}

static bool load_identity(const struct texts *t, const char *address, struct arena *a, struct identity *out,
                          struct err *e) {
    struct view cert, key;
    if (t->allow_http && (t->cert || t->key || t->write_ca))
        return err_set(e, ERR_USAGE, "--allow-http is without a certificate: not with --cert, --key or --write-ca");
    if (t->names.count && !t->write_ca)
        return err_set(e, ERR_USAGE, "--name is for a certificate that is made here, by --write-ca");
    if (t->cert || t->key) {
        if (t->write_ca)
            return err_set(e, ERR_USAGE, "--write-ca is for a certificate that is made here, not for --cert");
        if (!need("--cert", t->cert, "--cert and --key belong together", e) ||
            !need("--key", t->key, "--cert and --key belong together", e))
            return false;
        if (!file_read("certificate", t->cert, PEM_FILE_MAX, a, &cert, e) ||
            !read_secret("private key", t->key, a, &key, e))
            return false;
        bool ok = identity_read(cert, key, out, e);
        wipe((void *)key.p, key.n);
        return ok;
    }
    if (t->allow_http) return true;
    const char *names[OPTION_LIST_MAX + 1] = {address};
    size_t count = 1;
    for (size_t i = 0; i < t->names.count; i++) names[count++] = t->names.items[i];
    if (!need("--cert or --write-ca", t->write_ca,
              "man plinth, EXAMPLES, makes a certificate; --write-ca FILE: one for this run, and FILE says whom guests trust",
              e))
        return false;
    return identity_make(names, count, out, e) && file_write(t->write_ca, view_str(out->ca_pem), e);
}

static bool set_up(const struct texts *t, struct arena *a, struct broker *k, struct server *s, struct identity *id,
                   struct judge **judge, char shown[static 80], struct err *e) {
    uint64_t rate = 200, connections = 512, timeout = 10, lifetime = 300;
    char name[64];
    bool loose;
    if (!need("--listen ADDR:PORT", t->listen, "for example --listen 127.0.0.1:8080", e) ||
        !need("--reference FILE", t->reference, "make reference and plinth measure write one; man plinth describes it",
              e) ||
        !need("--secrets DIR", t->secrets, "a directory of REPOSITORY/TYPE/TAG files", e) ||
        !option_number("--rate", t->rate, 0, 1000000, &rate, e) ||
        !option_number("--connections", t->connections, 2, 16384, &connections, e) ||
        !option_number("--timeout", t->timeout, 1, 600, &timeout, e) ||
        !option_number("--lifetime", t->lifetime, 10, 86400, &lifetime, e) || !arena_make(a, ARENA_SIZE, e))
        return false;
    const struct judge_options options = {.reference = t->reference,
                                          .policy = t->policy,
                                          .guest_policies = &t->guest_policies,
                                          .certs = &t->certs,
                                          .trust = t->trust,
                                          .at = t->at,
                                          .statuses = &t->statuses,
                                          .evaluation = t->evaluation,
                                          .allow = &t->allow};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    k->lifetime = (int64_t)lifetime;
    s->broker = k, s->connections = (unsigned)connections, s->timeout_ms = (int64_t)timeout * 1000;
    if (!judge_load(&options, a, judge, e) || !vault_open(t->secrets, &k->vault, &loose, e) ||
        !load_token_key(t, a, &k->key, e) || !load_admin(t, a, k, e) || !audit_open(&k->audit, t->audit, e) ||
        !used_make(&k->used, k->lifetime + 60, e) || !sessions_make(&k->sessions, e) ||
        !rates_make(&s->rates, (double)rate, (unsigned)(connections + 1) / 2, SERVER_BODIES_MAX, e) ||
        !server_listen(s, t->listen, name, shown, e) || !load_identity(t, name, a, id, e))
        return false;
    k->judge = *judge;
    s->tls = id->tls;
    k->secure = id->tls != NULL;
    if (sem_init(&k->appraisals, 0, cores > 0 ? (unsigned)cores : 1) < 0) return err_sys(e, "semaphore");
    if (loose) console_say("weakness: others than the owner may look into %s (chmod 700)", t->secrets);
    if (!k->secure)
        console_say("weakness: --allow-http: guests cannot tell this server from another; secrets are still encrypted "
                    "to the guest alone%s", k->admin ? ", but uploads and the admin token go as they are" : "");
    if (!t->token_key)
        console_say("the token key is made for this run: tokens and nonces end with it, and no other instance takes "
                    "them (--token-key)");
    return true;
}

/* On standard output, for people and scripts; "listening" comes last. */
static int announce(const struct texts *t, const struct identity *id, const struct broker *k, const char *shown) {
    if (id->ca_pem)
        printf("ca %s sha256:%s\n", t->write_ca, id->fingerprint);
    else if (id->tls)
        printf("certificate %s sha256:%s\n", t->cert, id->fingerprint);
    printf("token key %s\n", k->key.kid);
    printf("listening %s://%s\n", id->tls ? "https" : "http", shown);
    return fflush(stdout);
}

int cmd_serve(int argc, char **argv) {
    static struct texts t;
    static struct broker k = {.vault = -1, .audit = {.fd = -1}};
    static struct server s = {.listener = -1, .stop = {-1, -1}};
    struct identity id = {0};
    struct judge *judge = NULL;
    struct arena arena = {0};
    const struct option options[] = {
        {"--listen", "ADDR:PORT", "where: numbers, [ADDR] for IPv6; port 0 is any", .text = &t.listen},
        {"--reference", "FILE", "reference values and appraisal policy, as for plinth verify", .text = &t.reference},
        {"--secrets", "DIR", "the resources: files DIR/REPOSITORY/TYPE/TAG", .text = &t.secrets},
        {"--policy", "FILE",
         "which guest gets which resource; without it, each one that the reference accepts gets all",
         .text = &t.policy},
        {"--guest-policy", "FILE", "a policy of guests, whose keys `signers` of --policy is about; may be repeated",
         .list = &t.guest_policies},
        {"--cert", "FILE", "certificate chain, PEM; with --key", .text = &t.cert},
        {"--key", "FILE", "its private key, PEM", .text = &t.key},
        {"--write-ca", "FILE", "make a certificate for this run instead, and write the CA that guests trust",
         .text = &t.write_ca},
        {"--name", "NAME", "with --write-ca: a DNS name or address beside that of --listen; may be repeated",
         .list = &t.names},
        {"--allow-http", NULL, "no TLS: guests cannot tell this server from another", .on = &t.allow_http},
        {"--token-key", "FILE",
         "P-256 private key, PEM, that signs tokens and nonces; instances with one key take each\nother's; without it, "
         "one is made for this run",
         .text = &t.token_key},
        {"--admin-token", "FILE", "who sends this text as bearer token may POST resources", .text = &t.admin},
        {"--audit", "FILE", "append one line for each decision; - is standard output", .text = &t.audit},
        {"--rate", "N", "requests per second of one address, five times that at once; default 200, 0: no limit",
         .text = &t.rate},
        {"--connections", "N", "open at a time; one address may have half of them; default 512",
         .text = &t.connections},
        {"--timeout", "SECONDS", "for a handshake, a request's head, and a body's or answer's start; default 10",
         .text = &t.timeout},
        {"--lifetime", "SECONDS", "of nonces, sessions and tokens; default 300", .text = &t.lifetime},
        {"--certs", "FILE", "certificates, CRLs, TCB info, QE identity; or a directory of such; may be repeated",
         .list = &t.certs},
        {"--trust", "FILE", "a root instead of the vendor's: a private or simulated one", .text = &t.trust},
        {"--at", "TIME", "judge validity of the evidence at this time; default: when it comes", .text = &t.at},
        {"--tcb-status", "NAME", "a TCB status that is accepted beside UpToDate; may be repeated", .list = &t.statuses},
        {"--tcb-evaluation", "N", "the least tcbEvaluationDataNumber of Intel's collateral", .text = &t.evaluation},
        {"--allow", "CHECK", "accept although this check of policy does not hold or could not be made; may be repeated",
         .list = &t.allow},
        {0},
    };
    const struct usage usage = {
        "serve",
        NULL,
        "Reference relying party: appraises guests and gives them keys and secrets, by the KBS protocol.",
        0,
        0,
        options};
    struct err e = {0};
    char shown[80];
    unsigned left = 0;
    int operands, status = options_parse(&usage, argc, argv, &operands);
    if (status >= 0) return status;
    /* Secrets and keys are in this memory. */
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM), sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    bool ok = set_up(&t, &arena, &k, &s, &id, &judge, shown, &e);
    if (ok && announce(&t, &id, &k, shown)) ok = err_sys(&e, "cannot write to standard output");
    ok = ok && server_run(&s, &left, &e);
    if (ok && left) console_say("%u connections did not end in time and were cut off", left);
    status = ok ? 0 : command_fail(&e);
    audit_close(&k.audit);
    if (left) _exit(status); /* their threads still use what follows */
    token_key_drop(&k.key);
    used_drop(&k.used);
    sessions_drop(k.sessions);
    rates_drop(s.rates);
    identity_drop(&id);
    judge_drop(judge);
    arena_drop(&arena);
    return status;
}
