/* tee, tsm, register, measure and attest over the kernel's TSM files in a folder: TDX and SNP, alone and with a TPM, and every way they must
 * be refused. The kernel's own side is met in tests/e2e with the simulated devices. */
#include "lib.h"
#include "tests/fake/tpm.c"
#include "tests/fake/tsm.c"
#define port_open port_open_of_the_system /* the test's own, below */
#include "agent/sys/port.c"
#undef port_open

#include "base/clock.h"
#include "base/codec.h"
#include "format/json.h"
#include "step/attest.h"
#include "step/measure.h"
#include "step/register.h"
#include "tools/eventlog.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define QUOTE_DATA (48 + 520)
#define QUOTE_RTMR3 (48 + 328 + 3 * 48)
#define SNP_DATA 0x50

static struct tee cpu;
static bool found;

static bool open_tee(void) {
    bool ok = tee_open_cpu(fake_tsm.root, &cpu, &found, &err);
    cpu.tsm.report_ms = 3000;
    cpu.tsm.files_ms = 2000;
    return ok;
}

static void tdx(void) {
    fresh();
    fake_tpm_reset();
    fake_tpm.absent = true;
    fake_tsm_reset("tdx_guest", vector("tee/quote-v4-phala.bin"), QUOTE_DATA, QUOTE_RTMR3);
    CHECK(open_tee() && found && cpu.kind == TEE_TDX);
}

static void snp(void) {
    fresh();
    fake_tpm_reset();
    fake_tpm.absent = true;
    fake_tsm_reset("sev_guest", vector("tee/siena-v3-genoa-chain.report.bin"), SNP_DATA, 0);
    fake_tsm.auxblob = vector("tee/auxblob-milan-v2-azure.bin");
    fake_tsm.privlevel = true;
    CHECK(open_tee() && found && cpu.kind == TEE_SNP);
}

static uint8_t asked[64] = {1, 2, 3, [63] = 9};
static struct tee_report got;

static bool report(void) {
    static uint8_t buffer[REPORT_MAX + CERTIFICATES_MAX];
    struct writer w = writer_of(buffer, sizeof buffer);
    err = (struct err){0};
    return tee_report(&cpu, asked, &w, &got, &err);
}

TEST(which_machine) {
    fresh();
    fake_tsm_reset(NULL, (struct view){0}, 0, 0); /* no configfs at all */
    CHECK(open_tee() && !found);
    fake_tsm_reset(NULL, VIEW("x"), 0, 0); /* configfs, and nobody has registered */
    CHECK(open_tee() && !found);
    tdx();
    CHECK(cpu.mr_index == 4 && cpu.bank_count == 1 && cpu.banks[0] == HASH_SHA384);
    snp();
    CHECK(!cpu.tsm.device);
    fake_tsm_reset("arm_cca_guest", VIEW("x"), 0, 0);
    CHECK(!open_tee() && !found && err.kind == ERR_SYSTEM);
    CHECK_ERR("provider is \"arm_cca_guest\"; known are tdx_guest and sev_guest");
    fake_tsm_reset("tdx_guest", VIEW("x"), 0, 0); /* Linux before 6.16 */
    CHECK(!open_tee() && !found);
    CHECK_ERR("rtmr3:sha384: No such file");
    CHECK(strstr(err.mend, "6.16"));
}

TEST(reports) {
    tdx();
    CHECK(report() && got.report.n == fake_tsm.report.n && got.certificates.n == 0 && view_eq(got.read.report_data, view_of(asked, 64)));
    CHECK(report()); /* again: the directory was left clean */
    CHECK(fake_tsm_read(FAKE_TSM_OWN "/provider", (uint8_t[64]){0}) == 0);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* nothing of it runs on */
    fake_tsm.report = vector("tee/quote-v5-servtd.bin");
    fake_tsm.report_data_at += 6, fake_tsm.rtmr3_at += 6;
    CHECK(report() && got.report.n == fake_tsm.report.n);
    snp();
    CHECK(report() && got.report.n == 1184 && view_eq(got.certificates, fake_tsm.auxblob));
    fake_tsm.auxblob = VIEW(""); /* the host gave none */
    CHECK(report() && got.report.n == 1184 && got.certificates.n == 0);
    fake_tsm.auxblob.p = NULL; /* no such file */
    CHECK(report() && got.certificates.n == 0);
    CHECK(fake_tsm_read(FAKE_TSM_OWN "/provider", (uint8_t[64]){0}) == 0);
}

