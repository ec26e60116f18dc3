"""The KBS client (step/kbs, worker/kbs, step/resources) against a key broker that speaks as Trustee does, and one that lies: kbs_probe.c
runs the agent's own code here, over a software TPM or a fake of the kernel's TSM files. A simulation of the TEEs; the quotes prove nothing."""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from conftest import ROOT
from hostile_registry import Authority, answer, endless_body, honest, raw, redirect, reset, rewrite, stall
from kbs import COOKIE, Kbs, b64url, report_data, seal, unb64url
from test_tpm import Swtpm

URI = "kbs:///acme/db/password"
SECRET = b"correct horse \0 battery \xff staple"
IDLE_MS = 1500  # of silence, instead of 30 s
BODY_MS = 2500  # for a body, instead of 30 s


def objects():
    """The agent's own, as they were built, but for main and what is compiled with a shorter patience."""
    found = []
    for folder in ("agent", "crypto"):
        for base, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                path = os.path.relpath(os.path.join(base, name), ROOT)
                built = os.path.join("build/obj", path[:-2] + ".o")
                if name.endswith(".c") and name not in ("main.c", "connection.c", "gunzip_zlib.c") and path != "agent/worker/kbs.c" and os.path.exists(os.path.join(ROOT, built)):
                    found.append(built)
    return sorted(found)


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    out = tmp_path_factory.mktemp("probe") / "kbs_probe"
    with open(os.path.join(ROOT, "build", "deps.mk")) as f:
        deps = re.search(r"DEPS := (\S+)", f.read()).group(1)
    subprocess.run(["musl-gcc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-static", f"-DIDLE_MS={IDLE_MS}", f"-DBODY_MS={BODY_MS}", "-Iagent/lib", "-Iagent", "-I.",
                    "-isystem", f"{deps}/include", "-isystem", f"{deps}/uapi", "tests/e2e/kbs_probe.c",
                    "agent/worker/connection.c", "agent/worker/kbs.c", *objects(), f"-L{deps}/lib", "-larchive", "-lzstd", "-lisal", "-lz", "-lbearssl", "-lsodium",
                    "-lyyjson", "-o", str(out)], cwd=ROOT, check=True)
    return str(out)


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("ca")))


@pytest.fixture(scope="session")
def tls(ca):
    return ca.server()


@pytest.fixture
def kbs(tls):
    with Kbs({"acme/db/password": SECRET}, tls=tls) as k:
        yield k


class Result:
    def __init__(self, p, seconds):
        self.status, self.out, self.err, self.seconds = p.returncode, p.stdout, p.stderr, seconds
        m = re.search(r"^error (\d+) (.*)\nmend (.*)$", p.stderr, re.M)
        self.kind, self.text, self.mend = (int(m.group(1)), m.group(2), m.group(3)) if m else (0, "", "")

    def got(self):
        return [bytes.fromhex(line) for line in re.findall(r"^secret (.*)$", self.out, re.M)]


FORMAT, DIGEST, SIGNATURE, POLICY, USAGE, NETWORK, SYSTEM = range(1, 8)


class Client:
    def __init__(self, probe, ca, directory):
        self.probe, self.ca, self.directory, self.tee = probe, ca, directory, "snp"

    def run(self, kbs, *ops, policy=None, timeout=100, **member):
        member = {"url": kbs.url, "ca": self.ca.bytes().decode(), **member}
        document = {"image": "registry.example/acme/web:1", "signatures": {"allowUnsigned": True},
                    "kbs": {k: v for k, v in member.items() if v is not None}, **(policy or {})}
        path = os.path.join(self.directory, "policy.json")
        with open(path, "w") as f:
            json.dump(document, f)
        began = time.time()
        p = subprocess.run([self.probe, self.tee, path, *ops], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=timeout, text=True)
        return Result(p, time.time() - began)

    def get(self, kbs, *more, **member):
        return self.run(kbs, f"get={URI}", *more, **member)

    def refused(self, kbs, kind, text, *more, **member):
        r = self.get(kbs, *more, **member)
        assert r.status == 1 and r.kind == kind and re.search(text, r.text), r.err
        assert r.got() == [] and SECRET.hex() not in r.err
        return r


@pytest.fixture
def client(probe, ca, tmp_path):
    return Client(probe, ca, str(tmp_path))


