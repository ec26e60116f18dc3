"""plinth verify-quote snp and tpm: fields, verdicts and exit statuses for recorded reports and quotes; agreement with tpm2_checkquote."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from conftest import ROOT

SNP = os.path.join(ROOT, "tests", "unit", "vectors", "snp")
TPM = os.path.join(ROOT, "tests", "unit", "vectors", "tpm")


def load(*path):
    with open(os.path.join(*path)) as f:
        return json.load(f)


REPORTS = {case["report"]: case for case in load(SNP, "expected.json")}
SYNTHETIC = {case["report"]: case for case in load(SNP, "synthetic", "expected.json")["cases"]}
QUOTES = {case["name"]: case for case in load(TPM, "expected.json")}
EMULATED = {case["name"]: case for case in load(TPM, "swtpm", "expected.json")["cases"]}
# what a default appraisal has against genuine reports
AGAINST = {"milan-v2-debugpolicy.report.bin": "guest-debug", "milan-v2-azure.report.bin": "committed-tcb", "milan-v2-hcl.report.bin": "committed-tcb"}


def verify(plinth, kind, path, *args):
    return plinth.run("verify-quote", kind, path, "--json", "--at", "2026-01-01", *args)


def check(r, name):
    return next(c for c in r.json["checks"] if c["name"] == name)


def bad(r):
    return {c["name"] for c in r.json["checks"] if c["ok"] is False}


@pytest.mark.parametrize("name", REPORTS)
def test_every_field_of_a_real_report(plinth, name):
    want = REPORTS[name]["fields"]
    r = verify(plinth, "snp", os.path.join(SNP, name), os.path.join(SNP, REPORTS[name]["vek"]))
    got = r.json
    for field in ("version", "guest_svn", "family_id", "image_id", "vmpl", "current_tcb", "report_data", "measurement", "host_data", "id_key_digest",
                  "author_key_digest", "report_id", "report_id_ma", "reported_tcb", "chip_id", "committed_tcb", "launch_tcb"):
        assert got[field] == want[field], field
    for field, key in (("policy", "policy"), ("platform_info", "platform_info"), ("signer_info", "signer")):
        assert int.from_bytes(bytes.fromhex(got[field]), "little") == int(want[key], 16)
    assert "%02x%02x%02x" % (got["cpuid_fam_id"], got["cpuid_mod_id"], got["cpuid_step"]) == want["fms"]
    assert [got["current_build"], got["current_minor"], got["current_major"]] == want["current_ver"]
    assert [got["committed_build"], got["committed_minor"], got["committed_major"]] == want["committed_ver"]
    assert got["product"] == REPORTS[name]["product"] and got["trust_anchor"]["name"] == "ARK-" + got["product"] and got["trust_anchor"]["vendor"]
    assert got["vek"]["tcb"] == want["reported_tcb"] and want["chip_id"].startswith(got["vek"]["hwid"])
    assert check(r, "report-signature")["ok"] and check(r, "vek-chain")["ok"]
    assert bad(r) == ({AGAINST[name]} if name in AGAINST else set()) and r.status == (1 if name in AGAINST else 0)
    assert "ark-crl" in got["missing"] and check(r, "ark-crl")["ok"] is None
    if name in AGAINST:
        assert verify(plinth, "snp", os.path.join(SNP, name), os.path.join(SNP, REPORTS[name]["vek"]), "--allow", AGAINST[name]).status == 0


@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_reports(plinth, name):
    family = os.path.join(SNP, "synthetic", name.split(".")[0])
    args = [family + ".vcek.der", family + ".ask.der", family + ".ark.der"]
    r = verify(plinth, "snp", os.path.join(SNP, "synthetic", name), *args, "--trust", family + ".ark.der")
    assert r.status == (0 if SYNTHETIC[name]["accept_default_policy"] else 1), r.err
    assert verify(plinth, "snp", os.path.join(SNP, "synthetic", name), *args).status == 1  # AMD's keys alone
    # the root is found without being given twice
    assert verify(plinth, "snp", os.path.join(SNP, "synthetic", name), *args[:2], "--trust", args[2]).status == r.status


def test_certificates_of_the_host(plinth, tmp_path):
    report = os.path.join(SNP, "milan-v2-azure.report.bin")
    for table in ("auxblob-milan-v2-azure.bin", "auxblob-vcek-only.bin"):
        assert verify(plinth, "snp", report, "--certs", os.path.join(SNP, table), "--allow", "committed-tcb").status == 0
    r = verify(plinth, "snp", report, "--certs", os.path.join(SNP, "auxblob-bad-offset.bin"))
    assert r.status == 1 and "certificate table: VCEK at 4294967280" in r.json["reason"]
    r = verify(plinth, "snp", os.path.join(SNP, "milan-v3-azure.report.bin"), "--allow-missing")
    assert r.status == 1 and "https://kdsintf.amd.com/vcek/v1/Milan/" in r.json["reason"] and "ucodeSPL=219" in r.json["reason"]
    r = verify(plinth, "snp", os.path.join(SNP, "milan-v3-azure.report.bin"), os.path.join(SNP, "siena-v3-genoa-chain.vcek.der"))
    assert r.status == 1 and {"product", "report-signature", "vek-chain"} <= bad(r)


def test_what_a_relying_party_asks_for(plinth):
    args = [os.path.join(SNP, "milan-v3-azure.report.bin"), os.path.join(SNP, "milan-v3-azure.vcek.der")]
    want = REPORTS["milan-v3-azure.report.bin"]["fields"]
    nonce = want["report_data"].rstrip("0")
    nonce += "0" * (len(nonce) % 2)
    assert check(verify(plinth, "snp", *args, "--nonce", nonce), "report-data")["ok"]
    r = verify(plinth, "snp", *args, "--nonce", "00" + nonce[2:])
    assert r.status == 1 and bad(r) == {"report-data"}
    assert verify(plinth, "snp", *args, "--tcb-minimum", want["reported_tcb"]).status == 0
    r = verify(plinth, "snp", *args, "--tcb-minimum", "04000000000019db", "--allow", "tcb-minimum")
    assert r.status == 1 and bad(r) == {"tcb-minimum"}
    assert verify(plinth, "snp", *args, "--tcb-minimum", "04").status == 2
    r = verify(plinth, "snp", *args, "--need", "ark-crl")
    assert r.status == 1 and "ark-crl: missing" in r.json["reason"]
    r = verify(plinth, "snp", *args, "--need", "nonsense")
    assert r.status == 1 and "--need nonsense" in r.json["reason"]


@pytest.mark.parametrize("kind,option", [("snp", "--ak"), ("tdx", "--pcrs"), ("snp", "--signature"), ("tpm", "--tcb-minimum")])
def test_options_of_another_kind(plinth, kind, option):
    report = os.path.join(SNP, "milan-v3-azure.report.bin")
    r = verify(plinth, kind, report, option, "0000000000000000" if option == "--tcb-minimum" else report)
    assert r.status == 2 and option in r.err


def test_hcl_report(plinth):
    r = verify(plinth, "snp", os.path.join(TPM, "az-snp-q1.hcl.bin"), os.path.join(SNP, "milan-v2-hcl.vcek.der"), "--allow", "committed-tcb")
    assert r.status == 0 and check(r, "runtime-claims")["ok"]
    assert any(k["kid"] == "HCLAkPub" for k in json.loads(bytes.fromhex(r.json["runtime_claims"]))["keys"])
    r = verify(plinth, "snp", os.path.join(TPM, "az-tdx-ev1.hcl.bin"))
    assert r.status == 1 and "TDX machine" in r.json["reason"]


def parts(name, ak=None):
    at = os.path.join(TPM, name)
    return [at + ".attest.bin", "--signature", at + ".sig.bin", "--ak", ak or at + ".ak.spki.der", "--pcrs", at + ".pcrs.json"]


def fields_agree(got, want):
    assert got["qualifiedSigner"] == want["qualifiedSigner"] and got["extraData"] == want["extraData"] and got["pcrDigest"] == want["pcrDigest"]
    assert got["clockInfo"] == {"clock": want["clock"], "resetCount": want["resetCount"], "restartCount": want["restartCount"], "safe": bool(want["safe"])}
    assert got["firmwareVersion"] == int(want["fw"], 16)
    names = {"0x4": "sha1", "0xb": "sha256", "0xc": "sha384"}
    assert got["pcrSelect"] == {names[bank]: pcrs for bank, pcrs in want["sel"]}


@pytest.mark.parametrize("name", [n for n in QUOTES if QUOTES[n].get("signature_ok")])
def test_every_field_of_a_real_quote(plinth, name):
    want = QUOTES[name]["attest"]
    args = ["--nonce", want["extraData"], "--allow", "ak-certificate", "--allow", "ak-attributes", "--allow", "pcr-bank"]
    r = verify(plinth, "tpm", *parts(name), *args)
    assert r.status == 0 and bad(r) <= {"pcr-bank"} and check(r, "quote-signature")["ok"] and check(r, "pcr-digest")["ok"] == QUOTES[name]["pcr_digest_ok"]
    fields_agree(r.json, want)
    assert r.json["pcrs"] == load(TPM, name + ".pcrs.json")
    assert set(r.json["missing"]) == {"ak-certificate", "ak-attributes"}
    for other in (want["extraData"] + "00", want["extraData"][:-2], "00"):
        r = verify(plinth, "tpm", *parts(name), *args[2:], "--nonce", other)
        assert r.status == 1 and "qualifying-data" in bad(r)


def test_a_chain_up_to_the_makers_root(plinth):
    at = os.path.join(TPM, "gce-")
    args = parts("gce-cos85-nonce9009-sha256", at + "cos85-nonce9009.ak.tpmtpublic.bin") + ["--nonce", "9009"]
    certs = ["--certs", at + "cos85-nonce9009.akcert.der", "--certs", at + "ca-intermediate2.der"]
    r = verify(plinth, "tpm", *args, *certs, "--trust", at + "ca-root1.der")
    assert r.status == 0 and r.json["missing"] == ["ak-crl"] and r.json["trust_anchor"]["vendor"] is False, r.err
    assert verify(plinth, "tpm", *args, *certs).status == 1
    assert verify(plinth, "tpm", *args, *certs[:2], "--trust", at + "ca-root1.der").status == 1
    r = verify(plinth, "tpm", *parts("gce-cos85-nonce9009-sha1", at + "cos85-nonce9009.ak.tpmtpublic.bin"), *certs, "--trust", at + "ca-root1.der")
    assert r.status == 1 and bad(r) == {"pcr-bank"}


@pytest.mark.parametrize("name", EMULATED)
def test_every_scheme(plinth, name):
    case = EMULATED[name]
    at = os.path.join(TPM, "swtpm", "")
    args = [at + case["attest_file"], "--signature", at + case["sig_file"], "--pcrs", at + "pcrs.json", "--allow", "ak-certificate"]
    r = verify(plinth, "tpm", *args, "--ak", at + case["ak_tpm2b_public"], "--nonce", case["nonce"])
    assert r.status == 0 and bad(r) == set(), r.err
    fields_agree(r.json, case["attest"])
    with open(at + case["ak_name"], "rb") as f:
        assert r.json["ak"]["name"] == f.read().hex()
    assert "unquoted-pcrs" in r.json["missing"] and set(r.json["pcrs"]) == {case["pcr_bank"]}  # the file has more
    for other in EMULATED.values():
        if other["ak"] != case["ak"]:
            r = verify(plinth, "tpm", *args, "--ak", at + other["ak_tpm2b_public"])
            assert r.status == 1 and "quote-signature" in bad(r)


@pytest.mark.parametrize("name", sorted(f for f in os.listdir(os.path.join(TPM, "swtpm")) if f.startswith("neg-")))
def test_quotes_that_are_none(plinth, name):
    r = verify(plinth, "tpm", os.path.join(TPM, "swtpm", name), "--allow-missing")
    assert r.status == 1 and [c["name"] for c in r.json["checks"]] == ["quote-format"]


def test_ak_of_an_hcl_report(plinth):
    for name, kind in (("az-snp-q1", "snp"), ("az-snp-ev1", "snp"), ("az-tdx-ev1", "tdx")):
        r = verify(plinth, "tpm", *parts(name, os.path.join(TPM, name + ".hcl.bin")), "--nonce", b"challenge".hex(), "--allow", "ak-certificate", "--allow", "ak-attributes")
        assert r.status == 0 and "verify-quote " + kind in check(r, "hcl-report")["detail"]


def test_evidence_document(plinth, tmp_path):
    case = EMULATED["swtpm-ecc_p256-sha256"]
    at = os.path.join(TPM, "swtpm", "")

    def text(name, skip=0):
        with open(at + name, "rb") as f:
            return base64.b64encode(f.read()[skip:]).decode()
    evidence = {"plinth": "0", "tee": "tpm", "nonce": case["nonce"], "quote": text(case["attest_file"]), "signature": text(case["sig_file"]),
                "ak_public": text(case["ak_tpm2b_public"], 2), "pcrs": load(at, "pcrs.json")}
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(evidence))
    args = [path, "--nonce", case["nonce"], "--allow", "ak-certificate"]
    assert verify(plinth, "tpm", *args).status == 0
    evidence["pcrs"]["sha256"]["4"] = "00" * 32
    path.write_text(json.dumps(evidence))
    r = verify(plinth, "tpm", *args)
    assert r.status == 1 and bad(r) == {"pcr-digest"} and r.json["pcrs"] == {}
    path.write_text(json.dumps(dict(evidence, tee="tdx")))
    r = verify(plinth, "tpm", *args)
    assert r.status == 1 and "of tee 'tdx', not tpm" in r.json["reason"]


@pytest.mark.skipif(not shutil.which("tpm2_checkquote"), reason="no tpm2-tools")
@pytest.mark.parametrize("name", [n for n in EMULATED if "pss" not in n])  # tpm2-tools 5.4 knows RSASSA and ECDSA alone
def test_tpm2_checkquote_agrees(plinth, tmp_path, name):
    case = EMULATED[name]
    at = os.path.join(TPM, "swtpm", "")
    with open(at + case["ak"], "rb") as f:
        (tmp_path / "ak.pem").write_text("-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(f.read()).decode() + "-----END PUBLIC KEY-----\n")
    with open(at + case["attest_file"], "rb") as f:
        quote = f.read()
    disagree = []
    for i in [None, *range(0, len(quote), 7)]:
        changed = bytearray(quote)
        if i is not None:
            changed[i] ^= 1
        (tmp_path / "quote").write_bytes(changed)
        theirs = subprocess.run(["tpm2_checkquote", "-u", tmp_path / "ak.pem", "-m", tmp_path / "quote", "-s", at + case["sig_file"], "-g", "sha384" if "p384" in name else "sha256",
                                 "-q", case["nonce"]], capture_output=True, env={**os.environ, "TPM2TOOLS_TCTI": "none"}).returncode == 0
        ours = verify(plinth, "tpm", tmp_path / "quote", "--signature", at + case["sig_file"], "--ak", tmp_path / "ak.pem", "--nonce", case["nonce"], "--allow-missing").status == 0
        if ours != theirs or ours != (i is None):
            disagree.append((i, ours, theirs))
    assert disagree == []
