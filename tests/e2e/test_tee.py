"""The agent in machines of all kinds under one initramfs: TDX and SEV-SNP SIMULATED (qemu/simtee, NOT A TEE), a vTPM (swtpm), and a TD with a vTPM.
Every register is held against the prediction of `plinth check` and against the logs in the evidence; then what must be refused. The
simulation stands in for the hardware alone: kernel interfaces, agent and evidence are the real ones."""
import hashlib
import json
import os
import subprocess

import pytest

import tee
from image import policy
from test_boot import Machine, ca, probe, probe_image, registry, serve  # noqa: F401 (fixtures)
from test_simtee import part, sim  # noqa: F401


SLOW = pytest.mark.skipif(not os.environ.get("PLINTH_SLOW"), reason="takes a minute; PLINTH_SLOW=1 runs it")


class TeeMachine(Machine):
    """A machine of test_boot.Machine, which says what it is."""

    def __init__(self, plinth, kind, sim, policy_object, tmp_path, *more, kernel=None):
        self.evidence_path, self.console_path = tmp_path / "evidence.json", tmp_path / "console"
        self.policy_path, self.nonce, self.kind = plinth.policy(policy_object), os.urandom(32).hex(), kind
        simulated = [] if kind == "tpm" else ["--simulate", sim[1]]
        kernel = kernel or (os.path.join(part("lean-kernel"), "vmlinuz") if kind == "tpm" else sim[0])
        self.result = plinth.run("run", "--policy", self.policy_path, "--kernel", kernel, "--tee", kind, *simulated, "--nonce", self.nonce, "--evidence",
                                 self.evidence_path, "--console", self.console_path, "--timeout", 400, "--json", *more, timeout=500)
        self.console = self.console_path.read_text(errors="replace")
        self.evidence = json.loads(self.evidence_path.read_text()) if self.evidence_path.exists() else None


@pytest.fixture
def image_policy(keys, ca, registry, probe, tmp_path):  # noqa: F811
    """A signed image in the registry, and a policy for it; `more` goes on top."""
    image = probe_image(probe).sign(keys["builder"])
    name = serve(image, registry, tmp_path / "layout")

    def make(**more):
        with open(ca.pem) as f:
            return policy(keys["builder"], image=name, registry={"ca": f.read()}, **more)
    make.layout = "oci:" + str(tmp_path / "layout") + ":v"
    return make


def check_report(m, trust, tmp_path):
    """The CPU's evidence, up to the root of the simulation; gives the register's value that it vouches for."""
    e, kind = m.evidence, m.kind.split(",")[0]
    assert e["tee"] == kind and e["nonce"] == m.nonce
    if kind == "tdx":
        report = tee.Quote(tee.decode(e["quote"]))
        report.check(trust, tmp_path)
    else:
        report = tee.Report(tee.decode(e["report"]))
        report.check(tee.decode(e["certificates"]), trust, tmp_path)
    preimage = json.loads(e["preimage"])
    assert report.report_data == hashlib.sha384(e["preimage"].encode()).digest() + b"plinth-evidence1" == bytes.fromhex(e["report_data"])
    assert preimage["nonce"] == m.nonce and preimage["register"] == e["register"]
    if kind == "tdx":
        assert e["register"] == {"rtmr": 3, "sha384": report.rtmr[3]}
        firmware = tee.read_log(tee.decode(e["firmware_log"]))
        assert tee.replay(firmware) == {1 + i: report.rtmr[i] for i in range(3)}, "CCEL explains RTMR0-2"
    else:
        assert e["register"]["kept_by"] == "monitor" and e["firmware_log"] == ""
    assert ("tpm" in e) == ("tpm" in m.kind) == ("tpm" in preimage)
    return e["register"]["sha384"]


def check_tpm(m, e, tmp_path):
    """The TPM's part `e`: quote, nonce, and every PCR that a log speaks of, in both banks. Gives PCR 15 by bank."""
    m.evidence, whole = dict(e, nonce=m.evidence["nonce"]), m.evidence
    m.check_quote(tmp_path)
    m.evidence = whole
    for bank, alg in (("sha256", 0xb), ("sha384", 0xc)):
        replayed = tee.replay(tee.read_log(tee.decode(e["firmware_log"])), alg)
        assert set(replayed) >= {0, 1, 2, 3, 4, 5, 6, 7, 9}
        replayed.update(tee.replay(tee.read_log(tee.decode(e["eventlog"])), alg))
        assert {i: e["pcrs"][bank][str(i)] for i in replayed} == replayed
        assert all(int(v, 16) == 0 for i, v in e["pcrs"][bank].items() if int(i) not in replayed), "what no log explains is untouched"
    return {bank: e["pcrs"][bank]["15"] for bank in ("sha256", "sha384")}


