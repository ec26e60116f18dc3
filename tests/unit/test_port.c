/* port: the protocol with the host over a socket pair; the other end is hostile, late, or not there. */
#include "lib.h"
#include "sys/port.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int ends[2];

static void pair(void) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    signal(SIGPIPE, SIG_IGN); /* as both programs do */
    err = (struct err){0};
}

static void unpair(void) {
    close(ends[0]);
    close(ends[1]);
}

static uint8_t nonce[TPM2_NONCE_MAX];
static bool wished;

/* -1: an error; else the nonce's length. */
static int asked(struct view line) {
    size_t n = 99;
    pair();
    CHECK(write(ends[1], line.p, line.n) == (ssize_t)line.n);
    bool ok = port_nonce(ends[0], 60, nonce, &n, &wished, &err);
    uint8_t said[16];
    CHECK(read(ends[1], said, sizeof said) == 8 && !memcmp(said, "ready 0\n", 8)); /* the guest speaks first */
    unpair();
    CHECK(ok || (n == 99 && err.kind == ERR_FORMAT));
    return ok ? (int)n : -1;
}

TEST(nonces) {
    char line[300] = "nonce ";
    CHECK_EQ(asked(VIEW("nonce 00ff10\n")), 3);
    CHECK(nonce[0] == 0 && nonce[1] == 0xff && nonce[2] == 0x10);
    memset(line + 6, 'a', 2 * TPM2_NONCE_MAX);
    strcpy(line + 6 + 2 * TPM2_NONCE_MAX, "\n");
    CHECK_EQ(asked(view_str(line)), TPM2_NONCE_MAX);
    strcpy(line + 6 + 2 * TPM2_NONCE_MAX, "aa\n");
    CHECK_EQ(asked(view_str(line)), -1);
    CHECK_EQ(asked(VIEW("nonce \n")), -1);
    CHECK_EQ(asked(VIEW("nonce 0\n")), -1);
    CHECK_EQ(asked(VIEW("nonce 0F\n")), -1);
    CHECK_EQ(asked(VIEW("nonce 00 \n")), -1);
    CHECK_EQ(asked(VIEW("nonce 00\n\n")), -1);
    CHECK_EQ(asked(VIEW("nonce 00\nnonce 01\n")), -1);
    CHECK_EQ(asked(VIEW("\n")), -1);
    CHECK_EQ(asked(VIEW("Nonce 00\n")), -1);
    CHECK_ERR("the host asked \"Nonce 00\"");
    CHECK_EQ(asked(VIEW("GET / HTTP/1.1\r\n")), -1);
    // "plinth-": over such a one the agent's evidence binds a key, and the host would have it bind its own
    CHECK_EQ(asked(VIEW("nonce 706c696e74682d6b00112233445566778899aabbccddeeff0011223344556677\n")), -1);
    CHECK_ERR("the host's nonce begins with \"plinth-\"");
    CHECK_EQ(asked(VIEW("nonce 706c696e74682d\n")), -1);
    CHECK_EQ(asked(VIEW("nonce 706c696e7468\n")), 6);
}

TEST(wish_to_activate) {
    char line[300] = "nonce ";
    CHECK(asked(VIEW("nonce 00ff10\n")) == 3 && !wished);
    CHECK(asked(VIEW("nonce 00ff10 activate\n")) == 3 && wished);
    memset(line + 6, 'a', 2 * TPM2_NONCE_MAX);
    strcpy(line + 6 + 2 * TPM2_NONCE_MAX, " activate\n");
    CHECK(asked(view_str(line)) == TPM2_NONCE_MAX && wished);
    CHECK_EQ(asked(VIEW("nonce  activate\n")), -1);
    CHECK_EQ(asked(VIEW("nonce 00 activat\n")), -1);
    CHECK_EQ(asked(VIEW("nonce 00 activate \n")), -1);
    CHECK_EQ(asked(VIEW("nonce 00 activate activate\n")), -1);
}

