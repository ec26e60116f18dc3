"""plinth serve: who is believed, at which stage of a boot, and what the release policy gives to whom. The guests are SIMULATED vTPMs
(serve_guest.py); CPUs under a private Intel: tests/unit/test_judge.c."""
import json
import os
import subprocess
import sys

import pytest

from conftest import ROOT
from serve_guest import COCO, Machine, Refused, Server, claims_of, digest, jcs

SECRETS = {"acme/registry/auth": b"credentials", "acme/layers/key": b"k" * 32, "acme/secrets/db": b"password", "other/secrets/db": b"another's"}
RULES = {"rules": [{"resources": ["acme/registry/*"], "stage": ["started"]}, {"resources": ["acme/layers/*"], "stage": ["image"]},
                   {"resources": ["acme/secrets/*"], "stage": ["launched"]}, {"resources": ["acme/*/*"], "tee": ["tpm"]}]}


@pytest.fixture(scope="module")
def machine():
    return Machine(layers=3)


def started(directory, machine, *options, rules=None, reference=None):
    if rules is not None:
        path = os.path.join(str(directory), "release.json")
        with open(path, "w") as f:
            json.dump(rules, f)
        options += ("--policy", path)
    return Server(str(directory), reference or machine.reference(), SECRETS, *options)


@pytest.fixture(scope="module")
def server(tmp_path_factory, machine):
    """The default: what the reference accepts gets everything."""
    with started(tmp_path_factory.mktemp("serve"), machine) as s:
        yield s
    assert s.status == 0


def refused(server, machine, part, **members):
    """Evidence that gets no token; the audit log says why."""
    client = server.client(machine)
    client.auth()
    with pytest.raises(Refused) as e:
        client.attest(**members)
    client.close()
    line = server.audit()[-1]
    assert line["verdict"] == "refused" and part in line["reason"], line
    # the check's name, and nothing of what would have been right
    assert e.value.status == 401 and json.loads(e.value.text)["detail"] == line["reason"].split(":")[0] + ": the evidence was refused; the server's audit log says why"
    return client


def test_each_stage_gets_its_own(tmp_path, machine):
    with started(tmp_path, machine, rules=RULES) as s:
        for stage, path in (("started", "acme/registry/auth"), ("image", "acme/layers/key"), ("launched", "acme/secrets/db")):
            client = s.client(machine)
            token = client.handshake(stage)
            claims = claims_of(token)["plinth"]
            assert claims["stage"] == stage and claims["verdict"] == "affirming" and claims["set"] == "tpm, web"
            assert ("manifest" in claims) == (stage != "started") and len(claims["layers"]) == (3 if stage == "launched" else 0)
            for name, content in SECRETS.items():
                if name == path:
                    assert client.get(name) == content and client.get(name, by_token=True) == content
                    continue
                with pytest.raises(Refused) as e:
                    client.get(name)
                assert e.value.status == 401 and content.decode() not in e.value.text and stage not in e.value.text
                reason = s.audit()[-1]["reason"]
                assert ("stage is '%s'" % stage if name.startswith("acme") else "no rule of the release policy names") in reason, reason
            client.close()


def test_without_a_policy_the_reference_decides(server, machine):
    for stage in ("started", "image", "launched"):
        client = server.client(machine)
        client.handshake(stage)
        assert all(client.get(name) == content for name, content in SECRETS.items())
        client.close()


def test_evidence_that_is_not_this_session_s(server, machine):
    old = machine.evidence(os.urandom(32))
    refused(server, machine, "nonce", evidence=old)
    # A whole document of another session, and one over the whole hash instead of its half.
    first = refused(server, machine, "nonce", evidence=machine.evidence(b"\0" * 32))
    refused(server, machine, "nonce", evidence=machine.evidence(first.evidence_nonce()))
    client = server.client(machine)
    for nonce in (client.report_data, lambda: client.report_data()[:32], lambda: client.report_data()[:24], lambda: b"plinth-t" + client.report_data()[:24],
                  lambda: client.evidence_nonce() + client.report_data()[24:]):
        client.auth()
        with pytest.raises(Refused):
            client.attest(evidence=machine.evidence(nonce()))
        assert "nonce" in server.audit()[-1]["reason"]
    # The nonce says one thing, the quote is over another.
    evidence = machine.evidence(os.urandom(32))
    client.auth()
    evidence["nonce"] = client.evidence_nonce().hex()
    with pytest.raises(Refused):
        client.attest(evidence=evidence)
    assert "qualifying-data" in server.audit()[-1]["reason"]


