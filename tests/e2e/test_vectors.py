"""Verdicts on recorded cosign signatures (tests/e2e/vectors/README.md): all 134 and the 24 corrupt layouts.

An attestation case asks for nothing but the attestation: signatures.allowUnsigned, by name, beside it. `check` unpacks nothing, so
encrypted images need no keys here; test_encrypted.py pulls them."""
import json
import os
import tarfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
with tarfile.open(os.path.join(HERE, "vectors", "cosign.tar.xz")) as t:
    INDEX = json.load(t.extractfile("cosign/INDEX.json"))


def name(case):
    return "-".join([case["case"], case["kind"], f"{case['threshold']}of{len(case['keys'])}"])


def pem(vectors, key):
    with open(os.path.join(vectors, "keys", key)) as f:
        return f.read()


def keys_of(vectors, keys, threshold):
    return {"threshold": threshold, "keys": [{"name": k, "pem": pem(vectors, k)} for k in keys]}


def policy_of(vectors, case):
    who = keys_of(vectors, case["keys"], case["threshold"])
    if case["kind"] == "attest":
        return {"signatures": {"allowUnsigned": True}, "attestations": [{"predicateType": case["predicate_type"], **who}]}
    if case["annotations"]:
        who["annotations"] = case["annotations"]
    return {"signatures": who}


def test_all_are_here():
    assert len(INDEX["cases"]) == 134 and len(INDEX["corrupt"]) == 24
    assert {c["case"] for c in INDEX["cases"] if c["case"].startswith("enc")} == {"enc-rsa", "enc-p256", "enc-two"}


@pytest.mark.parametrize("case", INDEX["cases"], ids=name)
def test_verdict(case, vectors, plinth):
    ref = "oci:" + os.path.join(vectors, "repo") + "@" + case["image"]
    result = plinth.check(policy_of(vectors, case), ref)
    if case["expect"] == "either":
        assert result.status in (0, 1), result.err
        return
    assert result.status == (0 if case["expect"] == "accept" else 1), (case["desc"], result.err)
    if case["expect"] == "reject":
        assert result.json["verdict"] == "refused" and result.json["reason"] and result.json["mend"], result.out
        return
    assert result.json["verdict"] == "accepted"
    met = result.json["signatures" if case["kind"] == "sign" else "attestations"]
    assert len(met) >= case["threshold"] and {m["key"] for m in met} <= set(case["keys"])
    assert all(m["digest"] == case["image"] for m in met)
    if case["kind"] == "attest":
        assert {m["predicateType"] for m in met} == {case["predicate_type"]} and not result.json["signatures"]


@pytest.mark.parametrize("case", INDEX["corrupt"], ids=lambda c: os.path.basename(c["layout"]))
def test_corrupt_layout(case, vectors, plinth):
    ref = "oci:" + os.path.join(vectors, case["layout"]) + ":v"
    policy = {"signatures": keys_of(vectors, ["ka.pub"], 1)}
    if case["expect"] == "reject":
        plinth.refused(policy, ref)
    else:
        # "either": other bytes of the .sig manifest itself, of which nothing is believed; its payload's signature counts.
        result = plinth.pull(policy, ref)
        assert result.status == 0, result.err
