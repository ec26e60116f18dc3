/* kbs: what the worker reads of a KBS's answers; the frames that carry them; and the monitor's side (step/kbs) over a worker that was taken over
 * and says what it likes. What a real worker and KBS say is met in tests/e2e/test_kbs.py. */
#include "lib.h"

#include "base/clock.h"
#include "worker/frame.h"
#include "worker/kbs.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- answers ---- */

static struct kbs_challenge answered;
static struct view text;

static bool is_challenge(struct view v) { return kbs_parse_challenge(v, &arena, &answered, &err); }
static bool is_token(struct view v) { return kbs_parse_token(v, &arena, &text, &err); }

TEST(challenges) {
    fresh();
    struct view v = quoted("{'nonce':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=','extra-params':''}");
    CHECK(is_challenge(v) && !answered.plinth && answered.nonce.n == 44);
    broken(v, v.n, is_challenge);
    CHECK(is_challenge(quoted("{'nonce':'x','extra-params':{'plinth':'0.1.0'}}")) && answered.plinth);
    CHECK(is_challenge(quoted("{'nonce':'x','extra-params':{'selected-hash-algorithm':'sha384'}}")) && !answered.plinth);
    CHECK(is_challenge(quoted("{'nonce':'x','extra-params':{'plinth':1},'more':[1,2]}")) && !answered.plinth);
    CHECK(!is_challenge(quoted("{'nonce':5}")) && !is_challenge(quoted("{'nonce':'a','nonce':'b'}")) && !is_challenge(quoted("['nonce']")));
    char long_nonce[200];
    snprintf(long_nonce, sizeof long_nonce, "{\"nonce\":\"%0128d\"}", 1);
    CHECK(is_challenge(view_str(long_nonce)));
    snprintf(long_nonce, sizeof long_nonce, "{\"nonce\":\"%0129d\"}", 1);
    CHECK(!is_challenge(view_str(long_nonce)) && err.kind == ERR_FORMAT);
}

TEST(tokens) {
    fresh();
    struct view v = quoted("{'token':'eyJhbGciOiJFUzI1NiJ9.e30.c2ln-_'}");
    CHECK(is_token(v) && view_is(text, "eyJhbGciOiJFUzI1NiJ9.e30.c2ln-_"));
    broken(v, v.n, is_token);
    CHECK(!is_token(quoted("{'token':''}")) && !is_token(quoted("{'token':'a b'}")) && !is_token(quoted("{'token':'a\\r\\nb'}")));
    CHECK(!is_token(quoted("{'token':'a='}")) && !is_token(quoted("{'token':null}")) && !is_token(quoted("{}")));
}

TEST(faults) {
    char body[500];
    fresh();
    CHECK(view_is(kbs_parse_fault(quoted("{'type':'x','detail':'no'}"), &arena), "no"));
    CHECK(view_is(kbs_parse_fault(VIEW("  <html>\n"), &arena), "<html>"));
    CHECK(view_is(kbs_parse_fault(quoted("{'detail':5}"), &arena), "{\"detail\":5}") && kbs_parse_fault(VIEW(""), &arena).n == 0);
    memset(body, 'x', sizeof body);
    CHECK(kbs_parse_fault(view_of(body, sizeof body), &arena).n == 200);
}

