"""Boots under QEMU with swtpm, a software TPM: what must come up, and what must not. The registry is on this host's loopback, which the
guest reaches as 10.0.2.2."""
import base64
import hashlib
import json
import os
import subprocess
import tarfile

import pytest

from conftest import ROOT
from hostile_registry import Authority, Registry, flip
from image import Image, policy, tar
from test_sbom import spdx
from test_trust import SPDX, Vouched, member

REPOSITORY = "acme/web"


def run(*args, **more):
    return subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, check=True, **more).stdout.decode()


@pytest.fixture(scope="session", params=["stock", "lean"])
def kernel(request, tmp_path_factory):
    """(vmlinuz, modules): Debian's cloud kernel with modules, or ours with everything built in."""
    directory = run(os.path.join(ROOT, "qemu", "parts"), request.param + "-kernel").strip()
    modules = run(os.path.join(ROOT, "qemu", "modules"), directory, tmp_path_factory.mktemp("modules"), "virtio_net", "overlay").split()
    assert (len(modules) > 0) == (request.param == "stock")
    return os.path.join(directory, "vmlinuz"), modules


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("ca")))


@pytest.fixture
def registry(ca):
    with Registry(tls=ca.server("IP:127.0.0.1,IP:10.0.2.2")) as r:
        yield r


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("probe") / "probe")
    run("musl-gcc", "-static", "-Os", "-s", "-o", path, os.path.join(ROOT, "tests", "e2e", "guest_probe", "probe.c"))
    with open(path, "rb") as f:
        return f.read()


def probe_image(probe, kind=Image):
    program = tarfile.TarInfo("bin/probe")
    program.mode = 0o755
    passwd = b"root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n"
    group = b"root:x:0:\nweb:x:1000:\nlog:x:4:web\n"
    sticky = tarfile.TarInfo("tmp")
    sticky.type, sticky.mode = tarfile.DIRTYPE, 0o1777
    lower = [("bin", None), (program, probe), ("etc", None), ("etc/passwd", passwd), ("etc/group", group), sticky,
             ("gone", b"x"), ("opaque", None), ("opaque/old", b"x")]
    upper = [(".wh.gone", b""), ("opaque/.wh..wh..opq", b""), ("opaque/new", b"y"), ("opaque/.wh.nothing", b""), ("tmp/below", b"z")]
    hidden = [("secret", b"below an opaque root")]
    root = tarfile.TarInfo(".")
    root.type, root.mode = tarfile.DIRTYPE, 0o705
    lower = [root, (".wh..wh..opq", b"")] + lower
    return kind(layers=[tar(hidden), tar(lower), tar(upper)], process={"Entrypoint": ["/bin/probe"], "Cmd": ["one", "two", "ls:/opaque"], "User": "web",
                                                    "Env": ["COLOUR=blue"], "WorkingDir": "/srv/app"})


def serve(image, registry, directory):
    registry.add_layout(image.write_layout(str(directory)), REPOSITORY)
    return "10.0.2.2:" + registry.host.split(":")[1] + "/" + REPOSITORY + ":v"


class Machine:
    def __init__(self, plinth, kernel, policy_object, tmp_path):
        vmlinuz, modules = kernel
        self.evidence_path, self.console_path = tmp_path / "evidence.json", tmp_path / "console"
        arguments = [x for m in modules for x in ("--module", m)]
        self.policy_path = plinth.policy(policy_object)
        self.nonce = os.urandom(32).hex()
        self.result = plinth.run("run", "--policy", self.policy_path, "--kernel", vmlinuz, *arguments, "--nonce", self.nonce, "--evidence",
                                 self.evidence_path, "--console", self.console_path, "--timeout", 400, "--json", timeout=500)
        self.console = self.console_path.read_text(errors="replace")
        self.evidence = json.loads(self.evidence_path.read_text()) if self.evidence_path.exists() else None

    def check_quote(self, tmp_path):
        """By tpm2-tools: signature and nonce; and that the quote covers the PCR values given."""
        for name in ("quote", "signature"):
            (tmp_path / name).write_bytes(base64.b64decode(self.evidence[name]))
        (tmp_path / "ak.pem").write_text(self.evidence["ak_public_pem"])
        run("tpm2_checkquote", "-u", tmp_path / "ak.pem", "-m", tmp_path / "quote", "-s", tmp_path / "signature", "-q", self.nonce)
        values = b"".join(bytes.fromhex(self.evidence["pcrs"][bank][str(i)]) for bank in ("sha256", "sha384") for i in range(16))
        assert base64.b64decode(self.evidence["quote"]).endswith(hashlib.sha256(values).digest())
        assert self.evidence["nonce"] == self.nonce

    def log(self, plinth, tmp_path):
        """The agent's own log, after `plinth eventlog` replayed it to the quoted PCR."""
        log = tmp_path / "log"
        log.write_bytes(base64.b64decode(self.evidence["eventlog"]))
        result = plinth.run("eventlog", log)
        assert result.status == 0, result.err
        assert self.evidence["pcrs"]["sha256"]["15"] in result.out and self.evidence["pcrs"]["sha384"]["15"] in result.out
        return log.read_bytes()


