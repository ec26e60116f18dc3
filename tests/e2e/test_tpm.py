"""sys/tpm, measure and attest against a real TPM 2.0 (swtpm), judged by tpm2-tools; and `plinth eventlog` on what came of it."""
import base64
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import time

import pytest

from conftest import PLINTH, ROOT

TOOLS = ["swtpm", "tpm2_checkquote", "tpm2_makecredential", "tpm2_pcrread", "tpm2_eventlog", "openssl"]
pytestmark = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs swtpm and tpm2-tools")
NONCE = "00010203" * 8
SOURCES = ("agent/step/measure.c agent/step/attest.c agent/sys/tpm.c agent/sys/tsm.c agent/sys/tee.c agent/sys/aside.c agent/sys/console.c "
           "agent/sys/port.c agent/lib/tee/event.c agent/lib/tee/report.c "
           "agent/lib/tee/tpm2.c agent/lib/tee/trustee.c agent/lib/tee/evidence.c agent/lib/oci/digest.c agent/lib/oci/reference.c crypto/hash.c crypto/wipe.c").split()


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    out = tmp_path_factory.mktemp("probe") / "tpm_probe"
    with open(os.path.join(ROOT, "build", "deps.mk")) as f:
        deps = re.search(r"DEPS := (\S+)", f.read()).group(1)
    base = [f"agent/lib/base/{n}" for n in sorted(os.listdir(os.path.join(ROOT, "agent/lib/base"))) if n.endswith(".c")]
    subprocess.run(["musl-gcc", "-std=c17", "-D_GNU_SOURCE", '-DPLINTH_VERSION="0.1.0"', "-DPLINTH_BUILD_DATE=0", "-O1", "-static",
                    "-Iagent/lib", "-Iagent", "-I.", "-isystem", f"{deps}/include", "-isystem", f"{deps}/uapi",
                    "tests/e2e/tpm_probe.c", *SOURCES, *base, f"-L{deps}/lib", "-lbearssl", "-o", str(out)],
                   cwd=ROOT, check=True)
    return str(out)


