/* sealed: CoCo's sealed secrets (guest-components, confidential-data-hub/docs/SEALED_SECRET.md): "sealed." and a JWS
 * in compact form (RFC 7515), ES256, whose `kid` is the KBS URI of the P-256 JWK that it is signed with; its payload
 * says where the secret is ("vault", at the KBS URI `name`) or holds it encrypted ("envelope"). `provider` is "kbs".
 *
 * CoCo has no envelope of provider "kbs" and leaves the wrapping to each provider. Here it is: `key_id` is the KBS
 * URI of 32 bytes; with these and `annotations.iv` (where CoCo's aliyun has it too) AES-256-GCM opens
 * `encrypted_key`; with that key of 32 bytes and `iv`, AES-256-GCM (`wrap_type` "A256GCM") opens `encrypted_data`.
 * IVs have 12 bytes, tags stand behind, nothing else is authenticated; base64 (RFC 4648 section 4). */
#ifndef PLINTH_SECRET_SEALED_H
#define PLINTH_SECRET_SEALED_H

#include "base/arena.h"
#include "base/err.h"
#include "secret/ocicrypt.h"

/* The secret, into `secrets`. `get` as in struct ocicrypt_keys. The signature is checked before the payload is
 * parsed. ERR_FORMAT: not of that form, or no such key at `kid`; ERR_SIGNATURE: another algorithm, or not by that
 * key; ERR_DIGEST: a tag is not right; what `get` says. Messages hold no byte of the secret, nor of what stands at
 * `kid` or `key_id`. */
bool sealed_open(struct view text, const struct ocicrypt_keys *keys, struct arena *a, struct arena *secrets,
                 struct view *out, struct err *e);

#endif