def test_boots_measured(plinth, keys, kernel, ca, registry, probe, tmp_path):
    image = probe_image(probe).sign(keys["builder"])
    name = serve(image, registry, tmp_path / "layout")
    root = not kernel[1]  # the image's own user on one kernel, root by the policy's word on the other
    run_as = {"env": {"SIZE": "9"}, **({"user": "0"} if root else {})}
    with open(ca.pem) as f:
        p = policy(keys["builder"], image=name, registry={"ca": f.read()}, tee=["tpm"], run=run_as)
    m = Machine(plinth, kernel, p, tmp_path)
    assert m.evidence, (m.result.err, m.console)
    m.check_quote(tmp_path)
    assert b"plinth separator" in m.log(plinth, tmp_path)

    # The register could be known beforehand, from policy, manifest and config alone.
    predicted = plinth.run("check", "--json", "--policy", m.policy_path, "oci:" + str(tmp_path / "layout") + ":v")
    assert predicted.status == 0, predicted.err
    assert predicted.json["register"] == m.evidence["pcrs"]["sha256"]["15"]
    assert predicted.json["registers"]["sha384"] == m.evidence["pcrs"]["sha384"]["15"]

    saw = dict(line[len("probe."):].split("=", 1) for line in m.console.splitlines() if line.startswith("probe."))
    assert saw["end"] == "1", m.console
    user = "0" if root else "1000"
    capabilities = "00000000a80425fb"  # Docker's default set
    wanted = {"pid": "1", "uid": f"{user} {user}", "gid": f"{user} {user}", "groups": "0" if root else "4 1000", "cwd": "/srv/app",
              "arg.0": "/bin/probe", "arg.1": "one", "arg.2": "two", "env.0": "COLOUR=blue", "env.1": "SIZE=9", "stdin": "end",
              "NoNewPrivs": "1", "CapBnd": capabilities, "CapEff": capabilities if root else "0" * 16, "CapAmb": "0" * 16,
              "path:/dev/tpm0": "(No such file or directory)", "path:/dev/tpmrm0": "(No such file or directory)",
              "path:/init": "(No such file or directory)", "write:/proc/sys/kernel/hostname": "Read-only file system" if root else "Permission denied",
              "write:/run/plinth/x": "Read-only file system", "write:/sys/fs/cgroup": "Read-only file system", "sethostname": "Operation not permitted",
              "write:/tmp/x": "ok", "pty": "ok", "run.plinth": "eventlog evidence.json"}
    assert {k: saw.get(k) for k in wanted} == wanted
    assert saw["mount"] == "Operation not permitted" and "ok" not in saw["node:/tmp/tpm"].split(", open ")[1]
    assert saw["path:/tmp"].endswith("mode 1777 owner 0:0"), "a layer that does not list /tmp leaves its mode alone"
    assert "opaque" in saw["root"].split() and not {"gone", "secret"} & set(saw["root"].split())
    assert saw["path:/"].endswith("mode 705 owner 0:0")
    assert saw["ls:/opaque"] == "new"


REFUSALS = {
    "unsigned": (lambda image, registry, keys: None, "no signature"),
    "other-key": (lambda image, registry, keys: image.sign(keys["stranger"]), "outside the policy"),
    "layer-flipped": (lambda image, registry, keys: (image.sign(keys["builder"]),
                                                      registry.on(image.layers[0]["digest"], flip(100))), "digest is"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_boot_refused(plinth, keys, kernel, ca, registry, probe, tmp_path, why):
    image = probe_image(probe)
    alter, reason = REFUSALS[why]
    alter(image, registry, keys)
    name = serve(image, registry, tmp_path / "layout")
    with open(ca.pem) as f:
        p = policy(keys["builder"], image=name, registry={"ca": f.read()})
    m = Machine(plinth, kernel, p, tmp_path)
    assert m.result.status == 1, (m.result.out, m.result.err, m.console)
    assert reason in m.result.err and reason in m.console
    assert "probe." not in m.console, "something of the image ran"
    m.check_quote(tmp_path)
    log = m.log(plinth, tmp_path)
    assert b"plinth failure" in log and reason.encode() in log
    assert b"plinth separator" not in log


@pytest.mark.parametrize("kernel", ["stock"], indirect=True)
@pytest.mark.parametrize("same", [True, False], ids=["as-listed", "changed"])
def test_boot_sbom(plinth, keys, kernel, ca, registry, probe, tmp_path, same):
    """The signed SBOM is held against the joined layers before launch and separator are measured."""
    files = {"bin/probe": probe if same else probe + b"!", "opaque/new": b"y"}
    image = probe_image(probe, Vouched).tag(keys["builder"]).attest(keys["auditor"], SPDX, spdx(files))
    registry.add_layout(image.write(tmp_path)[len("oci:"):-len(":v")], REPOSITORY)
    with open(ca.pem) as f:
        p = policy(keys["builder"], image="10.0.2.2:" + registry.host.split(":")[1] + "/" + REPOSITORY + ":v", registry={"ca": f.read()},
                   attestations=[{"predicateType": SPDX, "keys": [member(keys["auditor"])]}], sbom={"matchRootfs": True}, run={"user": "0"})
    m = Machine(plinth, kernel, p, tmp_path)
    m.check_quote(tmp_path)
    log = m.log(plinth, tmp_path)
    if same:
        assert "SBOM: 2 as listed, 0 missing, 0 changed, 3 unlisted" in m.console and "probe.end=1" in m.console, m.console
        assert b"plinth separator" in log
    else:
        assert m.result.status == 1 and "/bin/probe is changed: sha256:" in m.result.err, m.result.err
        assert "probe." not in m.console and b"plinth failure" in log and b"plinth separator" not in log
