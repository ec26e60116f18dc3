"""Guests for `plinth serve`: evidence of SIMULATED machines, a client of the KBS protocol, and a load generator.

    machine = Machine(layers=3)                   # a vTPM in software: its AK is pinned by policy.aks of the reference
    machine.reference(images=[...])               # what a relying party expects of it, as `plinth verify --reference` reads it
    machine.evidence(nonce, stage="image")        # Plinth's evidence document, a dict: "started", "image", "launched"
    machine.evidence(nonce, lines=[...])          # ... of any log: (domain, operation, content) each
    c = Client("https://127.0.0.1:8080", ca="ca.pem", machine=machine)
    c.handshake("launched")                       # auth, attest: c.nonce, c.key, c.token; raises Refused(status, text)
    c.get("acme/keys/a")                          # bytes; by_token=True: the bearer token alone, without the cookie
    with Server(directory, machine.reference(), {"acme/keys/a": b".."}, "--rate", 0) as s: ...   # build/plinth serve: s.url, s.ca, s.audit(), s.pid

Alone: serve_guest.py make DIR        writes DIR/reference.json and DIR/machine.pem of one machine
       serve_guest.py load --url URL --machine DIR/machine.pem --guests 200 --seconds 10 [--resource PATH] [--ca FILE]
                                      prints one JSON object: handshakes, seconds, failures, milliseconds at 50 and 99 of 100
"""
import argparse
import base64
import hashlib
import http.client
import json
import os
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SHA256, SHA384 = 0x000B, 0x000C
ALGS = {"sha256": SHA256, "sha384": SHA384}
RESTRICTED_SIGNING = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 16 | 1 << 18
COCO = "github.com/confidential-containers"


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(raw):
    return base64.b64encode(raw).decode()


def sized(raw):
    return struct.pack(">H", len(raw)) + raw


