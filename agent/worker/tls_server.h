/* tls_server: "plinth:tls" ends RA-TLS (lib/tee/ratls.h) on the listening socket WORKER_INPUT and forwards the bytes to
 * a port of 127.0.0.1, where the container listens.
 *
 * TLS 1.2, ECDHE on P-256 with the certificate's P-256 key, AES-GCM or ChaCha20-Poly1305; no resumption, no
 * renegotiation. The key is made in here and never leaves this process: the monitor is asked once (FRAME_ASK, 65 bytes:
 * 04 || x || y) for evidence over it. So the certificate says what the register was when this process began.
 *
 * One process and one poll for all connections. Each has a TLS engine with a buffer for each direction and nothing
 * else; who is slow to take stops the other side. The container sees a connection once its handshake is over. TLS 1.2
 * knows no half-close: the end of either side ends both, the container's after all it has sent. A client that goes
 * without close_notify resets the container's connection, and a container that breaks off gets no close_notify sent: on
 * neither side what was cut looks whole. When every place is taken, the connection that was silent for longest makes
 * room, if it was silent for TLS_EVICT_MS; until then new ones wait in the kernel's queue. */
#ifndef PLINTH_WORKER_TLS_SERVER_H
#define PLINTH_WORKER_TLS_SERVER_H

#define TLS_LINKS_MAX 128u
#define TLS_HANDSHAKE_MS 10000 /* from the connection to the handshake's end, however busy it was */
#define TLS_IDLE_MS 300000     /* without a byte in either direction */
#define TLS_EVICT_MS 2000
#define TLS_CLOSE_MS 5000 /* for the client's close_notify, once all was sent */

#define TLS_POINT_SIZE 65u

#endif
