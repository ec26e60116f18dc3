/* eventlog: real logs against registers that others replayed, and logs that must be refused. */
#include "lib.h"
#include "base/codec.h"
#include "tools/eventlog.h"

static bool replays(struct view v) {
    struct eventlog_registers regs;
    return eventlog_replay(v, &regs, &err);
}

static struct view word(struct view *line) { return view_cut(line, ' ', NULL); }

TEST(replays_real_logs) {
    fresh();
    struct view rest = vector("tee/replay.txt");
    struct view file = {0};
    struct eventlog_registers regs;
    size_t lines = 0;
    while (rest.n) {
        struct view line = view_cut(&rest, '\n', NULL), name = word(&line), first = word(&line), number = word(&line);
        char path[128];
        uint64_t i;
        uint8_t want[48];
        if (name.p[0] == '#') continue;
        lines++;
        if (number.n == 0) {
            snprintf(path, sizeof path, "tee/%.*s", VIEW_ARG(name));
            file = vector(path);
            err = (struct err){0};
            if (!eventlog_replay(file, &regs, &err)) check_fail("%s: %s", path, err.text);
            CHECK(view_u64(first, 1000, &i));
            CHECK_EQ(regs.records, i);
            continue;
        }
        CHECK(view_u64(number, 23, &i) && hex_decode(line, want, line.n / 2));
        struct eventlog_register *r = view_is(first, "sha256") ? &regs.sha256[i] : &regs.sha384[i];
        if (!view_eq(view_of(want, line.n / 2), view_of(r->bank.value, hash_size(r->bank.alg))))
            check_fail("%s: %.*s register %d", path, VIEW_ARG(first), (int)i);
    }
    CHECK(lines > 40);
}

static size_t mismatches(struct view v, size_t *compared) {
    struct eventlog log = eventlog_of(v);
    struct eventlog_record r;
    size_t bad = 0;
    while (eventlog_next(&log, &r, &err)) {
        bool known;
        bad += !eventlog_digest_matches(&r, &known);
        *compared += known;
    }
    CHECK_EQ(err.kind, ERR_NONE);
    return bad;
}

TEST(compares_digests) {
    size_t n = 0;
    fresh();
    CHECK_EQ(mismatches(vector("tee/tpm-arch-sdboot.bin"), &n), 0);
    CHECK_EQ(n, 19);
    CHECK_EQ(mismatches(vector("tee/ccel-intel-unpadded.bin"), &n), 0); /* Boot#### hashed without its name (old edk2) */
    CHECK_EQ(mismatches(vector("tee/tpm-cos85.bin"), &n), 2); /* old shim: one byte too many in the event */
    n = 0;
    CHECK_EQ(mismatches(vector("tee/tpm-debian10-sha1legacy.bin"), &n), 0);
    CHECK_EQ(n, 0);
}

/* ---- a log of our own, and its broken sisters ---- */

struct made {
    uint8_t bytes[2048];
    struct writer w;
};

static void header(struct made *m) {
    struct register_bank banks[] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}};
    m->w = writer_of(m->bytes, sizeof m->bytes);
    event_log_header(banks, 2, &m->w);
}

static void aael(struct made *m, uint32_t index) {
    struct register_bank banks[] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}};
    uint8_t event[64];
    struct writer w = writer_of(event, sizeof event);
    CHECK(event_encode("plinth", "boot", VIEW("{}"), &w, &err));
    event_record(index, banks, 2, writer_view(&w), &m->w);
}

/* A record of our own choice: u32 each of index, type, count; then digests {alg, size of zeros}. */
static void record(struct made *m, uint32_t index, uint32_t type, uint32_t count, const uint16_t (*digests)[2], size_t n,
                   struct view event) {
    uint8_t zeros[64] = {0};
    write_le32(&m->w, index);
    write_le32(&m->w, type);
    write_le32(&m->w, count);
    for (size_t i = 0; i < n; i++) {
        write_le16(&m->w, digests[i][0]);
        write_bytes(&m->w, view_of(zeros, digests[i][1]));
    }
    write_le32(&m->w, (uint32_t)event.n);
    write_bytes(&m->w, event);
}