def jcs(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def coordinates(key):
    n = key.public_key().public_numbers() if hasattr(key, "public_key") else key.public_numbers()
    return n.x.to_bytes(32, "big"), n.y.to_bytes(32, "big")


class Machine:
    """Its firmware measured "firmware 4", "firmware 9" and so on; PCR 15 is Plinth's."""

    def __init__(self, image="registry.example/acme/web:1", manifest=None, policy=None, layers=2, weaknesses=None, initdata=None, second=None,
                 resources=(), agent="plinth 0.1.0", ak=None):
        self.ak = ak or ec.generate_private_key(ec.SECP256R1())
        self.image, self.manifest, self.policy = image, manifest or digest("manifest of " + image), policy or digest("policy")
        self.weaknesses, self.initdata, self.second, self.resources, self.agent = weaknesses, initdata, second, list(resources), agent
        self.layers = [digest(f"layer {i} of {self.manifest}") for i in range(layers)]
        x, y = coordinates(self.ak)
        self.ak_public = struct.pack(">HHI", 0x0023, SHA256, RESTRICTED_SIGNING) + sized(b"") + \
            struct.pack(">HHHHH", 0x0010, 0x0018, SHA256, 3, 0x0010) + sized(x) + sized(y)
        self.cached = {}

    def boot(self, stage="launched"):
        """The events of a good boot as far as a stage."""
        policy = {"digest": self.policy} | ({"weaknesses": self.weaknesses} if self.weaknesses else {})
        lines = [("plinth", "boot", jcs({"agent": self.agent}))]
        if self.initdata:
            lines.append(("plinth", "initdata", jcs({"digest": self.initdata})))
        lines.append(("plinth", "policy", jcs(policy)))
        if self.second:
            lines.append(("plinth", "policy", jcs({"digest": self.second, "uri": "kbs:///acme/policy/web"})))
        lines += [("plinth", "resource", jcs({"digest": d, "uri": uri})) for uri, d in self.resources]
        if stage == "started":
            return lines
        named = jcs({"digest": self.manifest, "image": self.image})
        lines += [("plinth", "manifest", named), (COCO, "PullImage", named), ("plinth", "config", jcs({"digest": digest("config")}))]
        if stage == "image":
            return lines
        lines += [("plinth", "layer", jcs({"diffID": digest("diff" + d), "digest": d, "index": i})) for i, d in enumerate(self.layers)]
        return lines + [("plinth", "launch", jcs({"process": digest("process"), "user": "web"})), ("plinth", "separator", "{}")]

    @staticmethod
    def replay(lines):
        """The log's bytes and PCR 15 in both banks."""
        spec = b"Spec ID Event03\0" + bytes([0, 0, 0, 0, 0, 2, 0, 2]) + struct.pack("<IHHHH", 2, SHA256, 32, SHA384, 48) + b"\0"
        log = struct.pack("<II", 0, 3) + bytes(20) + struct.pack("<I", len(spec)) + spec
        value = {"sha256": bytes(32), "sha384": bytes(48)}
        for line in lines:
            text = " ".join(line).encode()
            event = struct.pack("<II", 0x4141454C, len(text)) + text
            log += struct.pack("<III", 15, 6, 2)
            for name, alg in ALGS.items():
                d = hashlib.new(name, event).digest()
                log += struct.pack("<H", alg) + d
                value[name] = hashlib.new(name, value[name] + d).digest()
            log += struct.pack("<I", len(event)) + event
        return log, value

    def pcrs(self, value):
        return {name: [value[name] if i == 15 else hashlib.new(name, b"firmware %d" % i).digest() if i < 10 else bytes(len(value[name]))
                       for i in range(16)] for name in ALGS}

    def reference(self, events=True, register=True, firmware=True, **policy):
        lines = self.boot()
        pcrs = self.pcrs(self.replay(lines)[1])
        known = ([0] if firmware else []) + [4, 9] + ([15] if register else [])
        values = {name: {str(i): pcrs[name][i].hex() for i in known} for name in ALGS}
        if events:
            values["events"] = [" ".join(line) for line in lines]
        return {"tpm": {"web": values}, "policy": {"aks": ["sha256:" + hashlib.sha256(self.ak_public).hexdigest()], **policy}}

    def evidence(self, nonce, stage="launched", lines=None, pcr=15, alter=None):
        """`alter` gets and gives back the PCR values before they are quoted."""
        lines = self.boot(stage) if lines is None else lines
        key = tuple(lines)
        if alter or key not in self.cached:
            log, value = self.replay(lines)
            pcrs = self.pcrs(value)
            if alter:
                pcrs = alter(pcrs)
            text = {name: {str(i): v.hex() for i, v in enumerate(pcrs[name])} for name in ALGS}
            manifest = [json.loads(c)["digest"] for d, o, c in lines if o == "manifest"] or ["sha256:" + "0" * 64]
            policy = [json.loads(c)["digest"] for d, o, c in lines if d == "plinth" and o == "policy"] or [self.policy]
            self.cached[key] = (b"".join(v for name in ALGS for v in pcrs[name]), {
                "ak_public": b64(self.ak_public), "ak_public_pem": self.ak.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
                "ek_certificate": "", "pcrs": text, "register": {"pcr": pcr} | {name: text[name][str(pcr)] for name in ALGS},
                "eventlog": b64(log), "firmware_log": "", "image": self.image, "manifest": manifest[0], "policy": policy[-1]})
        values, rest = self.cached.pop(key) if alter else self.cached[key]
        quote = struct.pack(">IH", 0xff544347, 0x8018) + sized(b"\0\x0b" + bytes(32)) + sized(nonce) + struct.pack(">QIIBQ", 1, 0, 0, 1, 1)
        quote += struct.pack(">I", 2) + b"".join(struct.pack(">HB", alg, 3) + b"\xff\xff\0" for alg in ALGS.values())
        quote += sized(hashlib.sha256(values).digest())
        r, s = utils.decode_dss_signature(self.ak.sign(quote, ec.ECDSA(hashes.SHA256())))
        signature = struct.pack(">HH", 0x0018, SHA256) + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))
        return {"plinth": "0.1.0", "tee": "tpm", "nonce": nonce.hex(), "quote": b64(quote), "signature": b64(signature), **rest}

    def save(self, path):
        with open(path, "wb") as f:
            f.write(self.ak.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    @classmethod
    def load(cls, path, **members):
        with open(path, "rb") as f:
            return cls(ak=serialization.load_pem_private_key(f.read(), None), **members)


class Server:
    """`plinth serve` on a free port of 127.0.0.1; `options` as on its command line. .status and .err when it does not start."""

    PLINTH = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build", "plinth")

    def __init__(self, directory, reference, resources, *options):
        path = lambda name: os.path.join(directory, name)
        self.ca, self.log, self.url = path("ca.pem"), path("audit.log"), None
        for name, content in resources.items():
            os.makedirs(os.path.dirname(path("secrets/" + name)), exist_ok=True)
            with open(path("secrets/" + name), "wb") as f:
                f.write(content)
        os.makedirs(path("secrets"), exist_ok=True)
        os.chmod(path("secrets"), 0o700)
        with open(path("reference.json"), "w") as f:
            json.dump(reference, f)
        with open(path("serve.err"), "w") as err:
            self.process = subprocess.Popen([self.PLINTH, "serve", "--listen", "127.0.0.1:0", "--reference", path("reference.json"), "--secrets", path("secrets"),
                                             "--write-ca", self.ca, "--audit", self.log, *map(str, options)], stdout=subprocess.PIPE, stderr=err, text=True)
        self.pid = self.process.pid
        for line in self.process.stdout:
            if line.startswith("listening "):
                self.url = line.split()[1]
                break
        self.status = self.process.wait(10) if self.url is None else None
        with open(path("serve.err")) as f:
            self.err = f.read()

    def audit(self):
        with open(self.log) as f:
            return [json.loads(line) for line in f]

    def client(self, machine, **more):
        return Client(self.url, machine, ca=self.ca, **more)

    def __enter__(self):
        assert self.url, self.err
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.status = self.process.wait(20)
        self.process.stdout.close()


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


class Client:
    """One guest's side of RCAR 0.4.0, P-256. Each handshake has a key and a connection of its own."""

    def __init__(self, url, machine, ca=None, tee="tpm", source=None, timeout=30):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.machine, self.tee = parts.hostname, parts.port, machine, tee
        self.source, self.timeout = source, timeout
        self.context = None
        if parts.scheme == "https":
            self.context = ssl.create_default_context(cafile=ca)
        self.connection = self.cookie = self.token = self.nonce = self.key = self.challenge = None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body) of one exchange; a connection that the server has closed is made anew once."""
        body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = ({"Content-Type": "application/json"} if body is not None else {}) | (headers or {})
        for again in (self.connection is not None, False):
            if not self.connection:
                address = (self.source, 0) if self.source else None
                self.connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=self.timeout, source_address=address) \
                    if self.context else http.client.HTTPConnection(self.host, self.port, timeout=self.timeout, source_address=address)
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                self.close()
                if not again:
                    raise

    def wanted(self, got):
        status, headers, body = got
        if status != 200:
            raise Refused(status, body.decode(errors="replace"))
        return headers, body

    def auth(self, version="0.4.0"):
        self.cookie = self.token = None
        headers, body = self.wanted(self.request("POST", "/kbs/v0/auth", {"version": version, "tee": self.tee, "extra-params": {
            "supported-hash-algorithms": ["sha256", "sha384", "sha512"], "plinth": "0.1.0"}}))
        self.challenge = json.loads(body)
        self.nonce, self.cookie = self.challenge["nonce"], (headers.get("Set-Cookie") or "").split(";")[0]
        self.key = ec.generate_private_key(ec.SECP256R1())
        x, y = coordinates(self.key)
        self.jwk = {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": b64url(x), "y": b64url(y)}

    def report_data(self, nonce=None, jwk=None):
        return hashlib.sha384(jcs({"additional-evidence": "", "nonce": nonce or self.nonce, "tee-pubkey": jwk or self.jwk}).encode()).digest()

    def evidence_nonce(self, **of):
        """What Plinth's document is over (lib/tee/evidence.h)."""
        return b"plinth-k" + self.report_data(**of)[:24]

    def attestation(self, stage="launched", evidence=None, **members):
        evidence = self.machine.evidence(self.evidence_nonce(), stage, **members) if evidence is None else evidence
        return {"runtime-data": {"nonce": self.nonce, "tee-pubkey": self.jwk},
                "tee-evidence": {"primary_evidence": evidence, "additional_evidence": ""}}

    def attest(self, stage="launched", body=None, cookie=None, **members):
        body = self.attestation(stage, **members) if body is None else body
        _, body = self.wanted(self.request("POST", "/kbs/v0/attest", body, {"Cookie": cookie or self.cookie}))
        self.token = json.loads(body)["token"]
        return self.token

    def handshake(self, stage="launched", **members):
        self.auth()
        return self.attest(stage, **members)

    def get(self, path, by_token=False, by_cookie=False, token=None):
        headers = {}
        if not by_cookie:
            headers["Authorization"] = "Bearer " + (token or self.token)
        if not by_token and not token:
            headers["Cookie"] = self.cookie
        _, body = self.wanted(self.request("GET", "/kbs/v0/resource/" + path, headers=headers))
        return self.open(json.loads(body))

    def open(self, jwe, key=None):
        """Decrypts a response: ECDH-ES+A256KW, A256GCM."""
        header = json.loads(unb64url(jwe["protected"]))
        assert header["alg"] == "ECDH-ES+A256KW" and header["enc"] == "A256GCM" and header["epk"]["crv"] == "P-256", header
        assert set(jwe) == {"protected", "encrypted_key", "iv", "ciphertext", "tag"}, sorted(jwe)
        peer = ec.EllipticCurvePublicNumbers(int.from_bytes(unb64url(header["epk"]["x"]), "big"),
                                             int.from_bytes(unb64url(header["epk"]["y"]), "big"), ec.SECP256R1()).public_key()
        z = (key or self.key).exchange(ec.ECDH(), peer)
        alg = b"ECDH-ES+A256KW"
        kek = hashlib.sha256(struct.pack(">I", 1) + z + struct.pack(">I", len(alg)) + alg + struct.pack(">III", 0, 0, 256)).digest()
        cek = keywrap.aes_key_unwrap(kek, unb64url(jwe["encrypted_key"]))
        return AESGCM(cek).decrypt(unb64url(jwe["iv"]), unb64url(jwe["ciphertext"]) + unb64url(jwe["tag"]), jwe["protected"].encode())