def test_a_secret(client, kbs):
    r = client.get(kbs, f"get={URI}", "renew", f"get={URI}")
    assert r.status == 0 and r.got() == [SECRET] * 3, r.err
    assert [(q.method, q.path.rpartition("/")[2]) for q in kbs.requests] == [
        ("POST", "auth"), ("POST", "attest"), ("GET", "password"), ("GET", "password"), ("POST", "auth"), ("POST", "attest"), ("GET", "password")]
    request = json.loads(kbs.requests[0].body)
    assert request["version"] == "0.4.0" and request["tee"] == "snp" and "sha384" in request["extra-params"]["supported-hash-algorithms"]
    assert kbs.requests[0].headers["content-type"] == "application/json" and "cookie" not in kbs.requests[0].headers
    for q in kbs.requests[2:4]:  # both, on every resource request
        assert q.headers["cookie"].startswith(COOKIE + "=") and q.headers["authorization"].startswith("Bearer ey")
    assert "cookie" not in kbs.requests[4].headers and "authorization" not in kbs.requests[4].headers  # another session
    assert len(kbs.attestations) == 2 and kbs.attestations[0].jwk["alg"] == "ECDH-ES+A256KW" and kbs.attestations[0].initdata is None


@pytest.fixture
def tpm(tmp_path):
    state = tmp_path / "tpm"
    state.mkdir()
    t = Swtpm(state, None)
    yield t
    t.stop()


def persist_rsa_ak(tpm, directory, scheme="rsassa"):
    """As Trustee's documentation has it done."""
    for command in (["tpm2_createek", "-G", "rsa", "-c", "ek.ctx"], ["tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", "-G", "rsa", "-g", "sha256",
                    "-s", scheme, "-u", "ak.pem", "-f", "pem"], ["tpm2_flushcontext", "-t"], ["tpm2_evictcontrol", "-c", "ak.ctx", "0x81010002"]):
        p = tpm.tool(*[os.path.join(directory, a) if a.endswith((".ctx", ".pem")) else a for a in command])
        assert p.returncode == 0, (command, p.stdout)
    tpm.tool("tpm2_flushcontext", "-t")


# ---- Evidence, in the shapes of either side --------------------------------------------------------------------------------


def test_trustee_snp(client, kbs):
    assert client.run(kbs, "verified", f"get={URI}").got() == [SECRET]
    a, = kbs.attestations
    assert a.bound() == a.report_data and set(a.evidence) == {"attestation_report", "cert_chain"}
    assert [c["cert_type"] for c in a.evidence["cert_chain"]] and a.body["tee-evidence"]["additional_evidence"] == ""


def test_trustee_tdx(client, kbs):
    client.tee = "tdx"
    assert client.get(kbs).got() == [SECRET]
    a, = kbs.attestations
    assert a.bound() == a.report_data and set(a.evidence) == {"cc_eventlog", "quote"}
    log = base64.b64decode(a.evidence["cc_eventlog"])
    with open(os.path.join(ROOT, "tests/unit/vectors/tee/ccel-dstack-ffpad.bin"), "rb") as f:
        ccel = f.read().rstrip(b"\xff")
    assert log.startswith(ccel[:-8]) and log.endswith(b"\xff" * 8) and b"plinth boot" in log and b"plinth policy" in log
    # RTMR3 of the quote is the replay of Plinth's events in that log
    value = bytes(48)
    for event in re.findall(rb"LEAA....plinth [a-z]+ \{[^}]*\}", log, re.S):
        value = hashlib.sha384(value + hashlib.sha384(event).digest()).digest()
    assert base64.b64decode(a.evidence["quote"])[48 + 328 + 144:][:48] == value


@pytest.mark.parametrize("tee", ["tdx", "snp"])
def test_plinth_cpu(client, tls, tee):
    client.tee = tee
    with Kbs({"acme/db/password": SECRET}, plinth="0.1.0", tls=tls) as kbs:
        assert client.run(kbs, "verified", f"get={URI}").got() == [SECRET]
        a, = kbs.attestations
        assert a.evidence["tee"] == tee and bytes.fromhex(a.evidence["nonce"]) == b"plinth-k" + a.report_data[:24]
        assert a.evidence["manifest"] == "sha256:" + "22" * 32 and a.evidence["image"] == "registry.example/acme/web:1"
        assert hashlib.sha384(a.evidence["preimage"].encode()).hexdigest() == a.evidence["report_data"][:96]
        assert json.loads(a.evidence["preimage"])["nonce"] == a.evidence["nonce"]