def free_pair():
    """Two neighbouring ports: tpm2-tools look for the control channel right after the server's."""
    for port in range(24300, 24400, 2):
        try:
            for p in (port, port + 1):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", p))
            return port
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Swtpm:
    def __init__(self, state, probe):
        self.state, self.probe = str(state), probe
        self.start()

    def start(self):
        self.port = free_pair()
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}", "--flags", "not-need-init,startup-clear",
             "--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1",
             "--ctrl", f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            assert self.process.poll() is None, "swtpm did not start"
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port + 1)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("swtpm does not listen")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def run(self, *args):
        return subprocess.run([self.probe, str(self.port), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60)

    def ok(self, *args):
        p = self.run(*args)
        assert p.returncode == 0, p.stderr
        return p.stdout

    def tool(self, *args):
        env = dict(os.environ, TPM2TOOLS_TCTI=f"swtpm:host=127.0.0.1,port={self.port}")
        return subprocess.run([*map(str, args)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)

    def pcr(self, bank, index):
        """By tpm2_pcrread: independent of our code."""
        p = self.tool("tpm2_pcrread", f"{bank}:{index}")
        assert p.returncode == 0, p.stdout
        return re.search(r"0x([0-9A-F]+)", p.stdout).group(1).lower()


@pytest.fixture
def tpm(tmp_path, probe):
    state = tmp_path / "tpm"
    state.mkdir()
    t = Swtpm(state, probe)
    yield t
    t.stop()


def parts(evidence, directory):
    """What tpm2-tools want as files."""
    d = json.loads(evidence)
    for name, member in (("quote.msg", "quote"), ("quote.sig", "signature"), ("log.bin", "eventlog"), ("ak.pub", "ak_public")):
        (directory / name).write_bytes(base64.b64decode(d[member]))
    (directory / "ak.pem").write_text(d["ak_public_pem"])
    (directory / "evidence.json").write_text(evidence)
    return d


def checkquote(directory, nonce=NONCE):
    p = subprocess.run(["tpm2_checkquote", "-u", "ak.pem", "-m", "quote.msg", "-s", "quote.sig", "-g", "sha256", "-q", nonce],
                       cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.returncode == 0


def test_extend_both_banks(tpm):
    assert tpm.ok("banks").split() == ["sha256", "sha384"]
    before = {b: bytes.fromhex(tpm.pcr(b, 14)) for b in ("sha256", "sha384")}
    tpm.ok("extend", 14, "some event")
    for bank, value in before.items():
        want = hashlib.new(bank, value + hashlib.new(bank, b"some event").digest()).hexdigest()
        assert tpm.pcr(bank, 14) == want
        assert f"{bank} {want}" in tpm.ok("read", 14).splitlines()


def test_quote_holds(tpm, tmp_path):
    d = parts(tpm.ok("boot", 15, NONCE), tmp_path)
    assert d["nonce"] == NONCE
    assert checkquote(tmp_path)
    assert not checkquote(tmp_path, "00010204" * 8)
    for name in ("quote.msg", "quote.sig"):
        good = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        assert not checkquote(tmp_path), name
        (tmp_path / name).write_bytes(good)
    for bank in ("sha256", "sha384"):
        assert len(d["pcrs"][bank]) == 16
        for index in (0, 7, 15):
            assert d["pcrs"][bank][str(index)] == tpm.pcr(bank, index)
        assert d["register"][bank] == d["pcrs"][bank]["15"]
    values = b"".join(bytes.fromhex(d["pcrs"][b][str(i)]) for b in ("sha256", "sha384") for i in range(16))
    assert (tmp_path / "quote.msg").read_bytes().endswith(hashlib.sha256(values).digest())


def test_prediction_and_log(tpm, probe, tmp_path):
    d = parts(tpm.ok("boot", 15, NONCE), tmp_path)
    predicted = dict(l.split() for l in subprocess.run([probe, "predict", "15"], stdout=subprocess.PIPE, text=True,
                                                       check=True).stdout.splitlines())
    assert predicted == {b: d["register"][b] for b in predicted} and len(predicted) == 2
    log = subprocess.run(["tpm2_eventlog", tmp_path / "log.bin"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert log.returncode == 0, log.stderr
    assert log.stdout.count("EventType: EV_EVENT_TAG") == 9
    for bank in ("sha256", "sha384"):
        assert re.search(rf"^  {bank}:\n    15 *: 0x{d['register'][bank]}$", log.stdout, re.M), log.stdout[-600:]


def test_ak_is_the_same_after_a_restart_and_restricted(tpm, tmp_path):
    first = parts(tpm.ok("boot", 15, NONCE), tmp_path)
    assert tpm.tool("tpm2_getcap", "handles-transient").stdout.strip() == ""  # flushed
    tpm.stop()
    tpm.start()
    second = parts(tpm.ok("boot", 15, "aa" * 64), tmp_path)
    assert second["ak_public"] == first["ak_public"] and second["register"] == first["register"]
    assert checkquote(tmp_path, "aa" * 64)
    p = subprocess.run(["tpm2_print", "-t", "TPMT_PUBLIC", "ak.pub"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    value = re.search(r"value: (fixedtpm\S+)", p.stdout)
    assert value and {"fixedtpm", "fixedparent", "sensitivedataorigin", "restricted", "sign"} <= set(value.group(1).split("|"))
    assert "decrypt" not in value.group(1)


def test_own_nonce_is_random(tpm, tmp_path):
    first = parts(tpm.ok("boot", 15, "-"), tmp_path)
    assert len(first["nonce"]) == 64 and checkquote(tmp_path, first["nonce"])
    second = json.loads(tpm.ok("boot", 14, "-"))
    assert second["nonce"] != first["nonce"]


def test_somebody_extended_before(tpm):
    assert tpm.tool("tpm2_pcrextend", "15:sha384=" + "11" * 48).returncode == 0
    p = tpm.run("boot", 15, NONCE)
    assert p.returncode == 1 and p.stdout == ""
    assert "somebody extended the register before this boot: PCR 15 is " + tpm.pcr("sha384", 15) in p.stderr
    assert json.loads(tpm.ok("boot", 14, NONCE))["register"]["pcr"] == 14


def test_refusal_of_the_tpm_has_its_name(tpm):
    p = tpm.run("extend", 99, "x")
    assert p.returncode == 1 and "PCR 99: TPM2_PCR_Extend: the TPM says TPM_RC_VALUE" in p.stderr, p.stderr


@pytest.mark.parametrize("banks,want", [("sha256", ["sha256"]), ("sha384", ["sha384"]), ("sha1", None)])
def test_banks(tpm, tmp_path, banks, want):
    off = [b for b in ("sha1", "sha256", "sha384", "sha512") if b != banks]
    assert tpm.tool("tpm2_pcrallocate", "+".join([f"{banks}:all"] + [f"{b}:none" for b in off])).returncode == 0
    assert tpm.tool("tpm2_shutdown", "--clear").returncode == 0
    tpm.stop()
    tpm.start()
    if want is None:
        p = tpm.run("banks")
        assert p.returncode == 1 and "neither a sha256 nor a sha384 bank" in p.stderr
        return
    assert tpm.ok("banks").split() == want
    d = parts(tpm.ok("boot", 15, NONCE), tmp_path)
    assert list(d["pcrs"]) == want and checkquote(tmp_path)


def credential(tpm, directory, alg, name, secret):
    """What a relying party sends: by tpm2_makecredential, which needs no TPM, under the EK as tpm2-tools make it."""
    assert tpm.tool("tpm2_createek", "-G", alg, "-c", directory / "ek.ctx", "-u", directory / "ek.pub").returncode == 0
    assert tpm.tool("tpm2_flushcontext", "-t").returncode == 0
    (directory / "secret").write_bytes(secret)
    p = subprocess.run(["tpm2_makecredential", "-T", "none", "-u", "ek.pub", "-s", "secret", "-n", name, "-o", "credential"], cwd=directory,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert p.returncode == 0, p.stdout
    rest, parts = (directory / "credential").read_bytes()[8:], []
    while rest:
        n = int.from_bytes(rest[:2], "big")
        parts.append(rest[2:2 + n].hex())
        rest = rest[2 + n:]
    return parts


@pytest.mark.parametrize("alg", ["ecc", "rsa"])
def test_credential_activation(tpm, tmp_path, alg):
    d = parts(tpm.ok("boot", 15, NONCE), tmp_path)
    name = "000b" + hashlib.sha256(base64.b64decode(d["ak_public"])).hexdigest()
    blob, secret = credential(tpm, tmp_path, alg, name, b"only for this AK in this TPM")
    assert bytes.fromhex(tpm.ok("activate", blob, secret)) == b"only for this AK in this TPM"
    assert bytes.fromhex(tpm.ok("activate", blob, secret)) == b"only for this AK in this TPM"  # nothing was left behind in the TPM
    last = "0" if blob[-1] != "0" else "1"
    p = tpm.run("activate", blob[:-1] + last, secret)
    assert p.returncode == 1 and "TPM2_ActivateCredential: the TPM says" in p.stderr, p.stderr
    # for another AK than the one of the evidence
    other = name[:-1] + ("0" if name[-1] != "0" else "1")
    blob, secret = credential(tpm, tmp_path, alg, other, b"x")
    assert tpm.run("activate", blob, secret).returncode == 1
    assert tpm.ok("banks").split() == ["sha256", "sha384"]  # and it still works


def test_ek_certificate(tpm, tmp_path):
    assert parts(tpm.ok("boot", 15, NONCE), tmp_path)["ek_certificate"] == ""
    for index, size in (("0x01C00002", 700), ("0x01C0000A", 1300)):  # RSA alone, then ECC before it
        (tmp_path / "certificate").write_bytes(bytes(i * size % 251 for i in range(size)))
        assert tpm.tool("tpm2_nvdefine", index, "-C", "o", "-s", size, "-a", "ownerread|ownerwrite|authread").returncode == 0
        p = tpm.tool("tpm2_nvwrite", index, "-C", "o", "-i", tmp_path / "certificate")
        assert p.returncode == 0, p.stdout
        tpm.tool("tpm2_shutdown", "--clear")
        tpm.stop()
        tpm.start()
        d = parts(tpm.ok("boot", 15, NONCE), tmp_path)
        assert base64.b64decode(d["ek_certificate"]) == (tmp_path / "certificate").read_bytes()


def eventlog(*args):
    return subprocess.run([PLINTH, "eventlog", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_eventlog_command(tpm, tmp_path):
    d = parts(tpm.ok("boot", 15, NONCE), tmp_path)
    for name in ("evidence.json", "log.bin"):
        p = eventlog(tmp_path / name)
        assert p.returncode == 0, p.stderr
        assert 'plinth layer {"diffID":"sha256:5151' in p.stdout and "plinth separator {}" in p.stdout
        assert f"register 15  sha384 {d['register']['sha384']}" in p.stdout
        j = json.loads(eventlog("--json", tmp_path / name).stdout)
        assert j["verdict"] == "accepted" and j["registers"]["sha256"] == {"15": d["register"]["sha256"]}
        assert [r["check"] for r in j["records"]] == [None] + ["matches"] * 9
    good = (tmp_path / "log.bin").read_bytes()
    (tmp_path / "log.bin").write_bytes(good[:-1] + b"|")
    p = eventlog("--json", tmp_path / "log.bin")
    assert p.returncode == 1 and json.loads(p.stdout)["verdict"] == "refused"
    assert "record 9, EV_EVENT_TAG of register 15: the digest is not that of the event" in p.stderr
    (tmp_path / "log.bin").write_bytes(good[:-1])
    p = eventlog(tmp_path / "log.bin")
    assert p.returncode == 1 and "the record is cut" in p.stderr and "plinth launch" in p.stdout
    assert eventlog().returncode == 2 and eventlog(tmp_path / "none").returncode == 2
    (tmp_path / "e.json").write_text("{}")
    assert eventlog(tmp_path / "e.json").returncode == 1


def test_eventlog_command_on_real_logs():
    folder = os.path.join(ROOT, "tests/unit/vectors/tee")
    with open(os.path.join(folder, "replay.txt")) as f:
        lines = [l.split() for l in f if not l.startswith("#")]
    for name in {l[0] for l in lines}:
        p = eventlog("--json", os.path.join(folder, name))
        assert p.returncode == (1 if name == "tpm-cos85.bin" else 0), p.stderr  # see README there
        j = json.loads(p.stdout)
        for _, *rest in (l for l in lines if l[0] == name):
            if len(rest) == 1:
                assert len(j["records"]) == int(rest[0])
            else:
                assert j["registers"][rest[0]][rest[1]] == rest[2]


def test_eventlog_command_on_every_kind(tmp_path):
    """TPM 1.2 and 2.0 logs, CCEL data and the CCEL table against an independent replay (vectors/eventlog.tar.xz)."""
    with tarfile.open(os.path.join(ROOT, "tests/e2e/vectors/eventlog.tar.xz")) as t:
        t.extractall(tmp_path)
    with open(tmp_path / "eventlog" / "expected.json") as f:
        expected = json.load(f)
    kinds = set()
    for name, want in expected.items():
        p = eventlog("--json", tmp_path / "eventlog" / name)
        assert p.returncode == 0, (name, p.stderr)
        j = json.loads(p.stdout)
        if want["kind"] == "ACPI CCEL table":
            assert j["ccel"] == {"ccType": want["cc_type"], "ccSubtype": want["cc_subtype"], "logAreaMinimumLength": want["log_area_min_len"],
                                 "logAreaStartAddress": int(want["log_area_start"], 16)}
            assert "TDX, a log of 65536 bytes" in eventlog(tmp_path / "eventlog" / name).stdout
            continue
        log = j["logs"][0]
        kinds.add(log["kind"])
        assert log["kind"] == ("CC" if "CC" in want["kind"] else "TPM " + want["spec"]), name
        assert (len(j["records"]), log["used"], log["size"]) == (want["events"], want["used_bytes"], want["size"]), name
        for bank, registers in want.get("pcrs", {}).items():
            assert j["registers"][bank] == registers, (name, bank)
        assert j["registers"].get("rtmr") == want.get("rtmr"), name
    assert kinds == {"TPM 1.2", "TPM 2.0", "CC"} and len(expected) == 16
