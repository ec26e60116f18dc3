"""Encrypts layers as ocicrypt does, and wraps their keys as CoCo's key provider does; honest or not. The formats only: no code of either.

    layer = Encrypted(plain)                  # symkey, nonce, hmac and digest may be given, right or wrong
    layer.packet(kek, "kbs:///a/b/c")         # v1, A256GCM; version=2, wrap="A256CTR"
    encrypt(image, 0, layer, provider=layer.packet(...))   # the image's layer 0 becomes it; then image.finish(), sign()
"""
import base64
import hashlib
import hmac as hmac_module
import json
import os
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENC = "org.opencontainers.image.enc."


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def ctr(key, nonce, data):
    c = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return c.update(data) + c.finalize()


class Encrypted:
    def __init__(self, plain, symkey=None, nonce=None, hmac=None, digest=None):
        self.symkey, self.nonce = symkey or os.urandom(32), nonce or os.urandom(16)
        self.cipher = ctr(self.symkey, self.nonce, plain)
        self.hmac = hmac or hmac_module.new(self.symkey, self.cipher, hashlib.sha256).digest()
        self.public = {"cipher": "AES_256_CTR_HMAC_SHA256", "hmac": b64(self.hmac), "cipheroptions": {}}
        self.private = {"symkey": b64(self.symkey), "digest": digest or "sha256:" + hashlib.sha256(plain).hexdigest(),
                        "cipheroptions": {"nonce": b64(self.nonce)}}

    def packet(self, kek, kid, version=1, wrap="A256GCM", changes=None):
        """The annotation's text; a member that `changes` sets to None is left out."""
        options = json.dumps(self.private).encode()
        iv = os.urandom(12 if wrap == "A256GCM" else 16)
        wrapped = AESGCM(kek).encrypt(iv, options, None) if wrap == "A256GCM" else ctr(kek, iv, options)
        body = {"kid": kid, "wrapped_data": b64(wrapped), "iv": b64(iv), "wrap_type": wrap}
        if version == 2:
            body.update({"version": "0.1.0", "provider": "kbs", "provider_settings": {}, "annotations": {}})
        body.update(changes or {})
        return b64(json.dumps({k: v for k, v in body.items() if v is not None}))


def encrypt(image, i, layer, jwe=None, provider=None, pubopts=None, cipher=None, name="attestation-agent"):
    """Layer i of an image.Image becomes `layer`; the parts may be replaced. An annotation that is None is left out, but for pubopts,
    which "" leaves out."""
    annotations = {ENC + "pubopts": b64(json.dumps(layer.public)) if pubopts is None else pubopts, ENC + "keys.jwe": jwe,
                   ENC + "keys.provider." + name: provider}
    image.layers[i] = image.descriptor(image.layers[i]["mediaType"] + "+encrypted", layer.cipher if cipher is None else cipher,
                                       annotations={k: v for k, v in annotations.items() if v})
    image.finish()
    return image


def provider(key_file, kid, version):
    """A key provider as ocicrypt starts one (containers/ocicrypt, docs/keyprovider.md): a request on standard input, the answer on standard
    output. Wraps as CoCo's does."""
    request = json.load(sys.stdin)
    assert request["op"] == "keywrap", request
    layer = Encrypted(b"")
    layer.private = json.loads(base64.b64decode(request["keywrapparams"]["optsdata"]))
    with open(key_file, "rb") as f:
        packet = layer.packet(f.read(), kid, int(version))
    json.dump({"keywrapresults": {"annotation": b64(base64.b64decode(packet))}}, sys.stdout)


if __name__ == "__main__":
    provider(*sys.argv[1:])
