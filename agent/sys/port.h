/* port: a named virtio-serial port to the host, over which evidence goes out (virtio 1.2, section 5.3).
 *
 * Protocol, with `plinth run` or any program at the other end of the chardev:
 *     agent -> host    "ready 0\n"                          what the host writes before this, firmware may swallow (OVMF 2025.02)
 *     host  -> agent   "nonce <hex>[ activate]\n"           the answer to that; 1 to TPM2_NONCE_MAX bytes
 *     agent -> host    "evidence <decimal length>\n" JSON   the evidence over that nonce
 *     host  -> agent   "activate <hex> <hex>\n"             only where it said so with the nonce, in PORT_TIMEOUT_MS: a credential
 *     agent -> host    "secret <decimal length>\n" bytes    what was in it; 0 bytes when this TPM cannot open it
 *     agent -> host    "failure <decimal length>\n" text    when the agent refuses: one line for people, after the evidence of that
 * A credential is TPM2_MakeCredential's credentialBlob and secret, without their sizes, for the AK of that evidence under
 * the TPM's EK: who gets the secret back knows that both keys live in one TPM. The host is not trusted: it chooses the
 * nonce and the credential and nothing else. */
#ifndef PLINTH_SYS_PORT_H
#define PLINTH_SYS_PORT_H

#include "base/err.h"
#include "base/view.h"
#include "tee/tpm2.h"

#define PORT_ATTEST "dev.plinth.attest"
#define PORT_TIMEOUT_MS 5000 /* how long the agent waits for a nonce, and for the host to take what is sent */

/* The port of that name, read-write, or -1 when there is none after `timeout_ms`. */
int port_open(const char *name, int timeout_ms);
/* Says "ready" and waits for the line. True with *n == 0 when no line came in time (no host is connected, or it is
 * silent); *activate tells whether a credential will follow. ERR_FORMAT: another line, odd or upper-case digits, too
 * long, bytes after it; a nonce that binds a key (tee/evidence.h): the host has none that a KBS may take for ours. */
bool port_nonce(int fd, int timeout_ms, uint8_t nonce[static TPM2_NONCE_MAX], size_t *n, bool *activate, struct err *e);
/* Waits for the credential. Views into `buffer`. ERR_FORMAT as above; ERR_SYSTEM when none came in time. */
#define PORT_CREDENTIAL_MAX 2048u
bool port_credential(int fd, int timeout_ms, uint8_t buffer[static PORT_CREDENTIAL_MAX], struct view *blob,
                     struct view *secret, struct err *e);
/* Sends "what <length>\n" and the body. ERR_SYSTEM when the host does not take it in PORT_TIMEOUT_MS. */
bool port_send(int fd, const char *what, struct view body, struct err *e);

#endif
