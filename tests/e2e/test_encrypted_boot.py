"""Boots of an encrypted image under QEMU: the keys of its layers come from a KBS (kbs.py, a mock), once the image was measured. TDX is
qemu/simtee, a SIMULATED TEE."""
import base64
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import tee
from image import dumps, policy
from kbs import Kbs, seal
from ocicrypt import Encrypted, b64, encrypt
from test_boot import ca, probe, probe_image, registry, run, serve  # noqa: F401 (fixtures)
from test_kbs_boot import away, events, tls  # noqa: F401
from test_simtee import sim  # noqa: F401
from test_tee import TeeMachine

KEK, KID, PRIVATE = b"the key in the owner's KBS, 32 b", "kbs:///acme/layers/kek", "kbs:///acme/layers/private"


class Sealed:
    """The probe's image, encrypted: two layers by a key of the KBS, the one with the program for a public key."""

    def __init__(self, probe, key):
        self.private = ec.generate_private_key(ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        coordinate = lambda n: base64.urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode()  # noqa: E731
        jwk = {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": coordinate(numbers.x), "y": coordinate(numbers.y)}
        self.image, self.layers = probe_image(probe), []
        for i, d in enumerate(list(self.image.layers)):
            layer = Encrypted(self.image.blobs.pop(d["digest"]))
            jwe = b64(dumps(seal(dumps(layer.private), jwk))) if i == 1 else None
            encrypt(self.image, i, layer, jwe=jwe, provider=None if jwe else layer.packet(KEK, KID, version=1 + i % 2))
            self.layers.append(layer)
        self.image.sign(key)
        pem = self.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.resources = {"acme/layers/kek": KEK, "acme/layers/private": pem}

    def seen_in(self, text):
        """What must be nowhere: keys as they are, in base64, in hex."""
        secrets = [KEK, *(layer.symkey for layer in self.layers), self.private.private_numbers().private_value.to_bytes(32, "big")]
        forms = [form for s in secrets for form in (s, b64(s)[:-4].encode(), s.hex().encode())]
        return [form for form in forms if form in text]


def boot(plinth, keys, ca, name, kbs, sim, tmp_path, **more):  # noqa: F811
    with open(ca.pem) as f:
        pem = f.read()
    p = policy(keys["builder"], image=name, registry={"ca": pem}, kbs={"url": away(kbs), "ca": pem}, tee=["tdx"], **more)
    return p, TeeMachine(plinth, "tdx", sim, p, tmp_path)


def test_encrypted_image(plinth, keys, ca, probe, registry, sim, tls, tmp_path):  # noqa: F811
    sealed = Sealed(probe, keys["builder"])
    name = serve(sealed.image, registry, tmp_path / "layout")
    with Kbs(sealed.resources, tls=tls) as kbs:
        p, m = boot(plinth, keys, ca, name, kbs, sim, tmp_path, decrypt={"keys": [PRIVATE]})
    assert m.evidence and "probe.end=1" in m.console, (m.result.err, m.console[-3000:])
    # Asked once for each, by a machine that had measured whose layers they are, and none of them yet.
    assert sorted(kbs.given) == ["acme/layers/kek", "acme/layers/private"] and len(kbs.attestations) == 1
    shown = base64.b64decode(kbs.attestations[0].evidence["cc_eventlog"])
    assert sealed.image.digest.encode() in shown and events(shown)[:3] == [b"boot", b"policy", b"manifest"] and b"plinth layer" not in shown
    # What is measured are the encrypted layers; the register is known beforehand, without any key.
    log = tee.decode(m.evidence["eventlog"])
    assert all(d["digest"].encode() in log for d in sealed.image.layers) and log.count(b"plinth layer") == 3
    predicted = plinth.run("check", "--json", "--policy", plinth.policy(p), "oci:" + str(tmp_path / "layout") + ":v")
    assert predicted.status == 0 and predicted.json["registers"]["sha384"] == m.evidence["register"]["sha384"], predicted.err
    for text in (m.console.encode(), log, json.dumps(m.evidence).encode()):
        assert not sealed.seen_in(text)


def test_keys_that_are_denied(plinth, keys, ca, probe, registry, sim, tls, tmp_path):  # noqa: F811
    sealed = Sealed(probe, keys["builder"])
    name = serve(sealed.image, registry, tmp_path / "layout")
    with Kbs(sealed.resources, tls=tls) as kbs:
        kbs.release = lambda attestation, path: path != "acme/layers/kek"
        _, m = boot(plinth, keys, ca, name, kbs, sim, tmp_path, decrypt={"keys": [PRIVATE]})
    assert m.result.status == 1 and "layer 1 of 3, which is encrypted: no key opens it: the key " + KID in m.result.err, m.result.err
    assert "probe." not in m.console
    log = tee.decode(m.evidence["eventlog"])
    assert b"plinth failure" in log and b"plinth layer" not in log and not sealed.seen_in(m.console.encode() + log)