TEST(a_directory_left_behind) {
    tdx();
    CHECK(mkdir("/nonexistent/plinth", 0700) < 0); /* the fake's is only for its folder */
    char own[256];
    fake_path(own, FAKE_TSM_OWN);
    CHECK(mkdir(own, 0700) == 0); /* of a child that was killed */
    fake_move(5);
    CHECK(report());
}

TEST(sev_guest_device) {
    snp();
    struct view table = fake_tsm.auxblob;
    fake_tsm_reset(NULL, (struct view){0}, 0, 0);
    fake_tsm_write("/dev/sev-guest", VIEW(""));
    CHECK(open_tee() && found && cpu.kind == TEE_SNP && cpu.tsm.device);
    fake_tsm.report = vector("tee/siena-v3-genoa-chain.report.bin");
    fake_tsm.report_data_at = SNP_DATA;
    fake_tsm.auxblob = table;
    CHECK(report() && got.report.n == 1184 && view_starts(got.certificates, table) && got.certificates.n == 16384);
    fake_tsm.ioctl_error = ENOSPC; /* the table needs more than four pages */
    fake_tsm.vmm_error = SNP_GUEST_VMM_ERR_INVALID_LEN;
    CHECK(report() && got.certificates.n == 0);
    fake_tsm.vmm_error = SNP_GUEST_VMM_ERR_BUSY;
    CHECK(!report() && err.kind == ERR_SYSTEM);
    CHECK_ERR("firmware error 0x0, host error 0x2");
}

TEST(generation) {
    static const struct {
        int moves;
        bool again;
        const char *want;
    } cases[] = {{0, false, "generation is 0 after the request, 1 was expected"},
                 {2, false, "generation is 2 after the request, 1 was expected"},
                 {1, true, "generation is 2 after the report, 1 was expected"}};
    for (size_t i = 0; i < 3; i++) {
        tdx();
        fake_tsm.moves = cases[i].moves, fake_tsm.moves_again = cases[i].again;
        CHECK(!report() && err.kind == ERR_DIGEST);
        CHECK_ERR(cases[i].want);
        CHECK(!cpu.dead);
    }
    snp(); /* the privilege level moves it too */
    fake_tsm.moves_again = true;
    CHECK(!report() && err.kind == ERR_DIGEST);
    CHECK_ERR("generation is 3 after the report, 2 was expected");
}

TEST(provider_changes) {
    tdx();
    fake_tsm.provider_later = "sev_guest";
    CHECK(!report() && err.kind == ERR_DIGEST);
    CHECK_ERR("provider is \"sev_guest\" after the report, and was \"tdx_guest\"");
    tdx();
    fake_tsm.provider = "sev_guest"; /* since it was found */
    CHECK(!report() && err.kind == ERR_DIGEST);
}

TEST(stale_report) {
    tdx();
    fake_tsm.stale = true;
    CHECK(!report() && err.kind == ERR_DIGEST);
    CHECK_ERR("the tdx report is over other report_data than was asked");
    snp();
    fake_tsm.stale = true;
    CHECK(!report() && err.kind == ERR_DIGEST);
}