TEST(own_log) {
    struct made m;
    struct eventlog_registers regs;
    struct eventlog_record r;
    struct view text;
    bool known;
    fresh();
    header(&m);
    aael(&m, 15);
    struct eventlog log = eventlog_of(writer_view(&m.w));
    CHECK(eventlog_next(&log, &r, &err) && r.type == EVENT_NO_ACTION && !eventlog_aael(&r, &text));
    CHECK(eventlog_next(&log, &r, &err) && r.mr_index == 15 && r.digest_count == 2);
    CHECK(eventlog_aael(&r, &text) && view_is(text, "plinth boot {}"));
    CHECK(eventlog_digest_matches(&r, &known) && known);
    CHECK(!eventlog_next(&log, &r, &err) && err.kind == ERR_NONE);
    CHECK(eventlog_replay(writer_view(&m.w), &regs, &err));
    struct register_bank bank = {.alg = HASH_SHA384};
    uint8_t digest[HASH_MAX];
    hash_once(HASH_SHA384, view_of(m.bytes + m.w.n - 22, 22), digest);
    register_extend(&bank, digest);
    CHECK(regs.sha384[15].used && !regs.sha384[14].used && memcmp(regs.sha384[15].bank.value, bank.value, 48) == 0);

    m.bytes[m.w.n - 1] ^= 1; /* the event changes, the digest stays */
    log = eventlog_of(writer_view(&m.w));
    CHECK(eventlog_next(&log, &r, &err) && eventlog_next(&log, &r, &err));
    CHECK(!eventlog_digest_matches(&r, &known) && known);
}