TEST(cookies) {
    static const char *const good[] = {"kbs-session-id=a", "kbs-session-id=a; Expires=x", " kbs-session-id = a ;Path=/; HttpOnly"},
                             *const bad[] = {"", "kbs-session-id", "kbs-session-id=", "kbs-session-id=;a", "kbs-session-idx=a", "x=a; kbs-session-id=a",
                                             "kbs-session-id=a b", "kbs-session-id=\"a\"", "kbs-session-id=a,b", "kbs-session-id=a\tb", "kbs-session-id=\x7f"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) CHECK(kbs_parse_cookie(view_str(good[i]), &text) && view_is(text, "a"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!kbs_parse_cookie(view_str(bad[i]), &text));
    static char big[2100] = "kbs-session-id=";
    memset(big + 15, 'x', 2047);
    CHECK(kbs_parse_cookie(view_str(big), &text) && text.n == 2047);
    big[15 + 2047] = 'x';
    CHECK(!kbs_parse_cookie(view_str(big), &text));
}

/* ---- frames ---- */

static uint8_t bytes[8192];
static struct writer w;
static struct jwe jwe;

static bool is_challenge_frame(struct view v) { return kbs_challenge_decode(v, &answered, &err); }
static bool is_jwe_frame(struct view v) { return kbs_jwe_decode(v, &jwe, &err); }

static struct view challenge_frame(bool plinth, const char *nonce) {
    const struct kbs_challenge c = {plinth, view_str(nonce)};
    w = writer_of(bytes, sizeof bytes);
    kbs_challenge_encode(&c, &w);
    return writer_view(&w);
}

TEST(challenge_frames) {
    static const char *const bad[] = {"", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"A=", "____________________________________________"};
    char longest[140];
    struct view v = challenge_frame(true, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    CHECK(is_challenge_frame(v) && answered.plinth && answered.nonce.n == 44);
    broken(v, v.n, is_challenge_frame);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!is_challenge_frame(challenge_frame(true, bad[i])) && err.kind == ERR_FORMAT);
    snprintf(longest, sizeof longest, "%0128d", 0);
    CHECK(is_challenge_frame(challenge_frame(true, longest)));
    snprintf(longest, sizeof longest, "%0132d", 0);
    CHECK(!is_challenge_frame(challenge_frame(true, longest)));
}

static uint8_t filler[5000];

static struct view jwe_frame(enum jwe_alg alg, size_t header, size_t epk, size_t key, size_t iv, size_t tag, size_t n) {
    struct jwe j = {.protected_text = view_of(filler, header), .iv = view_of(filler, iv), .tag = view_of(filler, tag), .ciphertext.n = n};
    j.recipients[0] = (struct jwe_recipient){alg, view_of(filler, epk), view_of(filler, key)};
    w = writer_of(bytes, sizeof bytes);
    kbs_jwe_encode(&j, &w);
    CHECK(!w.full);
    return writer_view(&w);
}

TEST(jwe_frames) {
    memset(filler, 'x', sizeof filler);
    struct view v = jwe_frame(JWE_ECDH_ES_A256KW, 200, 65, 40, 12, 16, 1000);
    CHECK(is_jwe_frame(v) && jwe.count == 1 && jwe.key_size == 32 && jwe.ciphertext.n == 1000 && !jwe.ciphertext.p);
    CHECK(jwe.recipients[0].epk.n == 65 && jwe.recipients[0].encrypted_key.n == 40 && jwe.iv.n == 12 && jwe.tag.n == 16 && jwe.protected_text.n == 200);
    broken(v, v.n, is_jwe_frame);
    CHECK(is_jwe_frame(jwe_frame(JWE_RSA_OAEP_256, 200, 0, 256, 12, 16, 0)) && is_jwe_frame(jwe_frame(JWE_RSA_OAEP_256, 4096, 0, 512, 12, 16, KBS_RESOURCE_MAX)));
    static const struct {
        enum jwe_alg alg;
        size_t header, epk, key, iv, tag, n;
    } bad[] = {{JWE_ECDH_ES_A128KW, 200, 65, 40, 12, 16, 9}, {JWE_RSA_OAEP, 200, 0, 256, 12, 16, 9},    {(enum jwe_alg)9, 200, 0, 256, 12, 16, 9},
               {JWE_ECDH_ES_A256KW, 0, 65, 40, 12, 16, 9},   {JWE_ECDH_ES_A256KW, 4097, 65, 40, 12, 16, 9}, {JWE_ECDH_ES_A256KW, 200, 64, 40, 12, 16, 9},
               {JWE_ECDH_ES_A256KW, 200, 66, 40, 12, 16, 9}, {JWE_ECDH_ES_A256KW, 200, 0, 40, 12, 16, 9}, {JWE_ECDH_ES_A256KW, 200, 65, 39, 12, 16, 9},
               {JWE_ECDH_ES_A256KW, 200, 65, 41, 12, 16, 9}, {JWE_ECDH_ES_A256KW, 200, 65, 40, 11, 16, 9}, {JWE_ECDH_ES_A256KW, 200, 65, 40, 13, 16, 9},
               {JWE_ECDH_ES_A256KW, 200, 65, 40, 12, 15, 9}, {JWE_ECDH_ES_A256KW, 200, 65, 40, 12, 17, 9}, {JWE_RSA_OAEP_256, 200, 65, 256, 12, 16, 9},
               {JWE_RSA_OAEP_256, 200, 0, 255, 12, 16, 9},   {JWE_RSA_OAEP_256, 200, 0, 513, 12, 16, 9},
               {JWE_ECDH_ES_A256KW, 200, 65, 40, 12, 16, KBS_RESOURCE_MAX + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!is_jwe_frame(jwe_frame(bad[i].alg, bad[i].header, bad[i].epk, bad[i].key, bad[i].iv, bad[i].tag, bad[i].n)) && err.kind == ERR_FORMAT);
}

/* ---- the monitor, and a worker of the test's: it reads frames and answers by the letters of a script ---- */

static const char *script;
static int started;

/* One word for each question: what it is answered with. */
static void say(int fd, char letter) {
    struct err e;
    static uint8_t big[FRAME_MAX];
    struct view none = {0}, some = view_of(big, 100);
    const struct err fault = {.kind = ERR_POLICY, .text = "404"};
    switch (letter) {
    case 'c': frame_send(fd, FRAME_CHALLENGE, challenge_frame(false, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), none, &e); break;
    case 'C': frame_send(fd, FRAME_CHALLENGE, challenge_frame(false, "AAAAAAAAAAAAAAAA\"AAAAAAAAAAAAAAAAAAAAAAAAAA="), none, &e); break;
    case 'e': frame_send(fd, FRAME_END, none, none, &e); break;
    case 'd': frame_send(fd, FRAME_DATA, some, none, &e); break;
    case 'D': frame_send(fd, FRAME_DATA, view_of(big, sizeof big), none, &e); break;
    case 'n': frame_send(fd, FRAME_DENIED, VIEW("because \x1b[2J\n"), none, &e); break;
    case 'N': frame_send(fd, FRAME_DENIED, view_of(memset(big, 'x', 5000), 5000), none, &e); break;
    case 'x': frame_send_error(fd, &fault, &e); break;
    case 'j': frame_send(fd, FRAME_JWE, jwe_frame(JWE_ECDH_ES_A256KW, 200, 65, 40, 12, 16, 100), none, &e); break;
    case 'J': frame_send(fd, FRAME_JWE, jwe_frame(JWE_ECDH_ES_A256KW, 200, 65, 40, 12, 16, 2000), none, &e); break;
    case 'r': frame_send(fd, FRAME_JWE, jwe_frame(JWE_RSA_OAEP_256, 200, 0, 256, 12, 16, 100), none, &e); break;
    case 'm': frame_send(fd, FRAME_JWE, some, none, &e); break;
    case 'o': frame_send(fd, FRAME_LEASE, some, none, &e); break;
    case 's': /* it takes nothing more */
        pause();
        break;
    case 't': /* notes for ever */
        while (frame_send(fd, FRAME_NOTE, VIEW("patience"), none, &e)) usleep(200000);
        break;
    default: usleep(1500000); break; /* '-': silence */
    }
}

static void worker(int fd) {
    static uint8_t buffer[FRAME_MAX];
    struct frame f;
    struct err e;
    const char *at = script;
    signal(SIGPIPE, SIG_IGN);
    while (frame_receive(fd, buffer, sizeof buffer, 0, &f, &e)) {
        if (f.type != FRAME_AUTH && f.type != FRAME_ATTEST && f.type != FRAME_RESOURCE && f.type != FRAME_TOKEN) continue;
        /* The whole question first: who dies in the middle of it is another error. */
        if (f.type == FRAME_ATTEST && *at != 's' && !frame_receive(fd, buffer, sizeof buffer, 0, &f, &e)) break;
        if (!*at) break; /* it dies */
        for (; *at && *at != ' '; at++) say(fd, *at);
        if (*at) at++;
    }
    _exit(0);
}

#include "sys/proc.h"

static bool fake_proc_start(const char *name, int room, bool with_pipe, int input, struct child *out, struct err *e) {
    int pair[2];
    (void)room, (void)with_pipe, (void)input, (void)e;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) abort();
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        worker(pair[1]);
    }
    close(pair[1]);
    started++;
    *out = (struct child){pid, pair[0], -1, name};
    return true;
}

