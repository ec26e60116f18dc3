"""The publisher's workflow of qemu/publish, up to the boot: what it signed is accepted, and with anything less it is not. The boot
itself is test_boot.py's matter."""
import json
import os
import ssl
import subprocess
import urllib.request

import pytest

from conftest import ROOT


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """(folder, what was printed): all that the script made, with its registry still running."""
    folder = str(tmp_path_factory.mktemp("publish") / "work")
    registry = os.path.join(ROOT, "qemu", "registry")
    try:
        p = subprocess.run([os.path.join(ROOT, "qemu", "publish"), folder],
                           env={**os.environ, "NOBOOT": "1", "KEEP": "1", "SBOM": "debsbom"}, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        assert p.returncode == 0, p.stdout.decode() + p.stderr.decode()
        yield folder, p.stdout.decode()
    finally:
        subprocess.run([registry, "stop", os.path.join(folder, "registry")], check=True)


@pytest.fixture(scope="module")
def folder(published):
    return published[0]


def load(folder, name="policy.json"):
    with open(os.path.join(folder, name)) as f:
        return json.load(f)


def image(folder):
    with open(os.path.join(folder, "registry", "port")) as f:
        return f"docker://127.0.0.1:{f.read().strip()}/demo/nginx:1"


def refused(plinth, folder, policy, *has):
    r = plinth.check(policy, image(folder))
    assert r.status == 1, (r.status, r.out, r.err)
    assert r.json["verdict"] == "refused" and r.json["mend"], r.out
    for text in has:
        assert text in r.json["reason"], r.json["reason"]


def test_accepted(plinth, folder):
    r = plinth.check(load(folder), image(folder))
    assert r.status == 0, r.err
    signed = {s["key"]: s["form"] for s in r.json["signatures"]}
    attested = {a["key"]: a["form"] for a in r.json["attestations"]}
    assert signed == {"builder": "tag", "auditor": "bundle"}
    assert attested == {"builder": "dsse", "auditor": "bundle"}


def test_printed(published):
    """The forms that work, the two of the tutorials that do not, and the refusal with one signature missing."""
    out = published[1]
    for text in ("invalid predicate type: sbom", "--type spdxjson", "nvalid recipient format", "--encryption-key jwe:layers.pub",
                 "not signed by 'auditor'", "signed by auditor (bundle)", "SPDX-2.3", "plinth check: both signatures"):
        assert text in out, out


def test_reference_values(plinth, folder):
    """What to expect of a machine with this image lies beside it, signed by the auditor; recorded evidence of another is not that."""
    evidence = os.path.join(ROOT, "tests", "unit", "vectors", "evidence", "tpm.json")
    r = plinth.run("verify", "--reference", image(folder), "--policy", os.path.join(folder, "verifier.json"), "--allow", "ak-known", "--json", evidence)
    assert r.status == 1 and r.json["reason"].startswith("reference-values: tpm: PCR "), (r.out, r.err)
    assert r.json["published"] == {"image": load(folder, "check.json")["manifest"], "signers": "'auditor'"}
    by_builder = load(folder, "verifier.json")
    by_builder["attestations"][1]["keys"] = by_builder["signatures"]["keys"][:1]
    r = plinth.run("verify", "--reference", image(folder), "--policy", plinth.policy(by_builder), "--json", evidence)
    assert r.status == 1 and "0 of 1 required attestations urn:plinth:reference:v1" in r.json["reason"], (r.out, r.err)


def test_sbom(folder):
    """Every package of the image is in it, at its version."""
    with open(os.path.join(folder, "packages")) as f:
        packages = [dict(line.split(": ", 1) for line in p.splitlines() if not line.startswith(" ") and ": " in line)
                    for p in f.read().split("\n\n") if p.strip()]
    listed = {(p["name"], p.get("versionInfo")) for p in load(folder, "sbom.spdx.json")["packages"]}
    assert len(packages) > 10
    assert {(p["Package"], p["Version"]) for p in packages} <= listed


def test_third_party_missing(plinth, folder, keys):
    policy = load(folder)
    policy["signatures"]["keys"].append({"name": "collaborator", "pem": keys["stranger"].pem})
    policy["signatures"]["threshold"] = 3
    refused(plinth, folder, policy, "2 of 3", "collaborator")


def test_another_auditor(plinth, folder, keys):
    policy = load(folder)
    policy["signatures"]["keys"][1] = {"name": "other", "pem": keys["stranger"].pem}
    refused(plinth, folder, policy, "1 of 2", "other")


def test_predicate_requirement(plinth, folder):
    policy = load(folder)
    policy["attestations"][0]["require"][0]["equals"] = "SPDX-3.0"
    refused(plinth, folder, policy, "/spdxVersion")


def test_signature_removed(plinth, folder):
    """Last, since it changes the registry: the builder's tag goes, the auditor's bundle stays."""
    base = image(folder).replace("docker://", "https://").replace("/demo/nginx:1", "/v2/demo/nginx/manifests/")
    with open(os.path.join(folder, "digest")) as f:
        tag = f.read().strip().replace(":", "-") + ".sig"
    context = ssl.create_default_context(cafile=os.path.join(folder, "registry", "ca.pem"))
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(base + tag, headers=accept), context=context) as r:
        digest = r.headers["Docker-Content-Digest"]
    with urllib.request.urlopen(urllib.request.Request(base + digest, method="DELETE"), context=context) as r:
        assert r.status == 202
    refused(plinth, folder, load(folder), "1 of 2", "builder")
