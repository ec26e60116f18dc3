/* frame: the bounded protocol between the monitor and its workers, over a stream socket or pipe.
 *
 *   u8 type | u8 zero[3] | u32 length (little-endian) | payload, at most FRAME_MAX
 *
 * The monitor believes no payload; what it uses of one it checks first. */
#ifndef PLINTH_WORKER_FRAME_H
#define PLINTH_WORKER_FRAME_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"

#define FRAME_HEADER 8u

enum frame_type {
    /* monitor -> fetch worker */
    FRAME_SOURCE = 1, /* struct fetch_source (worker/job.h): once, first */
    FRAME_CA,         /* PEM text, appended; before the first request */
    FRAME_RESOLVE,    /* tag or digest text -> OBJECT DATA.. [OBJECT DATA..] END, whose payload is u64le size and digest
                       * text of the config as the worker read them, or empty */
    FRAME_SIGNATURES, /* u8 flags, digest text -> (SIGNATURE DATA..).. END */
    FRAME_BLOB,       /* u64le size, digest text -> DATA.. END */
    /* fetch worker -> monitor */
    FRAME_OBJECT,     /* a manifest follows in DATA frames; payload: its media type as the registry said */
    FRAME_DATA,       /* bytes */
    FRAME_SIGNATURE,  /* u8 form, u32le n, signature[rest]; its payload of n bytes follows in DATA frames */
    FRAME_NOTE,       /* text for people: "retrying in 2 s: connection reset" */
    FRAME_END,        /* the request is answered; unpack worker: empty */
    FRAME_ERROR,      /* u8 err_kind, u32le errno, u16le n text, u16le n trail, u16le n mend */
    /* monitor -> unpack worker */
    FRAME_UNPACK,     /* struct unpack_job: once; the compressed bytes come through the input pipe */
    /* unpack worker -> monitor */
    FRAME_UNPACKED,   /* struct unpack_result: diffID, bytes, entries */
    /* address worker -> monitor */
    FRAME_LEASE,      /* struct lease */
    /* monitor -> fetch worker */
    FRAME_CONNECT,    /* -> END: have a connection ready for the next request */
    /* monitor -> KBS worker */
    FRAME_KBS,        /* URL of the KBS, text: once, first; then FRAME_CA */
    FRAME_AUTH,       /* Request, JSON text -> CHALLENGE */
    FRAME_ATTEST,     /* u32le size; that many bytes of Attestation, JSON text, in DATA -> END */
    FRAME_RESOURCE,   /* u32le size at most, path -> JWE DATA.. END */
    FRAME_TOKEN,      /* -> DATA.. END: the session's */
    /* KBS worker -> monitor */
    FRAME_CHALLENGE,  /* struct kbs_challenge */
    FRAME_JWE,        /* kbs_jwe_encode; the ciphertext follows in DATA frames */
    FRAME_DENIED,     /* in place of any answer, 401: no session, or none that may; what the KBS says, text */
    /* monitor -> api worker */
    FRAME_API,        /* struct api_job: once, first */
    /* a process that serves the container -> monitor */
    FRAME_ASK,        /* what is wanted (api worker: struct api_request) -> DATA.. END, or ERROR */
    /* monitor -> TLS server, which then asks (65 bytes, its public key) for evidence over it */
    FRAME_TLS,        /* u16le port of 127.0.0.1 to forward to: once, first */
    FRAME_TYPE_MAX
};

/* Flags of FRAME_SIGNATURES. */
#define SIGNATURES_ATTESTATIONS 1u /* wanted too: the .att tag, and statements above SIGNATURE_PAYLOAD_MAX */
#define SIGNATURES_TAGS 2u         /* only what is at tags; with neither of these two, or both: everything */
#define SIGNATURES_REFERRERS 4u    /* only what refers to the image */

struct frame {
    enum frame_type type;
    struct view payload; /* into the caller's buffer, until the next receive */
};

/* Writes a whole frame (payload in two parts, either may be empty). ERR_SYSTEM "the worker is gone" on EPIPE, "takes
 * nothing more" when the socket has a time-out (SO_SNDTIMEO). */
bool frame_send(int fd, enum frame_type type, struct view head, struct view body, struct err *e);
bool frame_send_error(int fd, const struct err *why, struct err *e);

/* Reads a whole frame into `buffer` (`size` at least FRAME_MAX for data). `deadline_ms`: monotonic clock in ms, 0 for none.
 * ERR_SYSTEM: the peer closed ("the fetch worker ended without an answer"), the deadline passed, an unknown type or length. */
bool frame_receive(int fd, uint8_t *buffer, size_t size, int64_t deadline_ms, struct frame *out, struct err *e);

/* Turns a FRAME_ERROR payload into *e (escaped, bounded) and returns false always. */
bool frame_error(struct view payload, struct err *e);

#endif
