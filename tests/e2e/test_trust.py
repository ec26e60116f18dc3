"""Who may vouch for an image: groups, inline signatures, identity, annotations, message signatures, attestations and what is
asked of their predicates. Each rule both met and not, in the form that a registry holds (OCI layouts here)."""
import base64
import json
import os

import pytest

from image import OCI_CONFIG, OCI_MANIFEST, Image, Key, dumps, policy

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
INTOTO = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SPDX = "https://spdx.dev/Document"
CUSTOM = "https://cosign.sigstore.dev/attestation/v1"


def b64(data):
    return base64.b64encode(data).decode()


def member(key):
    return {"name": key.name, "pem": key.pem}


def statement(digest, predicate_type, predicate, version="v0.1", **subject):
    return dumps({"_type": "https://in-toto.io/Statement/" + version, "predicateType": predicate_type,
                  "subject": [{**subject, "digest": {"sha256": digest.split(":")[1]}}], "predicate": predicate})


def envelope(key, body):
    pae = b"DSSEv1 %d %s %d " % (len(INTOTO), INTOTO.encode(), len(body)) + body
    return {"payloadType": INTOTO, "payload": b64(body), "signatures": [{"sig": b64(key.sign(pae))}]}


class Vouched(Image):
    """Collects signatures and attestations in every form; write() makes the layout."""

    def __init__(self, **more):
        super().__init__(**more)
        self.sig, self.att = [], []

    def simple(self, key, optional=None, reference="registry.example/app:1", digest=None):
        body = dumps({"critical": {"identity": {"docker-reference": reference},
                                   "image": {"docker-manifest-digest": digest or self.digest},
                                   "type": "cosign container image signature"}, "optional": optional})
        return body, key.sign(body)

    def tag(self, key, *args, **more):
        body, signature = self.simple(key, *args, **more)
        self.sig.append(self.descriptor(SIMPLE, body, annotations={"dev.cosignproject.cosign/signature": b64(signature)}))
        return self

    def attest(self, key, predicate_type, predicate, digest=None, **more):
        body = statement(digest or self.digest, predicate_type, predicate, **more)
        self.att.append(self.descriptor(DSSE, dumps(envelope(key, body)),
                                        annotations={"dev.cosignproject.cosign/signature": "", "predicateType": "ignored"}))
        return self

    def refer(self, content, **more):
        bundle = {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": ""}}, **content}
        keep = self.digest
        subject = {"mediaType": OCI_MANIFEST, "digest": keep, "size": len(self.manifests[keep][1])}
        self.put(dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": BUNDLE, "subject": subject,
                        "config": self.descriptor("application/vnd.oci.empty.v1+json", b"{}"),
                        "layers": [self.descriptor(BUNDLE, dumps(bundle))]}), None)
        self.digest = keep
        return self

    def bundle(self, key, predicate_type=SIGN, predicate=None, digest=None, **more):
        body = statement(digest or self.digest, predicate_type, predicate or {}, version="v1", **more)
        return self.refer({"dsseEnvelope": envelope(key, body)})

    def message(self, key):
        body = self.manifests[self.digest][1]
        return self.refer({"messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": b64(b"hint")},
                                                "signature": b64(key.sign(body))}})

    def write(self, tmp_path):
        keep = self.digest
        for suffix, layers in ((".sig", self.sig), (".att", self.att)):
            if layers:
                self.put(dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": layers,
                                "config": self.descriptor(OCI_CONFIG, b"{}")}), keep.replace(":", "-") + suffix)
        self.digest = keep
        self.count = getattr(self, "count", 0) + 1
        return "oci:" + self.write_layout(os.path.join(str(tmp_path), "layout%d" % self.count)) + ":v"


def forms(result):
    return {(s["key"], s["form"]) for s in result.json["signatures"]}


def accepted(plinth, rules, ref):
    result = plinth.check(rules, ref)
    assert result.status == 0, result.err
    return result