TEST(kernel_errors) {
    tdx();
    fake_tsm.error = EINTR, fake_tsm.errors = 1;
    CHECK(report());
    fake_tsm.error = EBUSY, fake_tsm.errors = 2;
    CHECK(report());
    fake_tsm.errors = -1, cpu.tsm.report_ms = 700; /* 500 of them the parent's */
    int64_t before = clock_ms();
    CHECK(!report() && err.sys == EBUSY && clock_ms() - before < 1500);
    static const int others[] = {ETIMEDOUT, EFBIG, EINVAL, EIO, ENXIO};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        tdx();
        fake_tsm.error = others[i], fake_tsm.errors = -1;
        before = clock_ms();
        CHECK(!report() && err.kind == ERR_SYSTEM && err.sys == others[i] && clock_ms() - before < 1000);
        CHECK(cpu.dead == (others[i] == ETIMEDOUT));
        CHECK(fake_tsm_read(FAKE_TSM_OWN "/provider", (uint8_t[64]){0}) == 0);
    }
}

TEST(a_report_that_hangs) {
    tdx();
    fake_tsm.hangs = true;
    cpu.tsm.report_ms = 300;
    int64_t before = clock_ms();
    CHECK(!report() && err.kind == ERR_SYSTEM && clock_ms() - before < 1500);
    CHECK_ERR("report: no answer in 0.3 s");
    CHECK(strstr(err.mend, "quoting service"));
    before = clock_ms();
    CHECK(!report() && clock_ms() - before < 100); /* and is not asked again */
    CHECK_ERR("an earlier request for a report was not answered");
}

TEST(debug_guests) {
    tdx();
    uint8_t quote[6000];
    struct view good = fake_tsm.report;
    memcpy(quote, good.p, good.n);
    quote[48 + 120] |= 1;
    fake_tsm.report = view_of(quote, good.n);
    CHECK(!report() && err.kind == ERR_POLICY);
    CHECK_ERR("this is a debug TD");
    fake_tsm.report = vector("tee/v4-debug.bin");
    CHECK(!report() && err.kind == ERR_POLICY);
    snp();
    fake_tsm.report = vector("tee/milan-v2-debugpolicy.report.bin");
    CHECK(!report() && err.kind == ERR_POLICY);
    CHECK_ERR("this is a debug SNP guest");
    fake_tsm.report = vector("tee/genoa-v5.debug.report.bin");
    CHECK(!report() && err.kind == ERR_POLICY);
    fake_tsm.report = vector("tee/genoa-v5.ok.report.bin");
    CHECK(report());
}

TEST(wrong_blobs) {
    static uint8_t long_[REPORT_MAX + CERTIFICATES_MAX + 1];
    tdx();
    struct view quote = fake_tsm.report, sgx = vector("tee/quote-v3-sgx.bin");
    fake_tsm.rtmr3_at = fake_tsm.report_data_at = 0;
    fake_tsm.report = view_first(quote, 48 + 583);
    CHECK(!report() && err.kind == ERR_FORMAT);
    fake_tsm.report = sgx;
    CHECK(!report() && err.kind == ERR_FORMAT);
    fake_tsm.report = VIEW("");
    CHECK(!report() && err.kind == ERR_FORMAT);
    fake_tsm.report = view_of(long_, sizeof long_);
    CHECK(!report() && err.sys == EFBIG);
    snp();
    fake_tsm.report = view_first(fake_tsm.report, 1183);
    CHECK(!report() && err.kind == ERR_FORMAT);
    CHECK_ERR("1183 bytes instead of 1184");
}

TEST(rtmr) {
    uint8_t want[48] = {0}, value[HASH_MAX], digest[48];
    tdx();
    CHECK(tee_read(&cpu, 0, value, &err) && memcmp(value, want, 48) == 0);
    for (size_t i = 0; i < 2; i++) {
        uint8_t both[96];
        CHECK(tee_extend(&cpu, VIEW("event"), &err) && tee_read(&cpu, 0, value, &err));
        hash_once(HASH_SHA384, VIEW("event"), digest);
        memcpy(both, want, 48), memcpy(both + 48, digest, 48);
        hash_once(HASH_SHA384, view_of(both, 96), want);
        CHECK(memcmp(value, want, 48) == 0);
    }
    fake_tsm_write(FAKE_TSM_RTMR3, view_of(want, 47));
    CHECK(!tee_read(&cpu, 0, value, &err) && err.kind == ERR_FORMAT);
    CHECK_ERR("47 bytes instead of 48");
    fake_tsm.rtmr_error = EINVAL;
    CHECK(!tee_extend(&cpu, VIEW("event"), &err) && err.sys == EINVAL);
}

