/* limits: every bound on bytes from outside, each with its reason. */
#ifndef PLINTH_BASE_LIMITS_H
#define PLINTH_BASE_LIMITS_H

/* Manifests and indexes: the distribution-spec asks clients to take 4 MiB; nobody needs more. */
#define MANIFEST_MAX (4u << 20)
/* Image configs are history and environment; containerd and podman stop at 4 MiB too. */
#define CONFIG_MAX (4u << 20)
/* A policy is written by a person, with a CA bundle at most. */
#define POLICY_MAX (1u << 20)
/* overlayfs takes 500 lower directories; image-spec names no limit, registries and Docker build at most 127. */
#define LAYERS_MAX 128u
/* A cosign simple-signing payload is 250 bytes and its optional annotations a few kilobytes. */
#define SIGNATURE_PAYLOAD_MAX (64u << 10)
/* RSA-4096 has 512 bytes; the ECDSA signatures in DER are at most 141. */
#define SIGNATURE_MAX 1024u
/* Candidates handed to the monitor for one image; cosign stops at 1000, ten times the parties anybody has seen is 100. */
#define SIGNATURES_MAX 100u
/* Manifests that refer to one image and are opened in search of signatures; one holds one signature or attestation. */
#define REFERRERS_MAX 100u
/* An in-toto statement: SPDX of a large distribution image reaches 10 MiB. All statements of one image together. */
#define STATEMENT_MAX (16u << 20)
#define STATEMENTS_MAX (32u << 20)
/* The document around a statement: a third more in base64, then log entries and certificates. */
#define ENVELOPE_MAX (STATEMENT_MAX / 3 * 4 + (256u << 10))
/* The same where no attestation is wanted, around a payload of SIGNATURE_PAYLOAD_MAX. */
#define ENVELOPE_SMALL_MAX (256u << 10)
/* Different keys in one policy, all lists together: sets of them are 64 bits. */
#define KEYS_MAX 64u
/* JSON nesting: CycloneDX reaches 20; the parser does not recurse, the bound is against quadratic checks. */
#define JSON_DEPTH_MAX 64u
/* References: the distribution-spec bounds a name by 255, a tag by 128; a host by 253. */
#define HOST_MAX 261u
#define REPOSITORY_MAX 255u
#define TAG_MAX 128u
/* One bounded message between monitor and worker; larger objects travel in several. */
#define FRAME_MAX (256u << 10)
/* CA certificates in PEM: Debian's whole bundle is 220 KiB. */
#define CA_PEM_MAX (1u << 20)
/* Arguments and environment of the container: execve's own limit is 2 MiB with 128 KiB per string. */
#define ARGS_MAX 1024u
/* zstd: the window that `zstd -d` accepts without --long (2^27); a worker's memory limit allows for it. */
#define ZSTD_WINDOW_LOG_MAX 27
/* The agent's event log: 128 layers, 40 other events, 400 bytes each, and room for the workload's own. */
#define EVENTLOG_MAX (256u << 10)
/* Firmware logs are 20-60 KiB; TCG recommends 64 KiB. */
#define FIRMWARE_LOG_MAX (256u << 10)
/* A TDX quote: the kernel's own buffer. An SNP report is 1184 bytes; its certificate table, by GHCB, four pages. */
#define REPORT_MAX (128u << 10)
#define CERTIFICATES_MAX (64u << 10)
/* Initdata, packed or not: a policy, and what else is written by a person. */
#define INITDATA_MAX (2u << 20)
/* A resource of a KBS: a policy at most (kbs.policy). Other secrets are small. */
#define KBS_RESOURCE_MAX POLICY_MAX
/* What is sent to a KBS: evidence of up to 2 MiB, and initdata, escaped. */
#define KBS_REQUEST_MAX (8u << 20)
/* The protected header of a KBS's JWE in base64url: alg, enc, epk are 250 characters. */
#define KBS_PROTECTED_MAX 4096u
/* A KBS's token: claims of one machine, among them, with Trustee, its whole event log. */
#define KBS_TOKEN_MAX (512u << 10)
/* An endorsement key's certificate in NV: 700 to 1500 bytes, the index itself at most 2048 (TPM 2.0 PC Client). */
#define EK_CERTIFICATE_MAX 2048u
/* One secret of the workload: keys, certificates, configurations; Kubernetes takes as much. */
#define SECRET_MAX (1u << 20)

#endif