def refused(plinth, rules, ref, why, mend=None):
    result = plinth.check(rules, ref)
    assert result.status == 1, (result.status, result.out, result.err)
    assert why in result.json["reason"], result.json["reason"]
    assert result.json["mend"] and (mend is None or mend in result.json["mend"]), result.json["mend"]
    return result


@pytest.fixture(scope="session")
def more_keys(tmp_path_factory, keys):
    directory = str(tmp_path_factory.mktemp("more"))
    return {**keys, **{name: Key(directory, name) for name in ("north", "south")}}


def test_all_forms_count_together(plinth, more_keys, tmp_path):
    k = more_keys
    image = Vouched().tag(k["builder"]).bundle(k["auditor"]).message(k["north"])
    body, signature = image.simple(k["south"])
    rules = policy(k["builder"], k["auditor"], k["north"], k["south"])
    rules["signatures"]["inline"] = [{"payload": b64(body), "signature": b64(signature)}]
    ref = image.write(tmp_path)
    refused(plinth, rules, ref, "3 of 4 required signatures (by 'builder', 'auditor', 'south'); the bundle by 'north' is a messageSignature",
            "signatures.messageSignatures")
    rules["signatures"]["messageSignatures"] = True
    result = accepted(plinth, rules, ref)
    assert forms(result) == {("builder", "tag"), ("auditor", "bundle"), ("north", "message"), ("south", "inline")}
    assert {s["digest"] for s in result.json["signatures"]} == {image.digest}


def test_one_key_in_many_forms_is_one(plinth, keys, tmp_path):
    b = keys["builder"]
    image = Vouched().tag(b).tag(b, {"x": "y"}).bundle(b).message(b).attest(b, SIGN, {})
    rules = policy(b, keys["auditor"])
    rules["signatures"]["messageSignatures"] = True
    refused(plinth, rules, image.write(tmp_path), "'builder' signed more than once, which counts once; not signed by 'auditor'")


def test_groups(plinth, more_keys, tmp_path):
    k = more_keys
    rules = {"signatures": {"groups": [{"threshold": 1, "keys": [member(k["builder"]), member(k["auditor"])]},
                                       {"keys": [member(k["north"]), member(k["south"])]}]}}
    image = Vouched().tag(k["builder"]).bundle(k["north"])
    refused(plinth, rules, image.write(tmp_path), "signatures.groups[1]: 1 of 2 required signatures (by 'north')")
    accepted(plinth, rules, image.tag(k["south"]).write(tmp_path))
    without = Vouched(process={"Cmd": ["/x"]}).tag(k["north"]).tag(k["south"]).tag(k["stranger"])
    refused(plinth, rules, without.write(tmp_path), "signatures.groups[0]: 0 of 1 required signatures")
    # One key may stand for two groups, and the list at the top must hold as well.
    rules = {"signatures": {"threshold": 1, "keys": [member(k["builder"])],
                            "groups": [{"threshold": 1, "keys": [member(k["builder"]), member(k["auditor"])]}]}}
    accepted(plinth, rules, image.write(tmp_path))
    refused(plinth, rules, Vouched().tag(k["auditor"]).write(tmp_path), "0 of 1 required signatures")


def test_inline(plinth, keys, tmp_path):
    image, other = Vouched(), Vouched(process={"Cmd": ["/other"]})
    body, signature = image.simple(keys["builder"])
    rules = policy(keys["builder"])
    rules["signatures"]["inline"] = [{"payload": b64(body), "signature": b64(signature)}]
    assert forms(accepted(plinth, rules, image.write(tmp_path))) == {("builder", "inline")}
    refused(plinth, rules, other.write(os.path.join(tmp_path, "other")), "the signature by 'builder' is for " + image.digest)
    rules["signatures"]["inline"][0]["payload"] = b64(body.replace(b"registry", b"registrY"))
    refused(plinth, rules, image.write(tmp_path), "or the signed bytes were altered")