#include "step/attest.h"

static bool evidence_fails;

static bool fake_evidence(struct view *evidence, struct err *e) {
    *evidence = VIEW("{}");
    return !evidence_fails || err_set(e, ERR_SYSTEM, "the host gives no report");
}

#define proc_start fake_proc_start
#define attest_trustee(m, report_data, a, evidence, e) fake_evidence(evidence, e)
#define GET_MS 1000
#define PAUSE_MS 50
#define SEND_MS 500
#include "agent/step/kbs.c"

static struct config config;
static struct measurement measured;
static struct verified_image image;
static struct tee this_tee;
static struct kbs *client;
static struct arena secrets;

static bool make(const char *url) {
    fresh();
    kbs_drop(client);
    client = NULL;
    secret_memory_drop(&secrets);
    CHECK(secret_memory_make(&secrets, 2u << 20, false, &err));
    this_tee = (struct tee){.kind = TEE_SNP};
    measured = (struct measurement){.tee = &this_tee};
    config = (struct config){.fetch_room = -1};
    config.policy.kbs.url = view_str(url);
    evidence_fails = false;
    started = 0;
    return kbs_make(&config, &measured, &image, &client, &err);
}

static bool ask_for(const char *answers) {
    const struct secret_source *s = kbs_source(client);
    struct view out = {0};
    script = answers;
    err = (struct err){0};
    bool ok = s->get(s->state, VIEW("kbs:///a/b/c"), 1000, &secrets, &out, &err);
    CHECK(ok || (err.kind != ERR_NONE && out.n == 0 && secrets.used == 0));
    return ok;
}