def test_evidence_over_a_nonce_of_the_host_s_choice(server, machine):
    """The host, and a workload by the API, get evidence over nonces that they choose. Nobody has a key of theirs bound by that: what binds a key begins
    with a tag that they do not get (test_port.c, test_supervise.py)."""
    host = server.client(machine)  # its own session and key, the guest's true evidence
    host.auth()
    with pytest.raises(Refused):
        host.attest(evidence=machine.evidence(host.report_data()[:32]))
    assert "the evidence is for nonce" in server.audit()[-1]["reason"]


def test_logs_that_lie(server, machine):
    good = machine.boot()
    refused(server, machine, "'policy' where 'boot' is due", lines=[good[1], good[0]] + good[2:])
    refused(server, machine, "layer 1, the next one is 0", lines=good[:5] + [good[6], good[5]] + good[7:])
    refused(server, machine, "behind the separator", lines=good + [good[2]])
    refused(server, machine, "without the separator", lines=good[:-1])
    refused(server, machine, "without the separator", lines=good[:3])
    refused(server, machine, "is no event of a boot", lines=good[:5] + [("acme", "later", "{}")])
    refused(server, machine, "the boot failed: no", lines=good[:5] + [("plinth", "failure", jcs({"reason": "no"}))])
    # The register of one stage under the log of another.
    client = server.client(machine)
    for later, earlier in (("launched", "image"), ("image", "started"), ("started", "launched")):
        client.auth()
        evidence = machine.evidence(client.evidence_nonce(), later)
        evidence["eventlog"] = machine.evidence(b"\0" * 32, earlier)["eventlog"]
        with pytest.raises(Refused):
            client.attest(evidence=evidence)
        assert "does not explain PCR" in server.audit()[-1]["reason"]
    # The workload's own events change nothing.
    client.handshake(lines=good + [("acme", "later", "x"), (COCO, "PullImage", jcs({"digest": digest("x"), "image": "other/image"}))])
    assert claims_of(client.token)["plinth"]["image"] == machine.image


def test_machines_that_are_others(server, machine):
    same = dict(ak=machine.ak, layers=3)
    refused(server, machine, "reference-values", evidence=None, alter=lambda pcrs: {k: v[:4] + [bytes(len(v[4]))] + v[5:] for k, v in pcrs.items()})
    refused(server, machine, "reference-values", stage="started", alter=lambda pcrs: {k: v[:9] + [bytes(len(v[9]))] + v[10:] for k, v in pcrs.items()})
    for stage in ("started", "image", "launched"):
        refused(server, Machine(policy=digest("another"), **same), "reference-values", stage=stage)
        refused(server, Machine(initdata=digest("initdata"), **same), "reference-values", stage=stage)
        refused(server, Machine(second=digest("second"), **same), "reference-values", stage=stage)
        refused(server, Machine(layers=3), "ak-known", stage=stage)
    refused(server, Machine(manifest=digest("another"), **same), "reference-values", stage="image")
    refused(server, Machine(layers=2, ak=machine.ak), "reference-values")


def test_a_reference_of_images_and_policies(tmp_path, machine):
    reference = machine.reference(events=False, register=False, images=[machine.manifest], policies=[machine.policy, digest("second")])
    same = dict(ak=machine.ak, manifest=machine.manifest)
    with started(tmp_path, machine, reference=reference) as s:
        for stage in ("started", "image", "launched"):
            for other in ({}, {"layers": 1}, {"initdata": digest("i")}, {"second": digest("second"), "resources": [("kbs:///acme/registry/ca", digest("ca"))]}):
                client = s.client(Machine(**same, **other))
                claims = claims_of(client.handshake(stage))["plinth"]
                assert claims["policy"] == other.get("second", machine.policy) and claims.get("initdata") == other.get("initdata")
                client.close()
            refused(s, Machine(**same, second=digest("third")), "policy-digest", stage=stage)
            refused(s, Machine(**same, policy=digest("third")), "policy-digest", stage=stage)
            refused(s, Machine(**same, weaknesses="signatures.allowUnsigned", policy=digest("third")), "policy-digest", stage=stage)
        refused(s, Machine(ak=machine.ak, manifest=digest("x")), "image", stage="image")


