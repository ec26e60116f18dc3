"""plinth verify-quote tdx: fields, verdicts and exit statuses for recorded quotes; what each file of collateral is for."""
import json
import os
import shutil

import pytest

from conftest import ROOT

VECTORS = os.path.join(ROOT, "tests", "unit", "vectors", "tdx")
with open(os.path.join(VECTORS, "expected.json")) as f:
    REAL = json.load(f)
with open(os.path.join(VECTORS, "synthetic", "expected.json")) as f:
    SYNTHETIC = {case["file"]: case for case in json.load(f)["cases"]}
PHALA = os.path.join(VECTORS, "phala")
NAMES = {"td_attributes": "tdattr", "seam_attributes": "seamattr"}
BODY = ["tee_tcb_svn", "mrseam", "mrsignerseam", "seam_attributes", "td_attributes", "xfam", "mrtd", "mrconfigid", "mrowner",
        "mrownerconfig", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "report_data"]


def verify(plinth, path, *args):
    return plinth.run("verify-quote", "tdx", os.path.join(VECTORS, path), "--json", *args)


def check(r, name):
    return next(c for c in r.json["checks"] if c["name"] == name)


@pytest.mark.parametrize("name", [n for n in REAL if REAL[n]["tee"] == "0x81"])
def test_every_field_of_a_real_quote(plinth, name):
    want = REAL[name]
    r = verify(plinth, name)
    got = r.json
    for field in BODY:
        assert got[field] == want[NAMES.get(field, field)], field
    assert got["version"] == want["version"] and got["att_key_type"] == want["akt"] and got["tee_type"] == 0x81
    assert got["trailing_bytes"] == want["trailing"] and got["cert_type"] == want["inner_cert_type"]
    assert got["qe_report"]["mrenclave"] == want["qe_mrenclave"] and got["qe_report"]["mrsigner"] == want["qe_mrsigner"]
    assert got["qe_report"]["isvsvn"] == want["qe_isvsvn"] and got["qe_report"]["isvprodid"] == want["qe_isvprodid"]
    assert got["qe_report"]["attributes"] == want["qe_attr"] and len(got["qe_auth_data"]) == 2 * want["auth_len"]
    pck = got["pck"]
    assert pck["sgxtcbcomponents"] == want["pck"]["comp"]
    for field in ("ppid", "pcesvn", "cpusvn", "pceid", "fmspc"):
        assert pck[field] == want["pck"][field], field
    for c, key in (("quote-signature", "ak_sig_ok"), ("qe-report-signature", "qe_sig_ok"), ("qe-report-data", "qe_hash_ok"), ("pck-chain", "chain_ok")):
        assert check(r, c)["ok"] == want[key], c
    assert got["trust_anchor"]["vendor"] and got["trust_anchor"]["name"] == "Intel SGX Root CA"
    if want["version"] == 5:
        assert got["body_type"] == want["body_type"] and got["body_size"] == want["body_size"]
        assert got["mrservicetd"] == want["mrservicetd"] and got["tee_tcb_svn2"] == want["tee_tcb_svn2"]
    else:
        assert got["mrservicetd"] is None and got["tee_tcb_svn2"] is None
    # no collateral was given: said, and not good
    assert r.status == 1 and got["verdict"] == "refused" and got["tcb_status"] is None
    assert set(got["missing"]) == {"root-ca-crl", "pck-crl", "tcb-info", "qe-identity", "tcb-status"}
    assert all(c["ok"] is None for c in got["checks"] if c["name"] in got["missing"])


def test_an_sgx_quote_is_named_as_such(plinth):
    r = verify(plinth, "quote-v3-sgx.bin")
    assert r.status == 1 and "SGX quote" in r.json["reason"] and r.json["version"] == 3 and r.json["trust_anchor"] is None


