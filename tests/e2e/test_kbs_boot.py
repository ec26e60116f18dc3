"""Boots under QEMU that ask a key broker: for the policy, the registry's CA and credentials. The KBS is kbs.py on this host's loopback, which the
guest reaches as 10.0.2.2; TDX is qemu/simtee, a SIMULATED TEE, the TPM is swtpm, a software TPM."""
import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess

import pytest

import tee
from conftest import PLINTH
from hostile_registry import Basic
from image import policy
from kbs import Kbs
from test_boot import ca, probe, probe_image, registry, run, serve  # noqa: F401 (fixtures)
from test_initdata import InitdataMachine, initdata
from test_simtee import part, sim  # noqa: F401
from test_tee import TeeMachine
from test_verify import CMDLINE

PASSWORD = "Wachtelkoenig-7731"
AUTH = "kbs:///acme/registry/auth"


def away(kbs):
    return kbs.url.replace("127.0.0.1", "10.0.2.2")


@pytest.fixture
def image(keys, registry, probe, tmp_path):  # noqa: F811
    """Its reference in a registry that gives nothing without the password."""
    name = serve(probe_image(probe).sign(keys["builder"]), registry, tmp_path / "layout")
    registry.on("/v2/", Basic("anna", PASSWORD))
    return name


def auth_json(image):
    auths = {image.split("/")[0]: base64.b64encode(b"anna:wrong").decode(), image.rsplit(":", 1)[0]: base64.b64encode(f"anna:{PASSWORD}".encode()).decode()}
    return json.dumps({"auths": {k: {"auth": v} for k, v in auths.items()}}).encode()


@pytest.fixture
def tls(ca):  # noqa: F811
    return ca.server("IP:127.0.0.1,IP:10.0.2.2")


def secretless(m):
    assert PASSWORD not in m.console and base64.b64encode(PASSWORD.encode()).decode()[2:-4] not in m.console
    assert PASSWORD.encode() not in tee.decode(m.evidence["eventlog"])


def events(log):
    return re.findall(rb"plinth ([a-z]+) |PullImage", log)


def test_credentials_from_a_kbs(plinth, keys, ca, image, registry, sim, tls, tmp_path, capsys):  # noqa: F811
    """A software TPM towards what answers as `plinth serve` does."""
    with Kbs({"acme/registry/auth": auth_json(image)}, plinth="0.1.0", tls=tls) as kbs, open(ca.pem) as f:
        pem = f.read()
        p = policy(keys["builder"], image=image, registry={"ca": pem, "auth": AUTH}, kbs={"url": away(kbs), "ca": pem}, tee=["tpm"])
        m = TeeMachine(plinth, "tpm", sim, p, tmp_path)
        assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
        secretless(m)
        a, = kbs.attestations
        assert a.evidence["tee"] == "tpm" and bytes.fromhex(a.evidence["nonce"]) == b"plinth-k" + a.report_data[:24] and kbs.given == ["acme/registry/auth"]
        assert a.evidence["manifest"] == "sha256:" + "0" * 64  # nothing was resolved yet
        assert events(tee.decode(a.evidence["eventlog"])) == [b"boot", b"policy"]
        # the credential is in no event, so the register is the one of any other
        assert b"plinth resource" not in tee.decode(m.evidence["eventlog"])
        began, ended = (float(re.search(rf"\[ *([0-9.]+)\] plinth: {w}", m.console).group(1)) for w in ("resources", "resolve"))
        with capsys.disabled():
            print(f"\nattest and first secret in a boot (TCG, software TPM): {len(kbs.requests)} requests, {1000 * (ended - began):.0f} ms")


def test_everything_from_a_kbs(plinth, keys, ca, image, registry, sim, tls, tmp_path):  # noqa: F811
    """Initdata as Confidential Containers write it names a KBS as Trustee is; the policy that counts, CA and credentials come from there."""
    with Kbs(tls=tls) as kbs, open(ca.pem) as f:
        pem = f.read()
        kbs.resources["acme/policy/web"] = json.dumps(policy(keys["builder"], image=image, registry={"ca": "kbs:///acme/registry/ca", "allowHttp": True})).encode()
        kbs.resources["acme/registry/ca"] = pem.encode()
        kbs.resources["acme/registry/auth"] = auth_json(image)
        first = {"kbs": {"policy": "kbs:///acme/policy/web"}, "tee": ["tdx"]}
        aa = f'[token_configs]\n[token_configs.kbs]\nurl = "{away(kbs)}"\ncert = """\n{pem}"""\n'
        cdh = f'[kbc]\nname = "cc_kbc"\nurl = "{away(kbs)}"\n[image]\nauthenticated_registry_credentials_uri = "{AUTH}"\n'
        text = initdata(first, "sha384", aa_toml=aa, cdh_toml=cdh)
        (tmp_path / "initdata.toml").write_bytes(text)
        m = InitdataMachine(plinth, "tdx", sim, tmp_path, "--initdata", tmp_path / "initdata.toml")
        assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
        secretless(m)
        assert kbs.given == ["acme/policy/web", "acme/registry/ca", "acme/registry/auth"]
        a, = kbs.attestations
        assert a.initdata == {"format": "toml", "body": text.decode()} and a.bound() == a.report_data
        assert events(base64.b64decode(a.evidence["cc_eventlog"])) == [b"boot", b"initdata", b"policy"]
        log = tee.decode(m.evidence["eventlog"])
        assert events(log)[:6] == [b"boot", b"initdata", b"policy", b"policy", b"weaknesses", b"resource"] and log.count(b"plinth resource") == 1
        assert b'"uri":"kbs:///acme/policy/web"' in log and b'"uri":"kbs:///acme/registry/ca"' in log

        # known beforehand, from the same resources in a directory
        for name, content in kbs.resources.items():
            path = tmp_path / "secrets" / name
            os.makedirs(path.parent, exist_ok=True)
            path.write_bytes(content)
        predicted = plinth.run("check", "--json", "--initdata", tmp_path / "initdata.toml", "--secrets", tmp_path / "secrets",
                               "oci:" + str(tmp_path / "layout") + ":v")
        assert predicted.status == 0, predicted.err
        assert predicted.json["registers"]["sha384"] == m.evidence["register"]["sha384"]


