"""Secrets of the workload (run.secrets), from a mock KBS into a container, and nowhere else. The machine is a SIMULATED SEV-SNP guest (NOT A
TEE), for its speed: this host can read its memory, which is what the last search wants.

What is searched, and for what:
    by the container, as root: every regular file below / (with /proc, /sys, /run), other processes' memory, the kernel's log where it may be
          read: for the secrets
    here: console, evidence, its event log, what `plinth run` says, all that the KBS was sent: for secrets and keys
    here: the guest's whole RAM after launch, as QEMU holds it: for the keys of layers and secrets and the private key of the KBS protocol,
          which are gone; and for the files, which are there once. That the same search finds them while they are needed is shown by RAM
          read at that moment (the last key is recognised by its public half, the only thing of it that leaves the guest).
Not covered: registers, the host's own copies (the mock KBS), intermediate values of arithmetic."""
import base64
import json
import os
import re
import signal
import subprocess
import tarfile
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import PLINTH, ROOT
from hostile_registry import Authority, Registry
from image import Image, dumps, policy, tar
from kbs import Kbs, b64url, seal, unb64url
from ocicrypt import Encrypted, encrypt
from sealed import Signer
from test_boot import run, serve
from test_simtee import sim  # noqa: F401 (fixture)

FILE, VAULT, ENVELOPE = (f"{name}:{os.urandom(24).hex()}".encode() for name in ("file", "vault", "envelope"))
KEY, KEK = os.urandom(32), os.urandom(32)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("ca")))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("probe") / "secrets")
    run("musl-gcc", "-static", "-Os", "-s", "-o", path, os.path.join(ROOT, "tests", "e2e", "guest_probe", "secrets.c"))
    with open(path, "rb") as f:
        return f.read()


@pytest.fixture
def world(ca, keys, program, tmp_path):
    """A signed image, the registry, the KBS with its resources, and policies over them."""
    binary = tarfile.TarInfo("bin/secrets")
    binary.mode = 0o755
    passwd = b"root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n"
    image = Image([tar([("etc", None), ("etc/passwd", passwd), ("etc/group", b"root:x:0:\nlog:x:4:web\n")]), tar([("bin", None), (binary, program)])],
                  process={"Entrypoint": ["/bin/secrets"], "Env": ["PLAIN=public"]})
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": b64url(point.x.to_bytes(32, "big")), "y": b64url(point.y.to_bytes(32, "big"))}
    layers = [Encrypted(image.blobs[d["digest"]]) for d in image.layers]
    encrypt(image, 0, layers[0], jwe=base64.b64encode(dumps(seal(dumps(layers[0].private), jwk))).decode())
    encrypt(image, 1, layers[1], provider=layers[1].packet(KEK, "kbs:///acme/layers/kek"))
    image.sign(keys["builder"])
    tls = ca.server("IP:127.0.0.1,IP:10.0.2.2")
    with Registry(tls=tls) as registry, Kbs(plinth="0.1.0", tls=tls) as kbs:
        name = serve(image, registry, tmp_path / "layout")
        signer = Signer("kbs:///acme/signer/1")
        pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        kbs.resources = {"acme/file/1": FILE, "acme/vault/1": VAULT, "acme/key/1": KEY, "acme/signer/1": signer.jwk(), "acme/layers/kek": KEK,
                         "acme/layers/private": pem}
        kbs.layer_keys = {"private": private.private_numbers().private_value.to_bytes(32, "big"), "layer 0": layers[0].symkey, "kek": KEK,
                          "layer 1": layers[1].symkey}
        kbs.signer_of_secrets = signer
        pem = ca.bytes().decode()
        kbs.policy = lambda secrets, **more: policy(
            keys["builder"], image=name, registry={"ca": pem}, kbs={"url": kbs.url.replace("127.0.0.1", "10.0.2.2"), "ca": pem}, decrypt={"keys": ["kbs:///acme/layers/private"]},
            run={"args": ["/bin/secrets", "plain", "vault", "$TOKEN"], "secrets": secrets, **more})
        yield kbs


