"""A key broker (KBS) that speaks RCAR 0.4.0 as Trustee does and misbehaves on demand. A MOCK: it compares nonces and report_data, and
believes every quote. python3-cryptography beside the standard library.

    kbs = Kbs({"acme/registry/auth": b"{}"}, tls=(cert, key))   # 127.0.0.1, a free port; without tls: plain HTTP; `with` or .close()
    kbs.url                                  # "https://127.0.0.1:40123": kbs.url of the policy; kbs.ca is Authority.bytes()
    kbs.resources["a/b/c"] = b"..."          # what it gives, to whoever attested; anything else is 401
    Kbs(..., plinth="0.1.0")                 # answers as `plinth serve` does: wants Plinth's own evidence document
    kbs.judge = lambda attestation: None     # or a text: refused with 401; see Attestation
    kbs.release = lambda attestation, path: True
    kbs.attestations                         # [Attestation] accepted or not: tee, evidence, initdata, nonce, report_data, jwk, body
    kbs.requests                             # [Request]: method, path, headers, body
    kbs.given                                # paths of resources that were given
    kbs.on("/kbs/v0/attest", answer(500), times=2)   # behaviours of hostile_registry: stall, reset, trickle, endless_body, redirect...
    kbs.expire()                             # every session and token is forgotten: 401
    kbs.alter = lambda jwe: {**jwe, "tag": ...}      # what a resource's JWE becomes; seal(...) makes one with other algorithms
    kbs.alter_challenge = lambda challenge: ...      # a dict
    Authority(directory).server()            # hostile_registry: a throw-away CA, certificate and key for 127.0.0.1

Alone, for boots under QEMU (guest's address of the host: 10.0.2.2; `Authority.server(san="IP:10.0.2.2,IP:127.0.0.1")`):

    kbs.py --resources DIR [--port N] [--host ADDR] [--cert FILE --key FILE] [--plinth]   # DIR/<repository>/<type>/<tag>
"""
import argparse
import base64
import hashlib
import json
import os
import secrets
import sys
import threading
import time

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hostile_registry import Registry