/* ---- a whole boot ---- */

static struct config config;
static struct verified_image image;
static struct process process;
static struct measurement m;
static struct registers registers;

static bool begin(unsigned tees) {
    static struct view args[1];
    args[0] = VIEW("/bin/x");
    registers = (struct registers){.root = fake_tsm.root};
    config = (struct config){.policy = {.pcr = 15}};
    image = (struct verified_image){.manifest = {.layer_count = 2}};
    process = (struct process){.args = {1, args}};
    m = (struct measurement){0};
    err = (struct err){0};
    return register_begin(&registers, tees, 15, &arena, &m, &err);
}

static bool boot(unsigned tees) {
    if (!begin(tees)) return false;
    registers.cpu.tsm.report_ms = 3000;
    return measure_policy(&m, &config.policy, &err) && measure_image(&m, &config, &image, &err) && measure_layer(&m, &image, 0, &err) &&
           measure_layer(&m, &image, 1, &err) && measure_launch(&m, &process, &err) && measure_check(&m, &err);
}

static const json *attested(void) {
    struct view text;
    const json *root;
    if (!attest_make(&m, &config, &image, VIEW("nonce"), &arena, &text, &err)) return NULL;
    CHECK(json_parse(text, &arena, &root, &err));
    return root;
}

static struct view decoded(const json *root, const char *name) {
    struct view text = json_text(json_get(root, name));
    uint8_t *out = arena_alloc(&arena, text.n + 1);
    size_t n = 0;
    CHECK(base64_decode(text, out, text.n, &n));
    return view_of(out, n);
}

/* report_data is the digest of the preimage, and the log replays to the register in it. */
static void check_cpu(const json *root, const uint8_t *value, bool sha256_too) {
    uint8_t digest[48], data[64];
    struct eventlog_registers regs;
    struct view preimage = json_text(json_get(root, "preimage")), hex = json_text(json_get(json_get(root, "register"), "sha384"));
    const json *inner;
    hash_once(HASH_SHA384, preimage, digest);
    CHECK(hex_decode(json_text(json_get(root, "report_data")), data, 64) && !memcmp(data, digest, 48) && !memcmp(data + 48, "plinth-evidence1", 16));
    CHECK(json_parse(preimage, &arena, &inner, &err) && view_is(json_text(json_get(inner, "nonce")), "6e6f6e6365"));
    CHECK(view_eq(json_text(json_get(json_get(inner, "register"), "sha384")), hex));
    CHECK(hex_decode(hex, data, 48) && !memcmp(data, value, 48));
    CHECK(eventlog_replay(decoded(root, "eventlog"), &regs, &err));
    CHECK(regs.sha384[4].used && !memcmp(regs.sha384[4].bank.value, value, 48) && regs.sha256[4].used == sha256_too && !regs.sha384[15].used);
}

TEST(tdx_boot) {
    uint8_t rtmr3[64];
    tdx();
    CHECK(boot(POLICY_TEE_TDX));
    CHECK(!m.also && fake_tsm_read(FAKE_TSM_RTMR3, rtmr3) == 48 && !memcmp(rtmr3, m.banks[0].value, 48));
    const json *root = attested();
    CHECK(root && view_is(json_text(json_get(root, "tee")), "tdx"));
    check_cpu(root, rtmr3, false);
    struct report read;
    CHECK(report_tdx(decoded(root, "quote"), &read, &err) && !memcmp(read.rtmr3.p, rtmr3, 48));
    CHECK(decoded(root, "firmware_log").n == 0 && !json_get(root, "tpm") && !json_get(root, "certificates"));
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err) && !memcmp(rtmr3, m.banks[1].value, 48)); /* as PCR 15's sha384 bank */
}

