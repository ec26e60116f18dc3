"""plinth verify --reference IMAGE --policy FILE: reference values that their publisher signed and keeps beside the image. What cosign 2 and 3
push to a registry; then everything that is not to be believed, in OCI layouts. The evidence is recorded (a software TPM's)."""
import copy
import json
import os
import subprocess

import pytest

from conftest import ROOT
from image import policy
from test_trust import SPDX, Vouched, member
from test_verify import OTHER, known, load

TYPE = "urn:plinth:reference:v1"
EVIDENCE = os.path.join(ROOT, "tests", "unit", "vectors", "evidence", "tpm.json")
MANIFEST = load("tpm.json")["manifest"]


def reference(**more):
    """Reference values for the recorded evidence, which is of another image than the small one here: so it is named."""
    return known(load("tpm-reference.json"), load("tpm.json"), images=[MANIFEST], **more)


def rules(*keys, signed, **entry):
    return policy(signed, attestations=[{"predicateType": TYPE, "keys": [member(k) for k in keys], **entry}])


@pytest.fixture
def verify(plinth):
    def run(image, policy, status=0, reason=None, mend=None):
        args = [] if policy is None else ["--policy", plinth.policy(policy)]
        r = plinth.run("verify", "--reference", image, *args, "--nonce", load("tpm.json")["nonce"], "--json", EVIDENCE)
        assert r.status == status and r.json["verdict"] == ("accepted", "refused", "error")[status], (r.out, r.err)
        assert reason is None or reason in r.json["reason"], r.json["reason"]
        assert mend is None or mend in r.json["mend"], r.json["mend"]
        if status:
            assert r.err.startswith("plinth: ")
        return r.json
    return run


@pytest.fixture
def attested(verify, keys, tmp_path):
    """attested(what, rules, ...): an image signed by 'builder' beside which there is each of `what`: (key, predicate[, type, form])."""
    def run(what, policy, *args, **more):
        image = Vouched().tag(keys["builder"])
        for key, predicate, *rest in what:
            kind, form = (*rest, *(TYPE, "attest")[len(rest):])
            getattr(image, form)(key, kind, predicate)
        return image, verify(image.write(tmp_path), policy, *args, **more)
    return run


# ---- what cosign pushes ----

