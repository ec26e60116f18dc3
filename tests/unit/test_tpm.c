/* tpm: the transport, over a socket pair to a TPM that answers what the test says: late, in pieces, or wrongly. The commands
 * themselves meet a real swtpm in tests/e2e/test_tpm.py. */
#include "lib.h"
#include "sys/tpm.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* One answer per command; an answer with n == 0 hangs up; `piece` bytes at a time. */
static pid_t serve(int fd, const struct view *answers, size_t count, size_t piece) {
    pid_t child = fork();
    if (child) return child;
    uint8_t command[TPM2_COMMAND_MAX];
    for (size_t i = 0; i < count && read(fd, command, sizeof command) > 0 && answers[i].n; i++)
        for (size_t at = 0; at < answers[i].n; at += piece) {
            struct view v = view_first(view_skip(answers[i], at), piece);
            (void)!write(fd, v.p, v.n);
            usleep(500);
        }
    _exit(0);
}

static bool opens(const struct view *answers, size_t count, size_t piece) {
    int ends[2];
    struct tpm t;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    pid_t child = serve(ends[1], answers, count, piece);
    close(ends[1]);
    err = (struct err){0};
    bool ok = tpm_open_fd(ends[0], &t, &err);
    if (ok) CHECK(t.bank_count == 2 && t.banks[0] == HASH_SHA256 && t.banks[1] == HASH_SHA384);
    close(ends[0]);
    waitpid(child, NULL, 0);
    return ok;
}

#define AGAIN VIEW("\x80\x01\0\0\0\x0a\0\0\x09\x22")

TEST(answers_in_pieces) {
    fresh();
    struct view banks = vector("tee/get_capability.response.bin");
    CHECK(opens(&banks, 1, 4096));
    CHECK(opens(&banks, 1, 7));
    CHECK(opens(&banks, 1, 1));
}

TEST(repeats_when_asked) {
    fresh();
    struct view answers[] = {AGAIN, VIEW("\x80\x01\0\0\0\x0a\0\0\x09\x08"), VIEW("\x80\x01\0\0\0\x0a\0\0\x09\x0a"),
                             vector("tee/get_capability.response.bin")};
    CHECK(opens(answers, 4, 4096));
}

TEST(hangs_up) {
    fresh();
    struct view banks = vector("tee/get_capability.response.bin");
    struct view cut = view_first(banks, 20);
    CHECK(!opens(&(struct view){0}, 1, 1) && err.kind == ERR_SYSTEM);
    CHECK_ERR("closed after 0 bytes");
    CHECK(!opens(&cut, 1, 4096));
    CHECK_ERR("closed after 20 bytes");
}

TEST(wrong_lengths) {
    fresh();
    CHECK(!opens(&VIEW("\x80\x01\0\0\0\x09\0\0\0\0"), 1, 4096) && err.kind == ERR_FORMAT);
    CHECK(!opens(&VIEW("\x80\x01\0\0\x10\x01\0\0\0\0"), 1, 4096));
    CHECK_ERR("answer of 10 bytes says it has 4097");
    CHECK(!opens(&VIEW("\x80\x01\0\0\0\x0a\0\0\0\0trailing"), 1, 4096) && err.kind == ERR_FORMAT);
    CHECK(!opens(&VIEW("\x80\x01\0\0\0\x0a\0\0\0\0"), 1, 4096) && err.kind == ERR_FORMAT);
}

TEST(refusals_have_names) {
    fresh();
    CHECK(!opens(&VIEW("\x80\x01\0\0\0\x0a\0\0\x01\0"), 1, 4096) && err.kind == ERR_SYSTEM);
    CHECK_ERR("TPM2_GetCapability: the TPM says TPM_RC_INITIALIZE (0x100)");
}

TEST(banks_must_hold_all_pcrs) {
    fresh();
    /* sha1 alone; sha256 with PCRs 0-7 only, sha384 with none */
    CHECK(!opens(&VIEW("\x80\x01\0\0\0\x19\0\0\0\0\0\0\0\0\5\0\0\0\1\0\4\3\xff\xff\xff"), 1, 4096));
    CHECK_ERR("neither a sha256 nor a sha384 bank");
    CHECK(strstr(err.mend, "vTPM"));
    CHECK(!opens(&VIEW("\x80\x01\0\0\0\x1f\0\0\0\0\0\0\0\0\5\0\0\0\2\0\x0b\3\xff\0\0\0\x0c\3\0\0\0"), 1, 4096));
    CHECK_ERR("neither a sha256 nor a sha384 bank");
}

TEST(absent) {
    struct tpm t;
    fresh();
    if (access("/dev/tpmrm0", F_OK) == 0) return;
    CHECK(!tpm_open(20, &t, &err) && err.kind == ERR_SYSTEM);
    CHECK_ERR("no TPM: /dev/tpmrm0: No such file");
}

TEST(nonce_too_long) {
    struct tpm t = {.fd = -1};
    struct tpm_quote q;
    uint8_t nonce[TPM2_NONCE_MAX + 1] = {0};
    fresh();
    CHECK(!tpm_quote(&t, view_of(nonce, sizeof nonce), &q, &err) && err.kind == ERR_USAGE);
}