def test_a_policy_is_measured_before_it_is_read(plinth, ca, sim, tls, tmp_path):  # noqa: F811
    text = b'{"signatures": no policy'
    with Kbs({"acme/policy/web": text}, plinth="0.1.0", tls=tls) as kbs, open(ca.pem) as f:
        m = TeeMachine(plinth, "tpm", sim, {"kbs": {"url": away(kbs), "ca": f.read(), "policy": "kbs:///acme/policy/web"}, "tee": ["tpm"]}, tmp_path)
        log = tee.decode(m.evidence["eventlog"])
        assert m.result.status == 1 and "kbs:///acme/policy/web" in m.result.err, m.result.err
        assert events(log) == [b"boot", b"policy", b"policy", b"failure"] and hashlib.sha256(text).hexdigest().encode() in log


def test_a_kbs_that_denies(plinth, keys, ca, image, registry, sim, tls, tmp_path):  # noqa: F811
    with Kbs({"acme/registry/auth": auth_json(image)}, tls=tls) as kbs, open(ca.pem) as f:
        pem = f.read()
        kbs.release = lambda attestation, path: False
        p = policy(keys["builder"], image=image, registry={"ca": pem, "auth": AUTH}, kbs={"url": away(kbs), "ca": pem}, tee=["tdx"])
        m = TeeMachine(plinth, "tdx", sim, p, tmp_path)
        assert m.result.status == 1 and "denied by the KBS at 10.0.2.2" in m.result.err and AUTH in m.result.err, m.result.err
        assert "probe." not in m.console and not registry.requests and not kbs.given
        assert b"plinth failure" in tee.decode(m.evidence["eventlog"]) and len(kbs.attestations) == 3


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def plinth_serve(directory, port, tls, reference, resources):
    """The relying party on this host; gives its audit log. A fresh software TPM's AK is known to nobody, hence --allow."""
    for name, content in resources.items():
        path = directory / "served" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (directory / "reference.json").write_text(json.dumps(reference))
    p = subprocess.Popen([PLINTH, "serve", "--listen", f"127.0.0.1:{port}", "--cert", tls[0], "--key", tls[1], "--reference", directory / "reference.json",
                          "--secrets", directory / "served", "--allow", "ak-known", "--audit", directory / "audit.log"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = p.stdout.readline()
        while line and not line.startswith("listening "):
            line = p.stdout.readline()
        assert line, p.wait()
        yield lambda: [json.loads(entry) for entry in (directory / "audit.log").read_text().splitlines()]
    finally:
        p.terminate()
        p.wait(20)


def test_plinth_serve_gives_credentials(plinth, keys, ca, image, registry, sim, tls, tmp_path):  # noqa: F811
    """Both sides are Plinth's: the register of a boot that has only begun is a beginning of the one expected."""
    port = free_port()
    with open(ca.pem) as f:
        pem = f.read()
    p = policy(keys["builder"], image=image, registry={"ca": pem, "auth": AUTH}, kbs={"url": f"https://10.0.2.2:{port}", "ca": pem}, tee=["tpm"])
    path, initrd, kernel = plinth.policy(p), tmp_path / "initrd.img", os.path.join(part("lean-kernel"), "vmlinuz")
    assert plinth.run("initrd", "--policy", path, "-o", initrd).status == 0
    resources = {"acme/registry/auth": auth_json(image)}
    predicted = plinth.run("measure", "tpm", "--kernel", kernel, "--initrd", initrd, "--cmdline", CMDLINE, "--policy", path, "--image",
                           "oci:" + str(tmp_path / "layout") + ":v", "--json")
    assert predicted.status == 0, predicted.err
    with plinth_serve(tmp_path, port, tls, predicted.json, resources) as audit:
        m = TeeMachine(plinth, "tpm", sim, p, tmp_path, kernel=kernel)
        assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:], audit())
        secretless(m)
        assert [(e["what"], e["verdict"]) for e in audit()] == [("attest", "attested"), ("resource acme/registry/auth", "released")]
        # the same machine with another command line gets nothing
        other = TeeMachine(plinth, "tpm", sim, p, tmp_path, "--append", "more=1", kernel=kernel)
        assert other.result.status == 1 and "denied by the KBS at 10.0.2.2" in other.result.err and "probe." not in other.console, other.result.err
        assert [e["verdict"] for e in audit()[2:]] == ["refused"] * 3 and all("PCR 9" in e["reason"] for e in audit()[2:])
