"""plinth verify: the evidence of a machine that was booted for it (QEMU with swtpm, a software TPM) against what plinth measure predicted
from the files; then recorded evidence, bent in every way. tests/unit/vectors/evidence: a vTPM's, and those of the SIMULATED TDX and SNP, alone and with a TPM beside them."""
import base64
import copy
import hashlib
import json
import os
import struct
import subprocess

import pytest

from conftest import ROOT
from image import Image, policy, tar
from test_boot import ca, kernel, probe, probe_image, registry, run, serve  # noqa: F401
from test_trust import Vouched, member as key_of

VECTORS = os.path.join(ROOT, "tests", "unit", "vectors", "evidence")
CMDLINE = "console=ttyS0 panic=-1 quiet"  # what plinth run gives a kernel
OTHER = "ab" * 32
OTHER_AK = "ACMACwAFBHIAAAAQABgACwADABAAIF7E2z1lsQaqAmXlry01rkXxWt9kxe/yWwr7by4sZ3AWACBMjLQM4SfHGVHRt/Zl+r5iO34Q4BbEyXz78Db2Xr7HxA=="  # of another software TPM


def load(name):
    with open(os.path.join(VECTORS, name)) as f:
        return json.load(f)


class Case:
    """Evidence and reference as objects, to be bent."""

    def __init__(self, plinth, tmp_path, evidence, reference):
        self.plinth, self.directory = plinth, tmp_path
        self.evidence, self.reference = copy.deepcopy(evidence), copy.deepcopy(reference)
        self.nonce = evidence["nonce"]

    def verify(self, *args, text=None, reference=None, nonce=True):
        (self.directory / "ev").write_text(text if text is not None else json.dumps(self.evidence))
        (self.directory / "ref").write_text(reference if reference is not None else json.dumps(self.reference))
        return self.plinth.run("verify", "--reference", self.directory / "ref", *(["--nonce", self.nonce] if nonce else []), "--json", *args,
                               self.directory / "ev")

    def accepted(self, *args, **more):
        r = self.verify(*args, **more)
        assert r.status == 0 and r.json["verdict"] == "accepted" and r.json["reason"] is None, (r.out, r.err)
        return r.json

    def refused(self, reason, *args, status=1, **more):
        r = self.verify(*args, **more)
        assert r.status == status and r.json["verdict"] == ("refused" if status == 1 else "error"), (r.out, r.err)
        assert reason in r.json["reason"], r.json["reason"]
        assert r.err.startswith("plinth: ")
        if "ear" in r.json:
            proofs = [c["name"] for c in r.json["checks"] if c["name"] in ("nonce", "quote-signature", "report-data", "register") and c["ok"] is False]
            assert not proofs or (r.json["manifest"] is None and r.json["layers"] == []), "the log of evidence that is none was told"
            assert ear(r.json)["ear.status"] == "contraindicated"
        return r.json


def ear(result):
    (submodule,) = result["ear"]["submods"].values()
    return submodule


def check(result, name):
    return next(c for c in result["checks"] if c["name"] == name)


def ak(evidence):
    return "sha256:" + hashlib.sha256(base64.b64decode(evidence["ak_public"])).hexdigest()


def known(reference, evidence, **more):
    """With what nobody can predict: the AK, and the firmware's PCR 0."""
    reference = {**reference, "sha256": {**reference["sha256"], "0": evidence["pcrs"]["sha256"]["0"]}}
    return {"version": 1, "tpm": reference, "policy": {"aks": [ak(evidence)], **more}}


@pytest.fixture
def tpm(plinth, tmp_path):
    return Case(plinth, tmp_path, load("tpm.json"), known(load("tpm-reference.json"), load("tpm.json")))


@pytest.fixture
def snp(plinth, tmp_path):
    evidence = load("snp-simulated.json")
    measurement = base64.b64decode(evidence["report"])[0x90:0xc0].hex()
    case = Case(plinth, tmp_path, evidence, {"snp": {"launch_digest": measurement}, "policy": {"images": [evidence["manifest"]]}})
    verify = case.verify
    case.verify = lambda *args, **more: verify("--trust", os.path.join(VECTORS, "snp-simulated-ark.pem"), "--at", "2026-11-22", *args, **more)
    return case


# ---- by booting ----