/* -1: an error; else blob and secret are those bytes. */
static int credential(struct view line, struct view want_blob, struct view want_secret) {
    static uint8_t buffer[PORT_CREDENTIAL_MAX];
    struct view blob, secret;
    pair();
    CHECK(write(ends[1], line.p, line.n) == (ssize_t)line.n);
    bool ok = port_credential(ends[0], 60, buffer, &blob, &secret, &err);
    unpair();
    if (!ok) return -1;
    CHECK(view_eq(blob, want_blob) && view_eq(secret, want_secret));
    return 0;
}

TEST(credentials) {
    static char line[2 * PORT_CREDENTIAL_MAX];
    const struct view none = {0};
    CHECK_EQ(credential(VIEW("activate 00ff 1011\n"), VIEW("\0\xff"), VIEW("\x10\x11")), 0);
    CHECK_EQ(credential(VIEW(""), none, none), -1);
    CHECK(err.kind == ERR_SYSTEM);
    CHECK_EQ(credential(VIEW("activate 00ff\n"), none, none), -1);
    CHECK_EQ(credential(VIEW("activate 00ff  10\n"), none, none), -1);
    CHECK_EQ(credential(VIEW("activate 00ff 1\n"), none, none), -1);
    CHECK_EQ(credential(VIEW("activate 00ff FF\n"), none, none), -1);
    CHECK_EQ(credential(VIEW("activate 00ff 10 10\n"), none, none), -1);
    CHECK_EQ(credential(VIEW("activate 00ff 10\nx"), none, none), -1);
    CHECK_EQ(credential(VIEW("secret 00ff 10\n"), none, none), -1);
    CHECK(err.kind == ERR_FORMAT);
    strcpy(line, "activate ");
    memset(line + 9, 'a', 1026);
    strcpy(line + 9 + 1026, " 00\n");
    CHECK_EQ(credential(view_str(line), none, none), -1); /* a blob of 513 bytes */
    memset(line + 9, 'a', PORT_CREDENTIAL_MAX);
    CHECK_EQ(credential(view_str(line), none, none), -1); /* no end in sight */
}

TEST(silence_is_no_nonce) {
    CHECK_EQ(asked(VIEW("")), 0);
    CHECK_EQ(asked(VIEW("nonce 00ff")), 0); /* the line never ends */
    pair(); /* nobody at the other end: read gives 0 until somebody connects */
    close(ends[1]);
    size_t n = 99;
    CHECK(port_nonce(ends[0], 60, nonce, &n, &wished, &err) && n == 0);
    close(ends[0]);
}

TEST(nonce_byte_by_byte) {
    size_t n = 0;
    pair();
    pid_t child = fork();
    if (child == 0) {
        for (const char *p = "nonce 0102\n"; *p; p++) (void)!write(ends[1], p, 1), usleep(2000);
        _exit(0);
    }
    CHECK(port_nonce(ends[0], 5000, nonce, &n, &wished, &err) && n == 2 && nonce[1] == 2);
    waitpid(child, NULL, 0);
    unpair();
}

TEST(sends_whole_messages) {
    static uint8_t body[900000], got[900100];
    memset(body, 'e', sizeof body);
    pair();
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(!port_send(ends[0], "evidence", view_of(body, sizeof body), &err));
    }
    close(ends[0]);
    fcntl(ends[1], F_SETFL, 0);
    size_t n = 0;
    for (ssize_t more; (more = read(ends[1], got + n, sizeof got - n)) > 0; n += (size_t)more) usleep(100);
    int status;
    waitpid(child, &status, 0);
    close(ends[1]);
    CHECK_EQ(status, 0);
    CHECK_EQ(n, sizeof body + 16);
    CHECK(memcmp(got, "evidence 900000\n", 16) == 0 && memcmp(got + 16, body, sizeof body) == 0);
}

TEST(host_that_went_away) {
    pair();
    close(ends[1]);
    CHECK(!port_send(ends[0], "failure", VIEW("why"), &err) && err.kind == ERR_SYSTEM);
    close(ends[0]);
}

TEST(no_port_here) { CHECK_EQ(port_open("dev.plinth.no-such-port", 0), -1); }