def claims_of(token):
    """Not verified."""
    return json.loads(unb64url(token.split(".")[1]))


def load(url, machine, guests, seconds, resource=None, ca=None, stage="launched", rounds=None):
    """`guests` at once, each again and again a new one: connection, auth, attest, one resource."""
    times, failures, lock = [], [], threading.Lock()
    start = threading.Barrier(guests + 1)
    machine.evidence(bytes(32), stage)
    end = [0.0]

    def guest():
        start.wait()
        done = 0
        while time.monotonic() < end[0] if rounds is None else done < rounds:
            at, client = time.monotonic(), Client(url, machine, ca=ca)
            done += 1
            try:
                client.handshake(stage)
                if resource:
                    client.get(resource)
                with lock:
                    times.append(time.monotonic() - at)
            except Exception as e:
                with lock:
                    failures.append(repr(e))
            finally:
                client.close()

    threads = [threading.Thread(target=guest, daemon=True) for _ in range(guests)]
    for t in threads:
        t.start()
    began = time.monotonic()
    end[0] = began + seconds
    start.wait()
    for t in threads:
        t.join()
    took = time.monotonic() - began
    times.sort()
    at = lambda share: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1) if times else None
    return {"guests": guests, "handshakes": len(times), "seconds": round(took, 2), "failures": len(failures), "failure": failures[:1],
            "ms_50": at(0.5), "ms_99": at(0.99)}


def main():
    p = argparse.ArgumentParser(description="SIMULATED guests for plinth serve")
    sub = p.add_subparsers(dest="what", required=True)
    make = sub.add_parser("make")
    make.add_argument("directory")
    many = sub.add_parser("load")
    many.add_argument("--url", required=True)
    many.add_argument("--machine", required=True)
    many.add_argument("--guests", type=int, default=200)
    many.add_argument("--seconds", type=float, default=10)
    many.add_argument("--resource")
    many.add_argument("--ca")
    many.add_argument("--stage", default="launched")
    a = p.parse_args()
    if a.what == "make":
        os.makedirs(a.directory, exist_ok=True)
        machine = Machine()
        machine.save(os.path.join(a.directory, "machine.pem"))
        with open(os.path.join(a.directory, "reference.json"), "w") as f:
            json.dump(machine.reference(), f, indent=1)
    else:
        json.dump(load(a.url, Machine.load(a.machine), a.guests, a.seconds, a.resource, a.ca, a.stage), sys.stdout)
        print()


if __name__ == "__main__":
    main()