def test_a_policy_that_the_host_brings_decides_nothing(tmp_path, machine):
    """The image is expected, but by initdata the host could have set its command."""
    with started(tmp_path, machine, reference=machine.reference(events=False, register=False, images=[machine.manifest])) as s:
        for stage in ("image", "launched"):
            s.client(machine).handshake(stage)
            refused(s, Machine(ak=machine.ak, initdata=digest("i"), policy=digest("mine")), "policy-digest", stage=stage)


def test_caveats_are_named_or_nothing_is_given(tmp_path, machine):
    reference = machine.reference(firmware=False)
    rules = {"rules": [{"resources": ["acme/secrets/*"]}, {"resources": ["acme/layers/*"], "caveats": ["firmware-unknown"]}]}
    with started(tmp_path, machine, reference=reference, rules=rules) as s:
        client = s.client(machine)
        claims = claims_of(client.handshake())
        assert claims["plinth"]["verdict"] == "warning" and claims["plinth"]["caveats"] == ["firmware-unknown"]
        assert claims["submods"]["cpu0"]["ear.status"] == "warning"
        assert client.get("acme/layers/key") == SECRETS["acme/layers/key"]
        with pytest.raises(Refused):
            client.get("acme/secrets/db")
        assert "firmware-unknown" in s.audit()[-1]["reason"]
        client.close()
    with started(tmp_path, machine, "--allow", "ak-known", rules=rules) as s:
        stranger = s.client(Machine(layers=3))
        claims = claims_of(stranger.handshake())["plinth"]
        assert sorted(claims["caveats"]) == ["ak-unbound", "allowed-ak-known"]
        for path in ("acme/secrets/db", "acme/layers/key"):
            with pytest.raises(Refused):
                stranger.get(path)
        stranger.close()


def test_signers(tmp_path, keys, machine):
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"signatures": {"keys": [{"name": "builder", "pem": keys["builder"].pem}]}}))
    rules = {"rules": [{"resources": ["acme/*/*"], "signers": [keys["builder"].pem]}]}
    guest = Machine(policy=digest(policy.read_text()))
    with started(tmp_path, guest, "--guest-policy", policy, rules=rules, reference=guest.reference(events=False, register=False, images=[guest.manifest, machine.manifest])) as s:
        client = s.client(guest)
        client.handshake("image")
        assert client.get("acme/layers/key") == SECRETS["acme/layers/key"]
        client.close()
        other = s.client(Machine(ak=guest.ak))
        other.handshake("image")
        with pytest.raises(Refused):
            other.get("acme/layers/key")
        assert "is none of --guest-policy" in s.audit()[-1]["reason"]
        other.close()
    never = started(tmp_path, guest, "--guest-policy", policy, rules={"rules": [{"resources": ["a/b/c"], "signers": [keys["stranger"].pem]}]})
    assert never.status == 2 and "can never hold" in never.err


@pytest.mark.parametrize("rules, part", [({"rules": [{"resources": ["acme/*"]}]}, "three parts"), ({"rule": []}, "rule"),
                                         ({"rules": [{"resources": ["a/b/c"], "stages": ["image"]}]}, "stages"), ([], "object")])
def test_release_policies_that_are_wrong(tmp_path, machine, rules, part):
    s = started(tmp_path, machine, rules=rules)
    assert s.status == 2 and part in s.err and s.err.startswith("plinth: "), s.err


def test_the_figures_are_there():
    """tests/bench/serve.py, small, and no word about time."""
    out = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tests", "bench", "serve.py"), "--guests", "20", "--seconds", "1", "--count", "20", "--json"],
                         stdout=subprocess.PIPE, check=True, timeout=120).stdout
    result = json.loads(out)
    assert result["load"]["failures"] == 0 and result["load"]["handshakes"] >= 20, result
    assert result["pss_peak_kib"] > 0 and set(result["ratio"]) == {"connect", "appraise", "secret", "whole"}
