/* see api.h */
#include "worker/api.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/version.h"
#include "crypto/wipe.h"
#include "format/http.h"
#include "format/json.h"
#include "worker/confine.h"
#include "worker/frame.h"
#include "worker/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY (16 * API_HTTP_MAX + API_ANSWER_MAX + 4096u) /* of address space: a request, its JSON, the answer */
#define RUNTIME_DATA_MAX 64u
#define FEATURE_RESOURCE 1u
#define FEATURE_ATTESTATION 2u

/* ---- one request ---- */

static struct api_reply say(unsigned status, struct view body) {
    return (struct api_reply){.status = status, .body = body};
}

static struct api_reply ask(enum api_kind kind, struct view first, struct view second, struct view third) {
    return (struct api_reply){.ask = {kind, first, second, third}};
}

/* The last parameter of that name, decoded. */
static bool parameter(struct view query, const char *wanted, struct arena *a, struct view *out) {
    struct view name, value;
    bool found = false;
    while (http_query_next(&query, &name, &value)) {
        uint8_t *bytes = arena_alloc(a, name.n + value.n);
        if (!bytes) return false;
        if (!view_is(view_of(bytes, http_form_decode(name, bytes)), wanted)) continue;
        *out = view_of(bytes, http_form_decode(value, bytes));
        found = true;
    }
    return found;
}

static bool runtime_data(struct view query, struct arena *a, struct view *out) {
    struct view text, encoding;
    if (!parameter(query, "runtime_data", a, &text)) return false;
    *out = text;
    if (!parameter(query, "encoding", a, &encoding)) return true;
    uint8_t *bytes = arena_alloc(a, text.n);
    size_t n;
    if (!view_is(encoding, "base64") || !bytes || !base64url_decode(text, bytes, text.n, &n)) return false;
    *out = view_of(bytes, n);
    return true;
}

static struct api_reply route_event(struct view body, struct arena *a) {
    const json *root;
    struct view domain, operation, content;
    struct err e;
    if (!json_parse(body, a, &root, &e) || !json_need_text(root, "domain", "the event", &domain, &e) ||
        !json_need_text(root, "operation", "the event", &operation, &e) ||
        !json_need_text(root, "content", "the event", &content, &e))
        return say(500, VIEW("the body is no JSON object with the texts domain, operation and content"));
    if (domain.n > API_TEXT_MAX || operation.n > API_TEXT_MAX || content.n > API_TEXT_MAX)
        return say(500, VIEW("the event is too long"));
    return ask(API_EXTEND, domain, operation, content);
}

static struct api_reply route_attestation(const struct http_request *r, struct view path, struct view body, bool get,
                                          struct arena *a) {
    struct view value, format = {0};
    bool event = view_is(path, "/aael"), evidence = view_is(path, "/evidence"), token = view_is(path, "/token"),
         additional = view_is(path, "/additional-evidence");
    if (!event && !evidence && !token && !additional) return say(404, VIEW("URL NOT FOUND"));
    if (event ? !view_is(r->method, "POST") : !get) return say(405, VIEW("Method Not Allowed"));
    if (event) return route_event(body, a);
    if (!(token ? parameter(r->query, "token_type", a, &value) : runtime_data(r->query, a, &value)))
        return say(400, VIEW("BAD REQUEST"));
    if (additional) return say(200, (struct view){0});
    if (token && !view_is(value, "kbs")) return say(500, VIEW("the only token_type here is kbs"));
    if (evidence && parameter(r->query, "format", a, &format) && !view_is(format, "plinth"))
        return say(400, VIEW("BAD REQUEST"));
    if (evidence && value.n > RUNTIME_DATA_MAX) return say(500, VIEW("runtime_data has more than 64 bytes"));
    return token ? ask(API_TOKEN, (struct view){0}, (struct view){0}, (struct view){0})
                 : ask(API_EVIDENCE, value, format, (struct view){0});
}