@pytest.mark.parametrize("form", ["directory", "options", "operands", "combined"])
def test_accepted_with_its_collateral(plinth, form, tmp_path):
    files = [os.path.join(PHALA, f) for f in os.listdir(PHALA)]
    args = {"directory": ["--certs", PHALA], "operands": ["--certs", *files], "options": [x for f in files for x in ("--certs", f)],
            "combined": ["--certs", os.path.join(ROOT, "tests", "fuzz", "corpus", "collateral", "combined")]}[form]
    r = verify(plinth, "quote-v4-phala.bin", *args, "--at", "2025-07-01T00:00:00Z")
    assert r.status == 0, r.err
    assert r.json["verdict"] == "accepted" and r.json["reason"] is None and r.json["missing"] == []
    assert all(c["ok"] is True and c["detail"] for c in r.json["checks"])
    assert r.json["tcb_status"] == "UpToDate" and r.json["at"] == "2025-07-01T00:00:00Z"
    assert r.json["tdx_module_level"]["tcbStatus"] == r.json["qe_level"]["tcbStatus"] == "UpToDate"


@pytest.mark.parametrize("at,bad", [("2025-07-20", {"pck-crl", "tcb-info", "qe-identity"}), ("2025-06-01", {"pck-crl", "tcb-info", "qe-identity"}),
                                    ("2025-01-01", None), ("2040-01-01", None)])
def test_time(plinth, at, bad):
    r = verify(plinth, "quote-v4-phala.bin", "--certs", PHALA, "--at", at)
    assert r.status == 1
    if bad:
        assert {c["name"] for c in r.json["checks"] if c["ok"] is False} == bad
    else:
        assert check(r, "pck-chain")["ok"] is False
    r = verify(plinth, "quote-v4-phala.bin", "--certs", PHALA)  # now is years after
    assert r.status == 1 and check(r, "tcb-info")["ok"] is False


@pytest.mark.parametrize("without,name", [("pck_crl.der", "pck-crl"), ("root_ca_crl.der", "root-ca-crl"), ("tcb_info.json", "tcb-info"),
                                          ("qe_identity.json", "qe-identity")])
def test_each_file_is_needed(plinth, tmp_path, without, name):
    directory = tmp_path / "certs"
    shutil.copytree(PHALA, directory)
    os.unlink(directory / without)
    args = ["quote-v4-phala.bin", "--certs", directory, "--at", "2025-07-01"]
    r = verify(plinth, *args)
    assert r.status == 1 and name in r.json["missing"] and name in r.json["reason"] and "--allow " + name in r.json["mend"]
    r = verify(plinth, *args, "--allow", name)
    assert r.status == 0 and check(r, name) == {"name": name, "ok": None, "detail": check(r, name)["detail"], "allowed": True}


def test_changed_collateral(plinth, tmp_path):
    directory = tmp_path / "certs"
    shutil.copytree(PHALA, directory)
    text = (directory / "tcb_info.json").read_text()
    for changed in (text.replace("OutOfDate", "UpToDate"), json.dumps(json.loads(text)), text.replace('"svn":5', '"svn":1', 1)):
        (directory / "tcb_info.json").write_text(changed)
        r = verify(plinth, "quote-v4-phala.bin", "--certs", directory, "--at", "2025-07-01")
        assert r.status == 1 and check(r, "tcb-info")["ok"] is False and r.json["tcb_level"] is None
    (directory / "tcb_info.json").write_text(text + "\n")
    assert verify(plinth, "quote-v4-phala.bin", "--certs", directory, "--at", "2025-07-01").status == 0


@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic(plinth, name):
    case = SYNTHETIC[name]
    root = os.path.join(VECTORS, "synthetic", "root.der")
    r = verify(plinth, "synthetic/" + name, "--trust", root)
    assert r.status == (0 if case["accept"] else 1), r.err
    assert verify(plinth, "synthetic/" + name).status == 1  # Intel's root alone
    if "mrtd" in case:
        assert r.json["mrtd"] == case["mrtd"] and r.json["report_data"] == case["report_data"]
        assert r.json["trust_anchor"]["vendor"] is False and r.json["trust_anchor"]["name"] == root
        assert "not Intel's" in check(r, "pck-chain")["detail"] and "tcb-info" in r.json["missing"]