TEST(cut_and_flipped) {
    struct made m;
    fresh();
    header(&m);
    size_t one = m.w.n;
    aael(&m, 15);
    /* cut at a record's end a log is a shorter log: everything else is refused */
    for (size_t n = 0; n <= m.w.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, m.bytes, n);
        bool whole = n == m.w.n || n == one || n <= 4; /* four zero bytes are padding */
        if (replays(view_of(copy, n)) != whole) check_fail("cut to %zu of %zu", n, m.w.n);
        free(copy);
    }
    for (size_t i = 0; i < 8 * m.w.n; i++) { /* must not crash; the sanitizers look */
        m.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        (void)replays(writer_view(&m.w));
        m.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

TEST(padding) {
    struct made m;
    fresh();
    for (int fill = 0; fill <= 0xff; fill += 0xff) {
        header(&m);
        aael(&m, 15);
        for (size_t i = 0; i < 100; i++) write_u8(&m.w, (uint8_t)fill);
        CHECK(replays(writer_view(&m.w)));
        m.bytes[m.w.n - 1] ^= 1;
        CHECK(!replays(writer_view(&m.w)));
    }
}

#define DIGESTS(...) (const uint16_t[][2]){__VA_ARGS__}
static bool with(uint32_t index, uint32_t type, uint32_t count, const uint16_t (*digests)[2], size_t n, struct view event) {
    struct made m;
    header(&m);
    record(&m, index, type, count, digests, n, event);
    return replays(writer_view(&m.w));
}

TEST(refuses_records) {
    fresh();
    CHECK(with(1, 4, 2, DIGESTS({0xb, 32}, {0xc, 48}), 2, VIEW("\0\0\0\0")));
    CHECK(with(23, 4, 2, DIGESTS({0xc, 48}, {0xb, 32}), 2, VIEW("")));
    CHECK(!with(24, 4, 2, DIGESTS({0xb, 32}, {0xc, 48}), 2, VIEW("")));
    CHECK_ERR("offset 69 of 169: a register above 23");
    CHECK(!with(1, 4, 0, NULL, 0, VIEW("")));
    CHECK(!with(1, 4, 1, DIGESTS({0xb, 32}), 1, VIEW("")));
    CHECK_ERR("one digest per algorithm");
    CHECK(!with(1, 4, 3, DIGESTS({0xb, 32}, {0xc, 48}, {0xb, 32}), 3, VIEW("")));
    CHECK(!with(1, 4, 0xffffffff, DIGESTS({0xb, 32}, {0xc, 48}), 2, VIEW("")));
    CHECK(!with(1, 4, 2, DIGESTS({0xb, 32}, {0xb, 32}), 2, VIEW("")));
    CHECK_ERR("two digests by one algorithm");
    CHECK(!with(1, 4, 2, DIGESTS({0xb, 32}, {0xd, 64}), 2, VIEW("")));
    CHECK_ERR("the header does not name");
}

static bool with_header(struct view algorithms, struct view tail) {
    struct made m = {0};
    m.w = writer_of(m.bytes, sizeof m.bytes);
    write_le32(&m.w, 0);
    write_le32(&m.w, EVENT_NO_ACTION);
    write_bytes(&m.w, view_of(m.bytes + 1000, 20));
    write_le32(&m.w, (uint32_t)(24 + algorithms.n + tail.n));
    write_bytes(&m.w, VIEW("Spec ID Event03\0" "\0\0\0\0\0\2\0\2"));
    write_bytes(&m.w, algorithms);
    write_bytes(&m.w, tail);
    return replays(writer_view(&m.w));
}

TEST(refuses_headers) {
    fresh();
    CHECK(with_header(VIEW("\1\0\0\0\x0b\0\x20\0"), VIEW("\0")));
    CHECK(with_header(VIEW("\1\0\0\0\x12\0\x20\0"), VIEW("\2xy"))); /* SM3: not replayed, but read over */
    CHECK(!with_header(VIEW("\1\0\0\0\x0b\0\x20\0"), VIEW("")));
    CHECK(!with_header(VIEW("\1\0\0\0\x0b\0\x20\0"), VIEW("\0\0")));
    CHECK(!with_header(VIEW("\1\0\0\0\x0b\0\x20\0"), VIEW("\3xy")));
    CHECK(!with_header(VIEW("\0\0\0\0"), VIEW("\0")));
    CHECK(!with_header(VIEW("\x09\0\0\0\x0b\0\x20\0"), VIEW("\0")));
    CHECK(!with_header(VIEW("\xff\xff\xff\xff\x0b\0\x20\0"), VIEW("\0")));
    CHECK(!with_header(VIEW("\1\0\0\0\x0b\0\x30\0"), VIEW("\0")));
    CHECK_ERR("digest size");
    CHECK(!with_header(VIEW("\1\0\0\0\x99\0\xff\xff"), VIEW("\0")));
    CHECK(!with_header(VIEW("\2\0\0\0\x0b\0\x20\0\x0b\0\x20\0"), VIEW("\0")));
    CHECK_ERR("an algorithm twice");
}

TEST(startup_locality) {
    struct made m;
    struct eventlog_registers regs;
    struct view event = VIEW("StartupLocality\0\3");
    fresh();
    header(&m);
    record(&m, 0, EVENT_NO_ACTION, 2, DIGESTS({0xb, 32}, {0xc, 48}), 2, event);
    CHECK(eventlog_replay(writer_view(&m.w), &regs, &err));
    CHECK(regs.sha256[0].bank.value[31] == 3 && regs.sha384[0].bank.value[47] == 3 && !regs.sha256[0].used);
    record(&m, 0, EVENT_NO_ACTION, 2, DIGESTS({0xb, 32}, {0xc, 48}), 2, event);
    CHECK(!replays(writer_view(&m.w)));
    header(&m);
    record(&m, 0, 4, 2, DIGESTS({0xb, 32}, {0xc, 48}), 2, VIEW(""));
    record(&m, 0, EVENT_NO_ACTION, 2, DIGESTS({0xb, 32}, {0xc, 48}), 2, event);
    CHECK(!replays(writer_view(&m.w)));
    CHECK_ERR("after PCR 0 was started");
}

TEST(type_names) {
    CHECK_STR(eventlog_type_name(4), "EV_SEPARATOR");
    CHECK_STR(eventlog_type_name(0x13), "EV_POST_CODE2");
    CHECK_STR(eventlog_type_name(0x80000001), "EV_EFI_VARIABLE_DRIVER_CONFIG");
    CHECK_STR(eventlog_type_name(0x8000000d), "EV_EFI_GPT_EVENT2");
    CHECK_STR(eventlog_type_name(0x80000010), "EV_EFI_HCRTM_EVENT");
    CHECK_STR(eventlog_type_name(0x800000e0), "EV_EFI_VARIABLE_AUTHORITY");
    CHECK(!eventlog_type_name(0x14) && !eventlog_type_name(0x80000000) && !eventlog_type_name(0x800000e5));
    CHECK(!eventlog_type_name(0x8000000e) && !eventlog_type_name(0xffffffff));
}

/* ---- CC logs ---- */

static void cc_header(struct made *m, uint32_t index, struct view vendor) {
    m->w = writer_of(m->bytes, sizeof m->bytes);
    memset(m->bytes, 0, sizeof m->bytes);
    write_le32(&m->w, index);
    write_le32(&m->w, EVENT_NO_ACTION);
    m->w.n += 20;
    write_le32(&m->w, (uint32_t)(24 + 4 + 8 + 1 + vendor.n));
    write_bytes(&m->w, VIEW("Spec ID Event03\0"
                            "\0\0\0\0\0\2\0\2"));
    write_bytes(&m->w, VIEW("\2\0\0\0\x0c\0\x30\0\x12\0\x20\0")); /* sha384, SM3: as CoCo's own header */
    write_u8(&m->w, (uint8_t)vendor.n);
    write_bytes(&m->w, vendor);
}

static bool cc_with(uint32_t header, struct view vendor, uint32_t index, uint32_t type, const uint16_t (*digests)[2],
                    size_t n) {
    struct made m;
    cc_header(&m, header, vendor);
    record(&m, index, type, (uint32_t)n, digests, n, VIEW("x"));
    return replays(writer_view(&m.w));
}

TEST(cc_registers) {
    fresh();
    CHECK(cc_with(1, VIEW(""), 4, 6, DIGESTS({0xc, 48}),
                  1)); /* AAEL behind a CCEL: fewer digests than its header names */
    CHECK(cc_with(1, VIEW(""), 1, 6, DIGESTS({0x12, 32}, {0xc, 48}), 2));
    CHECK(cc_with(0, VIEW("td-shim"), 4, 6, DIGESTS({0xc, 48}), 1));
    CHECK(!cc_with(0, VIEW("others!"), 4, 6, DIGESTS({0xc, 48}), 1)); /* a TPM's */
    CHECK_ERR("one digest per algorithm");
    CHECK(!cc_with(1, VIEW(""), 4, 6, DIGESTS({0x12, 32}), 1));
    CHECK_ERR("without a sha384 digest");
    CHECK(!cc_with(1, VIEW(""), 5, 6, DIGESTS({0xc, 48}), 1));
    CHECK_ERR("RTMR0 to RTMR3");
    CHECK(!cc_with(1, VIEW(""), 0, 6, DIGESTS({0xc, 48}), 1)); /* MRTD */
    CHECK(cc_with(1, VIEW(""), 0, 3, DIGESTS({0xc, 48}), 1));
    CHECK(!cc_with(1, VIEW(""), 4, 6, NULL, 0));
    CHECK(!cc_with(1, VIEW(""), 4, 6, DIGESTS({0xc, 48}, {0xc, 48}), 2));
}

/* ---- SHA-1 and CEL ---- */

TEST(replays_sha1) {
    struct eventlog_registers regs;
    uint8_t want[20];
    fresh();
    CHECK(eventlog_replay(vector("tee/tpm-debian10-sha1legacy.bin"), &regs, &err));
    CHECK(hex_decode(VIEW("0f2d3a2a1adaa479aeeca8f5df76aadc41b862ea"), want, 20) &&
          memcmp(regs.sha1[0].value, want, 20) == 0);
    CHECK(hex_decode(VIEW("9e6c57e850f371c2a7fe02bca552149363952318"), want, 20) &&
          memcmp(regs.sha1[7].value, want, 20) == 0);
    CHECK(regs.sha1[0].used && !regs.sha1[8].used && !regs.sha256[0].used);
}

static void tlv(struct writer *w, uint8_t type, struct view v) {
    write_u8(w, type);
    write_be32(w, (uint32_t)v.n);
    write_bytes(w, v);
}

/* One record of Confidential Space: content `text` of type `cos`. */
static void cel(struct made *m, uint64_t number, uint8_t type, uint8_t reg, uint8_t cos, struct view text) {
    uint8_t content[256], nested[256], digests[256], digest[HASH_MAX], recnum[8];
    struct writer in = writer_of(nested, sizeof nested), out = writer_of(content, sizeof content),
                  d = writer_of(digests, sizeof digests), n = writer_of(recnum, 8);
    write_be64(&n, number);
    tlv(&in, cos, text);
    tlv(&out, 80, writer_view(&in));
    for (int i = 0; i < 2; i++) {
        hash_once(i ? HASH_SHA384 : HASH_SHA256, writer_view(&out), digest);
        tlv(&d, i ? 0xc : 0xb, view_of(digest, i ? 48 : 32));
    }
    tlv(&m->w, 0, writer_view(&n));
    tlv(&m->w, type, view_of(&reg, 1));
    tlv(&m->w, 3, writer_view(&d));
    write_bytes(&m->w, writer_view(&out));
}

static bool cel_one(uint64_t number, uint8_t type, uint8_t reg) {
    struct made m = {0};
    m.w = writer_of(m.bytes, sizeof m.bytes);
    cel(&m, 0, 1, 13, 0, VIEW("docker.io/x"));
    cel(&m, number, type, reg, 8, VIEW(""));
    return replays(writer_view(&m.w));
}

TEST(google_cel) {
    struct made m = {0};
    struct eventlog_record r;
    struct eventlog_registers regs;
    bool known;
    fresh();
    m.w = writer_of(m.bytes, sizeof m.bytes);
    cel(&m, 0, 108, 4, 0, VIEW("docker.io/library/nginx:latest"));
    size_t one = m.w.n;
    cel(&m, 1, 108, 4, 8, VIEW(""));
    struct eventlog log = eventlog_of(writer_view(&m.w));
    CHECK(eventlog_next(&log, &r, &err) && log.kind == EVENTLOG_CEL && r.cel && r.mr_index == 4 && r.type == 0 &&
          r.digest_count == 2);
    CHECK_STR(eventlog_record_name(&r), "COS ImageRef");
    CHECK(eventlog_digest_matches(&r, &known) && known);
    CHECK(eventlog_next(&log, &r, &err));
    CHECK_STR(eventlog_record_name(&r), "COS LaunchSeparator");
    CHECK(!eventlog_next(&log, &r, &err) && err.kind == ERR_NONE);
    CHECK(eventlog_replay(writer_view(&m.w), &regs, &err) && regs.sha384[4].used && regs.sha256[4].used &&
          !regs.sha384[3].used);
    struct register_bank bank = {.alg = HASH_SHA384};
    uint8_t digest[HASH_MAX];
    hash_once(HASH_SHA384, view_of(m.bytes + one - 40, 40), digest); /* two TLV headers and the text */
    register_extend(&bank, digest);
    hash_once(HASH_SHA384, view_of(m.bytes + m.w.n - 10, 10), digest);
    register_extend(&bank, digest);
    CHECK(memcmp(bank.value, regs.sha384[4].bank.value, 48) == 0);
    for (size_t n = 0; n <= m.w.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, m.bytes, n);
        bool whole = n == m.w.n || n == one || n <= 4; /* four zero bytes are padding */
        if (replays(view_of(copy, n)) != whole) check_fail("cut to %zu of %zu", n, m.w.n);
        free(copy);
    }
    for (size_t i = 0; i < 8 * m.w.n; i++) {
        m.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        (void)replays(writer_view(&m.w));
        m.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    m.bytes[one - 1] ^= 1; /* the content changes, the digest stays */
    log = eventlog_of(writer_view(&m.w));
    CHECK(eventlog_next(&log, &r, &err) && !eventlog_digest_matches(&r, &known));

    CHECK(cel_one(1, 1, 13) && cel_one(1, 1, 23) && cel_one(1, 108, 4));
    CHECK(!cel_one(0, 1, 13));
    CHECK_ERR("out of order");
    CHECK(!cel_one(2, 1, 13));
    CHECK(!cel_one(1, 1, 24));
    CHECK(!cel_one(1, 108, 0));
    CHECK(!cel_one(1, 108, 5));
    CHECK_ERR("no such register");
    CHECK(!cel_one(1, 2, 4));
    CHECK_ERR("without a register");
}

TEST(ccel_table) {
    uint8_t table[57] = "CCEL\x38\0\0\0\1";
    struct ccel_table out;
    table[36] = 2, table[48] = 0x90, table[42] = 1;
    for (int i = 0; i < 56; i++) table[9] = (uint8_t)(table[9] - (i == 9 ? 0 : table[i]));
    CHECK(ccel_table_read(view_of(table, 56), &out) && out.cc_type == 2 && out.log_size == 65536 &&
          out.log_address == 0x90);
    CHECK(!ccel_table_read(view_of(table, 55), &out) && !ccel_table_read(view_of(table, 57), &out));
    for (size_t i = 0; i < 56; i++) {
        table[i] ^= 4;
        CHECK(!ccel_table_read(view_of(table, 56), &out));
        table[i] ^= 4;
    }
}