def test_boot_measured_and_verified(plinth, keys, kernel, ca, registry, probe, tmp_path):  # noqa: F811
    image = probe_image(probe, kind=Vouched).tag(keys["builder"])
    image.write(tmp_path)  # its signature among the manifests
    name = serve(image, registry, tmp_path / "layout")
    with open(ca.pem) as f:
        policy_path = plinth.policy(policy(keys["builder"], image=name, registry={"ca": f.read()}, tee=["tpm"]))
    vmlinuz, modules = kernel
    parts = ["--policy", policy_path, *(x for m in modules for x in ("--module", m))]
    initrd, evidence = tmp_path / "initrd.img", tmp_path / "evidence.json"
    assert plinth.run("initrd", *parts, "-o", initrd).status == 0
    files = ["--kernel", vmlinuz, "--initrd", initrd, "--cmdline", CMDLINE]
    own = ["--policy", policy_path, "--image", f"oci:{tmp_path / 'layout'}:v"]
    predicted = plinth.run("measure", "tpm", *files, *own, "--json")
    assert predicted.status == 0, predicted.err
    nonce = os.urandom(32).hex()
    booted = plinth.run("run", "--kernel", vmlinuz, *parts, "--nonce", nonce, "--evidence", evidence, "--console", tmp_path / "console", "--timeout", 400,
                        "--json", timeout=500)
    assert evidence.exists(), (booted.err, (tmp_path / "console").read_text(errors="replace"))

    case = Case(plinth, tmp_path, json.loads(evidence.read_text()), predicted.json)
    case.nonce = nonce
    # What measure printed is a reference; that nobody knows the key of a fresh TPM is said, and decides.
    case.refused("ak-known: nothing says that " + ak(case.evidence))
    result = case.accepted("--allow", "ak-known")
    assert ear(result)["ear.status"] == "warning" and any("simulated TPM" in c for c in result["caveats"])
    assert any("does not know PCR 0" in c for c in result["caveats"])
    case.reference = known(predicted.json, case.evidence)
    result = case.accepted()
    assert result["caveats"] == [] and ear(result)["ear.status"] == "affirming"
    assert result["manifest"] == image.digest and result["image"] == name and [layer["digest"] for layer in result["layers"]] == [x["digest"] for x in image.layers]
    assert result["register"]["sha256"] == case.evidence["pcrs"]["sha256"]["15"] == predicted.json["sha256"]["15"]
    with open(policy_path, "rb") as f:
        assert result["policy"] == "sha256:" + hashlib.sha256(f.read()).hexdigest()
    # Signed and kept beside the image, it needs no word about which image is meant.
    image.attest(keys["auditor"], "urn:plinth:reference:v1", predicted.json)
    published = policy(keys["builder"], attestations=[{"predicateType": "urn:plinth:reference:v1", "keys": [key_of(keys["auditor"])]}])
    r = plinth.run("verify", "--reference", image.write(tmp_path), "--policy", plinth.policy(published), "--nonce", nonce, "--allow", "ak-known", "--json", evidence)
    assert r.status == 0 and r.json["published"] == {"image": image.digest, "signers": "'auditor'"}, (r.out, r.err)
    assert check(r.json, "image")["detail"] == f"{image.digest} is one of policy.images"
    # So is what make reference writes: one of its sets is this machine's.
    env = {**os.environ, "KERNEL": vmlinuz, "INITRD": str(initrd), "POLICY": policy_path, "IMAGE": f"oci:{tmp_path / 'layout'}:v", "FIRMWARE_TDX": "",
           "FIRMWARE_SNP": "", "OUT": str(tmp_path)}
    subprocess.run([os.path.join(ROOT, "qemu", "reference")], env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    case.reference = json.loads((tmp_path / "reference.json").read_text())
    assert case.accepted("--allow", "ak-known")["reference"]["set"].startswith("tpm, direct, qemu ")
    # A machine that was to boot something else: the register, and of Plinth's own the event.
    for args, reason in ((["--cmdline", CMDLINE + " debug"], "PCR 9 (sha256) is "), (["--initrd", policy_path], "reference-values: tpm: PCR ")):
        other = plinth.run("measure", "tpm", *files[:files.index(args[0])], *args, *files[files.index(args[0]) + 2:], *own, "--json")
        assert other.status == 0, other.err
        case.reference = known(other.json, case.evidence)
        assert "the first event that differs is number " in case.refused(reason)["reason"]
    layout = tmp_path / "other"
    changed = Image(layers=[tar([("bin", None), ("bin/probe", b"x")])], process={"Entrypoint": ["/bin/probe"]}).sign(keys["builder"])
    changed.write_layout(str(layout))
    other = plinth.run("measure", "tpm", *files, "--policy", policy_path, "--image", f"oci:{layout}:v", "--json")
    assert other.status == 0, other.err
    case.reference = known(other.json, case.evidence)
    result = case.refused("PCR 15 (sha256) is ")
    assert "the first event that differs is number 3: 'plinth manifest" in result["reason"] or "number 3" in check(result, "reference-values")["detail"]


# ---- recorded: a vTPM ----

def test_accepted(tpm):
    r = tpm.accepted()
    assert ear(r) == {"ear.status": "affirming", "ear.appraisal-policy-id": "sha256:" + r["reference"]["sha256"],
                      "ear.trustworthiness-vector": {"instance-identity": 2, "configuration": 2, "executables": 3, "file-system": 2}}
    assert r["ear"]["eat_profile"] == "tag:github.com,2023:veraison/ear" and r["ear"]["ear.verifier-id"]["build"].startswith("plinth ")
    assert r["tee"] == "tpm" and r["manifest"] == tpm.evidence["manifest"] and r["quote"]["extraData"] == tpm.nonce
    assert all(c["ok"] is not False for c in r["checks"]) and set(r["missing"]) == {"ak-certificate"}
    assert "not_understood" not in r
    tpm.evidence["later"] = 1
    assert tpm.accepted()["not_understood"] == "later"


def test_text_for_people(tpm):
    tpm.verify()
    r = tpm.plinth.run("verify", "--reference", tpm.directory / "ref", "--nonce", tpm.nonce, tpm.directory / "ev")
    assert r.status == 0 and r.out.splitlines()[-1].split() == ["verdict", "accepted"] and "good     reference-values" in r.out
    r = tpm.plinth.run("verify", "--reference", tpm.directory / "ref", tpm.directory / "ev")
    assert r.status == 0 and "caveat     no nonce was given" in r.out and "with the caveats above" in r.out
    r = tpm.plinth.run("verify", "--reference", tpm.directory / "ref", "--nonce", OTHER, tpm.directory / "ev")
    assert r.status == 1 and "REFUSED  nonce" in r.out and r.err.startswith("plinth: refused: nonce")


def test_without_a_nonce(tpm):
    r = tpm.accepted(nonce=False)
    assert check(r, "nonce")["ok"] is None and ear(r)["ear.status"] == "warning"


def records(log):
    """(offset, end, mr, type, event) of each record behind the header."""
    at = 32 + struct.unpack_from("<I", log, 28)[0]
    while at < len(log):
        start, (mr, kind, count) = at, struct.unpack_from("<III", log, at)
        at += 12
        for _ in range(count):
            at += 2 + {0xb: 32, 0xc: 48}[struct.unpack_from("<H", log, at)[0]]
        size, = struct.unpack_from("<I", log, at)
        yield start, at + 4 + size, mr, kind, log[at + 4:at + 4 + size]
        at += 4 + size


def record(text, mr=15):
    event = struct.pack("<II", 0x4141454c, len(text)) + text
    digests = struct.pack("<H", 0xb) + hashlib.sha256(event).digest() + struct.pack("<H", 0xc) + hashlib.sha384(event).digest()
    return struct.pack("<III", mr, 6, 2) + digests + struct.pack("<I", len(event)) + event


def change_log(change):
    def apply(case):
        log = base64.b64decode(case.evidence["eventlog"])
        case.evidence["eventlog"] = base64.b64encode(change(log, list(records(log)))).decode()
    return apply


def quote(offset, bit=1):
    def apply(case):
        q = bytearray(base64.b64decode(case.evidence["quote"]))
        q[offset] ^= bit
        case.evidence["quote"] = base64.b64encode(q).decode()
    return apply


def member(name, value):
    return lambda case: case.evidence.__setitem__(name, value)


def pcr(bank, number, value):
    return lambda case: case.evidence["pcrs"][bank].__setitem__(number, value)


def expect(bank, number, value):
    return lambda case: case.reference["tpm"][bank].__setitem__(number, value)


def of_policy(name, value):
    return lambda case: case.reference["policy"].__setitem__(name, value)


REFUSALS = {
    "nonce-of-another": (lambda c: setattr(c, "nonce", OTHER), "nonce: the evidence is for nonce"),
    "nonce-shorter": (lambda c: setattr(c, "nonce", c.nonce[:62]), "nonce: the evidence is for nonce"),
    "nonce-claimed": (lambda c: (setattr(c, "nonce", OTHER), member("nonce", OTHER)(c)), "qualifying-data: it is not the nonce"),
    "quote-magic": (quote(0), "quote-format: magic"),
    "quote-type": (quote(5), "quote-format: type"),
    "quote-bit": (quote(60), "quote-signature"),
    "quote-of-another-key": (lambda c: member("ak_public", OTHER_AK)(c), "quote-signature: it is not by this AK"),
    "signature-bit": (lambda c: member("signature", c.evidence["signature"][:40] + ("B" if c.evidence["signature"][40] == "A" else "A") + c.evidence["signature"][41:])(c),
                      "quote-signature"),
    "quote-cut": (lambda c: member("quote", base64.b64encode(base64.b64decode(c.evidence["quote"])[:-1]).decode())(c), "quote-format: TPMS_ATTEST: cut"),
    "quote-trailing": (lambda c: member("quote", base64.b64encode(base64.b64decode(c.evidence["quote"]) + b"\0").decode())(c), "quote-format: TPMS_ATTEST: 1 bytes follow"),
    "pcr-other": (pcr("sha256", "9", OTHER), "pcr-digest: it is not sha256 of the values given"),
    "log-extra-event": (change_log(lambda log, r: log + record(b"acme.example later x")), "register: the event log does not explain PCR"),
    "log-extra-event-inside": (change_log(lambda log, r: log[:r[4][0]] + record(b"plinth secret {}") + log[r[4][0]:]), "register: the event log does not explain PCR"),
    "log-without-separator": (change_log(lambda log, r: log[:r[-1][0]]), "register: the event log does not explain PCR"),
    "log-without-layer": (change_log(lambda log, r: log[:r[5][0]] + log[r[5][1]:]), "register: the event log does not explain PCR"),
    "log-swapped": (change_log(lambda log, r: log[:r[5][0]] + log[r[6][0]:r[6][1]] + log[r[5][0]:r[5][1]] + log[r[6][1]:]), "register: the event log does not explain PCR"),
    "log-event-changed": (change_log(lambda log, r: log.replace(b'"user":"web"', b'"user":"dev"')), "event-log: event 9: the digest is not that of the event"),
    "log-cut": (change_log(lambda log, r: log[:-1]), "register: event log at offset"),
    "log-of-another-register": (change_log(lambda log, r: log[:r[3][0]] + b"\x0e" + log[r[3][0] + 1:]), "register: event 4: a record of register 14"),
    "log-without-header": (change_log(lambda log, r: log[r[0][0]:]), "register"),
    "firmware-log-cut": (lambda c: member("firmware_log", base64.b64encode(base64.b64decode(c.evidence["firmware_log"])[:-1]).decode())(c), "firmware-log: event log at offset"),
    "firmware-log-other": (lambda c: member("firmware_log", c.evidence["eventlog"])(c), "firmware-log: it does not explain PCR 0"),
    "claims-manifest": (member("manifest", "sha256:" + OTHER), "claims"),
    "claims-image": (member("image", "registry.example/other:1"), "claims"),
    "claims-policy": (member("policy", "sha256:" + OTHER), "claims"),
    "predicted-kernel": (expect("sha256", "4", OTHER), "reference-values: tpm: PCR 4 (sha256) is "),
    "predicted-initrd": (expect("sha384", "9", "ab" * 48), "reference-values: tpm: PCR 9 (sha384) is "),
    "predicted-firmware": (expect("sha256", "0", OTHER), "reference-values: tpm: PCR 0 (sha256) is "),
    "predicted-own": (expect("sha256", "15", OTHER), "reference-values: tpm: PCR 15 (sha256) is "),
    "reference-says-nothing": (lambda c: c.reference.__setitem__("tpm", {"sha256": {"15": c.evidence["pcrs"]["sha256"]["15"]}}), "reference-coverage: the reference does not know PCR 4, PCR 9 or PCR 11"),
    "reference-of-another-tee": (lambda c: c.reference.__setitem__("snp", {"launch_digest": "00" * 48}) or c.reference.pop("tpm"), "reference-values: missing: the reference has no values for tpm"),
    "image-not-allowed": (of_policy("images", ["sha256:" + OTHER]), "none of policy.images"),
    "policy-not-allowed": (of_policy("policies", ["sha256:" + OTHER]), "none of policy.policies"),
    "agent-too-old": (of_policy("minimumAgent", "7.0"), "agent-version: 'plinth"),
    "ak-of-nobody": (of_policy("aks", ["sha256:" + OTHER]), "ak-known"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_refused(tpm, why):
    tpm.accepted()
    bend, reason = REFUSALS[why]
    bend(tpm)
    r = tpm.refused(reason)
    if why.startswith(("log", "quote", "nonce-claimed")):
        assert check(r, reason.split(":")[0])["ok"] is False


def test_first_event_that_differs(tpm):
    event = tpm.reference["tpm"]["events"][7]
    tpm.reference["tpm"]["events"][7] = event.replace('"index":2', '"index":3')
    tpm.accepted()  # they only explain
    tpm.reference["tpm"]["sha256"]["15"] = OTHER
    r = tpm.refused("the first event that differs is number 8: 'plinth layer")
    assert check(r, "reference-values")["ok"] is False and ear(r)["ear.trustworthiness-vector"]["executables"] == 33


def test_first_event_of_the_firmware_that_differs(tpm):
    """The log tells which event under a register is another; the register decides."""
    values = tpm.reference["tpm"]
    digests = values["boot_events"]["4"]
    was, digests[1] = digests[1], OTHER
    tpm.accepted()
    values["sha256"]["4"] = OTHER
    r = tpm.refused("the first event that differs is number 2, EV_")
    assert was in check(r, "reference-values")["detail"] and OTHER in check(r, "reference-values")["detail"]
    digests[1:] = []
    tpm.refused("is number 2, EV_")
    values["boot_events"]["4"] = [was] * 99
    tpm.refused("is number 1, EV_")
    values["boot_events"]["4"] = load("tpm-reference.json")["boot_events"]["4"] + [OTHER]
    tpm.refused("an event is missing behind those of the log, expected was sha256 " + OTHER)


DOCUMENTS = {
    "truncated": lambda t: t[:-10], "empty": lambda t: "", "trailing": lambda t: t + "{}", "member-twice": lambda t: t.replace('"tee"', '"tee": "tpm", "tee"', 1),
    "no-json": lambda t: "quote", "array": lambda t: "[" + t + "]", "missing-quote": lambda t: t.replace('"quote"', '"quota"', 1),
    "other-tee": lambda t: t.replace('"tee": "tpm"', '"tee": "sgx"'), "quote-a-number": lambda t: t.replace('"quote": "', '"quote": 1, "x": "', 1),
    "upper-case-hex": lambda t: t.replace('"nonce": "', '"nonce": "AB', 1),
}


@pytest.mark.parametrize("how", DOCUMENTS)
def test_document_refused(tpm, how):
    text = DOCUMENTS[how](json.dumps(tpm.evidence))
    assert text != json.dumps(tpm.evidence)
    r = tpm.verify(text=text)
    assert r.status == 1 and r.json["verdict"] == "refused" and "evidence" in r.json["reason"] and "ear" not in r.json, (r.out, r.err)


def test_every_cut_of_the_document(tpm):
    text = json.dumps(tpm.evidence)
    for n in list(range(0, 200, 7)) + list(range(200, len(text), 997)):
        assert tpm.verify(text=text[:n]).status == 1


def test_usage(tpm):
    for reference, status in (("", 2), ("{", 2), ('{"tpm": {"sha256": {"4": "x"}}}', 2), ('{"policy": {"image": []}}', 2), ('{"tmp": {}}', 2)):
        r = tpm.verify(reference=reference)
        assert r.status == status and r.json["verdict"] == "error" and "reference" in r.json["reason"], r.out
    tpm.verify()
    for args, status in (([], 2), (["--reference", tpm.directory / "none"], 2), (["--reference", tpm.directory / "ref", "--nonce", "XY"], 2),
                         (["--reference", tpm.directory / "ref", "--at", "yesterday"], 2), (["--reference", tpm.directory / "ref", "--allow", "nothing"], 2)):
        assert tpm.plinth.run("verify", *args, tpm.directory / "ev").status == status
    assert tpm.plinth.run("verify", "--reference", tpm.directory / "ref", tpm.directory / "nowhere").status == 2
    assert "--reference FILE" in tpm.plinth.run("verify", "--help").out


def test_allow_missing_is_told(tpm):
    tpm.reference = {"policy": {"aks": [ak(tpm.evidence)]}}
    tpm.refused("reference-values: missing")
    r = tpm.accepted("--allow-missing")
    assert r["caveats"] == ["accepted without what --allow-missing waived: reference-values image"]
    assert ear(r)["ear.status"] == "warning" and ear(r)["ear.trustworthiness-vector"] == {"instance-identity": 2}


# ---- a quote of our own making, by a key that the reference knows ----

def requote(case, directory, quoted, attributes=0x50472):
    """Signs the recorded PCR values again; `quoted`: {bank: PCRs}."""
    def ossl(*args, text=None):
        return subprocess.run(["openssl", *args], input=text, stdout=subprocess.PIPE, check=True).stdout
    key = str(directory / "ak.key")
    ossl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    point = ossl("pkey", "-in", key, "-pubout", "-outform", "DER")[-64:]
    public = struct.pack(">HHIHHHHHH", 0x23, 0xb, attributes, 0, 0x10, 0x18, 0xb, 3, 0x10) + struct.pack(">H32sH32s", 32, point[:32], 32, point[32:])
    values = b"".join(bytes.fromhex(case.evidence["pcrs"][bank][str(i)]) for bank in quoted for i in sorted(quoted[bank]))
    attest = struct.pack(">IHHH", 0xff544347, 0x8018, 0, 32) + bytes.fromhex(case.nonce) + struct.pack(">QIIBQI", 1, 1, 0, 1, 1, len(quoted))
    for bank, chosen in quoted.items():
        attest += struct.pack(">HB", {"sha256": 0xb, "sha384": 0xc}[bank], 3) + sum(1 << i for i in chosen).to_bytes(3, "little")
    attest += struct.pack(">H", 32) + hashlib.sha256(values).digest()
    der = ossl("dgst", "-sha256", "-sign", key, text=attest)
    r_s, at = [], 2
    for _ in range(2):
        r_s.append(der[at + 2:at + 2 + der[at + 1]].lstrip(b"\0").rjust(32, b"\0"))
        at += 2 + der[at + 1]
    signature = struct.pack(">HHH32sH32s", 0x18, 0xb, 32, r_s[0], 32, r_s[1])
    for name, value in (("quote", attest), ("signature", signature), ("ak_public", public)):
        case.evidence[name] = base64.b64encode(value).decode()
    case.reference["policy"]["aks"] = [ak(case.evidence)]


ALL = set(range(16))


def test_a_pcr_of_the_workload(tpm, tmp_path):
    """A log of somebody's own, extended into another PCR, and the firmware's log left out that would not explain it."""
    log = base64.b64decode(tpm.evidence["eventlog"])
    tpm.evidence["eventlog"] = base64.b64encode(log[:next(records(log))[0]] + b"".join(b"\x0c" + log[s + 1:e] for s, e, *_ in records(log))).decode()
    for bank in ("sha256", "sha384"):
        pcrs = tpm.evidence["pcrs"][bank]
        pcrs["12"], pcrs["15"] = pcrs["15"], ("cd" * 48)[:len(pcrs["15"])]
        tpm.reference["tpm"][bank].update({"12": None, "15": None})
    tpm.evidence["register"]["pcr"] = 12
    tpm.evidence["firmware_log"] = ""
    tpm.reference["policy"]["images"] = [tpm.evidence["manifest"]]
    requote(tpm, tmp_path, {"sha256": ALL, "sha384": ALL})
    tpm.refused("register: the document says that PCR 12 is Plinth's, expected is PCR 15")
    tpm.reference["policy"]["pcr"] = 12  # where the measured policy says so
    tpm.accepted()


def test_quoted_pcrs_alone_count(tpm, tmp_path):
    requote(tpm, tmp_path, {"sha256": ALL, "sha384": ALL})
    tpm.accepted()
    tpm.evidence["pcrs"]["sha384"] = {str(i): "00" * 48 for i in range(16)}
    tpm.evidence["register"]["sha384"] = "00" * 48
    tpm.reference["tpm"].pop("sha384")
    requote(tpm, tmp_path, {"sha256": ALL})
    assert set(tpm.accepted()["missing"]) == {"ak-certificate", "unquoted-pcrs"}
    for left_out, reason in ((9, "PCR 9 sha256 is not under the quote"), (4, "PCR 4 sha256 is not under the quote"), (15, "register: PCR 15, Plinth's, is not under the quote")):
        requote(tpm, tmp_path, {"sha256": ALL - {left_out}})
        tpm.refused(reason)
    requote(tpm, tmp_path, {"sha256": ALL - {1, 7}})
    tpm.accepted()  # of which the reference knows nothing
    # a value that the quote is not over, set to what is expected
    requote(tpm, tmp_path, {"sha256": ALL - {9}})
    tpm.evidence["pcrs"]["sha256"]["9"] = tpm.reference["tpm"]["sha256"]["9"] = OTHER
    tpm.refused("PCR 9 sha256 is not under the quote")


def test_a_key_that_signs_anything(tpm, tmp_path):
    requote(tpm, tmp_path, {"sha256": ALL, "sha384": ALL}, attributes=0x40472)
    tpm.refused("ak-attributes: objectAttributes 0x40472: not restricted")


# ---- recorded: the simulated TDX with a TPM beside it ----

@pytest.fixture
def tdx(plinth, tmp_path):
    evidence = load("tdx-tpm-simulated.json")
    body = base64.b64decode(evidence["quote"])[48:]
    values = {name: body[at:at + 48].hex() for name, at in (("mrtd", 136), ("rtmr1", 376), ("rtmr2", 424), ("rtmr3", 472))}
    case = Case(plinth, tmp_path, evidence, {"tdx": {"rtmr0": None, **values}, "policy": {}})
    verify, directory = case.verify, os.path.join(VECTORS, "tdx-simulated")
    case.verify = lambda *args, **more: verify("--trust", os.path.join(directory, "root.pem"), "--certs", directory, "--at", "2026-11-22T11:00:00Z", *args, **more)
    return case


def test_simulated_tdx_with_a_tpm(tdx):
    r = tdx.accepted()
    assert ear(r)["ear.status"] == "warning" and ear(r)["ear.trustworthiness-vector"] == {} and r["quote"]["tcb_status"] == "UpToDate"
    assert [c for c in r["caveats"] if "simulated or private" in c] == r["caveats"]
    assert set(r["missing"]) == {"tpm-ak-certificate", "tpm-reference-values"}
    assert all(check(r, n)["ok"] for n in ("firmware-log", "tpm-firmware-log", "tpm-ak-known", "tpm-register", "tpm-events", "tpm-quote-signature"))
    assert r["quote"]["tpm"]["extraData"] == tdx.nonce
    # where the reference has values for the TPM, too, they count
    pcrs = tdx.evidence["tpm"]["pcrs"]
    tdx.reference["tpm"] = pcrs
    assert set(tdx.accepted()["missing"]) == {"tpm-ak-certificate"}
    tdx.reference["tpm"] = {**pcrs, "sha256": {**pcrs["sha256"], "4": OTHER}}
    tdx.refused("tpm-reference-values: tpm: PCR 4 (sha256) is ")


def other_tpm(case):
    """A TPM's part that is good in itself, for the same nonce, but not the one that the CPU's report names."""
    part = load("tpm.json")
    case.evidence["tpm"] = {k: part[k] for k in ("quote", "signature", "ak_public", "ak_public_pem", "pcrs", "register", "eventlog", "firmware_log")}


TDX = {
    "mrtd": (lambda c: c.reference["tdx"].__setitem__("mrtd", "00" * 48), "reference-values: tdx: MRTD is "),
    "rtmr1": (lambda c: c.reference["tdx"].__setitem__("rtmr1", "00" * 48), "reference-values: tdx: RTMR1 is "),
    "rtmr3": (lambda c: c.reference["tdx"].__setitem__("rtmr3", "00" * 48), "reference-values: tdx: RTMR3 is "),
    "only-rtmr3": (lambda c: c.reference.__setitem__("tdx", {"rtmr3": c.reference["tdx"]["rtmr3"]}), "reference-coverage"),
    "other-tpm": (other_tpm, "preimage: it does not say what the document says"),
    "no-tpm": (lambda c: c.evidence.pop("tpm"), "preimage: it does not say what the document says"),
    "tpm-log": (lambda c: c.evidence["tpm"].__setitem__("eventlog", load("tpm.json")["eventlog"]), "tpm-register: the event log does not explain PCR"),
    "tpm-pcr": (lambda c: c.evidence["tpm"]["pcrs"]["sha256"].__setitem__("4", OTHER), "tpm-pcr-digest"),
    "firmware-log": (lambda c: member("firmware_log", c.evidence["firmware_log"][:400])(c), "firmware-log"),
    "nonce": (lambda c: setattr(c, "nonce", OTHER), "nonce: the evidence is for nonce"),
    "extra-event": (lambda c: member("eventlog", base64.b64encode(base64.b64decode(c.evidence["eventlog"]) * 2).decode())(c), "register"),
}


@pytest.mark.parametrize("why", TDX)
def test_simulated_tdx_refused(tdx, why):
    bend, reason = TDX[why]
    bend(tdx)
    tdx.refused(reason)


def test_tdx_needs_intel(tdx):
    r = Case.verify(tdx, "--certs", os.path.join(VECTORS, "tdx-simulated"), "--at", "2026-11-22T11:00:00Z")
    assert r.status == 1 and "pck-chain" in r.json["reason"], r.out
    r = tdx.verify("--at", "2036-11-22")  # twice is wrong usage
    assert r.status == 2


# ---- recorded: the simulated SNP ----

def test_simulated_snp(snp):
    r = snp.accepted()
    assert ear(r)["ear.status"] == "warning" and ear(r)["ear.trustworthiness-vector"] == {}
    assert any("simulated or private" in c for c in r["caveats"]) and any("kept_by monitor" in c for c in r["caveats"])
    assert "not the hardware" in check(r, "register")["detail"]


SNP = {
    "other-launch-digest": (lambda c: c.reference["snp"].__setitem__("launch_digest", "00" * 48), "launch digest is "),
    "register-other": (lambda c: c.evidence["register"].__setitem__("sha384", "00" * 48), "preimage: it does not say what the document says"),
    "nonce-claimed": (lambda c: (setattr(c, "nonce", OTHER), member("nonce", OTHER)(c)), "preimage"),
    "preimage-other": (lambda c: member("preimage", c.evidence["preimage"].replace("monitor", "nobody"))(c), "preimage"),
    "report-data-other": (lambda c: member("report_data", "00" * 64)(c), "preimage: report_data of the document"),
    "nonce-all-claimed": (lambda c: (setattr(c, "nonce", OTHER), member("preimage", c.evidence["preimage"].replace(c.evidence["nonce"], OTHER))(c), member("nonce", OTHER)(c),
                                     member("report_data", hashlib.sha384(c.evidence["preimage"].encode()).hexdigest() + b"plinth-evidence1".hex())(c)), "report-data: it is not the nonce"),
    "image": (lambda c: of_policy("images", ["sha256:" + OTHER])(c), "none of policy.images"),
    "nobody-says-which-image": (lambda c: c.reference.pop("policy"), "image: missing: neither policy.images"),
    "coverage": (lambda c: c.reference.__setitem__("snp", {"host_data": base64.b64decode(c.evidence["report"])[0xc0:0xe0].hex()}), "does not know the launch digest"),
    "tcb-below-minimum": (lambda c: of_policy("tcbMinimum", "ff000000000018db")(c), "tcb-minimum"),
    "no-certificates": (lambda c: member("certificates", "")(c), "no certificate of a VCEK"),
    "certificates-broken": (lambda c: member("certificates", c.evidence["certificates"][:400])(c), "certificates"),
}


@pytest.mark.parametrize("why", SNP)
def test_simulated_snp_refused(snp, why):
    bend, reason = SNP[why]
    bend(snp)
    snp.refused(reason)


def test_simulated_snp_log_extra(snp):
    log = base64.b64decode(snp.evidence["eventlog"])
    start = list(records(log))[-1][0]
    snp.evidence["eventlog"] = base64.b64encode(log + log[start:]).decode()
    snp.refused("register: the event log does not explain the monitor's register")


def test_snp_needs_amd(snp):
    """Without --trust the simulation is refused: its root is not AMD's."""
    r = Case.verify(snp, "--at", "2026-11-22")
    assert r.status == 1 and "vek-chain" in r.json["reason"], r.out
