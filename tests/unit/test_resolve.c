// The monitor's side of a fetch worker that lies: its answers are written into the socket beforehand.
#include "lib.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/writer.h"
#include "step/resolve.h"
#include "worker/frame.h"

static struct config config;
static struct resolved r;
static int ends[2];

static void begin(void)
{
    fresh();
    if (ends[0]) {
        close(ends[0]);
        close(ends[1]);
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    int size = 8 << 20;
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    memset(&config, 0, sizeof config);
    strcpy(config.image.tag, "v");
    config.deadline_ms = clock_ms() + 2000;
}

static void say(enum frame_type type, struct view payload) { CHECK(frame_send(ends[1], type, payload, (struct view){0}, &err)); }

static void say_manifest(void)
{
    say(FRAME_OBJECT, VIEW("application/vnd.oci.image.manifest.v1+json"));
    say(FRAME_DATA, VIEW("{}"));
    say(FRAME_END, (struct view){0});
}

static void say_signature(uint8_t form, uint32_t n, struct view signature)
{
    static uint8_t bytes[FRAME_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    write_u8(&w, form);
    write_le32(&w, n);
    write_bytes(&w, signature);
    say(FRAME_SIGNATURE, writer_view(&w));
}

static bool resolves(void)
{
    struct child fetch = CHILD_NONE;
    fetch.control = ends[0];
    shutdown(ends[1], SHUT_WR);
    return resolve_image(&config, &fetch, NULL, &arena, &r, &err);
}

TEST(candidates_of_every_form)
{
    begin();
    say_manifest();
    say_signature(SIGNATURE_TAG, 5, VIEW("one"));
    say(FRAME_DATA, VIEW("hello"));
    say_signature(SIGNATURE_BUNDLE, 5, VIEW("two"));
    say(FRAME_DATA, VIEW("he"));
    say(FRAME_DATA, VIEW("l"));
    say(FRAME_DATA, VIEW("lo"));
    say_signature(SIGNATURE_MESSAGE, 0, VIEW("three"));
    say_signature(SIGNATURE_DSSE, 0, VIEW("four"));
    say(FRAME_END, (struct view){0});
    CHECK(resolves());
    CHECK_EQ(r.candidate_count, 4);
    CHECK(r.candidates[0].form == SIGNATURE_TAG && view_is(r.candidates[0].payload, "hello") && view_is(r.candidates[0].signature, "one"));
    CHECK(r.candidates[1].form == SIGNATURE_BUNDLE && view_is(r.candidates[1].payload, "hello") && view_is(r.candidates[1].signature, "two"));
    CHECK(r.candidates[2].form == SIGNATURE_MESSAGE && r.candidates[2].payload.n == 0 && view_is(r.candidates[2].signature, "three"));
    CHECK(r.candidates[3].form == SIGNATURE_DSSE && r.candidates[3].payload.n == 0);
}

// What was asked: the request behind the first one.
static uint8_t flags(void)
{
    uint8_t buffer[1024];
    struct frame f;
    CHECK(frame_receive(ends[1], buffer, sizeof buffer, config.deadline_ms, &f, &err) && f.type == FRAME_RESOLVE);
    CHECK(frame_receive(ends[1], buffer, sizeof buffer, config.deadline_ms, &f, &err) && f.type == FRAME_SIGNATURES);
    CHECK(f.payload.n == 1 + 71 && view_starts(view_skip(f.payload, 1), VIEW("sha256:44136fa355b3678a")));
    return f.payload.p[0];
}

TEST(attestations_are_asked_for_when_wanted)
{
    for (unsigned count = 0; count < 2; count++) {
        begin();
        config.policy.attestation_count = count;
        say_manifest();
        say(FRAME_END, (struct view){0});
        CHECK(resolves() && r.candidate_count == 0);
        CHECK_EQ(flags(), count ? SIGNATURES_ATTESTATIONS : 0);
    }
    begin();
    config.policy.allow_unsigned = true;
    say_manifest();
    CHECK(resolves());
}

TEST(lies)
{
    static const uint8_t large[SIGNATURE_MAX + 1];
    for (int i = 0; i < 15; i++) {
        begin();
        say_manifest();
        const char *why = "mixed up";
        switch (i) {
        case 0: say(FRAME_DATA, VIEW("x")); break;
        case 1: say(FRAME_DATA, (struct view){0}); break;
        case 2: say(FRAME_SIGNATURE, (struct view){0}); break;
        case 3: say(FRAME_SIGNATURE, VIEW("\0\1\0\0")); break;
        case 4: say_signature(SIGNATURE_INLINE, 0, VIEW("x")); break;
        case 5: say_signature(255, 0, VIEW("x")); break;
        case 6: say_signature(SIGNATURE_MESSAGE, 1, VIEW("x")); break;
        case 7: say_signature(SIGNATURE_TAG, 0, view_of(large, sizeof large)); break;
        case 8: say_signature(SIGNATURE_TAG, SIGNATURE_PAYLOAD_MAX + 1, VIEW("x")), why = "65537"; break;
        case 9: say_signature(SIGNATURE_BUNDLE, STATEMENT_MAX + 1, VIEW("x")), why = "16777217"; break;
        case 10: say_signature(SIGNATURE_BUNDLE, UINT32_MAX, VIEW("x")), why = "4294967295"; break;
        case 11: say_signature(SIGNATURE_TAG, 3, VIEW("x")), say(FRAME_END, (struct view){0}); break;
        case 12: say_signature(SIGNATURE_TAG, 3, VIEW("x")), say_signature(SIGNATURE_TAG, 3, VIEW("x")); break;
        case 13: say_signature(SIGNATURE_TAG, 3, VIEW("x")), say(FRAME_DATA, VIEW("four")); break;
        case 14: say(FRAME_OBJECT, VIEW("x")); break;
        }
        if (resolves())
            check_fail("case %d is accepted", i);
        CHECK_ERR(why);
    }
}

TEST(bounds)
{
    for (unsigned n = SIGNATURES_MAX; n <= SIGNATURES_MAX + 1; n++) {
        begin();
        say_manifest();
        for (unsigned i = 0; i < n; i++)
            say_signature(SIGNATURE_TAG, 0, VIEW("x"));
        say(FRAME_END, (struct view){0});
        CHECK(resolves() == (n == SIGNATURES_MAX));
    }
    CHECK_ERR("more than 100 signatures");
}

// Two statements of 16 MiB are all that is taken; the third has one byte.
TEST(statements_together)
{
    static const uint8_t zeroes[FRAME_MAX];
    begin();
    if (fork() == 0) {
        say_manifest();
        for (int i = 0; i < 2; i++) {
            say_signature(SIGNATURE_DSSE, STATEMENT_MAX, VIEW("x"));
            for (size_t n = 0; n < STATEMENT_MAX; n += FRAME_MAX)
                say(FRAME_DATA, view_of(zeroes, FRAME_MAX));
        }
        say_signature(SIGNATURE_BUNDLE, 1, VIEW("x"));
        _exit(0);
    }
    struct child fetch = CHILD_NONE;
    fetch.control = ends[0];
    CHECK(!resolve_image(&config, &fetch, NULL, &arena, &r, &err) && r.candidate_count == 2);
    CHECK_ERR("more than is taken");
}

// ---- with a second worker: the config comes early, or it does not, and nobody minds ----

static int other[2];

static void say_to(int end, enum frame_type type, struct view payload) { CHECK(frame_send(end, type, payload, (struct view){0}, &err)); }

// The first worker's manifest is "{}", and `hint` what it says of the config; no signatures at tags.
static void begin_two(struct view hint)
{
    begin();
    if (other[0]) {
        close(other[0]);
        close(other[1]);
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0);
    say(FRAME_OBJECT, (struct view){0});
    say(FRAME_DATA, VIEW("{}"));
    say(FRAME_END, hint);
    say(FRAME_END, (struct view){0});
}

static bool resolves_with_two(void)
{
    struct child fetch = CHILD_NONE, second = CHILD_NONE;
    fetch.control = ends[0];
    second.control = other[0];
    say_to(other[1], FRAME_END, (struct view){0}); // referrers
    shutdown(ends[1], SHUT_WR);
    shutdown(other[1], SHUT_WR);
    return resolve_image(&config, &fetch, &second, &arena, &r, &err);
}

static struct view hint_of(uint64_t size, const char *digest)
{
    static uint8_t bytes[200];
    struct writer w = writer_of(bytes, sizeof bytes);
    write_le64(&w, size);
    write_text(&w, digest);
    return writer_view(&w);
}

#define EMPTY_OBJECT "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of "{}"

TEST(config_comes_early)
{
    begin_two(hint_of(2, EMPTY_OBJECT));
    say_to(other[1], FRAME_END, (struct view){0}); // connected
    say_to(other[1], FRAME_DATA, VIEW("{}"));
    say_to(other[1], FRAME_END, (struct view){0});
    CHECK(resolves_with_two() && view_is(r.config, "{}") && r.config_said.size == 2);
    uint8_t buffer[1024];
    struct frame f;
    static const enum frame_type asked[] = {FRAME_CONNECT, FRAME_BLOB, FRAME_SIGNATURES};
    for (size_t i = 0; i < 3; i++)
        CHECK(frame_receive(other[1], buffer, sizeof buffer, config.deadline_ms, &f, &err) && f.type == asked[i]);
    CHECK(f.payload.p[0] == SIGNATURES_REFERRERS);
}

TEST(config_that_is_another)
{
    static const char *const served[] = {"{]", "{", "", "{}{}"};
    for (size_t i = 0; i < 6; i++) {
        struct err why = {0};
        err_set(&why, ERR_NETWORK, "gone");
        begin_two(hint_of(2, EMPTY_OBJECT));
        if (i == 5) CHECK(frame_send_error(other[1], &why, &err)); // no connection yet: the next request tries again
        else say_to(other[1], FRAME_END, (struct view){0});
        if (i < 4) say_to(other[1], FRAME_DATA, view_str(served[i]));
        if (i == 4) CHECK(frame_send_error(other[1], &why, &err));
        else say_to(other[1], FRAME_END, (struct view){0});
        CHECK(resolves_with_two() && r.config.n == 0);
    }
}

TEST(hints_that_are_none)
{
    const struct view hints[] = {(struct view){0}, VIEW("short"), hint_of(CONFIG_MAX + 1, EMPTY_OBJECT)};
    for (size_t i = 0; i < 4; i++) {
        begin_two(i < 3 ? hints[i] : hint_of(2, "sha256:44"));
        say_to(other[1], FRAME_END, (struct view){0});
        CHECK(resolves_with_two() && r.config_said.size == 0 && r.config.n == 0);
    }
}

TEST(second_worker_dies)
{
    begin_two(hint_of(2, EMPTY_OBJECT));
    struct child fetch = CHILD_NONE, second = CHILD_NONE;
    fetch.control = ends[0];
    second.control = other[0];
    close(other[1]);
    CHECK(!resolve_image(&config, &fetch, &second, &arena, &r, &err));
    CHECK_EQ(err.kind, ERR_SYSTEM);
    other[1] = -1;
}