@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """(reference, policies by the keys' names): an image in docker-registry; 'two' attested with cosign 2, 'three' with cosign 3."""
    folder = str(tmp_path_factory.mktemp("published"))
    path = lambda name: os.path.join(folder, name)  # noqa: E731
    qemu = lambda *args: subprocess.run([os.path.join(ROOT, "qemu", args[0]), *args[1:]], check=True, stdin=subprocess.DEVNULL,  # noqa: E731
                                        stdout=subprocess.PIPE).stdout.decode().strip()
    started = dict(line.split("=", 1) for line in qemu("registry", "start", path("registry")).splitlines())
    try:
        image = Vouched()
        image.write_layout(path("layout"))
        assert qemu("registry", "push", path("registry"), path("layout") + ":v", "app:1") == image.digest
        with open(path("reference.json"), "w") as f:
            json.dump(reference(), f)
        name = "127.0.0.1:" + started["PORT"] + "/app"
        cosign = {"two": qemu("parts", "cosign"), "three": qemu("parts", "cosign3")}
        env = {**os.environ, "COSIGN_PASSWORD": "", "TUF_ROOT": path("tuf"), "SSL_CERT_FILE": started["CA"], "DOCKER_CONFIG": path("registry/docker")}

        def run(who, *args):
            p = subprocess.run([cosign[who], *args], env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert p.returncode == 0, p.stdout.decode()
        run("three", "signing-config", "create", "--out", "none.json")
        policies = {}
        with open(started["CA"]) as f:
            ca = f.read()
        for who, args in (("two", ["--tlog-upload=false"]), ("three", ["--signing-config", "none.json"]), ("stranger", None)):
            run("two", "generate-key-pair", "--output-key-prefix", who)
            if args:
                run(who, "attest", "--key", who + ".key", *args, "-y", "--type", TYPE, "--predicate", "reference.json", f"{name}@{image.digest}")
            with open(path(who + ".pub")) as f:
                key = {"name": who, "pem": f.read()}
            policies[who] = {"registry": {"ca": ca}, "signatures": {"allowUnsigned": True}, "attestations": [{"predicateType": TYPE, "keys": [key]}]}
        yield f"docker://{name}", image.digest, policies
    finally:
        qemu("registry", "stop", path("registry"))


@pytest.mark.parametrize("who", ["two", "three"])
def test_cosign(verify, pushed, who):
    name, digest, policies = pushed
    for image in (name + ":1", f"{name}@{digest}", f"{name}:1@{digest}"):
        r = verify(image, policies[who])
        assert r["published"] == {"image": digest, "signers": f"'{who}'"} and r["manifest"] == MANIFEST and r["caveats"] == []
        assert len(r["reference"]["sha256"]) == 64


def test_cosign_wrong_key(verify, pushed):
    name, digest, policies = pushed
    verify(name + ":1", policies["stranger"], 1, "0 of 1 required attestations " + TYPE, "cosign attest --key KEY --type " + TYPE)
    both = copy.deepcopy(policies["two"])
    both["attestations"][0]["keys"] += policies["three"]["attestations"][0]["keys"]
    assert verify(name + ":1", both)["published"]["signers"] == "'two', 'three'"
    both["attestations"][0]["keys"] += policies["stranger"]["attestations"][0]["keys"]
    verify(name + ":1", both, 1, "2 of 3 required attestations")
    verify(name + "@sha256:" + OTHER, policies["two"], 1)


# ---- what is believed, and what is not ----

@pytest.mark.parametrize("form", ["attest", "bundle"])
def test_forms(attested, keys, form):
    image, r = attested([(keys["auditor"], reference(), TYPE, form)], rules(keys["auditor"], signed=keys["builder"]))
    assert r["published"] == {"image": image.digest, "signers": "'auditor'"}


def test_for_its_image_alone(attested, keys):
    """Without policy.images in the reference the image beside which it lies is the one that is allowed: not that of the evidence."""
    values = reference()
    del values["policy"]["images"]
    attested([(keys["auditor"], values)], rules(keys["auditor"], signed=keys["builder"]), 1, f"image: {MANIFEST} is none of policy.images")
    # What plinth measure --json printed is a reference without a policy.
    attested([(keys["auditor"], load("tpm-reference.json"))], rules(keys["auditor"], signed=keys["builder"]), 1)


def test_values_that_differ(attested, keys):
    values = reference()
    values["tpm"]["sha256"]["4"] = OTHER
    attested([(keys["auditor"], values)], rules(keys["auditor"], signed=keys["builder"]), 1, "reference-values: tpm: PCR 4 (sha256) is ")


def test_wrong_key(attested, keys):
    wanted = rules(keys["auditor"], signed=keys["builder"])
    attested([(keys["stranger"], reference())], wanted, 1, "0 of 1 required attestations " + TYPE, "cosign attest --key KEY --type " + TYPE)
    attested([(keys["builder"], reference())], wanted, 1, f"not signed by 'auditor'")  # he may sign the image, not this


def test_of_another_kind(attested, keys):
    wanted = rules(keys["auditor"], signed=keys["builder"])
    attested([], wanted, 1, "0 of 1 required attestations " + TYPE, "cosign attest --key KEY --type " + TYPE)
    attested([(keys["auditor"], reference(), SPDX)], wanted, 1, f"'auditor' attests {SPDX}")


def test_of_another_image(verify, keys, tmp_path):
    image = Vouched().tag(keys["builder"])
    image.attest(keys["auditor"], TYPE, reference(), digest="sha256:" + OTHER)
    verify(image.write(tmp_path), rules(keys["auditor"], signed=keys["builder"]), 1, f"the signature by 'auditor' is for sha256:{OTHER}")


def test_unsigned(verify, keys, tmp_path):
    """Signed bytes that were altered, and a statement in an envelope without a signature."""
    import base64
    for alter in (lambda e: e.__setitem__("payload", base64.b64encode(base64.b64decode(e["payload"]).replace(b'"version":1', b'"version": 1')).decode()),
                  lambda e: e.__setitem__("signatures", [])):
        image = Vouched().tag(keys["builder"])
        image.attest(keys["auditor"], TYPE, reference())
        envelope = json.loads(image.blobs[image.att[0]["digest"]])
        alter(envelope)
        image.att[0] = image.descriptor(image.att[0]["mediaType"], json.dumps(envelope).encode(), annotations=image.att[0]["annotations"])
        verify(image.write(tmp_path), rules(keys["auditor"], signed=keys["builder"]), 1, "0 of 1 required attestations " + TYPE)


def test_image_not_signed(attested, keys):
    """The policy's rules for the image hold here, too."""
    attested([(keys["auditor"], reference())], rules(keys["auditor"], signed=keys["stranger"]), 1, "0 of 1 required signatures")


def test_two_that_differ(attested, keys):
    other = reference(minimumAgent="0.1.0")
    wanted = rules(keys["auditor"], signed=keys["builder"])
    attested([(keys["auditor"], reference()), (keys["auditor"], reference())], wanted)
    for first, second in ((reference(), other), (other, reference())):
        attested([(keys["auditor"], first), (keys["auditor"], second)], wanted, 1, "there are several, and they differ: one signed by 'auditor', another by 'auditor'",
                 "attestations[0].require")
        # What tells them apart; and who is not in the list cannot get in the way.
        told = rules(keys["auditor"], signed=keys["builder"], require=[{"path": "/policy/minimumAgent", "exists": True}])
        attested([(keys["auditor"], first), (keys["auditor"], second)], told)
        dated = rules(keys["auditor"], signed=keys["builder"], require=[{"path": "/created", "atLeast": "2026-11-01T00:00:00Z"}])
        old, new = {**first, "created": "2026-10-31T23:59:59Z"}, {**second, "created": "2026-11-22T00:00:00Z"}
        attested([(keys["auditor"], old), (keys["auditor"], new)], dated)
        attested([(keys["auditor"], old)], dated, 1, "/created")
        attested([(keys["auditor"], first), (keys["builder"], second)], wanted)
    both = rules(keys["auditor"], keys["stranger"], signed=keys["builder"])
    _, r = attested([(keys["auditor"], reference()), (keys["stranger"], reference(), TYPE, "bundle")], both)
    assert r["published"]["signers"] == "'auditor', 'stranger'"
    attested([(keys["auditor"], reference()), (keys["stranger"], other)], both, 1, "one signed by 'auditor', another by 'stranger'")
    attested([(keys["auditor"], reference())], both, 1, "1 of 2 required attestations")


@pytest.mark.parametrize("predicate", [None, [], "text", {"tmp": {}}, {"policy": {"image": []}}, {"Data": "{}"}])
def test_no_reference(attested, keys, predicate):
    attested([(keys["auditor"], predicate)], rules(keys["auditor"], signed=keys["builder"]), 1, "published reference, signed by 'auditor': reference: ",
             "make reference")


def test_usage(plinth, verify, attested, keys, tmp_path):
    nothing = policy(keys["builder"])
    attested([(keys["auditor"], reference())], nothing, 2, "none of its attestations is of predicateType '" + TYPE, '"attestations": [{"predicateType": "' + TYPE)
    spdx = policy(keys["builder"], attestations=[{"predicateType": SPDX, "keys": [member(keys["auditor"])]}])
    attested([(keys["auditor"], reference())], spdx, 2, "none of its attestations")
    attested([(keys["auditor"], reference())], None, 2, "--policy FILE is missing")
    (tmp_path / "ref").write_text(json.dumps(reference()))
    assert verify(str(tmp_path / "ref"), None)["verdict"] == "accepted"
    verify(str(tmp_path / "ref"), nothing, 2, "is a file", "--reference docker://")


def test_text_for_people(plinth, keys, tmp_path):
    image = Vouched().tag(keys["builder"])
    image.attest(keys["auditor"], TYPE, reference())
    r = plinth.run("verify", "--reference", image.write(tmp_path), "--policy", plinth.policy(rules(keys["auditor"], signed=keys["builder"])),
                   "--nonce", load("tpm.json")["nonce"], EVIDENCE)
    assert r.status == 0 and r.out.splitlines()[0] == f"published  reference values signed by 'auditor' for {image.digest}", r.out
