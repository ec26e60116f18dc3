/* release: which guest gets which resource: the release policy of `plinth serve` (--policy), a JSON file.
 *
 *   {"rules": [{"resources": ["acme/key/web-*"], "stage": ["image"], "tee": ["tdx","snp"], ..}, ..]}
 *
 * Every rule that names a resource must hold, and at least one must name it: so a rule more never gives more away, but
 * for a resource that none named before. A pattern has the three parts of a resource; '*' stands for any characters of
 * one part. Conditions, all optional, all arrays of strings that are not empty, and all that are there must hold:
 *
 *   stage         the guest is at one of these: "started", "image", "launched", "other" (judge.h); a rule without it
 *                 is not for "other"
 *   tee           "tpm", "tdx", "snp": one of these leads
 *   images        its manifest is one of these digests ("sha256:..")
 *   policies      its policy, the one that counts, is one of these
 *   initdata      its initdata is one of these; a guest without any has none
 *   layers        all of these digests are among its layers: in the log, so not before "launched"
 *   sets          it is as one of these sets of the reference says ("tdx, direct")
 *   agent         one text, not an array: its agent has at least this version
 *   signers       PUBLIC KEY in PEM: nothing runs there that all of these keys have not signed. That is so when its
 *                 policy is one of those that the relying party has as files (--guest-policy), and that policy cannot
 *                 be satisfied without them
 *   caveats       a verdict with one of these caveats (verify.h) will do, too; "allowed-CHECK" where --allow or
 *                 policy.allow of the reference waived a check. Without this member no caveat will
 *
 * and `comment`, one text, without meaning. Unknown members are errors. Without a file each resource goes to each guest
 * that the reference accepts, at any stage but "other", and with any caveat. */
#ifndef PLINTH_SERVE_RELEASE_H
#define PLINTH_SERVE_RELEASE_H

#include "base/arena.h"
#include "base/err.h"
#include "format/json.h"

#define RELEASE_FILE_MAX (1u << 20)
#define RELEASE_RULES_MAX 256u
#define RELEASE_GUEST_POLICIES_MAX 64u
#define RELEASE_SIGNERS_MAX 8u /* of one rule */

struct release;

/* `text` empty: the default. `text` and `a` outlive *out. ERR_USAGE naming rule and member. */
bool release_read(struct view text, struct arena *a, struct release **out, struct err *e);
/* A guest's policy file, for `signers`. ERR_USAGE: none, or one too many. */
bool release_add_policy(struct release *r, struct view bytes, struct arena *a, struct err *e);
/* After the last: ERR_USAGE for a signer that no guest policy needs, so that its rule could never hold. */
bool release_check(const struct release *r, struct err *e);

/* Claims as judge_appraise writes them; `path` "repo/type/tag". ERR_POLICY naming the rule and what does not hold;
 * ERR_FORMAT: no such claims, no such path. Thread-safe. */
bool release_decide(const struct release *r, const json *claims, struct view path, struct err *why);

#endif
