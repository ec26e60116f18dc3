"""The SIMULATED TEE itself (qemu/simtee), looked at by tsm_probe.c with nothing of the agent: that it shows the files of the real drivers, that what
it signs verifies to its throw-away root with openssl alone, that every fault happens as named, and that it says everywhere what it is."""
import hashlib
import os
import struct
import subprocess

import pytest

import tee
from conftest import HERE, ROOT

PROVIDERS = {"tdx": "tdx_guest", "snp": "sev_guest"}


def part(name):
    return subprocess.run([os.path.join(ROOT, "qemu", "parts"), name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="session")
def sim():
    """(kernel with the simulation, what it answers with)"""
    return os.path.join(part("sim-kernel"), "vmlinuz"), part("simtee")


class Probed:
    """What the probe said: p["name"], p.bytes("name"); p.result of `plinth run`."""

    def __init__(self, kind, sim, directory, plinth):
        kernel, simtee = sim
        self.kind, self.trust = kind, os.path.join(simtee, kind)
        self.host_data = os.urandom(48 if kind == "tdx" else 32).hex()
        probe = directory / "probe"
        with open(os.path.join(ROOT, "build", "deps.mk")) as f:
            deps = f.read().split(":=")[1].strip()
        subprocess.run(["musl-gcc", "-std=c17", "-D_GNU_SOURCE", "-static", "-O1", "-isystem", deps + "/uapi", "-o", probe,
                        os.path.join(HERE, "tsm_probe.c")], check=True)
        policy = plinth.policy({"signatures": {"allowUnsigned": True}})
        self.result = plinth.run("run", "--policy", policy, "--agent", probe, "--ca", "none", "--kernel", kernel, "--tee", kind, "--simulate", simtee,
                                 "--host-data", self.host_data, "--console", directory / "console", "--keep", "--json", "--timeout", 300, timeout=400)
        self.console = (directory / "console").read_text(errors="replace")
        self.said = dict(line[6:].split("=", 1) for line in self.console.splitlines() if line.startswith("probe.") and "=" in line)
        assert self.said.get("end") == "1", (self.result.err, self.console[-3000:])
        kept = next(line.split(": ", 2)[2] for line in self.result.err.splitlines() if "kept: " in line)
        self.initrd = open(os.path.join(kept, "initrd.img"), "rb").read()
        subprocess.run(["rm", "-r", kept], check=True)

    def __getitem__(self, name):
        return self.said[name]

    def bytes(self, name):
        return bytes.fromhex(self.said[name + ".bytes"])

    def evidence(self, name):
        raw = self.bytes(name)
        return tee.Quote(raw) if self.kind == "tdx" else tee.Report(raw)


@pytest.fixture(scope="module")
def probed(sim, tmp_path_factory):
    from conftest import Plinth
    made = {}

    def get(kind):
        if kind not in made:
            directory = tmp_path_factory.mktemp(kind)
            made[kind] = Probed(kind, sim, directory, Plinth(str(directory)))
        return made[kind]
    return get


@pytest.fixture(params=["tdx", "snp"])
def both(request, probed):
    return probed(request.param)


def test_says_what_it_is(both):
    assert both["release"].endswith("-SIMULATED-TEE")
    assert f"simtee: SIMULATED {PROVIDERS[both.kind]}, NOT A TEE" in both.console
    assert f"SIMULATED {both.kind}, NOT A TEE" in both.result.err
    assert both.result.json["simulated"] == "SIMULATED, NOT A TEE" and both.result.json["tee"] == both.kind
    names = [tee.openssl("x509", *form, "-in", os.path.join(both.trust, file), "-noout", "-subject").decode() for file, form in
             ([("root.pem", []), ("pck_chain.pem", []), ("tcb_info_issuer_chain.pem", [])] if both.kind == "tdx" else
              [(n + ".der", ["-inform", "DER"]) for n in ("ark", "ask", "vcek")])]
    assert all("Plinth SIMULATED" in n and "NOT A TEE" in n for n in names), names


def test_files(both):
    assert both["provider"] == PROVIDERS[both.kind] and both["mkdir"] == "0"
    wanted = {"generation 444", "inblob 200", "outblob 444", "provider 444"}
    wanted |= {"auxblob 444", "privlevel 200", "privlevel_floor 444"} if both.kind == "snp" else set()
    assert set(both["report.files"].strip(",").split(",")) == wanted
    if both.kind == "tdx":
        assert set(both["registers.files"].strip(",").split(",")) == {f"rtmr{i}:sha384 644" for i in range(4)} | {
            "mrtd:sha384 444", "mrconfigid 444", "mrowner 444", "mrownerconfig 444"}


def test_report_verifies(both, tmp_path):
    first = both.evidence("first")
    assert first.report_data == b"\x11" * 64 and both["first.moved"] == "0"
    if both.kind == "tdx":
        first.check(both.trust, tmp_path)
        assert first.attributes == 1 << 28 and first.user_data == b"SIMULATED NOT A TEE\0" and first.mrconfigid == both.host_data
        assert first.mrtd == both["mrtd.bytes"]
    else:
        first.check(both.bytes("auxblob"), both.trust, tmp_path)
        assert first.policy == 0x30000 and first.vmpl == 0 and first.host_data == both.host_data
    broken = bytearray(first.raw)
    broken[100] ^= 1
    with pytest.raises(AssertionError):
        type(first)(bytes(broken)).check(*([] if both.kind == "tdx" else [both.bytes("auxblob")]), both.trust, tmp_path)


def test_registers(probed, tmp_path):
    """Extends are SHA-384(old || digest), the quote agrees with the files, and the log explains RTMR0-2."""
    p = probed("tdx")
    value = bytes(48)
    for i, fill in ((1, 1), (2, 2)):
        value = hashlib.sha384(value + bytes([fill]) * 48).digest()
        assert p[f"extend{i}.write"] == "0" and p.bytes(f"extend{i}") == value
    quote = p.evidence("extended")
    assert quote.signed(tmp_path) and quote.rtmr[3] == value.hex()
    assert quote.rtmr[:2] == [p["rtmr0.bytes"], p["rtmr1.bytes"]] and quote.rtmr[2] == p["extend3.bytes"] != p["rtmr2.bytes"]
    assert p.evidence("first").rtmr == [p[f"rtmr{i}.bytes"] for i in range(3)] + ["00" * 48]


def test_ccel(probed, sim):
    p = probed("tdx")
    table, area = p.bytes("ccel.table"), p.bytes("ccel.log")
    assert table[:4] == b"CCEL" and len(table) == 56 and table[36] == 2 and struct.unpack_from("<Q", table, 40)[0] == len(area) == 65536
    events = tee.read_log(area)
    assert tee.replay(events) == {1 + i: p[f"rtmr{i}.bytes"] for i in range(3)}
    assert any(b"SIMULATED" in e[3] for e in events if e[0] == 1)
    digests = [e[2][0xc] for e in events if e[0] == 3]
    cmdline = "console=ttyS0 panic=-1 quiet initrd=initrd".encode("utf-16-le") + b"\0\0"
    assert digests == [hashlib.sha384(cmdline).digest(), hashlib.sha384(p.initrd).digest()]


def test_snp_levels_and_device(probed, tmp_path):
    p = probed("snp")
    assert p.evidence("privlevel").vmpl == 2 and p.evidence("privlevel").report_data == b"\x33" * 64
    assert p["ioctl.small"] == "-1 1 8192", "too small a buffer: the length that is needed"
    assert p["ioctl.good"] == "0 0" and p["ioctl.busy"] == "-1 2"
    response = p.bytes("ioctl.report")
    assert struct.unpack_from("<II", response) == (0, 1184)
    report = tee.Report(response[32:])
    assert report.report_data == b"\x44" * 64
    report.check(p.bytes("ioctl.certs"), p.trust, tmp_path)
    assert p.bytes("ioctl.certs").startswith(p.bytes("auxblob"))


def test_faults(both, tmp_path):
    assert [both[f"fault.{n}.errno"] for n in ("fail", "busy", "timeout", "nonsense")] == ["5", "16", "110", "5"]
    good = {n: both.evidence("fault." + n) for n in ("stale", "generation", "report_data", "signature", "debug")}
    key = [] if both.kind == "tdx" else [tee.spki_of(tee.openssl("x509", "-inform", "DER", "-in", os.path.join(both.trust, "vcek.der")).decode(), tmp_path)]
    assert {n: r.signed(*key, tmp_path) for n, r in good.items()} == {**dict.fromkeys(good, True), "signature": False}
    asked = {n: bytes([0x50 + i]) * 64 for i, n in enumerate(("fail", "busy", "timeout", "stale", "generation", "report_data", "signature", "debug"))}
    assert [n for n, r in good.items() if r.report_data != asked[n]] == ["stale", "generation", "report_data"]
    assert good["report_data"].report_data == asked["report_data"][:63] + b"\x54"
    assert {n: both[f"fault.{n}.moved"] for n in good} == {**dict.fromkeys(good, "0"), "generation": "1"}
    if both.kind == "tdx":
        assert good["debug"].attributes & 1 and not good["stale"].attributes & 1
    else:
        assert good["debug"].policy & 1 << 19 and not good["stale"].policy & 1 << 19
    whole = len(both.bytes("first"))
    assert [int(both[f"fault.{n}.size"]) for n in ("short", "empty", "huge")] == [whole // 2, 0, whole + (8 << 20)]
    assert both["stalled"] == "1" and both["fault.stall.size"] == str(whole) and both["killed"] == "1" and "fault.killed.size" not in both.said
    assert both.evidence("last").report_data == b"\x77" * 64, "after all that it answers again"


def test_faults_of_registers(probed):
    p = probed("tdx")
    before = bytes.fromhex(p["extend2.bytes"])
    assert p.evidence("fault.quoted_register").rtmr[3] != p["extend2.bytes"] and p["fault.register.write"] == "0"
    other = p.bytes("fault.register")
    assert other == hashlib.sha384(before + bytes([4 ^ 1]) + bytes([4]) * 47).digest() != hashlib.sha384(before + b"\4" * 48).digest()
    assert p["fault.extend_lost.write"] == "0" and p.bytes("fault.extend_lost") == other
    assert p["fault.extend.write"] == "5" and p.bytes("fault.extend") == other


def test_faults_of_snp(probed):
    p = probed("snp")
    assert p.evidence("fault.vmpl").vmpl == 3
    assert p["fault.no_certs.size"] == "1184" and p["fault.no_certs.auxblob.bytes"] == ""


# ---- plinth run and plinth initrd keep it apart ----

def test_run_refuses(plinth, sim, tmp_path):
    kernel, simtee = sim
    lean = os.path.join(part("lean-kernel"), "vmlinuz")
    policy = plinth.policy({"signatures": {"allowUnsigned": True}})

    def refused(status, says, *args):
        r = plinth.run("run", "--policy", policy, "--kernel", kernel, *args)
        assert r.status == status and says in r.err, (args, r.status, r.err)
    for kind in ("tdx", "snp"):
        refused(3, "NOT A TEE", "--tee", kind)  # no such hardware here; the mend names the simulation
    r = plinth.run("run", "--policy", policy, "--kernel", lean, "--tee", "tdx", "--simulate", simtee)
    assert r.status == 2 and "holds no simulated TEE" in r.err, r.err
    refused(2, "SIMULATED TEE", "--tee", "tpm")
    refused(2, "goes with --tee tdx or snp", "--simulate", simtee)
    refused(2, "goes with --simulate", "--tee", "tdx", "--launch-digest", "00" * 48)
    refused(2, "not 48 bytes", "--tee", "tdx", "--simulate", simtee, "--host-data", "00" * 32)
    refused(2, "not 32 bytes", "--tee", "snp", "--simulate", simtee, "--host-data", "00" * 48)
    refused(2, "simtee/make", "--tee", "snp", "--simulate", tmp_path)
    refused(2, "not tpm, tdx, snp", "--tee", "sgx")


def test_initrd_refuses_the_module(plinth, tmp_path):
    """A module of the simulation can be built for a kernel with modules; nobody packs it by mistake."""
    source = open(os.path.join(ROOT, "qemu", "simtee", "simtee_main.c")).read()
    assert 'MODULE_INFO(plinth_simulation, "NOT A TEE");' in source
    module = tmp_path / "simtee.ko"
    module.write_bytes(b"\x7fELF" + bytes(60) + b"license=GPL\0plinth_simulation=NOT A TEE\0")
    for option in (["--module", module], ["--add", f"{module}=/lib/x.ko"]):
        r = plinth.run("initrd", "--ca", "none", "-o", tmp_path / "out", *option)
        assert r.status == 2 and "SIMULATED TEE" in r.err, r.err
