/* job: what the monitor tells each worker, and what comes back; encoded in frames. */
#ifndef PLINTH_WORKER_JOB_H
#define PLINTH_WORKER_JOB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"
#include "oci/manifest.h"
#include "secret/jwe.h"
#include "secret/rcar.h"

#define FETCH_ENDPOINTS_MAX 9u /* mirrors, then the registry itself */

struct fetch_endpoint {
    struct view host;       /* host[:port]; for oci: empty */
    struct view repository;
    struct view credential; /* "user:password" or empty; sent to this host (or its token realm) only */
};

struct fetch_source {
    size_t endpoint_count;
    struct fetch_endpoint endpoints[FETCH_ENDPOINTS_MAX];
    bool allow_http; /* a registry may be spoken to without TLS */
    struct view os, architecture, variant;
};

struct unpack_job {
    enum layer_compression compression;
    uint64_t bytes_max, files_max; /* what is left of the policy's limits */
    bool allow_devices;
    bool as_root;       /* keep owners, devices, capabilities; else everything belongs to the caller */
    bool overlay_xattr; /* opaque directories as user.overlay.opaque (guest); else as a 0:0 node ".wh..wh..opq" (host merge) */
};

struct unpack_result {
    uint8_t diff_id[32]; /* SHA-256 of the uncompressed stream, by the worker */
    uint64_t bytes, files;
    uint64_t skipped; /* entries that an ordinary user cannot make (devices) or keep (owners): said once by the monitor */
};

/* DHCP's answer (RFC 2131, 2132), network byte order; zero where not given. */
struct lease {
    uint8_t address[4], server[4], router[4], dns[3][4];
    uint8_t prefix; /* 0..32 */
    uint32_t seconds; /* 0xffffffff: for ever */
    uint16_t mtu;     /* 0 or at least 576 */
    struct view domain, hostname; /* letters, digits, '-', '.' only; checked by lease_decode */
};

/* A KBS's answer to who wants to attest. */
struct kbs_challenge {
    bool plinth;       /* it is a `plinth serve`, and takes Plinth's own evidence */
    struct view nonce; /* base64 of 32 bytes or more, at most RCAR_NONCE_MAX characters; checked by kbs_challenge_decode */
};

/* What the API offers: bits of run.api.feature (trust/policy.h, enum policy_api); the TEE that leads. */
struct api_job {
    unsigned features;
    struct view tee;
};

/* What a workload wants of the monitor; texts that a kind does not have are empty. */
enum api_kind {
    API_EVIDENCE, /* over `first`: at most 64 bytes */
    API_RESOURCE, /* `first`: "repository/type/tag" */
    API_TOKEN,
    API_EXTEND,   /* domain, operation, content */
    API_KINDS
};
#define API_TEXT_MAX 2048u
struct api_request {
    enum api_kind kind;
    struct view first, second, third;
};
/* Encoded. */
#define API_REQUEST_MAX (1u + 3 * (2 + API_TEXT_MAX))

void fetch_source_encode(const struct fetch_source *s, struct writer *out);
bool fetch_source_decode(struct view payload, struct fetch_source *out, struct err *e);
void unpack_job_encode(const struct unpack_job *j, struct writer *out);
bool unpack_job_decode(struct view payload, struct unpack_job *out, struct err *e);
void unpack_result_encode(const struct unpack_result *r, struct writer *out);
bool unpack_result_decode(struct view payload, struct unpack_result *out, struct err *e);
void lease_encode(const struct lease *l, struct writer *out);
bool lease_decode(struct view payload, struct lease *out, struct err *e);
void api_job_encode(const struct api_job *j, struct writer *out);
bool api_job_decode(struct view payload, struct api_job *out, struct err *e);
void api_request_encode(const struct api_request *r, struct writer *out);
bool api_request_decode(struct view payload, struct api_request *out, struct err *e);
void kbs_challenge_encode(const struct kbs_challenge *c, struct writer *out);
bool kbs_challenge_decode(struct view payload, struct kbs_challenge *out, struct err *e);
/* A KBS's JWE but for the bytes of its ciphertext: their number travels, ciphertext.p is NULL. Decoding checks all lengths. */
void kbs_jwe_encode(const struct jwe *j, struct writer *out);
bool kbs_jwe_decode(struct view payload, struct jwe *out, struct err *e);

#endif