TEST(snp_boot) {
    snp();
    CHECK(boot(POLICY_TEE_SNP | POLICY_TEE_TPM));
    const json *root = attested();
    CHECK(root && view_is(json_text(json_get(json_get(root, "register"), "kept_by")), "monitor"));
    check_cpu(root, m.banks[0].value, false);
    CHECK(view_eq(decoded(root, "certificates"), fake_tsm.auxblob) && decoded(root, "report").n == 1184);
}

TEST(with_a_tpm_beside) {
    tdx();
    fake_tpm.absent = false;
    fake_tpm.ek_certificate = VIEW("ek");
    CHECK(boot(POLICY_TEE_TDX) && m.also);
    const json *root = attested(), *beside = root ? json_get(root, "tpm") : NULL;
    uint8_t rtmr3[64], digest[32], hex[64];
    struct eventlog_registers regs;
    CHECK(beside && fake_tsm_read(FAKE_TSM_RTMR3, rtmr3) == 48 && !memcmp(rtmr3, fake_tpm.pcrs[1][15].value, 48));
    check_cpu(root, rtmr3, false);
    CHECK(eventlog_replay(decoded(beside, "eventlog"), &regs, &err));
    CHECK(!memcmp(regs.sha256[15].bank.value, fake_tpm.pcrs[0][15].value, 32) && !memcmp(regs.sha384[15].bank.value, rtmr3, 48) && !regs.sha384[4].used);
    CHECK(view_is(decoded(beside, "ek_certificate"), "ek"));
    hash_once(HASH_SHA256, decoded(beside, "ak_public"), digest);
    struct writer w = writer_of(hex, 64);
    write_hex(&w, view_of(digest, 32));
    struct view preimage = json_text(json_get(root, "preimage"));
    CHECK(view_ends(view_first(preimage, preimage.n - 3), writer_view(&w)));
    fake_tpm.pcrs[0][15].value[0] ^= 1; /* a register that moved counts in either */
    CHECK(!measure_check(&m, &err) && err.kind == ERR_DIGEST);
    CHECK_ERR("PCR 15 is");
}

TEST(a_tpm_without_banks_beside) {
    tdx();
    fake_tpm.absent = false;
    fake_tpm.sha256 = fake_tpm.sha384 = false;
    CHECK(boot(POLICY_TEE_TDX) && !m.also);
}

TEST(refused_by_the_policy) {
    tdx();
    CHECK(!begin(POLICY_TEE_SNP) && err.kind == ERR_POLICY);
    CHECK_ERR("the policy's tee wants snp, this machine has tdx");
    CHECK(strstr(err.mend, "sev-guest"));
    CHECK(!begin(POLICY_TEE_TPM | POLICY_TEE_SNP) && err.kind == ERR_POLICY);
    CHECK_ERR("wants tpm, snp, this machine has tdx");
    fake_tpm.absent = false; /* a TPM beside it does not lead */
    CHECK(!begin(POLICY_TEE_TPM) && err.kind == ERR_POLICY);
    CHECK(begin(POLICY_TEE_ALL) && m.also);
    snp();
    CHECK(!begin(POLICY_TEE_TDX) && err.kind == ERR_POLICY);
    CHECK_ERR("wants tdx, this machine has snp");
    fake_tsm_reset(NULL, (struct view){0}, 0, 0);
    fake_tpm.absent = false;
    CHECK(!begin(POLICY_TEE_TDX | POLICY_TEE_SNP) && err.kind == ERR_POLICY);
    CHECK_ERR("wants tdx, snp, this machine has tpm");
    CHECK(begin(POLICY_TEE_TPM));
    fake_tpm.absent = true;
    CHECK(!begin(POLICY_TEE_TDX) && err.kind == ERR_POLICY);
    CHECK_ERR("wants tdx, this machine has no TEE");
}

TEST(used_register) {
    uint8_t used[48] = {[40] = 1};
    tdx();
    fake_tsm_write(FAKE_TSM_RTMR3, view_of(used, 48));
    CHECK(!begin(POLICY_TEE_TDX) && err.kind == ERR_POLICY);
    CHECK_ERR("somebody extended the register before this boot: RTMR3 is 0000");
    CHECK(!err.mend[0]);
}

