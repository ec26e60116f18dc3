/* bundle: the sigstore bundle (protobuf-specs sigstore_bundle.proto, in protobuf's JSON mapping), versions 0.1 to 0.3,
 * signed by a key.
 *
 * Unverified reading, used by the fetch worker. The hint of the key, log entries and timestamps are passed over.
 * Members may be spelt in camelCase or snake_case; both at once count as a duplicate. null stands for absent. */
#ifndef PLINTH_FORMAT_BUNDLE_H
#define PLINTH_FORMAT_BUNDLE_H

#include "format/dsse.h"

struct bundle {
    bool has_certificate; /* verificationMaterial is a certificate or a chain, no key */
    bool has_message;     /* messageSignature, else dsseEnvelope */
    struct view message_signature;
    struct dsse_envelope envelope; /* with exactly one signature */
};

/* ERR_FORMAT: not strict JSON, another mediaType, verificationMaterial that is none or several of publicKey,
 * certificate and x509CertificateChain, not exactly one of dsseEnvelope and messageSignature, or what these hold. */
bool bundle_parse(struct view bytes, struct arena *a, struct bundle *out, struct err *e);

/* One of the media types of a bundle. */
bool bundle_is_type(struct view media_type);

#endif