@pytest.mark.parametrize("form", ["tag", "bundle"])
def test_annotations(plinth, keys, tmp_path, form):
    b = keys["builder"]
    rules = policy(b)
    rules["signatures"]["annotations"] = {"env": "prod", "team": "conf"}

    def signed(*annotations):
        image = Vouched()
        for a in annotations:
            image.tag(b, a) if form == "tag" else image.bundle(b, annotations=a)
        return image.write(tmp_path)
    accepted(plinth, rules, signed({"env": "prod", "team": "conf", "more": "x"}))
    refused(plinth, rules, signed({"env": "dev", "team": "conf"}), "the annotation env is 'dev', the policy asks for 'prod'", "-a env=prod")
    refused(plinth, rules, signed({"env": "prod", "team": 1}), "the annotation team is 1, the policy asks for 'conf'")
    refused(plinth, rules, signed({"env": "prod"}, {"team": "conf"}), "the annotation")
    refused(plinth, rules, signed({}), "the annotation env is missing")


def test_identity(plinth, keys, tmp_path):
    b = keys["builder"]
    rules = policy(b)
    rules["signatures"]["identity"] = "registry.example:5000/acme/web"

    def signed(reference):
        return Vouched().tag(b, reference=reference).write(tmp_path)
    for good in ("", ":1.4", "@sha256:" + "0" * 64, ":1.4@sha256:" + "0" * 64):
        accepted(plinth, rules, signed("registry.example:5000/acme/web" + good))
    for bad in ("registry.example/acme/web", "registry.example:5000/acme/webx", "registry.example:5000/acme", "", "REGISTRY.example:5000/acme/web"):
        refused(plinth, rules, signed(bad), "the policy says registry.example:5000/acme/web")
    # cosign 3's statements name no repository: they cannot be told from one for another repository.
    refused(plinth, rules, Vouched().bundle(b).write(tmp_path), "(bundle) names no repository")


def test_index(plinth, keys, tmp_path):
    """What is said of the index is said of what it leads to, and only then."""
    b, a = keys["builder"], keys["auditor"]
    image = Vouched()
    child = image.digest
    index = image.index()
    rules = {**policy(b), "attestations": [{"predicateType": SPDX, "keys": [member(a)]}]}
    image.tag(b).attest(a, SPDX, {})
    assert accepted(plinth, rules, image.write(tmp_path)).json["attestations"][0]["digest"] == index
    # Signed is the child, attested the index: both are checked, and the index must lead to the child.
    image = Vouched().bundle(b)
    child = image.digest
    index = image.index()
    result = accepted(plinth, rules, image.attest(a, SPDX, {}).write(tmp_path))
    assert result.json["signatures"][0]["digest"] == child and result.json["attestations"][0]["digest"] == index
    assert result.json["index"] == index
    # Another index over the same child has no attestation.
    image.digest, image.att = child, []
    assert image.index(("amd64", "arm64")) != index
    refused(plinth, rules, image.write(os.path.join(tmp_path, "other")), "0 of 1 required attestations")


def attested(keys, predicate, form="dsse", predicate_type="https://example.org/build/v1", **more):
    image = Vouched().tag(keys["builder"])
    getattr(image, "attest" if form == "dsse" else "bundle")(keys["auditor"], predicate_type, predicate, **more)
    return image


def wants(keys, *require, predicate_type="https://example.org/build/v1"):
    entry = {"predicateType": predicate_type, "keys": [member(keys["auditor"])]}
    if require:
        entry["require"] = list(require)
    return {**policy(keys["builder"]), "attestations": [entry]}