TEST(register_that_does_not_hold_what_was_extended) {
    tdx();
    fake_tsm.lost_extend = true;
    CHECK(!boot(POLICY_TEE_TDX) && err.kind == ERR_DIGEST);
    CHECK_ERR("RTMR3 is 0000");
    tdx(); /* between the log's end and the quote */
    CHECK(boot(POLICY_TEE_TDX));
    tsm_rtmr3_extend(&registers.cpu.tsm, asked, &err);
    CHECK(!attested() && err.kind == ERR_DIGEST);
    CHECK_ERR("the quote's RTMR3 is not what the event log says");
}

static struct view last_event(void) {
    struct eventlog log = eventlog_of(writer_view(&m.log));
    struct eventlog_record r;
    struct view text = {0};
    while (eventlog_next(&log, &r, &err)) eventlog_aael(&r, &text);
    CHECK(err.kind == ERR_NONE);
    return text;
}

/* An extend that fails: what the register says decides whether the event counts, and the failure event tells. */
TEST(event_in_flight) {
    struct err why;
    uint8_t rtmr3[64];
    for (int arrived = 0; arrived < 2; arrived++) {
        tdx();
        CHECK(begin(POLICY_TEE_TDX));
        size_t before = m.log.n;
        fake_tsm.rtmr_error = EIO, fake_tsm.late_extend = arrived;
        CHECK(!measure_policy(&m, &config.policy, &why) && m.log.n == before && !strcmp(m.in_flight, "policy"));
        fake_tsm.rtmr_error = 0;
        CHECK(measure_failure(&m, &why, &err));
        CHECK(view_starts(last_event(), VIEW("plinth failure {\"inFlight\":\"policy\",\"reason\":\"event \\\"policy\\\": RTMR3: cannot write ")));
        CHECK(measure_check(&m, &err)); /* the log replays either way */
        struct eventlog_registers regs;
        CHECK(eventlog_replay(writer_view(&m.log), &regs, &err) && regs.records == (arrived ? 4 : 3));
        CHECK(fake_tsm_read(FAKE_TSM_RTMR3, rtmr3) == 48 && !memcmp(regs.sha384[4].bank.value, rtmr3, 48));
        CHECK(attested() != NULL);
    }
    tdx(); /* nothing on its way: nothing said */
    CHECK(begin(POLICY_TEE_TDX) && measure_failure(&m, &why, &err));
    CHECK(view_starts(last_event(), VIEW("plinth failure {\"reason\"")));
}

TEST(ccel) {
    tdx();
    struct view padded = vector("tee/ccel-dstack-ffpad.bin"), zeros = vector("tee/ccel-trustee-zeropad.bin"),
                bare = vector("tee/ccel-intel-unpadded.bin"), cut, records;
    CHECK(event_log_end(padded, &cut, &err) && cut.n < padded.n && cut.n > 1000);
    fake_tsm_write(FAKE_TSM_CCEL, padded);
    CHECK(boot(POLICY_TEE_TDX));
    const json *root = attested();
    CHECK(root && view_eq(decoded(root, "firmware_log"), cut));
    CHECK(event_log_end(zeros, &cut, &err) && cut.n < zeros.n && event_log_end(bare, &cut, &err) && cut.n == bare.n);
    static const struct {
        int error;
        const char *text;
    } faults[] = {{ENOMEM, NULL}, {0, "broken"}};
    for (size_t i = 0; i < 2; i++) { /* left out, with a note; the boot goes on */
        fake_tsm.ccel_error = faults[i].error;
        if (faults[i].text) fake_tsm_write(FAKE_TSM_CCEL, view_str(faults[i].text));
        root = attested();
        CHECK(root && decoded(root, "firmware_log").n == 0);
    }
    uint8_t *area = arena_alloc(&arena, 1 << 20); /* an area larger than any log: what is in it ends early */
    memset(area, 0xff, 1 << 20);
    memcpy(area, bare.p, bare.n);
    fake_tsm_write(FAKE_TSM_CCEL, view_of(area, 1 << 20));
    root = attested();
    CHECK(root && view_eq(decoded(root, "firmware_log"), bare));
    for (size_t n = 1; n < bare.n; n += 7) { /* cut anywhere: never beyond, and never a whole log */
        uint8_t *copy = malloc(n);
        memcpy(copy, bare.p, n);
        CHECK(!event_log_end(view_of(copy, n), &records, &err) || records.n <= n);
        free(copy);
    }
}

