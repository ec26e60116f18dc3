"""initdata: what the owner binds at launch, on a drive and inside the initramfs; the published initramfs without a policy becomes a customer's by it.
TDX and SEV-SNP are SIMULATED (qemu/simtee, NOT A TEE), the TPM is swtpm. Then everything that does not match."""
import gzip
import hashlib
import json
import os
import struct

import pytest

import tee
from conftest import ROOT
from image import Image, policy
from test_boot import ca, probe, registry, run  # noqa: F401 (fixtures)
from test_simtee import part, sim  # noqa: F401
from test_tee import TeeMachine, check_report, image_policy  # noqa: F401

AA = "[log]\nlevel = \"info\"\n[token_configs]\n[token_configs.kbs]\nurl = \"https://kbs.example\"\ncert = \"\"\"\n-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n\"\"\"\n"


def initdata(policy_object=None, algorithm="sha256", version="0.1.0", **more):
    """The text; `more`: further members of [data], "_" for "."."""
    data = {"plinth-policy.json": json.dumps(policy_object)} if policy_object else {}
    data.update({k.replace("_", "."): v for k, v in more.items()})
    return (f'# of a test\nversion = "{version}"\nalgorithm = "{algorithm}"\n\n[data]\n' + "".join(f"\"{k}\" = '''\n{v}'''\n" for k, v in data.items())).encode()


def drive(text):
    """As kata's runtime writes it."""
    packed = gzip.compress(text)
    out = b"initdata" + struct.pack("<Q", len(packed)) + packed
    return out + bytes(-len(out) % 512)


def bound(text, algorithm, kind):
    size = 48 if kind.startswith("tdx") else 32
    return hashlib.new(algorithm, text).digest()[:size].ljust(size, b"\0")


class InitdataMachine(TeeMachine):
    """Without --policy: initdata brings it."""

    def __init__(self, plinth, kind, sim, tmp_path, *more, kernel=None):  # noqa: F811
        self.evidence_path, self.console_path = tmp_path / "evidence.json", tmp_path / "console"
        self.nonce, self.kind = os.urandom(32).hex(), kind
        simulated = [] if kind == "tpm" else ["--simulate", sim[1]]
        kernel = kernel or (os.path.join(part("lean-kernel"), "vmlinuz") if kind == "tpm" else sim[0])
        self.result = plinth.run("run", "--kernel", kernel, "--tee", kind, *simulated, "--nonce", self.nonce, "--evidence", self.evidence_path,
                                 "--console", self.console_path, "--timeout", 400, "--json", *more, timeout=500)
        self.console = self.console_path.read_text(errors="replace") if self.console_path.exists() else ""
        self.evidence = json.loads(self.evidence_path.read_text()) if self.evidence_path.exists() else None

    def refused(self, *reasons):
        assert self.result.status == 1, (self.result.status, self.result.err, self.console[-3000:])
        assert all(r in self.result.err for r in reasons), (reasons, self.result.err)
        assert "probe." not in self.console, "something of the image ran"
        assert b"plinth failure" in tee.decode(self.evidence["eventlog"]), "the register tells"
        return self