@pytest.mark.parametrize("kind", ["tpm", "tdx", "snp", "tdx,tpm", "snp,tpm"])
def test_boots(plinth, sim, image_policy, kind, tmp_path):  # noqa: F811
    m = TeeMachine(plinth, kind, sim, image_policy(tee=[kind.split(",")[0]]), tmp_path)
    assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
    predicted = plinth.run("check", "--json", "--policy", m.policy_path, image_policy.layout)
    assert predicted.status == 0, predicted.err
    wanted = predicted.json["registers"]

    if "tpm" in kind:
        assert check_tpm(m, m.evidence if kind == "tpm" else m.evidence["tpm"], tmp_path) == wanted
    if kind == "tpm":
        assert m.evidence["tee"] == "tpm" and "SIMULATED" not in m.result.err + m.console
        return
    assert f"SIMULATED {kind.split(',')[0]}, NOT A TEE" in m.result.err and "NOT A TEE" in m.console
    assert check_report(m, os.path.join(sim[1], kind[:3]), tmp_path) == wanted["sha384"]
    log = tee.decode(m.evidence["eventlog"])
    assert list(tee.replay(tee.read_log(log)).values()) == [wanted["sha384"]] and b"plinth separator" in log
    (tmp_path / "log").write_bytes(log)
    shown = plinth.run("eventlog", tmp_path / "log")
    assert shown.status == 0 and wanted["sha384"] in shown.out, shown.err
    saw = dict(line[len("probe."):].split("=", 1) for line in m.console.splitlines() if line.startswith("probe.") and "=" in line)
    assert saw["path:/dev/tpm0"] == "(No such file or directory)"


def test_boots_by_the_device(plinth, sim, image_policy, tmp_path):  # noqa: F811
    """SNP without configfs-tsm: report and certificates through the ioctls of /dev/sev-guest."""
    m = TeeMachine(plinth, "snp", sim, image_policy(tee=["snp"]), tmp_path, "--append", "simtee.configfs=N")
    assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
    check_report(m, os.path.join(sim[1], "snp"), tmp_path)


# kind, policy's tee, kernel parameter, what the reason says
REFUSALS = {
    "other-tee": ("tdx", ["snp"], "", ["tdx", "snp"]),
    "other-tee-snp": ("snp", ["tdx", "tpm"], "", ["snp", "tdx"]),
    "no-tee": ("tdx", ["tdx", "snp", "tpm"], "simtee.configfs=N", ["wants tpm, tdx, snp", "has no"]),
    "debug-td": ("tdx", ["tdx"], "simtee.fault=debug", ["debug"]),
    "debug-snp": ("snp", ["snp"], "simtee.fault=debug", ["debug"]),
    "report_data": ("tdx", ["tdx"], "simtee.fault=report_data", ["report_data"]),
    "generation": ("snp", ["snp"], "simtee.fault=generation", ["generation"]),
    "stale": ("tdx", ["tdx"], "simtee.fault=stale", ["report_data"]),
    "quoted-register": ("tdx", ["tdx"], "simtee.fault=quoted_register", ["RTMR3"]),
    "register": ("tdx", ["tdx"], "simtee.fault=register", ["RTMR3"]),
    "extend-lost": ("tdx", ["tdx"], "simtee.fault=extend_lost", ["RTMR3"]),
    "extend-fails": ("tdx", ["tdx"], "simtee.fault=extend", ["RTMR3"]),
    "no-answer": ("tdx", ["tdx"], "simtee.fault=timeout", ["time"]),
    "stall": ("tdx", ["tdx"], "simtee.fault=stall", ["report", "40"]),
    "nonsense": ("tdx", ["tdx"], "simtee.fault=empty", ["quote"]),
}


@pytest.mark.parametrize("why", [w if w != "stall" else pytest.param(w, marks=SLOW) for w in REFUSALS])
def test_refused(plinth, sim, image_policy, why, tmp_path):  # noqa: F811
    kind, tees, parameter, reasons = REFUSALS[why]
    m = TeeMachine(plinth, kind, sim, image_policy(tee=tees), tmp_path, *(["--append", parameter] if parameter else []))
    assert m.result.status == 1, (m.result.out, m.result.err, m.console[-3000:])
    assert all(r.lower() in m.result.err.lower() for r in reasons), m.result.err
    assert "probe." not in m.console, "something of the image ran"


def test_uki_without_simulation(plinth, sim, tmp_path):  # noqa: F811
    """A unified image is what people ship: none is made of a kernel that holds the simulation."""
    out = tmp_path / "out.efi"
    r = plinth.run("uki", "--kernel", sim[0], "--initrd", "/dev/null", "--cmdline", "quiet", "-o", out)
    assert r.status == 2 and "holds a SIMULATED TEE" in r.err and not out.exists()