class Machine:
    """`plinth run` as long as it is needed; `until` gives the console once `text` is there."""

    def __init__(self, plinth, sim, policy_object, tmp_path):  # noqa: F811
        self.console_path, self.evidence_path, self.said = tmp_path / "console", tmp_path / "evidence.json", tmp_path / "said"
        self.policy_path = plinth.policy(policy_object)
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen([PLINTH, "run", "--policy", self.policy_path, "--kernel", sim[0], "--tee", "snp", "--simulate", sim[1],
                                             "--memory", "512", "--evidence", str(self.evidence_path), "--console", str(self.console_path)],
                                            stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def until(self, text, seconds=180):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            console = self.console_path.read_bytes() if self.console_path.exists() else b""
            if text in console:
                return console
            assert not ended, (console.decode(errors="replace"), self.said.read_text())
            time.sleep(0.2)
        raise AssertionError(console.decode(errors="replace"))

    def ram(self):
        """(file of /proc, where RAM is mapped, its end): QEMU's mapping of just that size."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            children = f.read().split()
        qemu, = [c for c in children if b"qemu-system" in open(f"/proc/{c}/cmdline", "rb").read()]
        ranges = [[int(x, 16) for x in line.split()[0].split("-")] for line in open(f"/proc/{qemu}/maps")]
        (start, end), = [r for r in ranges if r[1] - r[0] == 512 << 20]
        return f"/proc/{qemu}/mem", start, end

    def search(self, needles):
        """{name: [addresses]} of the needles in RAM."""
        path, start, end = self.ram()
        found, size, overlap = {name: [] for name in needles}, 16 << 20, 4096
        with open(path, "rb", buffering=0) as f:
            for at in range(start, end, size):
                f.seek(at)
                piece = f.read(min(size + overlap, end - at))
                for name, needle in needles.items():
                    i = piece.find(needle)
                    while i >= 0:
                        if i < size:
                            found[name].append(at + i)
                        i = piece.find(needle, i + 1)
        return found

    def read(self, at, n):
        with open(self.ram()[0], "rb", buffering=0) as f:
            f.seek(at)
            return f.read(n)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()


def fnv(data):
    h = 0xcbf29ce484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001b3 % 2**64
    return f"{h:016x}"


def private_half(machine, jwk):
    """The scalar whose public key is `jwk`, found in RAM near the raw coordinates."""
    x, y = unb64url(jwk["x"]), unb64url(jwk["y"])
    for at in machine.search({"x": x + y})["x"]:
        near = machine.read(at - 2048, 4096)
        for i in range(len(near) - 31):
            d = int.from_bytes(near[i:i + 32], "big")
            if near[i:i + 32].count(0) > 8 or not 0 < d < 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551:
                continue
            if ec.derive_private_key(d, ec.SECP256R1()).public_key().public_numbers().x == int.from_bytes(x, "big"):
                return near[i:i + 32]
    return None


def seen_by(console):
    text = console.decode(errors="replace").replace("\r", "")
    seen = dict(re.findall(r"^probe\.([^=\n]+)=(.*)$", text, re.M))
    seen["found"] = sorted(re.findall(r"^probe\.found=(.*)$", text, re.M))
    seen["process"] = re.findall(r"^probe\.process=(.*)$", text, re.M)
    return seen


@pytest.mark.parametrize("mode", ["exec", "supervise"])
def test_secrets_are_where_the_policy_puts_them(plinth, sim, world, tmp_path, mode):  # noqa: F811
    signer, during = world.signer_of_secrets, {}
    secrets = [{"uri": "kbs:///acme/file/1", "file": "plain", "mode": "0440", "owner": "web:log"},
               {"sealed": signer.vault("kbs:///acme/vault/1"), "file": "vault"},
               {"env": "TOKEN"}]
    sealed = signer.envelope("kbs:///acme/key/1", KEY, ENVELOPE)

    def release(attestation, path):
        """Of the layers' keys the second wrapping key is asked for last, of the secrets the envelope's: by then the machine has all else."""
        if path == "acme/layers/kek":
            during["layers"] = machine.search({name: world.layer_keys[name] for name in ("private", "layer 0")})
        if path == "acme/key/1":
            during["jwk"] = attestation.jwk
            during["d"] = private_half(machine, attestation.jwk)
            during["found"] = machine.search({"file": FILE})
        return True
    world.release = release
    machine = Machine(plinth, sim, world.policy(secrets, mode=mode, env={"TOKEN": sealed}), tmp_path)
    try:
        console = machine.until(b"probe.end=1")
        seen = seen_by(console)

        # What the container got.
        assert seen["plain"] == f"mode 440 owner 1000:4 {len(FILE)} bytes {fnv(FILE)}"
        assert seen["vault"] == f"mode 400 owner 0:0 {len(VAULT)} bytes {fnv(VAULT)}"
        assert seen["$TOKEN"] == f"{len(ENVELOPE)} bytes {fnv(ENVELOPE)}"

        # What it found. That it can find: the files themselves, and what it planted.
        own = [f"/proc/{who}/environ" for who in ("1", "1/task/1")]
        assert seen["found"] == sorted(["plain in /run/secrets/plain", "vault in /run/secrets/vault", *(f"$TOKEN in {p}" for p in own),
                                        *(f"{n} in /tmp/planted" for n in ("plain", "vault", "$TOKEN"))])
        assert seen["process"] == [] and int(seen["log"]) != 0 and int(seen["searched"].split()[0]) > 1000, seen

        # What left the machine.
        evidence = json.loads(machine.evidence_path.read_text())
        outside = {"console": console, "evidence": machine.evidence_path.read_bytes(), "log": base64.b64decode(evidence["eventlog"]),
                   "plinth run": machine.said.read_bytes(), "KBS": b"".join(r.path.encode() + repr(r.headers).encode() + r.body for r in world.requests)}
        assert b"plinth separator" in outside["log"] and b"tee-pubkey" in outside["KBS"]
        assert during["d"], "the private key is not where it was looked for: the search says nothing"
        gone = {"d": during["d"], "key": KEY, **world.layer_keys}
        for where, text in outside.items():
            for name, secret in (("file", FILE), ("vault", VAULT), ("envelope", ENVELOPE), *gone.items()):
                for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:-4], base64.urlsafe_b64encode(secret)[:-4]):
                    assert form not in text, (name, where)

        # What is in RAM, then and now.
        assert during["found"]["file"] and all(during["layers"].values()), "the search in RAM does not find what must be there"
        now = machine.search({**gone, "file": FILE, "vault": VAULT, "envelope": ENVELOPE})
        assert not any(now[name] for name in gone), now
        assert len(now["file"]) == len(now["vault"]) == 1 and now["envelope"], now  # the files' pages; the process's environment

        # The register knows nothing of them either: it is what the host predicted, which has no secrets.
        predicted = plinth.run("check", "--json", "--policy", machine.policy_path, "oci:" + str(tmp_path / "layout") + ":v")
        assert predicted.json["registers"]["sha384"] == evidence["register"]["sha384"], predicted.err
        assert predicted.json["secrets"] == ["kbs:///acme/file/1"]
    finally:
        machine.stop()


@pytest.mark.parametrize("secrets, says", [
    ([{"uri": "kbs:///acme/file/1", "file": "plain"}, {"uri": "kbs:///acme/none/1", "env": "TOKEN"}], "run.secrets[1], variable TOKEN"),
])
def test_denied(plinth, sim, world, tmp_path, secrets, says):  # noqa: F811
    """One missing is enough: nothing is launched, the failure is measured, and says which."""
    machine = Machine(plinth, sim, world.policy(secrets), tmp_path)
    try:
        assert machine.process.wait(180) == 1, machine.said.read_text()
        console = machine.console_path.read_text(errors="replace")
        assert "refused" in console and says in console and "denied by the KBS" in console and says in machine.said.read_text(), console
        assert "probe." not in console and FILE.decode() not in console + machine.said.read_text()
        assert world.given.count("acme/file/1") == 1  # which did not help
    finally:
        machine.stop()


def test_check_tells_what_will_be_asked_for(plinth, keys, tmp_path):
    """On the host, which asks nobody."""
    layout = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "layout")) + ":v"
    p = policy(keys["builder"], kbs={"url": "https://kbs.example"}, run={"secrets": [
        {"uri": "kbs:///acme/db/password", "env": "DB_PASSWORD"}, {"uri": "kbs:///acme/tls/key", "file": "key.pem"},
        {"sealed": Signer("kbs:///acme/signer/1").vault("kbs:///acme/a/b"), "file": "a"}, {"env": "TOKEN"}]})
    r = plinth.check(p, layout)
    assert r.status == 0 and r.json["secrets"] == ["kbs:///acme/db/password", "kbs:///acme/tls/key"], (r.out, r.err)
    r = plinth.run("check", "--policy", plinth.policy(p), layout)
    for line in ("secret    DB_PASSWORD from kbs:///acme/db/password", "secret    /run/secrets/key.pem from kbs:///acme/tls/key",
                 "secret    /run/secrets/a from a sealed secret", "secret    TOKEN from the sealed value of that variable"):
        assert line in r.out.splitlines(), r.out