TEST(no_report_no_evidence) {
    tdx();
    CHECK(boot(POLICY_TEE_TDX));
    fake_tsm.stale = true;
    CHECK(!attested() && err.kind == ERR_DIGEST);
    fake_tsm.stale = false, fake_tsm.hangs = true, registers.cpu.tsm.report_ms = 300;
    CHECK(!attested() && err.kind == ERR_SYSTEM);
    struct err why = err;
    CHECK(measure_failure(&m, &why, &err) && measure_check(&m, &err)); /* the register still takes the failure */
}

/* ---- with a host at the port ---- */

static int host[2]; /* its end, the machine's */

int port_open(const char *name, int timeout_ms) {
    (void)timeout_ms;
    return view_is(view_str(name), PORT_ATTEST) ? dup(host[1]) : -1;
}

/* Reads up to the newline, or `n` bytes. */
static size_t host_read(char *out, size_t n, bool line) {
    size_t got = 0;
    while (got < n && read(host[0], out + got, 1) == 1)
        if (out[got++] == '\n' && line) break;
    return got;
}

/* A host that asks, and answers the evidence with `answer`; what the machine says to that comes on `result`. */
static pid_t host_start(const char *question, const char *answer, int result) {
    static char text[4 << 20];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, host) == 0);
    pid_t pid = fork();
    if (pid) return close(host[0]), pid;
    close(host[1]);
    host_read(text, 99, true); /* ready 0 */
    (void)!write(host[0], question, strlen(question));
    size_t n = host_read(text, 99, true);
    text[n] = 0;
    if (strncmp(text, "evidence ", 9)) _exit(1);
    size_t body = strtoul(text + 9, NULL, 10);
    if (host_read(text, body, false) != body) _exit(2);
    if (answer) (void)!write(host[0], answer, strlen(answer));
    n = host_read(text, 99, true);
    n += host_read(text + n, strtoul(text + 7, NULL, 10), false);
    (void)!write(result, text, n);
    _exit(0);
}

static const char *asked_by_host(const char *question, const char *answer) {
    static char said[200];
    struct attestation at = {0};
    int result[2], status;
    CHECK(pipe(result) == 0);
    pid_t pid = host_start(question, answer, result[1]);
    close(result[1]);
    CHECK(attest_run(&m, &config, &image, &arena, &at, &err) && at.host_nonce);
    close(host[1]);
    memset(said, 0, sizeof said);
    CHECK(read(result[0], said, sizeof said - 1) >= 0);
    close(result[0]);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    return said;
}

TEST(credential_over_the_port) {
    signal(SIGPIPE, SIG_IGN);
    tdx();
    fake_tpm.absent = false;
    CHECK(boot(POLICY_TEE_TDX));
    CHECK_STR(asked_by_host("nonce 00ff\n", NULL), "");
    CHECK_STR(asked_by_host("nonce 00ff activate\n", "activate 626c6f62 736563726574\n"), "secret 6\nsecret"); /* "blob", "secret" */
    CHECK_STR(asked_by_host("nonce 00ff activate\n", "activate 626c6f63 736563726574\n"), "secret 0\n");
    CHECK_STR(asked_by_host("nonce 00ff activate\n", "GET / HTTP/1.1\n"), "secret 0\n");
    snp();
    CHECK(boot(POLICY_TEE_SNP)); /* and no TPM */
    CHECK_STR(asked_by_host("nonce 00ff activate\n", "activate 626c6f62 736563726574\n"), "secret 0\n");
}