@pytest.mark.parametrize("form", ["dsse", "bundle"])
def test_attestation(plinth, keys, tmp_path, form):
    image = attested(keys, {"a": 1}, form)
    result = accepted(plinth, wants(keys), image.write(tmp_path))
    assert result.json["attestations"] == [{"predicateType": "https://example.org/build/v1", "key": "auditor", "form": form,
                                            "digest": image.digest, "requirement": "attestations[0]"}]
    assert forms(result) == {("builder", "tag")}
    refused(plinth, wants(keys, predicate_type=SPDX), image.write(tmp_path), "'auditor' attests https://example.org/build/v1",
            "cosign attest --key KEY --type " + SPDX)
    refused(plinth, policy(keys["builder"], keys["auditor"]), image.write(tmp_path),
            "which is no signature" if form == "bundle" else "no other was found; not signed by 'auditor'")
    stranger = {**keys, "auditor": keys["stranger"]}
    refused(plinth, wants(keys), attested(stranger, {}, form).write(tmp_path), "a key outside the policy")
    refused(plinth, wants(keys), attested(keys, {}, form, digest="sha256:" + "0" * 64).write(tmp_path), "the signature by 'auditor' is for sha256:0000")
    refused(plinth, wants(keys), Vouched().tag(keys["builder"]).write(tmp_path), "the image has no attestation")


def test_attestation_text(plinth, keys, tmp_path):
    """For people, too: who said what, and where it was found."""
    ref = attested(keys, {"a": 1}).write(tmp_path)
    out = plinth.run("check", "--policy", plinth.policy(wants(keys)), ref).out
    assert "signed by builder (tag)\n" in out
    assert "attested by auditor (dsse): https://example.org/build/v1, as attestations[0] asks\n" in out


def test_attestation_thresholds(plinth, more_keys, tmp_path):
    k = more_keys
    rules = {"signatures": {"allowUnsigned": True},
             "attestations": [{"predicateType": SPDX, "threshold": 2, "keys": [member(k[n]) for n in ("auditor", "north", "south")],
                               "require": [{"path": "/ok", "equals": True}]},
                              {"predicateType": CUSTOM, "keys": [member(k["south"])]}]}
    image = Vouched().attest(k["auditor"], SPDX, {"ok": True}).attest(k["auditor"], SPDX, {"ok": True, "x": 1}).bundle(k["north"], SPDX, {"ok": False})
    refused(plinth, rules, image.write(tmp_path), "1 of 2 required attestations " + SPDX + " (by 'auditor'); attestation by 'north', "
            "require[0]: /ok of the predicate is false, wanted is equals true", "attestations[0].require[0]")
    image.bundle(k["north"], SPDX, {"ok": True})
    refused(plinth, rules, image.write(tmp_path), "attestations[1]: 0 of 1 required")
    result = accepted(plinth, rules, image.attest(k["south"], CUSTOM, {}).write(tmp_path))
    assert [(a["key"], a["form"], a["requirement"]) for a in result.json["attestations"]] == [
        ("auditor", "dsse", "attestations[0]"), ("north", "bundle", "attestations[0]"), ("south", "dsse", "attestations[1]")]


PREDICATE = {"creationInfo": {"creators": ["Tool: syft-1.2.3", "Organization: x"], "created": "2026-03-01T10:00:00Z"},
             "score": 7.5, "count": 9007199254740993, "passed": True, "none": None, "list": [1, {"a": "b"}], "a/b": {"~": "x"}}