static struct api_reply route_info(const struct api_job *job, struct arena *a) {
    static const char *const words[] = {"", "resource", "attestation", "all"};
    struct writer w = writer_of(arena_alloc(a, 256), 256);
    struct api_reply reply = {.status = 200, .json = true};
    if (!w.p) return say(500, (struct view){0});
    write_text(&w, "{\"version\":\"");
    write_text(&w, plinth_version);
    write_u8(&w, '"');
    if (job->features & FEATURE_ATTESTATION && job->tee.n) {
        write_member(&w, "tee");
        write_json_string(&w, job->tee);
    }
    write_member(&w, "feature");
    write_json_string(&w, view_str(words[job->features & 3]));
    write_u8(&w, '}');
    reply.body = writer_view(&w);
    return reply;
}

struct api_reply api_route(struct view head, struct view body, bool loopback, const struct api_job *job,
                           struct arena *a) {
    struct http_request r;
    struct err e;
    if (!loopback) return say(403, VIEW("Forbidden"));
    if (!http_request_parse(head, &r, &e)) return say(400, VIEW("BAD REQUEST"));
    if (r.head.framing == HTTP_CHUNKED) return say(411, VIEW("Length Required"));
    if (r.head.framing == HTTP_LENGTH && r.head.length > body.n) return say(413, VIEW("Content Too Large"));
    body = view_first(body, r.head.length);
    bool get = view_is(r.method, "GET");
    if (view_is(r.path, "/info")) return get ? route_info(job, a) : say(405, VIEW("Method Not Allowed"));
    if (view_starts(r.path, VIEW("/aa/")))
        return job->features & FEATURE_ATTESTATION ? route_attestation(&r, view_skip(r.path, 3), body, get, a)
                                                   : say(404, VIEW("Attestation Feature Not Enabled"));
    if (!view_starts(r.path, VIEW("/cdh/"))) return say(404, VIEW("URL NOT FOUND"));
    if (!(job->features & FEATURE_RESOURCE)) return say(404, VIEW("Resource Feature Not Enabled"));
    if (!view_starts(r.path, VIEW("/cdh/resource/"))) return say(404, VIEW("URL NOT FOUND"));
    if (!get) return say(405, VIEW("Method Not Allowed"));
    struct view path = view_skip(r.path, sizeof "/cdh/resource/" - 1);
    if (path.n > API_TEXT_MAX) return say(500, VIEW("the resource's path is too long"));
    return ask(API_RESOURCE, path, (struct view){0}, (struct view){0});
}

size_t api_missing(struct view bytes, size_t *head_n) {
    struct http_request r;
    struct err e;
    *head_n = http_head_length(bytes, 0);
    if (!*head_n) return bytes.n < API_HTTP_MAX;
    if (!http_request_parse(view_first(bytes, *head_n), &r, &e) || r.head.framing != HTTP_LENGTH) return 0;
    size_t have = bytes.n - *head_n;
    return r.head.length <= API_HTTP_MAX - *head_n && r.head.length > have ? r.head.length - have : 0;
}

static const char *reason(unsigned status) {
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 429: return "Too Many Requests";
    default: return "Internal Server Error";
    }
}

void api_head(const struct api_reply *reply, struct writer *out) {
    write_text(out, "HTTP/1.1 ");
    write_dec(out, reply->status);
    write_u8(out, ' ');
    write_text(out, reason(reply->status));
    if (reply->status == 200)
        write_text(out, reply->json ? "\r\nContent-Type: application/json"
                                    : "\r\nContent-Type: application/octet-stream");
    write_text(out, "\r\nContent-Length: ");
    write_dec(out, reply->body.n);
    write_text(out, "\r\nConnection: close\r\n\r\n");
}

/* ---- the process ---- */