def test_policy_is_waived_by_name_only(plinth):
    args = ["quote-v4-azure.bin", "--allow-missing"]
    r = verify(plinth, *args)
    assert r.status == 1 and "sept-ve-disable" in r.json["reason"] and "--allow sept-ve-disable" in r.json["mend"]
    assert verify(plinth, *args, "--allow", "sept-ve-disable").status == 0
    r = verify(plinth, *args, "--allow", "sept-ve-disable", "--allow", "nothing")
    assert r.status == 2 and "--allow nothing" in r.err
    r = verify(plinth, "synthetic/v4-debug.bin", "--allow-missing", "--allow", "pck-chain", "--allow", "td-debug")
    assert r.status == 1 and "pck-chain" in r.json["reason"]  # a proof


def test_nonce(plinth):
    report_data = REAL["quote-v4-phala.bin"]["report_data"]
    args = ["quote-v4-phala.bin", "--certs", PHALA, "--at", "2025-07-01", "--nonce"]
    r = verify(plinth, *args, report_data)
    assert r.status == 0 and check(r, "report-data")["ok"]
    for other in (report_data[:-2] + "00", report_data[:64], "00", "00" * 64):
        r = verify(plinth, *args, other)
        assert r.status == 1 and check(r, "report-data")["ok"] is False and "report-data" in r.json["reason"]
    for bad in ("", "0", "AB", "00" * 65):
        assert verify(plinth, *args, bad).status == 2


def test_old_collateral(plinth):
    args = ["quote-v4-phala.bin", "--certs", PHALA, "--at", "2025-07-01", "--tcb-evaluation"]
    assert verify(plinth, *args, "17").json["tcb_info"] == {"issueDate": "2025-06-19T10:16:03Z", "nextUpdate": "2025-07-19T10:16:03Z", "tcbEvaluationDataNumber": 17}
    r = verify(plinth, *args, "18", "--allow", "tcb-evaluation")
    assert r.status == 1 and "tcbEvaluationDataNumber is 17, at least 18" in r.json["reason"]


def test_text_for_people(plinth):
    path = os.path.join(VECTORS, "quote-v4-phala.bin")
    r = plinth.run("verify-quote", "tdx", path, "--certs", PHALA, "--at", "2025-07-01")
    assert r.status == 0 and r.err == ""
    lines = r.out.splitlines()
    assert "good     tcb-status: UpToDate, the worst of platform, module and QE" in lines
    assert "rtmr0               " + REAL["quote-v4-phala.bin"]["rtmr0"] in lines
    r = plinth.run("verify-quote", "tdx", path)
    assert r.status == 1 and r.err.startswith("plinth: refused: root-ca-crl: missing") and "missing  tcb-info: no TCB info was given" in r.out


@pytest.mark.parametrize("args", [["tdx"], ["sgx", "FILE"], ["tdx", "/nonexistent"], ["tdx", "FILE", "--at", "noon"], ["tdx", "FILE", "--trust", "/nonexistent"],
                                  ["tdx", "FILE", "--trust", "FILE"], ["tdx", "FILE", "--certs", "/nonexistent"]])
def test_usage(plinth, args):
    path = os.path.join(VECTORS, "quote-v4-phala.bin")
    r = plinth.run("verify-quote", *[path if a == "FILE" else a for a in args])
    assert r.status == 2 and r.err.startswith("plinth: "), (r.status, r.err)


def test_certs_that_are_none(plinth):
    path = os.path.join(VECTORS, "quote-v4-phala.bin")
    r = plinth.run("verify-quote", "tdx", path, "--certs", path, "--json")
    assert r.status == 1 and "--certs" in r.err and r.json["verdict"] == "refused"
