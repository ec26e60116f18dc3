"""Sealed secrets as CoCo's tool for them makes: "sealed." and a JWS in compact form, ES256. python3-cryptography beside the standard library.

    signer = Signer("kbs:///acme/signer/1")
    signer.jwk()                                       # what the KBS holds at that URI
    signer.vault("kbs:///acme/db/password")            # where the secret is
    signer.envelope("kbs:///acme/key/1", key, secret)  # the secret itself, for the 32 bytes that the KBS holds at that URI

Alone it prints what tests/unit/test_secrets.c has: `python3 tests/e2e/sealed.py`."""
import base64
import json
import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    def __init__(self, kid, scalar=None):
        self.kid = kid
        self.key = ec.derive_private_key(scalar, ec.SECP256R1()) if scalar else ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        point = self.key.public_key().public_numbers()
        return json.dumps({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": b64url(point.x.to_bytes(32, "big")),
                           "y": b64url(point.y.to_bytes(32, "big"))}).encode()

    def seal(self, payload, **header):
        header = {"alg": "ES256", "kid": self.kid, **header}
        text = b64url(json.dumps(header).encode()) + "." + b64url(json.dumps(payload).encode())
        r, s = utils.decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"sealed.{text}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def vault(self, uri):
        return self.seal({"version": "0.1.0", "type": "vault", "provider": "kbs", "name": uri, "provider_settings": {}, "annotations": {}})

    def envelope(self, uri, key, secret):
        data_key, iv, key_iv = secrets.token_bytes(32), secrets.token_bytes(12), secrets.token_bytes(12)
        return self.seal({"version": "0.1.0", "type": "envelope", "provider": "kbs", "key_id": uri, "wrap_type": "A256GCM", "iv": b64(iv),
                          "encrypted_key": b64(AESGCM(key).encrypt(key_iv, data_key, None)),
                          "encrypted_data": b64(AESGCM(data_key).encrypt(iv, secret, None)), "provider_settings": {},
                          "annotations": {"iv": b64(key_iv)}})


if __name__ == "__main__":
    s = Signer("kbs:///acme/signer/1", 7)
    print(s.jwk().decode(), s.vault("kbs:///a/b/2"), s.envelope("kbs:///acme/key/1", bytes(range(32)), b"from an envelope"), sep="\n")