VERSION = "0.4.0"
COOKIE = "kbs-session-id"


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jcs(value):
    """RFC 8785 for objects and strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def report_data(nonce, jwk):
    return hashlib.sha384(jcs({"additional-evidence": "", "nonce": nonce, "tee-pubkey": jwk})).digest()


def public_key(jwk):
    number = {k: int.from_bytes(unb64url(jwk[k]), "big") for k in ("x", "y", "n", "e") if k in jwk}
    if jwk["kty"] == "EC":
        return ec.EllipticCurvePublicNumbers(number["x"], number["y"], ec.SECP256R1()).public_key()
    return rsa.RSAPublicNumbers(number["e"], number["n"]).public_key()


def ecdh_kek(public, alg, bits):
    """A new key's x and y, and the KEK by RFC 7518 section 4.6.2 with empty apu and apv."""
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    point = ephemeral.public_key().public_numbers()
    z = ephemeral.exchange(ec.ECDH(), public)
    n = lambda x: x.to_bytes(4, "big")  # noqa: E731
    kek = hashlib.sha256(n(1) + z + n(len(alg)) + alg.encode() + n(0) + n(0) + n(bits)).digest()[:bits // 8]
    return {"crv": "P-256", "kty": "EC", "x": b64url(point.x.to_bytes(32, "big")), "y": b64url(point.y.to_bytes(32, "big"))}, kek


def seal(plaintext, jwk, alg=None, enc="A256GCM", header=None):
    """Flattened JWE to a JWK. `alg`, `enc` may be others than the key's (or lies: then the default's bytes); `header` adds members."""
    public, cek, iv = public_key(jwk), secrets.token_bytes(32), secrets.token_bytes(12)
    alg = alg or jwk["alg"]
    protected = {"alg": alg, "enc": enc, **(header or {})}
    if jwk["kty"] == "EC":
        protected["epk"], kek = ecdh_kek(public, alg, {"ECDH-ES+A128KW": 128, "ECDH-ES+A192KW": 192}.get(alg, 256))
        wrapped = keywrap.aes_key_wrap(kek, cek)
    else:
        digest = hashes.SHA1() if alg == "RSA-OAEP" else hashes.SHA256()
        wrapped = public.encrypt(cek, padding.OAEP(padding.MGF1(digest), digest, None))
    text = b64url(jcs(protected))
    sealed = AESGCM(cek).encrypt(iv, plaintext, text.encode())
    return {"protected": text, "encrypted_key": b64url(wrapped), "iv": b64url(iv), "ciphertext": b64url(sealed[:-16]), "tag": b64url(sealed[-16:])}


class Attestation:
    def __init__(self, tee, body, nonce):
        runtime = body["runtime-data"]
        self.body, self.tee, self.nonce = body, tee, nonce
        self.jwk = runtime["tee-pubkey"]
        self.said_nonce = runtime["nonce"]
        self.evidence = body["tee-evidence"]["primary_evidence"]
        self.initdata = body.get("init-data")
        self.report_data = report_data(nonce, self.jwk)  # 48 bytes

    def wanted(self):
        """What the evidence must be over: `report_data`, of a TPM its first 32 bytes; Plinth's own document has a tag before 24 of them."""
        return (b"plinth-k" + self.report_data[:24],) if "plinth" in self.evidence else (self.report_data, self.report_data[:32])

    def bound(self):
        """What it says it is over."""
        e = self.evidence
        if "plinth" in e:
            return bytes.fromhex(e["nonce"])
        if self.tee == "tdx":
            quote = base64.b64decode(e["quote"])
            at = 48 + 520 + (6 if quote[0] == 5 else 0)
            return quote[at:at + 48] if not any(quote[at + 48:at + 64]) else b""
        if self.tee == "snp":
            data = bytes(e["attestation_report"]["report_data"])
            return data[:48] if not any(data[48:]) else b""
        message = base64.b64decode(e["tpm_quote"]["message"])  # magic, type, qualifiedSigner, extraData
        at = 6 + 2 + int.from_bytes(message[6:8], "big")
        n = int.from_bytes(message[at:at + 2], "big")
        return message[at + 2:at + 2 + n]


class Kbs(Registry):
    def __init__(self, resources=None, plinth=None, **more):
        self.resources = dict(resources or {})
        self.plinth = plinth
        self.sessions, self.tokens = {}, {}  # id -> [tee, nonce, Attestation or None, token]; token -> Attestation
        self.attestations, self.given = [], []
        self.judge = lambda attestation: None
        self.release = lambda attestation, path: True
        self.alter = lambda jwe: jwe
        self.alter_challenge = lambda challenge: challenge
        self.lock = threading.Lock()
        self.signer = ec.generate_private_key(ec.SECP256R1())
        super().__init__(**more)
        self.url = ("https://" if self.tls else "http://") + self.host

    def expire(self):
        with self.lock:
            self.sessions.clear()
            self.tokens.clear()

    @staticmethod
    def json(status, value, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return status, {"Content-Type": "application/json", "Content-Length": len(body), **headers}, body

    def denied(self, variant, detail):
        return self.json(401, {"type": f"https://github.com/confidential-containers/kbs/errors/{variant}", "detail": detail})

    def session(self, request):
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return value, self.sessions.get(value)
        return None, None

    def look_up(self, request):
        path = request.path.split("?")[0]
        if not path.startswith("/kbs/v0/"):
            return self.json(404, b"")
        kind, _, rest = path[len("/kbs/v0/"):].partition("/")
        try:
            with self.lock:
                if (request.method, kind, rest) == ("POST", "auth", ""):
                    return self.auth(json.loads(request.body))
                if (request.method, kind, rest) == ("POST", "attest", ""):
                    return self.attest(request, json.loads(request.body))
                if (request.method, kind) == ("GET", "resource"):
                    return self.resource(request, rest)
        except (ValueError, KeyError, TypeError, IndexError) as e:
            return self.denied("JsonError", repr(e))
        return self.json(404, {"type": "https://github.com/confidential-containers/kbs/errors/PluginNotFound", "detail": kind})

    def auth(self, body):
        if body["version"] != VERSION:
            return self.denied("ProtocolVersion", f"KBS Client Protocol Version Mismatch: expect ={VERSION} while the request is {body['version']}. "
                               "KBS Client Protocol Version Mismatch")
        name, nonce = secrets.token_hex(16), base64.b64encode(secrets.token_bytes(32)).decode()
        self.sessions[name] = [body["tee"], nonce, None, None]
        extra = {"plinth": self.plinth} if self.plinth else ""
        expires = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 300))
        return self.json(200, self.alter_challenge({"nonce": nonce, "extra-params": extra}),
                         **{"Set-Cookie": f"{COOKIE}={name}; Expires={expires}"})

    def attest(self, request, body):
        _, session = self.session(request)
        if not session:
            return self.denied("InvalidRequest", "no such session")
        if session[3]:
            return self.json(200, {"token": session[3]})  # attested already
        a = Attestation(session[0], body, session[1])
        self.attestations.append(a)
        if a.said_nonce != a.nonce:
            return self.denied("AttestationError", "nonce is not the session's")
        if bool(self.plinth) != ("plinth" in a.evidence):
            return self.denied("AttestationError", "evidence of another form")
        if a.bound() not in a.wanted():
            return self.denied("AttestationError", "evidence is over other report data")
        why = self.judge(a)
        if why:
            return self.denied("AttestationError", why)
        claims = {"exp": int(time.time()) + 300, "tee-pubkey": a.jwk}
        text = b64url(b'{"alg":"ES256","typ":"JWT"}') + "." + b64url(jcs(claims))
        r, s = utils.decode_dss_signature(self.signer.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        session[2], session[3] = a, text + "." + b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        self.tokens[session[3]] = a
        return self.json(200, {"token": session[3]})

    def resource(self, request, path):
        _, session = self.session(request)
        a = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        a = (session and session[2]) or a
        if not a:
            return self.denied("UnAuthenticated", "no session, or none that attested")
        if not self.release(a, path):
            return self.denied("PolicyDeny", "Access denied by policy")
        if path not in self.resources:
            return self.denied("PluginInternalError", f"{path}: no such resource")  # Trustee has no 404 for it
        self.given.append(path)
        jwe = self.alter(seal(self.resources[path], a.jwk))
        return self.json(200, jwe)


def main():
    p = argparse.ArgumentParser(description="a mock KBS: believes every quote")
    p.add_argument("--resources", required=True)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--cert")
    p.add_argument("--key")
    p.add_argument("--plinth", action="store_true")
    a = p.parse_args()
    found = {}
    for base, _, names in os.walk(a.resources):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, a.resources)] = f.read()
    kbs = Kbs(found, "0.1.0" if a.plinth else None, port=a.port, host=a.host, tls=(a.cert, a.key) if a.cert else None)
    print(kbs.url, flush=True)
    seen = 0
    while True:
        time.sleep(0.2)
        for request in kbs.requests[seen:]:
            print(request, flush=True)
            seen += 1


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