@pytest.mark.parametrize("require,yes", [
    ({"path": "/passed", "equals": True}, True), ({"path": "/passed", "equals": 1}, False),
    ({"path": "/list", "equals": [1.0, {"a": "b"}]}, True), ({"path": "/list", "equals": [{"a": "b"}, 1]}, False),
    ({"path": "/a~1b/~0", "equals": "x"}, True), ({"path": "/count", "equals": 9007199254740992}, False),
    ({"path": "/score", "in": [7, 7.5]}, True), ({"path": "/score", "in": [7, "7.5"]}, False),
    ({"path": "/none", "exists": True}, True), ({"path": "/none", "exists": False}, False),
    ({"path": "/nothing", "exists": False}, True), ({"path": "/nothing", "exists": True}, False),
    ({"path": "/creationInfo/creators/0", "matches": "Tool: syft-.*"}, True),
    ({"path": "/creationInfo/creators/0", "matches": "syft"}, False),
    ({"path": "/creationInfo/creators/0", "matches": "Tool|Tool: .*"}, True),
    ({"path": "/creationInfo/creators/0", "matches": "(Tool|syft)"}, False),
    ({"path": "/score", "atLeast": 7, "atMost": 8}, True), ({"path": "/score", "atLeast": 8}, False), ({"path": "/score", "atMost": 7}, False),
    ({"path": "/creationInfo/created", "atLeast": "2026-03-01T11:00:00+01:00"}, True),
    ({"path": "/creationInfo/created", "atLeast": "2026-03-01T10:00:00.1Z"}, False),
    ({"path": "/creationInfo/created", "atMost": "2026-02-28T23:00:00-11:30"}, True),
    ({"path": "/creationInfo/created", "atLeast": 5}, False),
])
def test_requirement(plinth, keys, tmp_path, require, yes):
    ref = attested(keys, PREDICATE).write(tmp_path)
    if yes:
        accepted(plinth, wants(keys, require), ref)
    else:
        refused(plinth, wants(keys, require), ref, "require[0]: %s of the predicate is " % require["path"], "attestations[0].require[0]")


def test_requirements_inside_text(plinth, keys, tmp_path):
    """The Rego that people write: predicate.Data parsed, foo == "bar"; and a whole SBOM as one string."""
    rules = wants(keys, {"path": "/Data/foo", "equals": "bar"}, {"path": "/Timestamp", "atLeast": "2026-01-01T00:00:00Z"}, predicate_type=CUSTOM)
    good = {"Data": json.dumps({"foo": "bar"}) + "\n", "Timestamp": "2026-02-02T02:02:02Z"}
    accepted(plinth, rules, attested(keys, good, predicate_type=CUSTOM).write(tmp_path))
    for data, why in (('{"foo":"baz"}', "/Data/foo of the predicate is 'baz', wanted is equals 'bar'"), ("foo: bar", "predicate.Data: not JSON"),
                      ('{"foo":"baz","foo":"bar"}', "'foo' is there twice"), ('"bar"', "without an object or array")):
        refused(plinth, rules, attested(keys, {**good, "Data": data}, predicate_type=CUSTOM).write(tmp_path), why)
    rules = wants(keys, {"path": "/spdxVersion", "matches": "SPDX-2\\.[23]"}, predicate_type=SPDX)
    accepted(plinth, rules, attested(keys, json.dumps({"spdxVersion": "SPDX-2.3"}), predicate_type=SPDX).write(tmp_path))
    refused(plinth, rules, attested(keys, "SPDXVersion: SPDX-2.3", predicate_type=SPDX).write(tmp_path), "the predicate: not JSON")


def test_hostile_text_and_pattern(plinth, keys, tmp_path):
    """Time is linear in the text, whatever the pattern; longer texts do not match."""
    rules = wants(keys, {"path": "/t", "matches": "(a|aa|b*a)*b"})
    for n in (65536, 65537):
        refused(plinth, rules, attested(keys, {"t": "a" * n}).write(tmp_path), "/t of the predicate is 'aaaa")
    accepted(plinth, wants(keys, {"path": "/t", "matches": "(a|aa|b*a)*"}), attested(keys, {"t": "a" * 65536}).write(tmp_path))
    result = plinth.check(wants(keys, {"path": "/t", "matches": "(a)\\1"}), "oci:" + str(tmp_path) + ":v")
    assert result.status == 2 and "policy: attestations[0].require[0].matches: '(a)\\1': back-references" in result.err, result.err


