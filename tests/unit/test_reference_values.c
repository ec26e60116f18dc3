// reference: what a relying party may write, and what would silently never be compared.
#include "lib.h"

#include "tools/appraise/reference.h"

#define H32 "0101010101010101010101010101010101010101010101010101010101010101"
#define I32 "0202020202020202020202020202020202020202020202020202020202020202"
#define H48 H32 "01010101010101010101010101010101"
#define I48 I32 "02020202020202020202020202020202"

static struct reference ref;

static bool reads(const char *text) {
    fresh();
    return reference_read(quoted(text), &arena, &ref, &err);
}

#define REFUSED(text, part)                                                                               \
    do {                                                                                                  \
        if (reads(text)) check_fail("line %d: accepted", __LINE__);                                       \
        char line[1200];                                                                                  \
        err_line(&err, line, sizeof line);                                                                \
        if (err.kind != ERR_USAGE || !strstr(line, part)) check_fail("line %d: %d %s", __LINE__, err.kind, line); \
    } while (0)

static struct view ones(size_t n) {
    static uint8_t bytes[64];
    memset(bytes, 1, sizeof bytes);
    return view_of(bytes, n);
}

TEST(what_measure_prints_is_a_reference) {
    fresh();
    if (!reference_read(vector("evidence/tpm-reference.json"), &arena, &ref, &err)) check_fail("%s", err.text);
    CHECK_EQ(ref.set_count, 1);
    CHECK(ref.sets[0].tee == EVIDENCE_TPM && !ref.images && !ref.roots.count);
    CHECK(reads("{'verdict':'accepted','reason':null,'mend':null,'inputs':{},'launch_digest':'" H48 "'}") && ref.sets[0].tee == EVIDENCE_SNP);
    CHECK(reads("{'mrtd':'" H48 "','mrtd_single_pass':'" I48 "','rtmr0':null,'unknown':{'rtmr0':'why'}}") && ref.sets[0].tee == EVIDENCE_TDX);
    CHECK(reference_compare(&ref.sets[0], "/mrtd", "/mrtd_single_pass", ones(48)) == REFERENCE_SAME);
    CHECK(reference_compare(&ref.sets[0], "/mrtd_single_pass", NULL, ones(48)) == REFERENCE_DIFFERS);
    CHECK(reference_compare(&ref.sets[0], "/mrtd_single_pass", "/mrtd", ones(48)) == REFERENCE_SAME);
    CHECK(reference_compare(&ref.sets[0], "/rtmr0", NULL, ones(48)) == REFERENCE_SILENT);
    CHECK(reference_compare(&ref.sets[0], "/rtmr1", NULL, ones(48)) == REFERENCE_SILENT);
    CHECK(reference_compare(&ref.sets[0], "/mrtd", NULL, (struct view){0}) == REFERENCE_DIFFERS);
}

TEST(alternatives) {
    CHECK(reads("{'version':1,'tpm':{'uki':{'sha256':{'4':'" H32 "'}},'direct':{'qemu >= 10':{'sha256':{'4':['" I32 "','" H32 "']}},'old':{'sha384':{'4':null}}}},"
                "'snp':[{'launch_digest':'" H48 "','vcpus':2},{'launch_digest':'" I48 "'}],'tdx':null}"));
    CHECK_EQ(ref.set_count, 5);
    CHECK_STR(ref.sets[1].name, "tpm, direct, qemu >= 10");
    CHECK_STR(ref.sets[4].name, "snp, 2");
    CHECK(reference_compare(&ref.sets[1], "/sha256/4", NULL, ones(32)) == REFERENCE_SAME);
    CHECK(reference_compare(&ref.sets[4], "/launch_digest", NULL, ones(48)) == REFERENCE_DIFFERS);
    CHECK(reads("{}") && ref.set_count == 0);
    CHECK(reads("{'snp':[],'tdx':null}") && ref.set_count == 0);
}