@pytest.fixture
def put(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name
    return write


@pytest.mark.parametrize("kind,algorithm", [("tpm", "sha256"), ("tdx", "sha384"), ("tdx", "sha512"), ("snp", "sha256"), ("snp,tpm", "sha384")])
def test_brings_the_policy(plinth, sim, image_policy, put, kind, algorithm, tmp_path):  # noqa: F811
    text = initdata(image_policy(tee=[kind.split(",")[0]]), algorithm, aa_toml=AA)
    path = put("initdata.toml", text)
    m = InitdataMachine(plinth, kind, sim, tmp_path, "--initdata", path)
    assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
    assert "initdata: ignored, this build has no use for it: aa.toml log.level" in m.console
    predicted = plinth.run("check", "--json", "--initdata", path, image_policy.layout)
    assert predicted.status == 0, predicted.err
    wanted, digest = predicted.json["registers"], hashlib.sha256(text).hexdigest()
    log = tee.decode(m.evidence["eventlog"])
    assert b'plinth initdata {"digest":"sha256:' + digest.encode() + b'"}' in log and log.index(b"plinth boot") < log.index(b"plinth initdata") < log.index(b"plinth policy")
    if kind == "tpm":
        m.check_quote(tmp_path)
        assert {b: m.evidence["pcrs"][b]["15"] for b in ("sha256", "sha384")} == wanted
        for bank in ("sha256", "sha384"):
            h = hashlib.new(bank, text).digest()
            assert m.evidence["pcrs"][bank]["8"] == hashlib.new(bank, bytes(len(h)) + h).hexdigest()
        return
    assert check_report(m, os.path.join(sim[1], kind[:3]), tmp_path) == wanted["sha384"]
    report = tee.Quote(tee.decode(m.evidence["quote"])).mrconfigid if kind == "tdx" else tee.Report(tee.decode(m.evidence["report"])).host_data
    assert report == bound(text, algorithm, kind).hex()
    if "tpm" in kind:
        assert m.evidence["tpm"]["pcrs"]["sha256"]["8"] == "00" * 32, "the CPU binds it"


def test_inside_the_initramfs(plinth, sim, image_policy, put, tmp_path):  # noqa: F811
    """And beside a policy of the same bytes."""
    p = image_policy(tee=["snp"])
    text = initdata(p)
    made = plinth.run("initrd", "--initdata", put("initdata.toml", text), "--policy", put("policy.json", json.dumps(p).encode()), "-o", tmp_path / "initrd")
    assert made.status == 0, made.err
    m = InitdataMachine(plinth, "snp", sim, tmp_path, "--initrd", tmp_path / "initrd", "--host-data", bound(text, "sha256", "snp").hex())
    assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
    assert b"plinth initdata" in tee.decode(m.evidence["eventlog"])


def test_stock_kernel(plinth, sim, image_policy, put, tmp_path):  # noqa: F811
    """Debian's, where the drive needs a module, and one of two drives is somebody's disk."""
    directory = part("stock-kernel")
    modules = run(os.path.join(ROOT, "qemu", "modules"), directory, tmp_path, "virtio_net", "overlay", "virtio_blk").split()
    text = initdata(image_policy(tee=["tpm"]))
    m = InitdataMachine(plinth, "tpm", sim, tmp_path, "--initdata", put("initdata.toml", text), "--disk", put("disk", bytes(4 << 20)),
                        *(x for name in modules for x in ("--module", name)), kernel=os.path.join(directory, "vmlinuz"))
    assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
    assert b"plinth initdata" in tee.decode(m.evidence["eventlog"])


def flip(text):
    return text.replace(b"# of a test", b"# of b test")


ANY = {"image": "registry.example/acme/web:1", "signatures": {"allowUnsigned": True}}

# kind, algorithm in the text, the drive's bytes from the text, the host's digest from the text, what the reason says
REFUSALS = {
    "another-text-tdx": ("tdx", "sha384", lambda t: drive(flip(t)), lambda t: bound(t, "sha384", "tdx"), ["initdata: MRCONFIGID is ", "sha384 "]),
    "another-text-snp": ("snp", "sha256", lambda t: drive(flip(t)), lambda t: bound(t, "sha256", "snp"), ["initdata: HOST_DATA is ", "sha256 "]),
    "nothing-bound-tdx": ("tdx", "sha384", drive, lambda t: bytes(48), ["MRCONFIGID is all zero: nothing was bound"]),
    "nothing-bound-snp": ("snp", "sha256", drive, lambda t: bytes(32), ["HOST_DATA is all zero: nothing was bound"]),
    "no-initdata-tdx": ("tdx", "sha384", lambda t: bytes(512), lambda t: bound(t, "sha384", "tdx"), ["MRCONFIGID is ", "and there is no initdata"]),
    "no-initdata-snp": ("snp", "sha256", lambda t: bytes(512), lambda t: bound(t, "sha256", "snp"), ["HOST_DATA is ", "and there is no initdata"]),
    "other-algorithm": ("snp", "sha384", drive, lambda t: bound(t, "sha256", "snp"), ["algorithm is sha384, sha256 is bound by HOST_DATA"]),
    "other-algorithm-tpm": ("tpm", "sha384", drive, None, ["algorithm is sha384, sha256 is bound by PCR 8"]),
    "damaged": ("snp", "sha256", lambda t: drive(t)[:40] + b"\xff" * 40 + drive(t)[80:], lambda t: bound(t, "sha256", "snp"), ["initdata: /dev/vd", "no whole gzip"]),
    "too-long": ("tpm", "sha256", lambda t: drive(t)[:8] + struct.pack("<Q", 1 << 40) + drive(t)[16:], None, ["its header says 1099511627776 bytes; the device has "]),
    "cut": ("tpm", "sha256", lambda t: drive(t)[:512], None, ["bytes; the device has 496, at most 2097152 are taken"]),
    "no-policy-at-all": ("tpm", "sha256", lambda t: bytes(512), None, ["the initramfs has no /etc/plinth/policy.json, and no initdata brings one"]),
    "no-policy-in-it": ("tpm", "sha256", lambda t: drive(initdata()), None, ["and no initdata brings one"]),
    "not-followed": ("tpm", "sha256", lambda t: drive(initdata(cdh_toml='[image]\nimage_security_policy_uri = "kbs:///default/security-policy/test"\n')), None,
                     ["cdh.toml image.image_security_policy_uri is nothing that this build follows"]),
    "kbs-http": ("tpm", "sha256", lambda t: drive(initdata(ANY, aa_toml='[token_configs.kbs]\nurl = "http://192.0.2.1:8080"\n')), None,
                 ["initdata's KBS http://192.0.2.1:8080: anybody on the way could give secrets of his own"]),
    "credentials-elsewhere": ("tpm", "sha256", lambda t: drive(initdata(ANY, cdh_toml='[image]\nauthenticated_registry_credentials_uri = "file:///x"\n')), None,
                              ["authenticated_registry_credentials_uri is 'file:///x', not kbs:///repository/type/tag"]),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_refused(plinth, sim, image_policy, put, why, tmp_path):  # noqa: F811
    kind, algorithm, disk, host, reasons = REFUSALS[why]
    text = initdata(image_policy(), algorithm)
    assert len(drive(text)) > 512
    assert plinth.run("initrd", "-o", tmp_path / "generic").status == 0
    host_data = ["--host-data", host(text).hex()] if host else []
    m = InitdataMachine(plinth, kind, sim, tmp_path, "--initrd", tmp_path / "generic", "--disk", put("disk", disk(text)), *host_data)
    m.refused(*reasons)


def test_two_policies(plinth, sim, image_policy, put, tmp_path):  # noqa: F811
    text = initdata(image_policy(tee=["tpm"]))
    m = InitdataMachine(plinth, "tpm", sim, tmp_path, "--initdata", put("i.toml", text), "--policy", put("policy.json", json.dumps(image_policy()).encode()))
    m.refused("the initramfs has the policy sha256:", "initdata has sha256:")


def test_two_drives(plinth, sim, image_policy, put, tmp_path):  # noqa: F811
    text = initdata(image_policy())
    InitdataMachine(plinth, "tpm", sim, tmp_path, "--initdata", put("i.toml", text), "--disk", put("disk", drive(text))).refused("more than one block device holds initdata")


def test_files_that_are_not_initdata(plinth, put, tmp_path):
    """Told on the host, before anything boots."""
    cases = {b'algorithm = "sha256"\n': "version is", b'version = "0.1.0"\nalgorithm = "sm3"\n': 'algorithm is "sm3"', b"version = 1.0\n": "only strings",
             initdata(policy_rego="package x"): "policy.rego is nothing that this build follows", initdata({"image": 1}): "plinth-policy.json"}
    for content, reason in cases.items():
        for command in (["initrd", "-o", tmp_path / "x"], ["check", "oci:x:v"], ["run"]):
            r = plinth.run(command[0], "--initdata", put("i.toml", content), *command[1:])
            assert r.status == 2 and reason in r.err, (command, reason, r.err)


def test_prediction(plinth, keys, put, tmp_path):
    """The policy inside counts; one beside it must be the same bytes; the event is in the register, and nowhere without initdata."""
    ref = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "l")) + ":v"
    inside, other = policy(keys["builder"]), policy(keys["stranger"])
    path = put("i.toml", initdata(inside))
    with_it, without = plinth.run("check", "--json", "--initdata", path, ref), plinth.check(inside, ref)
    assert with_it.status == without.status == 0 and with_it.json["registers"]["sha384"] != without.json["registers"]["sha384"]
    same = plinth.run("check", "--json", "--initdata", path, "--policy", put("p", json.dumps(inside).encode()), ref)
    assert same.status == 0 and same.json == with_it.json
    r = plinth.run("check", "--initdata", path, "--policy", put("p", json.dumps(other).encode()), ref)
    assert r.status == 2 and "--policy and the policy in --initdata differ" in r.err
    refused = plinth.run("check", "--initdata", put("i.toml", initdata(other)), ref)
    assert refused.status == 1, refused.err
    alone = plinth.run("check", "--initdata", put("i.toml", initdata()), ref)
    assert alone.status == 2 and "--policy FILE is missing" in alone.err