struct connection {
    int fd; /* -1: free */
    enum { READING, WAITING, ASKED, ANSWERING } state;
    bool loopback;
    int64_t deadline;
    struct arena memory;
    uint8_t *in;
    size_t in_n;
    struct api_reply reply;
    struct writer body; /* what the monitor gives */
    struct view out[2]; /* head and body, what is left of them */
};

static struct {
    struct api_job job;
    struct connection connections[API_CONNECTIONS];
    struct connection *asked; /* whose question the monitor has */
    uint8_t tee[32], frame[FRAME_MAX];
} api;

static void hang_up(struct connection *c) {
    close(c->fd);
    wipe(c->memory.base, c->memory.used);
    arena_drop(&c->memory);
    *c = (struct connection){.fd = -1};
}

static void begin_answer(struct connection *c, struct api_reply reply) {
    struct writer head = writer_of(arena_alloc(&c->memory, 256), 256);
    if (!head.p) {
        hang_up(c);
        return;
    }
    api_head(&reply, &head);
    c->out[0] = writer_view(&head);
    c->out[1] = reply.body;
    c->state = ANSWERING;
    c->deadline = clock_ms() + API_CLIENT_MS;
}

static void send_answer(struct connection *c) {
    for (size_t i = 0; i < 2; i++)
        while (c->out[i].n) {
            ssize_t n = write(c->fd, c->out[i].p, c->out[i].n);
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
            if (n <= 0) goto end;
            c->out[i] = view_skip(c->out[i], (size_t)n);
        }
end:
    hang_up(c);
}

static void read_request(struct connection *c) {
    size_t head_n;
    ssize_t n = read(c->fd, c->in + c->in_n, API_HTTP_MAX - c->in_n);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        hang_up(c);
        return;
    }
    c->in_n += (size_t)n;
    struct view got = view_of(c->in, c->in_n);
    if (api_missing(got, &head_n)) return;
    c->reply = api_route(view_first(got, head_n), view_skip(got, head_n), c->loopback, &api.job, &c->memory);
    if (c->reply.status) {
        begin_answer(c, c->reply);
        return;
    }
    c->state = WAITING;
    c->deadline = clock_ms() + API_QUEUE_MS;
}

static void take_connection(int listening) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_storage storage;
    } peer = {0};
    socklen_t size = sizeof peer;
    struct err e;
    struct connection *c = api.connections;
    while (c < api.connections + API_CONNECTIONS && c->fd >= 0) c++;
    if (c == api.connections + API_CONNECTIONS) return;
    int fd = accept4(listening, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    *c = (struct connection){.fd = fd, .deadline = clock_ms() + API_CLIENT_MS};
    c->loopback = peer.any.sa_family == AF_UNIX ||
                  (peer.any.sa_family == AF_INET && ntohl(peer.in.sin_addr.s_addr) >> 24 == 127);
    if (arena_make(&c->memory, MEMORY, &e) && (c->in = arena_alloc(&c->memory, API_HTTP_MAX))) return;
    hang_up(c);
}

