"""Verdicts on recorded cosign signatures (tests/e2e/vectors/README.md). Cases that need a key type, storage form or policy member of a later
issue are left out by name, not by outcome."""
import json
import os
import tarfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
with tarfile.open(os.path.join(HERE, "vectors", "cosign.tar.xz")) as t:
    INDEX = json.load(t.extractfile("cosign/INDEX.json"))

P256 = {"ka.pub", "kb.pub", "kc.pub"}


def in_scope(case):
    return (case["kind"] == "sign" and case["storage"] == "tag" and set(case["keys"]) <= P256 and
            not case["annotations"] and not case["case"].startswith(("enc-", "mix-")))


def name(case):
    return case["case"] + "-" + str(case["threshold"]) + "of" + str(len(case["keys"]))


def policy_of(vectors, keys, threshold):
    def pem(key):
        with open(os.path.join(vectors, "keys", key)) as f:
            return f.read()
    return {"signatures": {"threshold": threshold, "keys": [{"name": k, "pem": pem(k)} for k in keys]}}


@pytest.mark.parametrize("case", [c for c in INDEX["cases"] if in_scope(c)], ids=name)
def test_signature(case, vectors, plinth):
    ref = "oci:" + os.path.join(vectors, "repo") + "@" + case["image"]
    result = plinth.check(policy_of(vectors, case["keys"], case["threshold"]), ref)
    if case["expect"] == "either":
        assert result.status in (0, 1), result.err
    else:
        assert result.status == (0 if case["expect"] == "accept" else 1), (case["desc"], result.err)
        assert result.json["verdict"] == ("accepted" if case["expect"] == "accept" else "refused")


@pytest.mark.parametrize("case", INDEX["corrupt"], ids=lambda c: os.path.basename(c["layout"]))
def test_corrupt_layout(case, vectors, plinth):
    ref = "oci:" + os.path.join(vectors, case["layout"]) + ":v"
    policy = policy_of(vectors, ["ka.pub"], 1)
    if case["expect"] == "reject":
        plinth.refused(policy, ref)
    else:
        # "either": other bytes of the .sig manifest itself, of which nothing is believed; its payload's signature counts.
        result = plinth.pull(policy, ref)
        assert result.status == 0, result.err