TEST(policy) {
    CHECK(reads("{'policy':{'images':['sha256:" H32 "'],'minimumAgent':'0.2','allow':['pck-crl'],'tcbEvaluation':17,'weaknesses':['a.b']}}"));
    CHECK(reference_lists(ref.images, VIEW("sha256:" H32)) && !reference_lists(ref.images, VIEW("sha256:" I32)));
    CHECK(!reference_lists(ref.policies, VIEW("")) && !reference_lists(NULL, VIEW("")));
    CHECK(ref.tcb_evaluation == 17 && view_is(ref.minimum_agent, "0.2"));
    REFUSED("{'policy':[]}", "no object");
    REFUSED("{'policy':{'image':[]}}", "image");
    REFUSED("{'policy':{'images':'sha256:" H32 "'}}", "array");
    REFUSED("{'policy':{'images':['" H32 "']}}", "images");
    REFUSED("{'policy':{'images':[7]}}", "strings");
    REFUSED("{'policy':{'policies':['sha256:xx']}}", "policies");
    REFUSED("{'policy':{'allow':{}}}", "allow");
    REFUSED("{'policy':{'tcbEvaluation':'17'}}", "tcbEvaluation");
    REFUSED("{'policy':{'minimumAgent':2}}", "minimumAgent");
    REFUSED("{'policy':{'roots':['no certificate']}}", "roots");
    CHECK(ref.pcr == 15 && reads("{'policy':{'pcr':12}}") && ref.pcr == 12);
    REFUSED("{'policy':{'pcr':16}}", "pcr");
    REFUSED("{'policy':{'pcr':'15'}}", "pcr");
    REFUSED("{'policy':{'aks':['x']}}", "aks");
    REFUSED("{'policy':{'tcbMinimum':'01'}}", "tcbMinimum");
    CHECK(reads("{'policy':{'tcbMinimum':'04000000000018db'}}") && ref.has_tcb_minimum && ref.tcb_minimum[7] == 0xdb);
}

TEST(nothing_is_passed_over_silently) {
    REFUSED("", "reference");
    REFUSED("[]", "object");
    REFUSED("{} {}", "reference");
    REFUSED("{'version':2}", "version");
    REFUSED("{'tmp':{}}", "tmp");
    REFUSED("{'tpm':{},'tpm':{}}", "tpm");
    REFUSED("{'tpm':{}}", "a set of values");
    REFUSED("{'tpm':7}", "a set of values");
    REFUSED("{'tpm':{'a':{'b':{'c':{'d':{'e':{'sha256':{'4':null}}}}}}}}", "a set of values");
    REFUSED("{'tpm':{'sha256':{}}}", "an object of PCRs");
    REFUSED("{'tpm':{'sha256':{'16':null}}}", "16");
    REFUSED("{'tpm':{'sha256':{'04':null}}}", "04");
    REFUSED("{'tpm':{'sha256':{'4':'" H48 "'}}}", "64 lower-case hex digits");
    REFUSED("{'tpm':{'sha256':{'4':[]}}}", "hex");
    REFUSED("{'tpm':{'sha256':{'4':['" H32 "',null]}}}", "hex");
    REFUSED("{'tpm':{'sha256':{'4':null},'sha512':{}}}", "sha512");
    REFUSED("{'tpm':{'mrtd':'" H48 "'}}", "mrtd");
    REFUSED("{'tdx':{'mrtd':'" H48 "','rtmr_1':'" H48 "'}}", "rtmr_1");
    REFUSED("{'tdx':{'mrtd':'" H32 "'}}", "96 lower-case hex digits");
    REFUSED("{'snp':{'launch_digest':'" H48 "','policy':1}}", "policy");
    REFUSED("{'launch_digest':'" H48 "','mrtd':'" H48 "'}", "mrtd");
    REFUSED("{'snp':{'launch_digest':'ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB'}}", "lower-case");
    REFUSED("{'snp':{'launch_digest':'" H48 "','events':[1]}}", "events");
    REFUSED("{'tpm':{'sha256':{'4':null},'boot_events':[]}}", "boot_events");
    REFUSED("{'tpm':{'sha256':{'4':null},'boot_events':{'4':['',1]}}}", "boot_events");
}

TEST(versions) {
    CHECK(reference_version_at_least(VIEW("0.10.2"), VIEW("0.9")) && reference_version_at_least(VIEW("1.0"), VIEW("1")));
    CHECK(!reference_version_at_least(VIEW("0.9.9"), VIEW("0.10")) && !reference_version_at_least(VIEW("x"), VIEW("0.0.1")));
    CHECK(reference_version_at_least(VIEW("1"), VIEW("1.0.0")) && !reference_version_at_least(VIEW("1"), VIEW("1.0.1")));
}
