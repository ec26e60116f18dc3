/* amd_certs: AMD's CAs for SEV-SNP, per product line. Only the ARK's public key is believed; the certificates are here so that a
 * report with nothing but its VCEK or VLEK can be judged. */
#ifndef PLINTH_APPRAISE_AMD_CERTS_H
#define PLINTH_APPRAISE_AMD_CERTS_H

enum { AMD_MILAN, AMD_GENOA, AMD_TURIN, AMD_LINES };
extern const struct amd_line {
    const char *name, *ark, *ask, *asvk; /* the product line; commonNames */
    const char *ark_spki_sha256;
    const char *certs[3]; /* base64 of DER: ARK, ASK, ASVK */
} amd_lines[AMD_LINES];

#endif
