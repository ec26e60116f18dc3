"""SEV-SNP has no register for the workload's measurements, so report_data carries the agent's word for it; and the API gives the workload reports over
report_data of its own choice. What it chooses must never pass for the agent's word. The SNP is SIMULATED (qemu/simtee, NOT A TEE)."""
import base64
import hashlib
import json
import os

from conftest import ROOT
from image import policy
from test_boot import ca, registry, serve  # noqa: F401 (fixtures)
from test_simtee import sim  # noqa: F401
from test_supervise import workload, workload_image  # noqa: F401

TAG = b"plinth-evidence1"


def asked(data):
    return "GET /aa/evidence?runtime_data=%s&encoding=base64" % base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_workload_cannot_claim_another_image(plinth, keys, sim, ca, registry, workload, tmp_path):  # noqa: F811
    kernel, simtee = sim
    launch = os.urandom(48).hex()
    with open(os.path.join(ROOT, "tests/unit/vectors/evidence/snp-simulated.json")) as f:
        other = json.load(f)  # another image's boot: its log, its register
    nonce = os.urandom(32).hex()
    preimage = json.dumps({"nonce": nonce, "register": other["register"]}, separators=(",", ":"))
    assert preimage.replace(nonce, other["nonce"]) == other["preimage"]
    digest = hashlib.sha384(preimage.encode()).digest()
    name = serve(workload_image(workload).sign(keys["builder"]), registry, tmp_path / "layout")
    with open(ca.pem) as f:
        p = policy(keys["builder"], image=name, registry={"ca": f.read()}, tee=["snp"],
                   run={"mode": "supervise", "args": ["/bin/workload", asked(digest + TAG), asked(digest + bytes(16)), "exit 0"],
                        "api": {"feature": "attestation"}})
    plinth.run("run", "--policy", plinth.policy(p), "--kernel", kernel, "--tee", "snp", "--simulate", simtee, "--launch-digest", launch,
               "--console", tmp_path / "console", "--evidence", tmp_path / "evidence", "--timeout", 300, timeout=400)
    console = (tmp_path / "console").read_text(errors="replace")
    assert "is the agent's own word, not a workload's" in console, console[-3000:]
    given = [line for line in console.splitlines() if line.startswith("workload.") and "attestation_report" in line]
    assert len(given) == 1, "only the data without the tag"
    report = json.loads(given[0][given[0].index("{"):].strip())["attestation_report"]

    genuine = json.loads((tmp_path / "evidence").read_text())
    raw = bytearray(base64.b64decode(genuine["report"]))
    raw[0x50:0x90] = bytes(report["report_data"])
    raw[0x2a0:0x2a0 + 72] = bytes(report["signature"]["r"])
    raw[0x2a0 + 72:0x2a0 + 144] = bytes(report["signature"]["s"])
    reference = tmp_path / "reference.json"
    reference.write_text(json.dumps({"snp": {"launch_digest": launch}, "policy": {"images": [genuine["manifest"], other["manifest"]]}}))

    def verdict(document, wanted):
        (tmp_path / "document.json").write_text(json.dumps(document))
        return plinth.run("verify", "--reference", reference, "--nonce", wanted, "--trust", os.path.join(simtee, "snp", "ark.pem"), "--json",
                          tmp_path / "document.json").json
    assert verdict(genuine, genuine["nonce"])["verdict"] == "accepted"
    for data in (digest + bytes(16), digest + TAG):  # as the report has it, and as it would have to be
        r = verdict({**other, "nonce": nonce, "report": base64.b64encode(raw).decode(), "report_data": data.hex(), "preimage": preimage,
                     "certificates": genuine["certificates"], "plinth": genuine["plinth"]}, nonce)
        checks = {c["name"]: c["ok"] for c in r["checks"]}
        assert r["verdict"] == "refused" and checks["report-signature"] and not checks["report-data"], r["checks"]