/* The one that has waited longest. */
static bool ask_monitor(struct err *e) {
    uint8_t bytes[API_REQUEST_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct connection *next = NULL;
    for (struct connection *c = api.connections; c < api.connections + API_CONNECTIONS; c++)
        if (c->fd >= 0 && c->state == WAITING && (!next || c->deadline < next->deadline)) next = c;
    if (!next || api.asked) return true;
    next->body = writer_of(arena_alloc(&next->memory, API_ANSWER_MAX), API_ANSWER_MAX);
    if (!next->body.p) {
        hang_up(next);
        return true;
    }
    api_request_encode(&next->reply.ask, &w);
    api.asked = next;
    next->state = ASKED;
    return frame_send(WORKER_CONTROL, FRAME_ASK, writer_view(&w), (struct view){0}, e);
}

static bool take_answer(struct err *e) {
    struct frame f;
    struct err why;
    char line[sizeof why.text + sizeof why.trail], *text;
    if (!frame_receive(WORKER_CONTROL, api.frame, sizeof api.frame, 0, &f, e)) return false;
    struct connection *c = api.asked;
    if (!c) return err_set(e, ERR_SYSTEM, "an answer without a question");
    if (f.type == FRAME_DATA) {
        write_bytes(&c->body, f.payload);
        wipe(api.frame, f.payload.n);
        return true;
    }
    struct api_reply reply = {.status = 200, .json = c->reply.ask.kind == API_EXTEND, .body = writer_view(&c->body)};
    if (f.type == FRAME_ERROR) {
        frame_error(f.payload, &why);
        err_line(&why, line, sizeof line);
        text = arena_alloc(&c->memory, sizeof line + sizeof why.mend + 2);
        if (text) sprintf(text, "%s%s%s", line, why.mend[0] ? "; " : "", why.mend);
        reply = say(why.kind == ERR_POLICY ? 403 : 500, text ? view_str(text) : (struct view){0});
    } else if (c->body.full) {
        reply = say(500, VIEW("the answer is too long"));
    }
    api.asked = NULL;
    begin_answer(c, reply);
    return true;
}

static void look_at(struct connection *c, int64_t now, short events) {
    if (c->fd < 0) return;
    if (c->state == ANSWERING && events) send_answer(c);
    else if (c->state == READING && events) read_request(c);
    else if (c->state == WAITING && now > c->deadline) begin_answer(c, say(429, VIEW("Too Many Requests")));
    else if ((c->state == READING || c->state == ANSWERING) && now > c->deadline) hang_up(c);
}

static bool serve(struct err *e) {
    static const int fixed[] = {WORKER_CONTROL, WORKER_INPUT, WORKER_ROOM};
    struct pollfd fds[3 + API_CONNECTIONS];
    for (;;) {
        bool free = false, busy = false;
        for (size_t i = 0; i < API_CONNECTIONS; i++) {
            const struct connection *c = &api.connections[i];
            bool mine = c->fd >= 0 && (c->state == READING || c->state == ANSWERING);
            fds[3 + i] = (struct pollfd){mine ? c->fd : -1, c->state == READING ? POLLIN : POLLOUT, 0};
            free |= c->fd < 0;
            busy |= c->fd >= 0;
        }
        for (size_t i = 0; i < 3; i++) fds[i] = (struct pollfd){i && !free ? -1 : fixed[i], POLLIN, 0};
        if (poll(fds, 3 + API_CONNECTIONS, busy ? 1000 : -1) < 0 && errno != EINTR) return err_sys(e, "poll");
        int64_t now = clock_ms();
        for (size_t i = 0; i < API_CONNECTIONS; i++) look_at(&api.connections[i], now, fds[3 + i].revents);
        if (fds[0].revents && !take_answer(e)) return false;
        if (!ask_monitor(e)) return false;
        for (size_t i = 1; i < 3; i++)
            if (fds[i].revents) take_connection(fixed[i]);
    }
}

static bool begin(struct err *e) {
    struct frame f;
    struct api_job job;
    for (size_t i = 0; i < API_CONNECTIONS; i++) api.connections[i].fd = -1;
    if (!frame_receive(WORKER_CONTROL, api.frame, sizeof api.frame, 0, &f, e)) return false;
    if (f.type != FRAME_API) return err_set(e, ERR_SYSTEM, "the API worker was asked for something else");
    if (!api_job_decode(f.payload, &job, e)) return false;
    memcpy(api.tee, job.tee.p, job.tee.n);
    api.job = (struct api_job){job.features, view_of(api.tee, job.tee.n)};
    return true;
}

int api_main(void) {
    struct err e = {0}, ignored;
    signal(SIGPIPE, SIG_IGN);
    if (!confine_enter(CONFINE_API, &e) || !begin(&e) || !serve(&e)) frame_send_error(WORKER_CONTROL, &e, &ignored);
    return 0;
}
