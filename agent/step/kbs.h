/* kbs: the guest's side of the KBS protocol (trustee, kbs/docs/kbs_attestation_protocol.md, RCAR 0.4.0): a handshake
 * that proves to the relying party what was measured so far, then secrets encrypted to a key that only this process has.
 *
 *   worker/kbs   HTTP, TLS, JSON, cookie and token          monitor   nonce, key pair, evidence, decryption
 *
 * The monitor parses nothing of what comes back: the worker hands over the nonce, and of each response the key and byte
 * strings of its JWE, with the protected header as it was received; a lie of the worker's fails the tag. What the tag
 * does not prove is who encrypted, nor that it is the resource that was asked for and not another of this session's: that
 * is TLS's and the worker's to say, and so only what is checked further (keys of signed layers), what is measured before
 * it is followed (policy, CA, mirrors) or what is the KBS's own to give (secrets) comes this way. */
#ifndef PLINTH_STEP_KBS_H
#define PLINTH_STEP_KBS_H

#include "step/step.h"

struct kbs; /* key pair in locked memory, worker, session; in its own memory */

/* Nothing is sent yet. All three are read whenever the machine is attested; `image` is all zero until it was
 * verified. The source may be put into config->secrets; each get attests first when there is no session, or after
 * kbs_renew, and again when the KBS answers 401: three times, then it is "denied by the KBS". It takes two minutes
 * at most. ERR_USAGE: kbs.url is none; ERR_POLICY: no TEE. Of a get, beside struct secret_source's: ERR_SIGNATURE,
 * the KBS's certificate; ERR_FORMAT, not what RCAR 0.4.0 says, a redirect, more than `max` bytes; ERR_DIGEST, a JWE
 * that was changed, a TEE that contradicts itself; ERR_SYSTEM, the worker or the TEE failed. */
bool kbs_make(const struct config *config, const struct measurement *m, const struct verified_image *image,
              struct kbs **out, struct err *e);
const struct secret_source *kbs_source(struct kbs *k);
/* The register has moved on: what was proved before is not all any more, so the next get attests anew. */
void kbs_renew(struct kbs *k);
/* How long one question may take from here on, handshakes included; at the beginning two minutes. */
void kbs_patience(struct kbs *k, int ms);
/* The token of the session, an EAR in a JWT (attests first when there is none), and the key pair it names in PEM
 * (PKCS#8), both into `secrets`: what CoCo's agent gives to a workload. */
bool kbs_token(struct kbs *k, struct arena *secrets, struct view *token, struct view *key_pem, struct err *e);
/* Ends the worker, wipes the key. NULL is fine. */
void kbs_drop(struct kbs *k);

#endif