TEST(a_worker_that_lies) {
    static const struct {
        const char *script;
        enum err_kind kind;
        const char *why;
        bool kept; /* it stays in step, and may be asked on */
    } cases[] = {
        {"", ERR_SYSTEM, "attestation: the worker ended without an answer", false},
        {"e", ERR_SYSTEM, "out of turn", false},
        {"d", ERR_SYSTEM, "out of turn", false},
        {"j", ERR_SYSTEM, "out of turn", false},
        {"o", ERR_SYSTEM, "out of turn", false},
        {"C", ERR_FORMAT, "attestation: the KBS's nonce '", true},
        {"x", ERR_POLICY, "attestation: 404", true},
        {"c", ERR_SYSTEM, "attestation: the worker ended without an answer", false},
        {"c d", ERR_SYSTEM, "out of turn", false},
        {"c c", ERR_SYSTEM, "out of turn", false},
        {"c e e", ERR_SYSTEM, "out of turn", false},
        {"c e d", ERR_SYSTEM, "out of turn", false},
        {"c e m", ERR_FORMAT, "a malformed JWE", false},
        {"c e jm", ERR_SYSTEM, "out of turn", false},
        {"c e je", ERR_SYSTEM, "sent 0 of 100 bytes", true},
        {"c e jdde", ERR_SYSTEM, "more than 100 bytes", false},
        {"c e jD", ERR_SYSTEM, "more than 100 bytes", false},
        {"c e jdx", ERR_POLICY, "kbs:///a/b/c: 404", true},
        {"c e J", ERR_FORMAT, "2000 bytes, at most 1000 are taken here", false},
        {"c e jde", ERR_POLICY, "kbs:///a/b/c: ", true},
        {"c e rde", ERR_POLICY, "kbs:///a/b/c: ", true},
        {"c e t", ERR_SYSTEM, "no answer from the worker in the time allowed", false},
        {"-", ERR_SYSTEM, "no answer from the worker in the time allowed", false},
        {"c -", ERR_SYSTEM, "no answer from the worker in the time allowed", false},
        {"c e jd-", ERR_SYSTEM, "no answer from the worker in the time allowed", false},
        {"c s", ERR_SYSTEM, "the worker takes nothing more", false},
        {"n", ERR_POLICY, "attestation: denied by the KBS at kbs.example:8080 (401: because \\x1b[2J\\x0a)", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static uint8_t initdata[1u << 20]; /* more than a socket holds */
        CHECK(make("https://kbs.example:8080"));
        if (strchr(cases[i].script, 's')) config.initdata_text = view_of(memset(initdata, 'i', sizeof initdata), sizeof initdata);
        if (ask_for(cases[i].script)) check_fail("\"%s\" was taken", cases[i].script);
        if (err.kind != cases[i].kind) check_fail("\"%s\": kind %d, %s: %s", cases[i].script, (int)err.kind, err.trail, err.text);
        CHECK_ERR(cases[i].why);
        if ((client->worker.pid != 0) != cases[i].kept) check_fail("\"%s\": the worker %s", cases[i].script, cases[i].kept ? "is gone" : "stayed");
    }
}

TEST(denied) {
    CHECK(make("https://kbs.example"));
    int64_t from = clock_ms();
    CHECK(!ask_for("c e N c e N c e N c e N") && err.kind == ERR_POLICY && started == 1);
    CHECK_ERR("kbs:///a/b/c: after 3 attestations: denied by the KBS at kbs.example (401: xxx");
    CHECK(strlen(err.text) < 300 && strstr(err.mend, "401 for nearly everything") && clock_ms() - from < 5000);
}

TEST(evidence_that_fails) {
    CHECK(make("https://kbs.example"));
    evidence_fails = true;
    CHECK(!ask_for("c e jde") && client->worker.pid);
    CHECK_ERR("kbs:///a/b/c: attestation: evidence: the host gives no report");
}

TEST(tokens_without_end) {
    struct view token, pem;
    CHECK(make("https://kbs.example"));
    script = "c e DDDe";
    CHECK(!kbs_token(client, &secrets, &token, &pem, &err) && !client->worker.pid);
    CHECK_ERR("token: the KBS worker sent more than 524288 bytes");
    CHECK(make("https://kbs.example"));
    script = "c e dde c e dde";
    CHECK(kbs_token(client, &secrets, &token, &pem, &err) && token.n == 200 && view_starts(pem, VIEW("-----BEGIN PRIVATE KEY-----")));
    CHECK(secrets.used < 8192);
}

TEST(what_cannot_be_asked) {
    struct view out;
    CHECK(!make("ftp://kbs.example") && err.kind == ERR_FORMAT);
    CHECK_ERR("kbs.url: URL 'ftp://kbs.example': neither https nor http");
    CHECK(!make("https://user@kbs.example") && !client);
    CHECK(make("https://kbs.example:8080/"));
    const struct secret_source *s = kbs_source(client);
    CHECK(!s->get(s->state, VIEW("kbs:///a/../c"), 10, &secrets, &out, &err) && err.kind == ERR_USAGE);
    CHECK(!s->get(s->state, VIEW("kbs://kbs.example/a/b/c"), 10, &secrets, &out, &err) && err.kind == ERR_POLICY);
    CHECK_ERR("at another KBS than kbs.url, kbs.example:8080");
    CHECK(started == 0); /* none of it reached anybody */
    kbs_renew(NULL);
    kbs_drop(NULL);
}