def test_plinth_tpm(client, tls, tpm):
    client.tee = f"tpm:{tpm.port}"
    with Kbs({"acme/db/password": SECRET}, plinth="0.1.0", tls=tls) as kbs:
        assert client.get(kbs).got() == [SECRET]
        a, = kbs.attestations
        assert a.evidence["tee"] == "tpm" and b"plinth-k" + a.report_data[:24] in base64.b64decode(a.evidence["quote"])


def test_trustee_tpm(client, kbs, tpm, tmp_path):
    client.tee = f"tpm:{tpm.port}"
    persist_rsa_ak(tpm, str(tmp_path))
    assert client.get(kbs).got() == [SECRET]
    a, = kbs.attestations
    assert a.tee == "tpm" and a.bound() == a.report_data[:32]
    quote = a.evidence["tpm_quote"]
    (tmp_path / "quote.msg").write_bytes(base64.b64decode(quote["message"]))
    (tmp_path / "quote.sig").write_bytes(base64.b64decode(quote["signature"]))
    (tmp_path / "sent.der").write_bytes(base64.b64decode(a.evidence["ak_public"]))
    assert subprocess.run(["openssl", "pkey", "-pubin", "-inform", "der", "-in", "sent.der", "-out", "sent.pem"], cwd=tmp_path).returncode == 0
    assert (tmp_path / "sent.pem").read_text() == (tmp_path / "ak.pem").read_text()
    values = [quote["pcrs"][i] for i in range(24)]
    assert len(quote["pcrs"]) == 24 and values[15] == tpm.pcr("sha256", 15) and values[17] == "ff" * 32
    digest = hashlib.sha256(b"".join(bytes.fromhex(v) for v in values)).digest()
    assert (tmp_path / "quote.msg").read_bytes().endswith(digest)
    for nonce, status in ((a.report_data[:32].hex(), 0), ("00" * 32, 1)):
        p = subprocess.run(["tpm2_checkquote", "-u", "sent.pem", "-m", "quote.msg", "-s", "quote.sig", "-g", "sha256", "-q", nonce],
                           cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert (p.returncode != 0) == status, p.stdout


@pytest.mark.parametrize("scheme", [None, "rsapss"])
def test_trustee_tpm_without_its_key(client, kbs, tpm, tmp_path, scheme):
    client.tee = f"tpm:{tpm.port}"
    if scheme:
        persist_rsa_ak(tpm, str(tmp_path), scheme)
    r = client.refused(kbs, POLICY if scheme else SYSTEM, "attestation: evidence: key 0x81010002: .*" + ("scheme 0x16" if scheme else "TPM_RC"))
    assert "persist one at 0x81010002" in r.mend and not kbs.attestations


def test_initdata_travels(client, kbs, tmp_path):
    text = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n"x" = \'\'\'\n{"a\\"": 1}\t\n\'\'\'\n'
    (tmp_path / "initdata").write_text(text)
    assert client.run(kbs, f"initdata={tmp_path}/initdata", f"get={URI}").got() == [SECRET]
    assert kbs.attestations[-1].initdata == {"format": "toml", "body": text}


# ---- Keys and JWE ----------------------------------------------------------------------------------------------------------


def test_rsa_key(client, kbs):
    assert client.get(kbs, teeKey="RSA-OAEP-256").got() == [SECRET]
    assert kbs.attestations[0].jwk["kty"] == "RSA" and kbs.attestations[0].jwk["alg"] == "RSA-OAEP-256"


def flipped(text):
    raw = bytearray(unb64url(text))
    raw[0] ^= 1
    return b64url(bytes(raw))


def cut(text, n=-1):
    return b64url(unb64url(text)[:n])


OTHER = {"kty": "RSA", "alg": "RSA-OAEP-256"}


def rsa_jwk():
    from cryptography.hazmat.primitives.asymmetric import rsa
    n = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    return {**OTHER, "n": b64url(n.to_bytes(256, "big")), "e": "AQAB"}


def ec_jwk():
    from cryptography.hazmat.primitives.asymmetric import ec
    p = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": b64url(p.x.to_bytes(32, "big")), "y": b64url(p.y.to_bytes(32, "big"))}


CHANGED = {  # what becomes of the JWE, the error's kind and text
    "tag": (lambda j, a: {**j, "tag": flipped(j["tag"])}, DIGEST, "tag"),
    "iv": (lambda j, a: {**j, "iv": flipped(j["iv"])}, DIGEST, "tag"),
    "ciphertext": (lambda j, a: {**j, "ciphertext": flipped(j["ciphertext"])}, DIGEST, "tag"),
    "header": (lambda j, a: {**j, "protected": b64url(unb64url(j["protected"]).replace(b'","', b'" ,"', 1))}, DIGEST, "tag"),
    "wrapped key": (lambda j, a: {**j, "encrypted_key": flipped(j["encrypted_key"])}, POLICY, "key"),
    "short tag": (lambda j, a: {**j, "tag": cut(j["tag"])}, FORMAT, "tag has 15 bytes"),
    "long tag": (lambda j, a: {**j, "tag": b64url(unb64url(j["tag"]) + b"x")}, FORMAT, "tag has 17 bytes"),
    "short iv": (lambda j, a: {**j, "iv": cut(j["iv"])}, FORMAT, "iv has 11 bytes"),
    "long iv": (lambda j, a: {**j, "iv": b64url(unb64url(j["iv"]) + b"1234")}, FORMAT, "iv has 16 bytes"),
    "short key": (lambda j, a: {**j, "encrypted_key": cut(j["encrypted_key"], 32)}, FORMAT, "encrypted_key has 32 bytes"),
    "no tag": (lambda j, a: {k: v for k, v in j.items() if k != "tag"}, FORMAT, "tag"),
    "aad": (lambda j, a: {**j, "aad": "eA"}, FORMAT, "aad"),
    "tag with padding": (lambda j, a: {**j, "tag": j["tag"] + "=="}, FORMAT, "base64url"),
    "RSA, EC was offered": (lambda j, a: seal(SECRET, rsa_jwk()), POLICY, "key"),
    "EC, for another key": (lambda j, a: seal(SECRET, ec_jwk()), POLICY, "key"),
    "RSA-OAEP": (lambda j, a: seal(SECRET, rsa_jwk(), alg="RSA-OAEP"), FORMAT, "alg is 'RSA-OAEP'"),
    "RSA1_5": (lambda j, a: seal(SECRET, a.jwk, alg="RSA1_5"), FORMAT, "alg is 'RSA1_5'"),
    "A128KW": (lambda j, a: seal(SECRET, a.jwk, alg="ECDH-ES+A128KW"), FORMAT, r"alg is 'ECDH-ES\+A128KW'"),
    "none": (lambda j, a: seal(SECRET, a.jwk, alg="none"), FORMAT, "alg is 'none'"),
    "dir": (lambda j, a: seal(SECRET, a.jwk, alg="dir"), FORMAT, "alg is 'dir'"),
    "A128GCM": (lambda j, a: seal(SECRET, a.jwk, enc="A128GCM"), FORMAT, "enc"),
    "A256CBC-HS512": (lambda j, a: seal(SECRET, a.jwk, enc="A256CBC-HS512"), FORMAT, "enc"),
    "zip": (lambda j, a: seal(SECRET, a.jwk, header={"zip": "DEF"}), FORMAT, "zip"),
    "crit": (lambda j, a: seal(SECRET, a.jwk, header={"crit": ["exp"]}), FORMAT, "crit"),
    "no JSON object": (lambda j, a: [], FORMAT, ""),
}


@pytest.mark.parametrize("what", CHANGED)
def test_changed_jwe(client, kbs, what):
    change, kind, text = CHANGED[what]
    kbs.alter = lambda jwe: change(jwe, kbs.attestations[-1])
    client.refused(kbs, kind, f"{URI}: .*{text}")


def test_plaintext_in_the_clear(client, kbs):
    kbs.on("/resource/", answer(200, SECRET))
    client.refused(kbs, FORMAT, URI)


# ---- Denied, expired -------------------------------------------------------------------------------------------------------


def test_expired_session(client, kbs):
    kbs.on("/resource/", lambda c, q, k: (k.expire(), answer(401, b'{"detail":"expired"}')(c, q, k))[1], times=1)
    r = client.get(kbs)
    assert r.got() == [SECRET] and len(kbs.attestations) == 2, r.err


def test_401_for_ever(client, kbs):
    kbs.release = lambda attestation, path: False
    r = client.refused(kbs, POLICY, rf"{URI}: after 3 attestations: denied by the KBS at 127.0.0.1:\d+ \(401: Access denied by policy\)")
    assert "401 for nearly everything" in r.mend and len(kbs.attestations) == 3 and len(kbs.requests) == 9


def test_no_such_resource(client, kbs):
    r = client.run(kbs, f"get={URI}", "get=kbs:///acme/db/other")
    assert r.got() == [SECRET] and r.kind == POLICY and "kbs:///acme/db/other: after 3 attestations: denied" in r.text


def test_evidence_refused(client, kbs):
    kbs.judge = lambda attestation: "the TCB is \x1b[31mold\n"
    r = client.refused(kbs, POLICY, "denied by the KBS .*the TCB is ")
    assert "\x1b" not in r.err and len(kbs.attestations) == 3 and not kbs.given


def test_version_mismatch(client, kbs):
    kbs.on("/auth", answer(401, b'{"type":"x","detail":"KBS Client Protocol Version Mismatch: expect =0.5.0 while the request is 0.4.0"}'))
    client.refused(kbs, POLICY, "attestation: denied by the KBS .*expect =0.5.0 while the request is 0.4.0")
    assert len(kbs.requests) == 1  # the next would not be another


@pytest.mark.parametrize("status", [403, 404])
def test_404_stops(client, kbs, status):
    kbs.on("/resource/", answer(status, b'{"detail":"PluginNotFound"}'), times=1)
    client.refused(kbs, POLICY, f"127.0.0.1 answers {status}: PluginNotFound")
    assert len(kbs.requests) == 3


def test_another_guests_token_is_no_key(client, kbs, tls):
    """What was encrypted to another guest's key opens nowhere else."""
    with Kbs({"acme/db/password": SECRET}, tls=tls) as other:
        assert client.get(other).got() == [SECRET]
        kbs.alter = lambda jwe: seal(SECRET, other.attestations[0].jwk)
        client.refused(kbs, POLICY, "key")


# ---- A KBS that lies about the protocol ------------------------------------------------------------------------------------

NONCES = {"empty": "", "short": b64url(b"x" * 30) + "==", "url alphabet": base64.urlsafe_b64encode(b"\xff" * 32).decode(), "no padding": "A" * 43,
          "quotes": 'A"' * 22, "new lines": "AAAA\n" * 9, "too long": base64.b64encode(bytes(99)).decode(), "a megabyte": "A" * 1000000,
          "a number": 5, "null": None, "not ASCII": "\u00e9" * 22, "31 bytes": base64.b64encode(bytes(31)).decode()}


@pytest.mark.parametrize("what", NONCES)
def test_wrong_nonce(client, kbs, what):
    kbs.alter_challenge = lambda c: {**c, "nonce": NONCES[what]}
    client.refused(kbs, FORMAT, "nonce|more than the 65536 bytes")
    assert not kbs.attestations


@pytest.mark.parametrize("nonce", [bytes(32), bytes(range(96))])
def test_nonces_of_other_kbses(client, kbs, nonce):
    """`plinth serve` puts a MAC into its own."""
    def change(c):
        text = base64.b64encode(nonce).decode()
        for s in kbs.sessions.values():
            s[1] = text
        return {**c, "nonce": text}
    kbs.alter_challenge = change
    assert client.get(kbs).got() == [SECRET]


CHALLENGES = {"no JSON": b"hello", "array": b"[]", "trailing": b'{"nonce":"AA=="} x', "twice": b'{"nonce":"AA==","nonce":"AA=="}', "nothing": b"",
              "deep": b'{"nonce":' + b"[" * 100 + b"]" * 100 + b"}"}


@pytest.mark.parametrize("what", CHALLENGES)
def test_wrong_challenge(client, kbs, what):
    kbs.on("/auth", answer(200, CHALLENGES[what], Set_Cookie=COOKIE + "=abc"))
    client.refused(kbs, FORMAT, "attestation: ")


@pytest.mark.parametrize("cookie", [None, COOKIE, COOKIE + "=", "other=1", COOKIE + '="a"', COOKIE + "=a b", COOKIE + "=" + "x" * 3000, COOKIE + "=a\\b"])
def test_wrong_cookie(client, kbs, cookie):
    kbs.on("/auth", rewrite(lambda s, h, b: (s, {**{k: v for k, v in h.items() if k != "Set-Cookie"}, **({"Set-Cookie": cookie} if cookie else {})}, b)))
    client.refused(kbs, FORMAT, "no cookie kbs-session-id")


TOKENS = {"empty": "", "space": "a b", "a field": "a\r\nX-Evil: 1", "long": "x" * 600000, "number": 5, "null": None, "not ASCII": "\u00fc.a.b"}


@pytest.mark.parametrize("what", TOKENS)
def test_wrong_token(client, kbs, what):
    kbs.on("/attest", answer(200, json.dumps({"token": TOKENS[what]}).encode()))
    client.refused(kbs, FORMAT, "attestation: ")


def test_long_token_travels_by_cookie(client, kbs):
    """Trustee's holds the claims of a whole event log: too long for a field, and the session has it anyway."""
    def act(c, q, k):
        _, _, body = k.look_up(q)
        name, session = k.session(q)
        session[3] = json.loads(body)["token"] + "." + "x" * 200000
        return answer(200, json.dumps({"token": session[3]}).encode())(c, q, k)
    kbs.on("/attest", act)
    r = client.run(kbs, f"get={URI}", "token")
    assert r.got() == [SECRET] and "authorization" not in kbs.requests[2].headers
    assert len(re.search(r"^token (\S+)$", r.out, re.M).group(1)) > 200000


def test_redirect(client, kbs, tls):
    with Kbs({"acme/db/password": SECRET}, tls=tls) as other:
        for part in ("/auth", "/attest", "/resource/"):
            kbs.rules.clear()
            kbs.on(part, redirect(other.url + "{path}"))
            r = client.refused(kbs, FORMAT, r"127.0.0.1 redirects \(307\)")
            assert "kbs.url" in r.mend
        assert not other.requests


def test_unknown_ca(client, kbs, tmp_path):
    stranger = Authority(str(tmp_path / "other"))
    r = client.refused(kbs, SIGNATURE, "127.0.0.1", ca=stranger.bytes().decode())
    assert "kbs.ca" in r.mend and not kbs.requests


def test_no_ca_no_trust(client, kbs):
    client.refused(kbs, SIGNATURE, "127.0.0.1", ca=None)
    assert not kbs.requests


def test_the_bundle_where_no_ca_is_named(client, kbs, ca, tmp_path):
    stranger = Authority(str(tmp_path / "other"))
    assert client.run(kbs, f"bundle={ca.pem}", f"get={URI}", ca=None).got() == [SECRET]
    r = client.run(kbs, f"bundle={ca.pem}", f"get={URI}", ca=stranger.bytes().decode())  # kbs.ca is alone where it is there
    assert r.kind == SIGNATURE and r.got() == []


def test_certificate_of_another_host(client, ca):
    with Kbs({}, tls=ca.server(san="DNS:kbs.example")) as kbs:
        client.refused(kbs, SIGNATURE, "127.0.0.1")


def test_plain_http_has_a_name(client):
    with Kbs({"acme/db/password": SECRET}) as kbs:
        r = client.get(kbs, ca=None)
        assert r.kind == USAGE and "kbs.allowHttp" in r.mend and not kbs.requests, r.err
        assert client.get(kbs, ca=None, allowHttp=True).got() == [SECRET]


def test_tls_is_wanted(client):
    with Kbs({}) as kbs:
        kbs.url = kbs.url.replace("http:", "https:")
        client.refused(kbs, FORMAT, "TLS")


@pytest.mark.parametrize("uri", ["kbs:///a/../c", "kbs:///../../etc/passwd", "kbs:///a/b", "kbs:///a/b/c/d", "kbs:///a/b/c?x", "kbs:///a/b/%2e%2e",
                                 "kbs:///a//c", "kbs:///./b/c", "https://a/b/c", "kbs:///a/b/c\r\nX: y", ""])
def test_malformed_path(client, kbs, uri):
    r = client.run(kbs, f"get={uri}")
    assert r.kind == USAGE and "is not kbs:///repository/type/tag" in r.text and not kbs.requests


def test_host_in_the_uri(client, kbs):
    assert client.run(kbs, f"get=kbs://{kbs.host}/acme/db/password").got() == [SECRET]
    r = client.run(kbs, "get=kbs://kbs.example/acme/db/password")
    assert r.kind == POLICY and "is at another KBS than kbs.url" in r.text


# ---- A KBS that does not end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["/auth", "/attest", "/resource/"])
def test_500_is_tried_again(client, kbs, part):
    kbs.on(part, answer(500, b"<html>\x1b[2J oops"), times=2)
    r = client.get(kbs)
    assert r.got() == [SECRET] and r.err.count("trying again in") == 2 and "\x1b" not in r.err, r.err
    kbs.on(part, answer(503, b"<html>\x1b[2J oops"))
    r = client.refused(kbs, NETWORK, r"after 4 attempts: 127.0.0.1 answers 503: <html>")
    assert "\x1b" not in r.err


def test_a_reset_is_forgiven(client, kbs):
    kbs.on("/resource/", reset, times=1)
    assert client.get(kbs).got() == [SECRET]


@pytest.mark.parametrize("part", ["/auth", "/attest", "/resource/"])
def test_stall(client, kbs, part):
    kbs.on(part, stall)
    r = client.refused(kbs, NETWORK, "has sent nothing for")
    assert r.seconds < 30


def test_trickle(client, kbs):
    """Never silent for long, and never at its end."""
    def act(c, q, k):
        whole = k.honest(q)
        at = whole.index(b"\r\n\r\n") + 4
        c.sendall(whole[:at])
        for b in whole[at:]:
            if k.closing.wait(0.3):
                break
            c.sendall(bytes([b]))
        return False
    kbs.on("/resource/", act)
    r = client.refused(kbs, NETWORK, "answers too slowly")
    assert r.seconds < 40


def test_a_connection_for_each_request(client, kbs):
    """Closed after every answer, without a word of that."""
    kbs.on("/kbs/", lambda c, q, k: honest(c, q, k) and False)
    assert client.get(kbs, f"get={URI}").got() == [SECRET] * 2 and len(kbs.requests) == kbs.connections == 4


def test_the_worker_is_confined(client, kbs, tmp_path):
    """While the KBS keeps it waiting."""
    kbs.on("/auth", stall)
    client.run(kbs, policy={})  # writes the policy
    p = subprocess.Popen([client.probe, "snp", os.path.join(client.directory, "policy.json"), f"get={URI}"], cwd=ROOT, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
                children = f.read().split()
            if kbs.requests and children:
                break
            time.sleep(0.02)
        child, = children
        with open(f"/proc/{child}/cmdline") as f, open(f"/proc/{child}/status") as g:
            assert f.read() == "plinth:kbs\0"
            status = dict(line.rstrip("\n").split(":\t", 1) for line in g)
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1" and status["CapEff"] == "0" * 16
        if os.geteuid() == 0:
            assert status["Uid"].split() == ["65534"] * 4
    finally:
        p.kill()
        p.wait()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("part,limit", [("/auth", 65536), ("/attest", 512 << 10), ("/resource/", 1 << 20)])
def test_endless_body(client, kbs, part, limit, chunked):
    """As many gigabytes as anybody takes."""
    kbs.on(part, endless_body(chunked))
    r = client.refused(kbs, FORMAT, "more than the .* bytes that are allowed here")
    assert r.seconds < 10


@pytest.mark.parametrize("part", ["/auth", "/attest", "/resource/"])
def test_ten_gigabytes_announced(client, kbs, part):
    def act(c, q, k):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\nSet-Cookie: kbs-session-id=a\r\n\r\n")
        while not k.closing.is_set():
            c.sendall(b" " * 65536)
    kbs.on(part, act)
    assert client.refused(kbs, FORMAT, "more than the .* bytes that are allowed here").seconds < 10


def test_endless_error(client, kbs):
    kbs.on("/resource/", lambda c, q, k: (c.sendall(b"HTTP/1.1 404 No\r\n\r\n"), endless_body()(c, q, k))[1])
    client.refused(kbs, POLICY, "answers 404")


def test_what_no_http_is(client, kbs):
    kbs.on("/auth", raw(b"SSH-2.0-OpenSSH\r\n"))
    client.refused(kbs, FORMAT, "127.0.0.1")


def test_more_than_was_asked(client, kbs):
    kbs.resources["acme/db/password"] = b"x" * 100
    assert client.run(kbs, "max=100", f"get={URI}").got() == [b"x" * 100]
    r = client.run(kbs, "max=99", f"get={URI}")
    assert r.kind == FORMAT and "100 bytes, at most 99 are taken here" in r.text and r.got() == []
    kbs.resources["acme/db/password"] = b"x" * (1 << 20)
    assert client.get(kbs).got() == [b"x" * (1 << 20)]
    kbs.resources["acme/db/password"] = b""
    assert client.get(kbs).got() == [b""]


# ---- Tokens and resources --------------------------------------------------------------------------------------------------


def test_token_and_its_key(client, kbs, tmp_path):
    for key in ("ECDH-ES+A256KW", "RSA-OAEP-256"):
        r = client.run(kbs, "token", teeKey=key)
        token = re.search(r"^token (\S+)$", r.out, re.M).group(1)
        assert token in kbs.tokens
        (tmp_path / "key.pem").write_text(r.out[r.out.index("key ") + 4:])
        p = subprocess.run(["openssl", "pkey", "-in", "key.pem", "-pubout", "-outform", "der"], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
        jwk = kbs.attestations[-1].jwk
        assert unb64url(jwk.get("x") or jwk["n"]) in p.stdout


def test_registry_resources(client, kbs, ca):
    basic = lambda text: {"auth": base64.b64encode(text.encode()).decode()}  # noqa: E731
    auth = {"auths": {"registry.example": basic("anna:one"), "registry.example/acme": basic("bert:two"), "registry.example/acme/web": basic("c:3"),
                      "registry.example/other": basic("d:4")}, "credsStore": "desktop"}
    kbs.resources.update({"acme/registry/auth": json.dumps(auth).encode(), "acme/registry/ca": ca.bytes(),
                          "acme/registry/mirrors": b'["cache.example/acme"]'})
    policy = {"registry": {"auth": "kbs:///acme/registry/auth", "ca": "kbs:///acme/registry/ca", "mirrors": "kbs:///acme/registry/mirrors"}}
    names = ["registry.example/acme/web", "registry.example/acme/webs", "registry.example/x", "registry.example/other/y", "elsewhere/acme/web"]
    r = client.run(kbs, "registry", *[f"credential={n}" for n in names], policy=policy)
    assert r.status == 0, r.err
    assert re.findall(r"^credential (.*)$", r.out, re.M) == ["c:3", "bert:two", "anna:one", "d:4", ""]
    assert re.findall(r"^measured (.*)$", r.out, re.M) == ["kbs:///acme/registry/ca", "kbs:///acme/registry/mirrors"]
    assert "mirror cache.example/acme" in r.out and "ca -----BEGIN CERTIFICATE-----" in r.out
    assert len(kbs.attestations) == 1 and kbs.given == ["acme/registry/ca", "acme/registry/mirrors", "acme/registry/auth"]


@pytest.mark.parametrize("member,text,why", [
    ("auth", b"{}", "auths"), ("auth", b"no JSON", "JSON"), ("auth", b'{"auths":{"a.example":{"auth":"c2VjcmV0"}}}', "user:password"), ("ca", b"hello", "no certificate"),
    ("ca", b"", "empty"), ("mirrors", b"{}", "not an array"), ("mirrors", b'["https://x"]', "mirrors"), ("mirrors", json.dumps(["m"] * 9).encode(), "9 entries")])
def test_wrong_registry_resources(client, kbs, member, text, why):
    kbs.resources["acme/registry/x"] = text
    r = client.run(kbs, "registry", policy={"registry": {member: "kbs:///acme/registry/x"}})
    assert r.status == 1 and r.kind in (FORMAT, USAGE) and why in r.text and "kbs:///acme/registry/x" in r.text and "c2VjcmV0" not in r.err, r.err


def test_policy_resource(client, kbs):
    kbs.resources["acme/policy/web"] = b'{"image":"registry.example/acme/web:2","signatures":{"allowUnsigned":true}}'
    p = {"kbs": {"url": kbs.url, "ca": client.ca.bytes().decode(), "policy": "kbs:///acme/policy/web"}}
    path = os.path.join(client.directory, "remote.json")
    with open(path, "w") as f:
        json.dump(p, f)
    r = subprocess.run([client.probe, "snp", path, "policy"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert r.returncode == 0 and r.stdout == "policy " + kbs.resources["acme/policy/web"].decode() + "\n", r.stderr


def test_figures(client, tls, tpm, capsys):
    """Round trips and time of attestation and first secret, of one more, and over HTTP alone."""
    with Kbs({"acme/db/password": SECRET}, plinth="0.1.0", tls=tls) as kbs:
        client.tee = f"tpm:{tpm.port}"
        r = client.get(kbs, f"get={URI}")
        first, second = re.findall(r"get=\S+: (\d+) ms", r.err)
        with capsys.disabled():
            print(f"\nattest and first secret (software TPM on this host): {len(kbs.requests) - 1} requests, {kbs.connections} connection(s), "
                  f"{first} ms; one more secret: 1 request, {second} ms")
        assert len(kbs.requests) == 4 and kbs.connections == 1