def test_large_statement(plinth, keys, tmp_path):
    big = {"packages": [{"name": "p%d" % i, "versionInfo": "1.%d" % i} for i in range(100000)]}
    for form in ("dsse", "bundle"):
        accepted(plinth, wants(keys, {"path": "/packages/99999/name", "equals": "p99999"}), attested(keys, big, form).write(tmp_path))
    # Where no attestation is asked for, it is not even fetched.
    accepted(plinth, policy(keys["builder"]), attested(keys, big).write(tmp_path))


@pytest.mark.parametrize("change,why", [
    ({"groups": []}, "policy: signatures.groups has 0 entries"),
    ({"annotations": {"a": 1}}, "policy: signatures.annotations.a must be a string"),
    ({"identity": "a.example/b:1"}, "policy: signatures.identity is 'a.example/b:1'"),
    ({"inline": [{"payload": "e", "signature": "eA=="}]}, "policy: signatures.inline[0].payload"),
    ({"allowUnsigned": True}, "policy: signatures has both allowUnsigned"),
    ({"threshold": 2}, "policy: signatures.threshold is 2, but only 1 key is given: no image can satisfy it"),
])
def test_contradictions(plinth, keys, change, why):
    rules = policy(keys["builder"])
    rules["signatures"].update(change)
    result = plinth.check(rules, "oci:/nowhere:v")
    assert result.status == 2 and why in result.err, result.err


def test_from_containers_policy(plinth, keys, tmp_path):
    """containers-policy.json(5) becomes a policy that decides the same, or is refused by name."""
    def path(key):
        name = os.path.join(str(tmp_path), key.name + ".pub")
        with open(name, "w") as f:
            f.write(key.pem)
        return name
    b, a = keys["builder"], keys["auditor"]
    match, exact = {"type": "matchRepository"}, {"type": "exactRepository", "dockerRepository": "registry.example/app"}
    by_builder = {"type": "sigstoreSigned", "keyPath": path(b), "signedIdentity": match}
    by_any = {"type": "sigstoreSigned", "keyDatas": [b64(a.pem.encode()), b64(keys["stranger"].pem.encode())], "signedIdentity": exact}
    theirs = os.path.join(str(tmp_path), "containers.json")

    def convert(requirements, *options):
        with open(theirs, "w") as f:
            json.dump({"default": [{"type": "reject"}], "transports": {"docker": {
                "": [{"type": "reject"}], "*.example": [{"type": "insecureAcceptAnything"}], "registry.example/app": requirements}}}, f)
        return plinth.run("policy", "from-containers", *options, theirs)
    image = "--image=registry.example/app:1"
    rules = json.loads(convert([by_builder, by_any], image).out)
    del rules["image"]
    refused(plinth, rules, Vouched().tag(b).write(tmp_path), "signatures.groups[1]: 0 of 1")
    refused(plinth, rules, Vouched().tag(b).tag(a, reference="registry.example/other").write(tmp_path), "the policy says registry.example/app")
    accepted(plinth, rules, Vouched().tag(b).tag(a).write(tmp_path))
    assert json.loads(convert([by_builder], "--image=other.example/x").out)["signatures"] == {"allowUnsigned": True}
    assert convert([by_builder]).status == 2
    for requirement, why in (({"type": "reject"}, "reject"), ({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}, "GnuPG"),
                             ({**by_builder, "signedIdentity": {"type": "matchExact"}}, "compares tags"),
                             ({k: v for k, v in by_builder.items() if k != "signedIdentity"}, "compares tags"),
                             ({**by_builder, "rekorPublicKeyPath": "/r"}, "transparency log"),
                             ({"type": "sigstoreSigned", "fulcio": {"caPath": "/c"}, "signedIdentity": match}, "by certificate"),
                             ({**by_builder, "signedIdentity": {"type": "remapIdentity"}}, "signedIdentity other than")):
        result = convert([requirement], image)
        assert result.status == 1 and why in result.err and not result.out, result.err
    assert convert([{"type": "reject"}], "--image=registry.example2/app:1").status == 1
