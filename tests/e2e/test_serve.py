"""plinth serve: the protocol, what it refuses, and how it behaves under load. The guests are SIMULATED (serve_guest.py: a TPM in software, its AK
pinned by the reference); whom it trusts and what it releases to whom: test_serve_judge.py."""
import base64
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from conftest import PLINTH
from test_kbs import Client as AgentClient, ca, probe, tpm  # noqa: F401
from serve_guest import Client, Machine, Refused, b64, b64url, claims_of, coordinates, jcs, unb64url

SECRET = b"correct horse battery staple\0\xff"
PATH = "acme/key/web"
MACHINE = Machine()


class Serve:
    """A running server. `fresh` guests of MACHINE by .guest()."""

    def __init__(self, directory, *options, secrets=None, tls=True, reference=None, audit=True, listen="127.0.0.1:0"):
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.secrets = secrets or directory / "secrets"
        if not secrets:
            self.put(PATH, SECRET)
            os.chmod(self.secrets, 0o700)
        (directory / "reference.json").write_text(json.dumps(reference or MACHINE.reference()))
        self.ca, self.log = directory / "ca.pem", directory / "audit.log"
        args = ["--listen", listen, "--reference", directory / "reference.json", "--secrets", self.secrets]
        args += ["--write-ca", self.ca] if tls is True else ["--allow-http"] if tls is False else []
        args += ["--audit", self.log] if audit is True else ["--audit", audit] if audit else []
        self.errors = open(directory / "stderr", "wb")
        self.process = subprocess.Popen([PLINTH, "serve", *map(str, [*args, *options])], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.said = []
        for line in self.process.stdout:
            self.said.append(line.decode().rstrip())
            if self.said[-1].startswith("listening "):
                break
        assert self.said and self.said[-1].startswith("listening "), (directory / "stderr").read_text()
        self.url = self.said[-1].split()[1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def put(self, path, content):
        path = self.secrets / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def guest(self, machine=MACHINE, **more):
        return Client(self.url, machine, ca=str(self.ca) if self.url.startswith("https") else None, **more)

    def audit(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def metrics(self):
        status, _, body = self.guest().request("GET", "/metrics")
        assert status == 200
        return {k: int(v) for k, v in (line.split() for line in body.decode().splitlines() if not line.startswith("#"))}

    def stop(self, wait=20):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(wait)
        self.process.stdout.close()
        self.errors.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            assert self.stop() == 0, (self.directory / "stderr").read_text()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests that ask for nothing special."""
    directory = tmp_path_factory.mktemp("serve")
    (directory / "admin").write_text("the admin's long token\n".replace(" ", "-"))
    with Serve(directory / "s", "--rate", "0", "--admin-token", directory / "admin") as s:
        yield s


ADMIN = "the-admin's-long-token"


def refused(status, variant, call, *args, **more):
    """Whose error it is: {"type":"https://github.com/.../Variant","detail":..}."""
    with pytest.raises(Refused) as r:
        call(*args, **more)
    error = json.loads(r.value.text)
    assert r.value.status == status and set(error) == {"type", "detail"}, r.value
    assert error["type"] == "https://github.com/confidential-containers/kbs/errors/" + variant, error
    return error["detail"]


def signed(private, header, payload):
    text = b64url(json.dumps(header).encode() if isinstance(header, dict) else header) + "." + b64url(json.dumps(payload).encode())
    r, s = utils.decode_dss_signature(private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return text + "." + b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def key_file(path):
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    path.chmod(0o600)
    return key


# ---- the protocol ----

def test_handshake(server):
    g = server.guest()
    before = time.time()
    g.auth()
    assert set(g.challenge) == {"nonce", "extra-params"} and g.challenge["extra-params"] == {"plinth": "0.1.0"}
    assert len(g.nonce) == 44 and len(base64.b64decode(g.nonce)) == 32
    assert re.fullmatch(r"kbs-session-id=[0-9a-f]{32}", g.cookie)
    g.attest()
    claims = claims_of(g.token)
    assert claims["eat_profile"] == "tag:github.com,2023:veraison/ear" and claims["eat_nonce"] == g.nonce and claims["tee-pubkey"] == g.jwk
    assert before - 1 < claims["iat"] <= time.time() and claims["exp"] == claims["iat"] + 300
    assert claims["plinth"]["tee"] == "tpm" and claims["plinth"]["manifest"] == MACHINE.manifest and claims["submods"]["cpu0"]["ear.status"]
    assert g.get(PATH) == g.get(PATH, by_token=True) == g.get(PATH, by_cookie=True) == SECRET
    # another connection, no cookie: the token alone
    other = server.guest()
    other.token, other.key = g.token, g.key
    assert other.get(PATH, by_token=True) == SECRET


def test_cookie(server):
    status, headers, _ = server.guest().request("POST", "/kbs/v0/auth", {"version": "0.4.0", "tee": "snp", "extra-params": ""})
    cookie = headers["Set-Cookie"]
    assert status == 200 and headers["Cache-Control"] == "no-store" and headers["Content-Type"] == "application/json"
    assert re.fullmatch(r"kbs-session-id=[0-9a-f]{32}; Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT; Max-Age=300; Path=/kbs/v0; HttpOnly; SameSite=Strict; Secure", cookie)
    expires = time.mktime(time.strptime(cookie.split("Expires=")[1].split(";")[0], "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
    assert 290 < expires - time.time() < 310


def test_rsa_key(server):
    g = server.guest()
    g.auth()
    g.key = rsa.generate_private_key(65537, 2048)
    numbers = g.key.public_key().public_numbers()
    g.jwk = {"kty": "RSA", "alg": "RSA-OAEP-256", "n": b64url(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    g.attest()
    status, _, body = g.request("GET", "/kbs/v0/resource/" + PATH, headers={"Cookie": g.cookie})
    jwe = json.loads(body)
    assert status == 200 and json.loads(unb64url(jwe["protected"])) == {"alg": "RSA-OAEP-256", "enc": "A256GCM"}
    cek = g.key.decrypt(unb64url(jwe["encrypted_key"]), padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    assert AESGCM(cek).decrypt(unb64url(jwe["iv"]), unb64url(jwe["ciphertext"]) + unb64url(jwe["tag"]), jwe["protected"].encode()) == SECRET


def test_curl(server, tmp_path):
    """Another client's TLS, HTTP and cookies; HTTP/2 is offered and not taken."""
    jar = tmp_path / "jar"
    curl = ["curl", "-sS", "--fail-with-body", "--cacert", server.ca, "-b", jar, "-c", jar]
    for more in (["--tls-max", "1.2"], ["--tlsv1.3"], ["--http2"]):
        r = subprocess.run([*curl, *more, "-d", '{"version":"0.4.0","tee":"tpm","extra-params":""}', "-w", "\n%{http_version}", server.url + "/kbs/v0/auth"],
                           capture_output=True, text=True)
        body, version = r.stdout.split("\n")
        assert r.returncode == 0 and version == "1.1" and json.loads(body)["nonce"], (r.stdout, r.stderr)
    assert "kbs-session-id" in jar.read_text()
    r = subprocess.run([*curl, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", server.url + "/healthz"], capture_output=True, text=True)
    assert r.returncode == 35, (r.stdout, r.stderr)
    (tmp_path / "large").write_bytes(bytes(3 << 20))
    r = subprocess.run([*curl, "-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path / 'large'}", server.url + "/kbs/v0/attest"], capture_output=True, text=True)
    assert r.returncode == 22 and "AttestationError" in r.stdout
    r = subprocess.run([*curl, "--path-as-is", server.url + "/kbs/v0/resource/../../../etc/passwd"], capture_output=True, text=True)
    assert r.returncode == 22 and "InvalidRequestPath" in r.stdout


def test_attested_session_gets_its_token_again(server):
    g = server.guest()
    token = g.handshake()
    assert g.attest() == token
    assert g.attest(body={}) == token  # as Trustee: it is not looked at


def test_jwks_verifies_the_token(server):
    g = server.guest()
    token = g.handshake()
    for path in ("/jwks", "/.well-known/jwks.json"):
        status, _, body = g.request("GET", path)
        (jwk,) = json.loads(body)["keys"]
        header, payload, signature = token.split(".")
        assert status == 200 and json.loads(unb64url(header)) == {"alg": "ES256", "kid": jwk["kid"], "typ": "JWT"}
        assert jwk["kid"] == b64url(hashlib.sha256(jcs({k: jwk[k] for k in ("crv", "kty", "x", "y")}).encode()).digest())
        public = ec.EllipticCurvePublicNumbers(*(int.from_bytes(unb64url(jwk[c]), "big") for c in "xy"), ec.SECP256R1()).public_key()
        raw = unb64url(signature)
        der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        public.verify(der, f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
        with pytest.raises(InvalidSignature):
            public.verify(der, f"{header}.{payload}A".encode(), ec.ECDSA(hashes.SHA256()))
    assert f"token key {jwk['kid']}" in server.said


def test_health_and_metrics(server):
    g = server.guest()
    assert g.request("GET", "/healthz")[::2] == (200, b"ok\n")
    before = server.metrics()
    g.handshake()
    g.get(PATH)
    refused(401, "PolicyDeny", g.get, "acme/key/none")
    after = server.metrics()
    for name, grew in (("challenges", 1), ("attested", 1), ("released", 1), ("denied", 1), ("refused", 0), ("appraisals", 1)):
        assert after[f"plinth_serve_{name}_total"] - before[f"plinth_serve_{name}_total"] == grew, name


def test_throw_away_certificate(server):
    """A CA of its own that guests trust, with a leaf for the address."""
    ca = x509.load_pem_x509_certificate(server.ca.read_bytes())
    assert f"ca {server.ca} sha256:{ca.fingerprint(hashes.SHA256()).hex()}" in server.said
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    context = ssl.create_default_context(cafile=server.ca)
    with socket.create_connection(("127.0.0.1", server.port)) as s, context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
        leaf = x509.load_der_x509_certificate(tls.getpeercert(True))
        assert tls.version() == "TLSv1.3"
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        context = ssl.create_default_context(cafile=server.ca)
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", server.port)) as s, context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
            assert tls.version() == name and "GCM" in tls.cipher()[0]
    with pytest.raises(ssl.SSLCertVerificationError):
        with socket.create_connection(("127.0.0.1", server.port)) as s, context.wrap_socket(s, server_hostname="127.0.0.2"):
            pass


def test_names_of_the_certificate(tmp_path):
    with Serve(tmp_path / "s", "--name", "kbs.example", "--name", "10.0.2.2", "--name", "fd00::7") as s:
        context = ssl.create_default_context(cafile=s.ca)
        for name in ("127.0.0.1", "kbs.example", "10.0.2.2", "fd00::7"):
            with socket.create_connection(("127.0.0.1", s.port)) as c, context.wrap_socket(c, server_hostname=name):
                pass


def test_ipv6(tmp_path):
    with socket.socket(socket.AF_INET6) as s:
        try:
            s.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    with Serve(tmp_path / "s", listen="[::1]:0") as s:
        g = s.guest()
        g.handshake()
        assert s.url.startswith("https://[::1]:") and g.get(PATH) == SECRET and {a["peer"] for a in s.audit()} == {"::1"}


def test_own_certificate(tmp_path, keys):
    from hostile_registry import Authority
    authority = Authority(str(tmp_path))
    cert, key = authority.server()[:2]
    os.chmod(key, 0o644)
    with Serve(tmp_path / "s", "--cert", cert, "--key", key, tls=None) as s:
        s.ca = tmp_path / "own-ca.pem"
        s.ca.write_bytes(authority.bytes() if isinstance(authority.bytes(), bytes) else authority.bytes().encode())
        g = s.guest()
        g.handshake()
        assert g.get(PATH) == SECRET
        assert "can be read by others" in (tmp_path / "s" / "stderr").read_text()


def test_certificates_that_do_not_fit(plinth, tmp_path):
    from hostile_registry import Authority
    cert, key = Authority(str(tmp_path)).server()[:2]
    (tmp_path / "reference").write_text(json.dumps(MACHINE.reference()))
    (tmp_path / "secrets").mkdir(mode=0o700)
    key_file(tmp_path / "other.key")
    for c, k, why in ((cert, tmp_path / "other.key", "--key is not the key of --cert"), (key, key, "no certificate in PEM"), (cert, cert, "no private key in PEM"),
                      ("/dev/null", key, "no certificate in PEM")):
        r = plinth.run("serve", "--listen", "127.0.0.1:0", "--reference", tmp_path / "reference", "--secrets", tmp_path / "secrets", "--cert", c, "--key", k)
        assert r.status == 2 and why in r.err, r.err


def test_plain_http_is_a_named_weakness(tmp_path):
    with Serve(tmp_path / "s", tls=False) as s:
        g = s.guest()
        g.handshake()
        assert g.get(PATH) == SECRET and s.url.startswith("http://")
        assert "weakness: --allow-http" in (tmp_path / "s" / "stderr").read_text()


# ---- what is refused: handshakes ----

@pytest.mark.parametrize("version", ["0.1.1", "0.4.1", "1.0.0", ""])
def test_other_versions(server, version):
    assert "Protocol Version Mismatch" in refused(401, "AttestationError", server.guest().auth, version=version)


def test_other_tees(server):
    assert "none that is judged here" in refused(401, "AttestationError", server.guest(tee="sample").auth)


def test_replayed_evidence(server):
    g = server.guest()
    g.auth()
    body = g.attestation()
    token = g.attest(body=body)
    # whoever listened has nonce, cookie and body: it gets the same token, and what that releases is for the guest's key
    thief = server.guest()
    assert thief.attest(body=body, cookie=g.cookie) == token
    # with a nonce and cookie of its own
    thief.auth()
    assert "session's nonce" in refused(401, "AttestationError", thief.attest, body=body)
    thief.auth()
    old = {**body, "runtime-data": {**body["runtime-data"], "nonce": thief.nonce}}
    assert "nonce" in refused(401, "AttestationError", thief.attest, body=old)
    assert claims_of(token)["tee-pubkey"] == g.jwk


def test_nonce_works_once(server):
    g = server.guest()
    g.auth()
    wrong = g.attestation(evidence=MACHINE.evidence(bytes(32)))
    refused(401, "AttestationError", g.attest, body=wrong)
    assert "used before" in refused(401, "AttestationError", g.attest)


def test_nonce_works_once_at_a_time(server):
    """The same good body twenty times at once: at most one appraisal."""
    g = server.guest()
    g.auth()
    body, before = json.dumps(g.attestation()).encode(), server.metrics()["plinth_serve_appraisals_total"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        def again(_):
            try:
                return server.guest().attest(body=body, cookie=g.cookie)
            except Refused as r:
                assert r.status == 401 and "used before" in r.text
                return None
        tokens = {t for t in pool.map(again, range(20)) if t}
    assert len(tokens) == 1 and server.metrics()["plinth_serve_appraisals_total"] - before == 1


def test_expired(tmp_path):
    with Serve(tmp_path / "s", "--lifetime", "10") as s:
        late, g = s.guest(), s.guest()
        g.handshake()
        late.auth()
        assert g.get(PATH, by_cookie=True) == g.get(PATH, by_token=True) == SECRET
        claims = claims_of(g.token)
        assert claims["exp"] - claims["iat"] == 10
        time.sleep(11.5)
        assert "expired" in refused(401, "AttestationError", late.attest)
        assert "expired" in refused(401, "TokenVerifierError", g.get, PATH, by_cookie=True)
        assert "expired" in refused(401, "TokenVerifierError", g.get, PATH, by_token=True)
        g.handshake()
        assert g.get(PATH) == SECRET


def test_wrong_nonces_and_cookies(server):
    g = server.guest()
    g.auth()
    other_end = g.nonce[:-2] + ("E=" if g.nonce.endswith("A=") else "A=")
    for nonce in ("", "AAAA", b64(bytes(32)), b64(os.urandom(32)), other_end, g.nonce + "AAAA", g.nonce.replace("=", "")):
        body = g.attestation()
        body["runtime-data"]["nonce"] = nonce
        refused(401, "AttestationError", g.attest, body=body)
    raw = bytearray(base64.b64decode(g.nonce))
    for i in range(32):  # no byte of it can be changed: neither tee, expiry, number nor MAC
        raw[i] ^= 1
        body = g.attestation()
        body["runtime-data"]["nonce"] = b64(bytes(raw))
        refused(401, "AttestationError", g.attest, body=body)
        raw[i] ^= 1
    for cookie in ("kbs-session-id=" + "0" * 32, "kbs-session-id=zz", "kbs-session-id=", "other=1", g.cookie + "; " + g.cookie, g.cookie[:-1], g.cookie.upper()):
        refused(401, "AttestationError", g.attest, cookie=cookie)
    g.attest()  # nothing of that has spent the nonce


def test_other_key_or_nonce_under_the_quote(server):
    for change in ("key", "nonce"):
        g = server.guest()
        g.auth()
        evidence = MACHINE.evidence(g.evidence_nonce(nonce=b64(bytes(32))) if change == "nonce" else g.evidence_nonce())
        if change == "key":
            x, y = coordinates(ec.generate_private_key(ec.SECP256R1()))
            g.jwk = {**g.jwk, "x": b64url(x), "y": b64url(y)}
        refused(401, "AttestationError", g.attest, body=g.attestation(evidence=evidence))


def test_malformed_bodies(server):
    g = server.guest()
    for body in (b"", b"{", b"[]", b"null", b"{}", b'{"version":"0.4.0"}', b'{"version":"0.4.0","tee":7}', b"\xff\xfe", b"[" * 1000):
        status, _, text = g.request("POST", "/kbs/v0/auth", body)
        assert status == 401 and "AttestationError" in text.decode(), body
    for body in (b"", b"{", b"{}", b"[" * 100000, b'{"a":' * 60 + b"1" + b"}" * 60, b'{"runtime-data":{}}'):
        g.auth()
        refused(401, "AttestationError", g.attest, body=body)
    for change in ({"runtime-data": {}}, {"tee-evidence": {}}, {"tee-evidence": {"primary_evidence": {}, "additional_evidence": ""}},
                   {"tee-evidence": {"primary_evidence": "{}", "additional_evidence": ""}}):
        g.auth()
        refused(401, "AttestationError", g.attest, body={**g.attestation(), **change})
    g.auth()
    body = g.attestation()
    body["tee-evidence"]["additional_evidence"] = '{"nvidia":{}}'
    assert "no device is judged" in refused(401, "AttestationError", g.attest, body=body)


@pytest.mark.parametrize("change", [
    {"alg": "RSA1_5"}, {"alg": "ECDH-ES"}, {"crv": "P-384"}, {"kty": "oct"}, {"x": "AAAA"}, {"y": b64url(bytes(32))}, {"d": "AAAA"}, {"alg": None}])
def test_other_keys_of_guests(server, change):
    g = server.guest()
    g.auth()
    g.jwk = {k: v for k, v in {**g.jwk, **change}.items() if v is not None}
    assert "tee-pubkey" in refused(401, "AttestationError", g.attest)


# ---- what is refused: resources ----

def test_missing_and_denied_look_alike(tmp_path):
    """Not even in their time: the directory is not looked at. The log tells them apart."""
    (tmp_path / "policy.json").write_text(json.dumps({"rules": [{"resources": ["acme/key/*"]}]}))
    with Serve(tmp_path / "s", "--policy", tmp_path / "policy.json") as s:
        s.put("acme/other/there", b"not for this guest")
        g = s.guest()
        g.handshake()
        answers = {refused(401, "PolicyDeny", g.get, path) for path in ("acme/other/there", "acme/other/none", "acme/key/none", "no/such/thing")}
        assert answers == {"this guest may not have that resource, or there is none"}
        lines = {a["what"]: a for a in s.audit() if a["what"].startswith("resource")}
        assert "no such resource" in lines["resource acme/key/none"]["reason"]
        assert lines["resource acme/other/there"]["reason"].replace("there", "none") == lines["resource acme/other/none"]["reason"]
        assert g.get(PATH) == SECRET


def test_without_attestation(server):
    g = server.guest()
    for headers in ({}, {"Cookie": "kbs-session-id=" + "0" * 32}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}):
        status, _, body = g.request("GET", "/kbs/v0/resource/" + PATH, headers=headers)
        assert status == 401 and "TokenVerifierError" in body.decode(), headers
    g.auth()  # a session that is not attested
    refused(401, "TokenVerifierError", g.get, PATH, by_cookie=True)


def test_another_guests_token(server):
    a, b = server.guest(), server.guest()
    a.handshake(), b.handshake()
    # cookie of one, token of the other
    status, _, body = b.request("GET", "/kbs/v0/resource/" + PATH, headers={"Cookie": b.cookie, "Authorization": "Bearer " + a.token})
    assert status == 401 and "different sessions" in body.decode()
    # the token alone: what comes is for the other guest's key, and for no other
    status, _, body = b.request("GET", "/kbs/v0/resource/" + PATH, headers={"Authorization": "Bearer " + a.token})
    assert status == 200
    with pytest.raises(Exception):
        b.open(json.loads(body))
    assert a.open(json.loads(body)) == SECRET
    # the cookie alone: the same
    status, _, body = b.request("GET", "/kbs/v0/resource/" + PATH, headers={"Cookie": a.cookie})
    assert status == 200 and a.open(json.loads(body)) == SECRET


def test_forged_tokens(tmp_path):
    key = key_file(tmp_path / "token.key")
    stranger = ec.generate_private_key(ec.SECP256R1())
    with Serve(tmp_path / "s", "--token-key", tmp_path / "token.key", "--rate", "0") as s:
        g = s.guest()
        g.handshake()
        header, payload = json.loads(unb64url(g.token.split(".")[0])), claims_of(g.token)
        assert g.get(PATH, token=signed(key, unb64url(g.token.split(".")[0]), payload)) == SECRET, "this test's own way of signing"
        none = b64url(json.dumps({"alg": "none", "typ": "JWT"}).encode()) + "." + g.token.split(".")[1] + "."
        x, y = coordinates(stranger)
        forged = [none, none + g.token.split(".")[2], signed(stranger, unb64url(g.token.split(".")[0]), payload),
                  signed(key, {**header, "alg": "none"}, payload), signed(key, {**header, "alg": "HS256"}, payload), signed(key, {**header, "kid": "x"}, payload),
                  signed(stranger, {**header, "jwk": {"kty": "EC", "crv": "P-256", "x": b64url(x), "y": b64url(y)}}, payload),
                  signed(key, unb64url(g.token.split(".")[0]), {**payload, "exp": int(time.time()) - 1}),
                  signed(key, unb64url(g.token.split(".")[0]), {**payload, "iss": "somebody"}),
                  signed(key, unb64url(g.token.split(".")[0]), {k: v for k, v in payload.items() if k != "exp"}),
                  g.token + ".", g.token + "A", g.token[:-1], g.token.replace(".", "", 1), g.token + "=", "..", "a", g.token + "." + g.token]
        for token in forged:
            refused(401, "TokenVerifierError", g.get, PATH, token=token)
        raw = g.token.encode()
        for i in range(0, len(raw), 37):  # a letter of it, changed
            changed = raw[:i] + (b"A" if raw[i:i + 1] != b"A" else b"B") + raw[i + 1:]
            refused(401, "TokenVerifierError", g.get, PATH, token=changed.decode())
        assert g.get(PATH, by_token=True) == SECRET
        assert not [a for a in s.audit() if any(part in json.dumps(a) for part in (*g.token.split("."), g.cookie.split("=")[1], SECRET[:8].decode()))]


@pytest.mark.parametrize("path", ["../../../etc/passwd", "acme/key/..", "acme/key", "acme/key/web/x", "acme//web", "acme/key/.hidden", "acme/key/we%62",
                                  "acme/key/%2e%2e", "acme/../acme/web", "acme\\key\\web", "acme/key/web\\..", "", "/", "acme/key/w?b/../web"])
def test_paths(server, path):
    g = server.guest()
    g.handshake()
    status, _, body = g.request("GET", "/kbs/v0/resource/" + path, headers={"Cookie": g.cookie})
    assert status in (400, 401, 404) and b"ciphertext" not in body


def test_symbolic_links(tmp_path):
    with Serve(tmp_path / "s") as s:
        (tmp_path / "outside").write_bytes(b"outside")
        os.symlink(tmp_path / "outside", s.secrets / "acme/key/link")
        os.symlink("web", s.secrets / "acme/key/near")
        os.symlink("key", s.secrets / "acme/way")
        os.mkfifo(s.secrets / "acme/key/pipe")
        os.mkdir(s.secrets / "acme/key/dir")
        g = s.guest()
        g.handshake()
        for path in ("acme/key/link", "acme/key/near", "acme/way/web", "acme/key/pipe", "acme/key/dir"):
            refused(401, "PolicyDeny", g.get, path)
        assert g.get(PATH) == SECRET


# ---- uploads ----

def upload(g, path, body, token=ADMIN):
    return g.request("POST", "/kbs/v0/resource/" + path, body, {"Authorization": "Bearer " + token, "Content-Type": "application/octet-stream"} if token else {})


def test_upload(server):
    g = server.guest()
    g.handshake()
    assert upload(g, "acme/new/one", b"first")[0] == 200 and g.get("acme/new/one") == b"first"
    assert upload(g, "acme/new/one", b"second")[0] == 200 and g.get("acme/new/one") == b"second"
    assert upload(g, "acme/new/empty", b"")[0] == 200 and g.get("acme/new/empty") == b""
    large = os.urandom(1 << 20)
    assert upload(g, "acme/new/large", large)[0] == 200 and g.get("acme/new/large") == large
    assert upload(g, "acme/new/large", large + b"x")[0] == 413
    path = server.secrets / "acme/new/one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(os.listdir(path.parent)) == ["empty", "large", "one"], "something was left"


def test_upload_refused(server):
    g = server.guest()
    g.handshake()
    for token in ("", "x", ADMIN + "x", ADMIN[:-1], g.token):
        status, _, body = upload(g, "acme/bad/one", b"x", token)
        assert status == 401 and "AdminAuthAccess" in body.decode()
    assert not (server.secrets / "acme/bad").exists()
    for path in ("../../out", "a/b/..", "a/b/.c", "a/b", "a/b/c/d"):
        assert upload(g, path, b"x")[0] in (400, 404)
    os.symlink("/tmp", server.secrets / "link") if not (server.secrets / "link").is_symlink() else None
    assert upload(g, "link/b/c", b"x")[0] == 409
    lines = [a for a in server.audit() if a["what"] == "upload acme/bad/one"]
    assert len(lines) == 5 and all(a["verdict"] == "refused" for a in lines) and ADMIN not in server.log.read_text()


def test_uploads_are_off(tmp_path):
    with Serve(tmp_path / "s") as s:
        assert upload(s.guest(), "acme/new/one", b"x")[0] == 401
        assert "uploads are off" in s.audit()[-1]["reason"]


# ---- several instances ----

def test_two_instances_with_one_key(tmp_path):
    """Nonce of one, attestation at the other; a token of either is taken by both, and each remembers its own sessions alone."""
    key_file(tmp_path / "token.key")
    with Serve(tmp_path / "a", "--token-key", tmp_path / "token.key") as a, \
            Serve(tmp_path / "b", "--token-key", tmp_path / "token.key", secrets=a.secrets) as b:
        assert a.said[1] == b.said[1] and a.said[1].startswith("token key ")
        first, second = a.guest(), b.guest()
        first.auth()
        for member in ("nonce", "cookie", "key", "jwk"):
            setattr(second, member, getattr(first, member))
        second.attest()
        first.token = second.token
        assert first.get(PATH) == second.get(PATH) == second.get(PATH, by_cookie=True) == SECRET
        refused(401, "TokenVerifierError", first.get, PATH, by_cookie=True)
        # what once-ness means here: each instance takes a nonce once; the evidence under it is the guest's, so its key is, too
        token = first.attest()
        assert claims_of(token)["tee-pubkey"] == claims_of(second.token)["tee-pubkey"]
        sessions = {x["session"] for x in a.audit() + b.audit() if "session" in x and x["verdict"] in ("attested", "released")}
        assert len(sessions) == 1, "the log has one name for a session, at every instance"


def test_two_instances_with_two_keys(tmp_path):
    with Serve(tmp_path / "a") as a, Serve(tmp_path / "b", secrets=a.secrets) as b:
        first, second = a.guest(), b.guest()
        first.auth()
        for member in ("nonce", "cookie", "key", "jwk"):
            setattr(second, member, getattr(first, member))
        assert "not one of ours" in refused(401, "AttestationError", second.attest)
        first.attest()
        second.token = first.token
        refused(401, "TokenVerifierError", second.get, PATH, by_token=True)


# ---- hostile peers ----

def raw(server, timeout=20, source="127.0.0.1"):
    s = socket.create_connection(("127.0.0.1", server.port), timeout=timeout, source_address=(source, 0))
    return ssl.create_default_context(cafile=server.ca).wrap_socket(s, server_hostname="127.0.0.1") if server.url.startswith("https") else s


def answer_to(server, request):
    with contextlib.closing(raw(server)) as s:
        s.sendall(request)
        got = b""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while part := s.recv(65536):
                got += part
        return got


@pytest.mark.parametrize("request_, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"POST /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (b"POST /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    (b"POST /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n", 413),
    (b"POST /kbs/v0/attest HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n", 413),
    (b"POST /kbs/v0/attest HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414), (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 400), (b"DELETE /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
    (b"GET /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405), (b"GET /kbs/v0/attestation-policy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
    (b"GET /%2e%2e/etc HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404)])
def test_requests(server, request_, status):
    got = answer_to(server, request_)
    assert got.startswith(b"HTTP/1.1 %d " % status), got[:200]
    assert b"Connection: close\r\n" in got


def test_pipelined(server):
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    body = b'{"version":"0.4.0","tee":"tpm"}'
    auth = b"POST /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    got = answer_to(server, one + auth + one + auth + one.replace(b"Host: a", b"Host: a\r\nConnection: close"))
    assert got.count(b"HTTP/1.1 200 OK\r\n") == 5 and got.count(b'{"nonce":"') == 2


def test_plain_bytes_to_tls(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        got = b""
        with contextlib.suppress(ConnectionError):
            while part := s.recv(4096):
                got += part
        assert b"HTTP" not in got
    assert server.guest().request("GET", "/healthz")[0] == 200


def test_slow_peers(tmp_path):
    """Who says nothing, or a byte now and then, is cut off after --timeout; others are served meanwhile."""
    with Serve(tmp_path / "s", "--timeout", "2", tls=False) as s:
        ended = {}

        def drip(name, first, drop, pause):
            c = raw(s, timeout=40)
            began = time.monotonic()
            c.settimeout(pause)
            with contextlib.suppress(ConnectionError):
                c.sendall(first)
                while time.monotonic() - began < 30:
                    try:
                        if not c.recv(4096):
                            break
                    except socket.timeout:
                        if drop:
                            c.sendall(drop)
            ended[name] = time.monotonic() - began
            c.close()

        peers = [("head", b"GET / HTTP/1.1\r\nX: ", b"a", 0.3), ("idle", b"", b"", 0.3),
                 ("body", b"POST /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n", b"a", 0.3)]
        threads = [threading.Thread(target=drip, args=p) for p in peers]
        for t in threads:
            t.start()
        g = s.guest()
        g.handshake()
        assert g.get(PATH) == SECRET
        for t in threads:
            t.join()
        assert ended["head"] < 15 and ended["body"] < 15 and 5 < ended["idle"] < 25, ended
        g.close()
        until = time.monotonic() + 20
        while s.metrics()["plinth_serve_connections"] > 1:  # but that which asks
            assert time.monotonic() < until
            time.sleep(0.2)


def test_slow_handshake(tmp_path):
    with Serve(tmp_path / "s", "--timeout", "1") as s:
        with socket.create_connection(("127.0.0.1", s.port), timeout=20) as c:
            began = time.monotonic()
            c.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert c.recv(100) == b"" and time.monotonic() - began < 15


def test_connections_of_one_address(tmp_path):
    """Half of --connections; another address still gets its turn."""
    with Serve(tmp_path / "s", "--connections", "8", "--timeout", "30", tls=False) as s:
        held = [raw(s) for _ in range(12)]
        time.sleep(0.3)
        open_ = 0
        for c in held:
            c.settimeout(0.2)
            try:
                open_ += c.recv(1) != b""
            except socket.timeout:
                open_ += 1
            except ConnectionError:
                pass
        assert open_ == 4
        other = s.guest(source="127.0.0.2")
        other.handshake()
        assert other.get(PATH) == SECRET
        assert any(a["what"] == "connection" and a["verdict"] == "limited" for a in s.audit())
        for c in held:
            c.close()


def test_flood(tmp_path):
    """Over --rate: 429 with Retry-After; another address is not touched by that."""
    with Serve(tmp_path / "s", "--rate", "10", tls=False) as s:
        g, statuses = s.guest(), []
        for _ in range(200):
            status, headers, body = g.request("POST", "/kbs/v0/auth", {"version": "0.4.0", "tee": "tpm"})
            statuses.append(status)
            assert status == 200 or (status == 429 and headers["Retry-After"] == "1" and "TooManyRequests" in body.decode())
            if statuses.count(429) > 5:
                break
        assert statuses.count(429) > 5 and 20 < statuses.count(200) < 150
        other = s.guest(source="127.0.0.2")
        other.handshake()
        assert other.get(PATH) == SECRET
        limited = [a for a in s.audit() if a["verdict"] == "limited"]
        assert limited and len(limited) < 60, "a flood does not fill the log"
        time.sleep(1.5)
        g.handshake()
        assert g.get(PATH) == SECRET


def test_large_bodies_at_once(tmp_path):
    """More than SERVER_BODIES_MAX together, or half of it from one address: some are told to come back, memory stays bounded."""
    with Serve(tmp_path / "s", "--rate", "0", "--timeout", "5", tls=False) as s:
        held, refused_ = [], 0
        for i in range(30):
            c = raw(s, source=f"127.0.0.{2 + i % 3}")
            c.sendall(b"POST /kbs/v0/attest HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
            held.append(c)
        for c in held:
            c.settimeout(1 if not refused_ else 0.3)  # an answer comes at once, or not before the body
            with contextlib.suppress(socket.timeout, ConnectionError):
                refused_ += c.recv(4096).startswith(b"HTTP/1.1 503 ")
        assert refused_ == 14, "sixteen of 8 MiB are 128"
        few = [raw(s, source="127.0.0.9") for _ in range(2)]
        for c in held:
            c.close()
        while s.metrics()["plinth_serve_connections"] > 3:
            time.sleep(0.1)
        for i in range(10):
            c = raw(s)
            c.sendall(b"POST /kbs/v0/attest HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
            held.append(c)
        refused_ = 0
        for c in held[30:]:
            c.settimeout(1 if not refused_ else 0.3)
            with contextlib.suppress(socket.timeout, ConnectionError):
                refused_ += c.recv(4096).startswith(b"HTTP/1.1 503 ")
        assert refused_ == 2, "eight are half"
        for c in few:
            c.close()
        for c in held:
            c.close()


def test_many_guests(server):
    """A hundred at once, each with a key of its own, each gets its own."""
    def one(i):
        with contextlib.closing(server.guest()) as g:
            g.handshake(("started", "image", "launched")[i % 3])
            return g.get(PATH) == SECRET
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert all(pool.map(one, range(200)))


# ---- its own life ----

def test_graceful_shutdown(tmp_path):
    """SIGTERM: no new connections; idle ones end at once; a request in flight is finished; exit 0."""
    s = Serve(tmp_path / "s", "--timeout", "20", tls=False)
    with s:
        idle, busy = raw(s), raw(s)
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        body = b'{"version":"0.4.0","tee":"tpm"}'
        busy.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
        while s.metrics()["plinth_serve_requests_total"] < 3:
            time.sleep(0.05)
        began = time.monotonic()
        s.process.send_signal(signal.SIGTERM)
        assert idle.recv(100) == b"" and time.monotonic() - began < 5
        with pytest.raises(OSError):
            while True:
                socket.create_connection(("127.0.0.1", s.port), timeout=5).close()
                time.sleep(0.05)
        assert s.process.poll() is None
        busy.sendall(body[10:])
        got = b""
        while part := busy.recv(4096):
            got += part
        assert got.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in got and b"nonce" in got
        assert s.process.wait(10) == 0
        idle.close(), busy.close()


def test_shutdown_is_bounded(tmp_path):
    s = Serve(tmp_path / "s", "--timeout", "60", tls=False)
    with s:
        busy = raw(s)
        busy.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        while s.metrics()["plinth_serve_requests_total"] < 2:
            time.sleep(0.05)
        began = time.monotonic()
        assert s.stop(30) == 0 and 8 < time.monotonic() - began < 25
        assert "did not end in time" in (tmp_path / "s" / "stderr").read_text()
        busy.close()


def test_audit_log(tmp_path):
    with Serve(tmp_path / "s") as s:
        g = s.guest()
        refused(401, "AttestationError", g.auth, version="0.1.1")
        g.handshake()
        g.get(PATH)
        refused(401, "PolicyDeny", g.get, "acme/key/none")
        g.auth()
        refused(401, "AttestationError", g.attest, body=g.attestation(evidence=MACHINE.evidence(bytes(32))))
        lines = s.audit()
        assert [(a["what"], a["verdict"]) for a in lines] == [("auth", "refused"), ("attest", "attested"), ("resource " + PATH, "released"),
                                                              ("resource acme/key/none", "denied"), ("attest", "refused")]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", a["time"]) and a["peer"] == "127.0.0.1" for a in lines)
        assert lines[1]["session"] == lines[2]["session"] == lines[3]["session"] != lines[4]["session"] and re.fullmatch("[0-9a-f]{16}", lines[1]["session"])
        assert all(a["reason"] for a in lines if a["verdict"] in ("refused", "denied")) and lines[4]["tee"] == "tpm"
        assert [lines[1][n] for n in ("stage", "manifest", "policy")] == ["launched", MACHINE.manifest, MACHINE.policy]
        assert all("stage" not in a for i, a in enumerate(lines) if i != 1)
        g.handshake("started")
        assert s.audit()[-1]["stage"] == "started" and s.audit()[-1]["policy"] == MACHINE.policy and "manifest" not in s.audit()[-1]
        assert stat.S_IMODE(s.log.stat().st_mode) == 0o600


def test_what_cannot_be_logged_is_not_done(tmp_path):
    with Serve(tmp_path / "s", audit="/dev/full") as s:
        g = s.guest()
        g.auth()
        refused(503, "PluginInternalError", g.attest)


def test_nothing_secret_is_told(tmp_path):
    with Serve(tmp_path / "s") as s:
        g = s.guest()
        g.handshake()
        assert g.get(PATH) == SECRET
        s.stop()
        told = "".join(s.said) + (tmp_path / "s" / "stderr").read_text() + s.log.read_text()
        assert "correct horse" not in told and g.cookie.split("=")[1] not in told and g.token.split(".")[2] not in told


def test_core_dumps_are_off(server):
    if os.getuid() != 0:
        pytest.skip("the limits of a process that cannot be dumped are root's to read")
    with open(f"/proc/{server.process.pid}/limits") as f:
        assert re.search(r"Max core file size\s+0\s+0\s", f.read())


@pytest.mark.parametrize("change, why", [
    ({"--listen": "localhost:80"}, "is no address and port"), ({"--listen": "127.0.0.1"}, "is no address and port"), ({"--listen": "127.0.0.1:99999"}, "is no address and port"),
    ({"--listen": None}, "--listen"), ({"--reference": None}, "--reference"), ({"--reference": "/none"}, "/none"), ({"--secrets": None}, "--secrets"),
    ({"--secrets": "/none"}, "/none"), ({"--write-ca": None}, "--cert or --write-ca"), ({"--cert": "/none"}, "--write-ca is for"),
    ({"--write-ca": None, "--cert": "/none"}, "--key is missing"), ({"--write-ca": None, "--name": "x"}, "--name is for"),
    ({"--token-key": "/dev/null"}, "token key /dev/null is empty"), ({"--rate": "x"}, "--rate"),
    ({"--lifetime": "5"}, "--lifetime"), ({"--admin-token": "/dev/null"}, "less than 16"), ({"--policy": "/none"}, "/none"), ({"--audit": "/none/log"}, "audit log")])
def test_usage(plinth, tmp_path, change, why):
    (tmp_path / "reference").write_text(json.dumps(MACHINE.reference()))
    (tmp_path / "secrets").mkdir(mode=0o700)
    options = {"--listen": "127.0.0.1:0", "--reference": tmp_path / "reference", "--secrets": tmp_path / "secrets", "--write-ca": tmp_path / "ca", **change}
    r = plinth.run("serve", *(x for k, v in options.items() if v is not None for x in (k, v)))
    assert r.status == 2 and why in r.err, (r.status, r.err)


def test_no_certificate_over_http(plinth, tmp_path):
    (tmp_path / "reference").write_text(json.dumps(MACHINE.reference()))
    (tmp_path / "secrets").mkdir(mode=0o700)
    r = plinth.run("serve", "--listen", "127.0.0.1:0", "--reference", tmp_path / "reference", "--secrets", tmp_path / "secrets", "--allow-http", "--write-ca", tmp_path / "ca")
    assert r.status == 2 and "--allow-http is without a certificate" in r.err and not (tmp_path / "ca").exists(), r.err


def test_address_in_use(plinth, tmp_path, server):
    (tmp_path / "secrets").mkdir(mode=0o700)
    r = plinth.run("serve", "--listen", f"127.0.0.1:{server.port}", "--reference", server.directory / "reference.json", "--secrets", tmp_path / "secrets",
                   "--write-ca", tmp_path / "ca")
    assert r.status == 3 and "cannot listen" in r.err


def test_help(plinth):
    r = plinth.run("serve", "--help")
    assert r.status == 0 and all(o in r.out for o in ("--token-key", "--admin-token", "--write-ca", "--allow-http"))


# ---- the guest's own client ----

@pytest.mark.parametrize("key", ["ECDH-ES+A256KW", "RSA-OAEP-256"])
@pytest.mark.parametrize("tls", [True, False])
def test_the_agents_own_client(probe, ca, tpm, tmp_path, key, tls):  # noqa: F811
    """step/kbs and worker/kbs over swtpm, a software TPM: BearSSL's TLS, its JWE, Plinth's evidence of a boot that has begun."""
    zero, policy = {"4": "00" * 32, "9": "00" * 32}, {"allow": ["ak-known"], "weaknesses": ["signatures.allowUnsigned", "kbs.allowHttp"]}
    with Serve(tmp_path / "s", tls=tls, reference={"tpm": {"swtpm": {"sha256": zero}}, "policy": policy}) as s:
        agent = AgentClient(probe, ca, str(tmp_path))

        def run(*ops, **more):
            tpm.stop(), tpm.start()  # another boot
            agent.tee = f"tpm:{tpm.port}"
            return agent.run(s, *ops, teeKey=key, **more)

        uri = "get=kbs:///" + PATH
        member = {"ca": s.ca.read_text()} if tls else {"ca": None, "allowHttp": True}
        r = run(uri, uri, "renew", uri, "token", **member)
        assert r.got() == [SECRET] * 3, r.err
        claims = claims_of(re.search("^token (.*)$", r.out, re.M).group(1))
        assert claims["plinth"]["stage"] == "started" and claims["plinth"]["tee"] == "tpm" and claims["tee-pubkey"]["alg"] == key
        assert [(a["what"], a["verdict"]) for a in s.audit()][:3] == [("attest", "attested")] + [("resource " + PATH, "released")] * 2
        # what it is told when it may not: a refusal, after few tries
        r = run("get=kbs:///acme/key/none", **member)
        assert r.status == 1 and r.got() == [] and "acme/key/none" in r.text, r.err
        assert len([a for a in s.audit() if a["verdict"] == "denied"]) <= 3
    with Serve(tmp_path / "t", tls=tls, reference={"tpm": {"swtpm": {"sha256": {**zero, "4": "11" * 32}}}, "policy": policy}) as s:
        r = run(uri, **({"ca": s.ca.read_text()} if tls else member))
        assert r.status == 1 and r.got() == [] and {a["verdict"] for a in s.audit()} == {"refused"} and "PCR 4" in s.audit()[0]["reason"], (r.err, s.audit())
