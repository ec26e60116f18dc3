"""RA-TLS: the process that ends TLS, alone; certificates; plinth verify --cert and --tls."""
import base64
import hashlib
import json
import os
import random
import select
import socket
import ssl
import struct
import subprocess
import tarfile
import threading
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import PLINTH, ROOT
from image import Image, policy, tar
from ratls import Ak, Backend, Impostor, TlsServer, cmw, echo, evidence_of, forge, nonce_of, openssl, page, spki_of
from test_boot import ca, kernel, registry, run, serve  # noqa: F401
from test_simtee import sim  # noqa: F401


def until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


# ---- the certificate ----

def test_certificate(tmp_path):
    with Backend(page) as b, TlsServer(b.port) as t:
        c = t.certificate()
        assert spki_of(c) == t.spki and evidence_of(c) == t.evidence
        pem = t.pinned(tmp_path)
        assert openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", pem, pem).returncode == 0
        text = openssl("x509", "-in", pem, "-noout", "-text").stdout.decode()
        assert "DNS:plinth.internal" in text and "ecdsa-with-SHA256" in text and "9999 GMT" in text


def test_curl(tmp_path):
    with Backend(page) as b, TlsServer(b.port) as t:
        pem, at = t.pinned(tmp_path), f"plinth.internal:{t.port}:127.0.0.1"
        url = f"https://plinth.internal:{t.port}/"
        assert subprocess.check_output(["curl", "-sS", "--cacert", pem, "--resolve", at, url]) == b"hello\n"
        pin = "sha256//" + base64.b64encode(hashlib.sha256(t.spki).digest()).decode()
        assert subprocess.check_output(["curl", "-sSk", "--pinnedpubkey", pin, f"https://127.0.0.1:{t.port}/"]) == b"hello\n"
        other = "sha256//" + base64.b64encode(hashlib.sha256(b"another").digest()).decode()
        assert subprocess.run(["curl", "-sSk", "--pinnedpubkey", other, f"https://127.0.0.1:{t.port}/"], stderr=subprocess.DEVNULL).returncode == 90


def test_every_server_has_its_own_key():
    with TlsServer(1) as a, TlsServer(1) as b:
        assert a.spki != b.spki and nonce_of(a.spki) != nonce_of(b.spki)


@pytest.mark.parametrize("size, starts", [(256, True), (61440, True), (61441, False), (200000, False)])
def test_evidence_of_any_size(size, starts):
    t = TlsServer(1, evidence=b"e" * size)
    if starts:
        assert evidence_of(t.certificate()) == b"e" * size
        t.close()
    else:
        kind, text = t.receive()
        assert b"too long" in text
        assert os.waitpid(t.pid, 0)[1] != 0


# ---- what it speaks ----

def client(port, *args):
    p = openssl("s_client", "-connect", f"127.0.0.1:{port}", *args, data=b"")
    return p.returncode, p.stdout.decode()


def test_tls_1_2_alone():
    with TlsServer(1) as t:
        status, out = client(t.port, "-tls1_2")
        assert "Protocol  : TLSv1.2" in out and "ECDSA" in out, out
        for version in ("-tls1", "-tls1_1", "-tls1_3"):
            status, out = client(t.port, version, "-cipher", "ALL:@SECLEVEL=0")
            assert status != 0 and "Cipher is (NONE)" in out, out


@pytest.mark.parametrize("cipher, works", [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES256-GCM-SHA384", True), ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
    ("ECDHE-ECDSA-AES128-SHA256", False), ("ECDHE-RSA-AES128-GCM-SHA256", False), ("AES128-GCM-SHA256", False),
])
def test_ciphers(cipher, works):
    with TlsServer(1) as t:
        status, out = client(t.port, "-tls1_2", "-cipher", cipher)
        assert (f"Cipher    : {cipher}" in out) == works, out


@pytest.mark.parametrize("curve, works", [("P-256", True), ("X25519:P-256", True), ("X25519", False), ("P-384", False)])
def test_curves(curve, works):
    with TlsServer(1) as t:
        status, out = client(t.port, "-tls1_2", "-curves", curve)
        assert ("Server Temp Key: ECDH, prime256v1" in out) == works, out


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.0\r\n\r\n", bytes(600), b"\x16\x03\x01\xff\xff" + bytes(70000), b"\x80\x2e\x01\x00\x02", b""],
                         ids=["http", "zeros", "long", "ssl2", "nothing"])
def test_not_tls(noise):
    with Backend(page) as b, TlsServer(b.port) as t:
        with socket.create_connection(("127.0.0.1", t.port), timeout=20) as s:
            try:
                s.sendall(noise)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert b.count == 0  # the container never saw it
        t.certificate()


# ---- bytes ----

def exchange(s, data):
    """Sends and receives as many bytes at the same time, in one thread: an SSL object is not for two."""
    got, at = bytearray(), 0
    s.setblocking(False)
    while len(got) < len(data):
        if not s.pending():
            select.select([s], [s] if at < len(data) else [], [], 60)
        try:
            got += s.recv(65536) or pytest.fail(f"the end, after {len(got)} bytes")
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            at += s.send(data[at:at + 65536]) if at < len(data) else 0
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
    s.settimeout(30)
    return bytes(got)


@pytest.mark.parametrize("size", [1, 16384, 1 << 20, 24 << 20])
def test_both_ways(size):
    with Backend(echo) as b, TlsServer(b.port) as t:
        with t.connect() as s:
            sent = random.Random(size).randbytes(size)
            assert exchange(s, sent) == sent
            s.unwrap()


def test_container_speaks_first_and_ends():
    def greet(s):
        s.sendall(b"220 hello\r\n")
    with Backend(greet) as b, TlsServer(b.port) as t:
        with t.connect() as s:
            assert s.recv(100) == b"220 hello\r\n"
            assert s.recv(100) == b""  # close_notify: suppress_ragged_eofs would not tell
            s.unwrap()


def test_container_ends_after_much():
    size = 8 << 20
    def pour(s):
        s.sendall(b"x" * size)
    with Backend(pour) as b, TlsServer(b.port) as t:
        with t.connect() as s:
            time.sleep(0.5)  # by now every buffer is full and the container's program has perhaps ended
            got = 0
            while n := len(s.recv(65536)):
                got += n
        assert got == size


def test_client_ends_properly():
    ends = []
    def read_all(s):
        data = b""
        while got := s.recv(65536):
            data += got
        ends.append(data)
    with Backend(read_all) as b, TlsServer(b.port) as t:
        with t.connect() as s:
            s.sendall(b"y" * 300000)
            s.unwrap()
        until(lambda: ends or b.faults)
        assert ends == [b"y" * 300000]


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_client_is_cut(how):
    """Without close_notify the container does not see an end, but a reset."""
    there = threading.Event()

    def read_all(s):
        while s.recv(65536):
            there.set()
    with Backend(read_all) as b, TlsServer(b.port) as t:
        s = t.connect()
        s.sendall(b"half a request")
        assert there.wait(30)
        if how == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=s.detach()).close()
        until(lambda: b.faults)
        assert isinstance(b.faults[0], ConnectionResetError)


def test_container_resets():
    """And a container that breaks off is not made to look as if it had finished."""
    there = threading.Event()

    def half(s):
        s.sendall(b"half an ")
        there.wait(30)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with Backend(half) as b, TlsServer(b.port) as t:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.options &= ~0x80  # SSL_OP_IGNORE_UNEXPECTED_EOF, which Debian's python3 sets: it would take any end for a proper one
        raw = socket.create_connection(("127.0.0.1", t.port), timeout=20)
        with context.wrap_socket(raw, suppress_ragged_eofs=False) as s:
            assert s.recv(100) == b"half an "
            there.set()
            with pytest.raises((ssl.SSLError, ConnectionResetError), match="(?i)eof|reset"):
                s.recv(100)


def test_container_answers_early():
    """It refuses a long request and closes while that is still on its way."""
    def refuse(s):
        s.recv(100)
        s.sendall(b"HTTP/1.1 413 Too Large\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
    with Backend(refuse) as b, TlsServer(b.port) as t:
        with t.connect() as s:
            s.sendall(b"x" * 100)
            assert s.recv(100).startswith(b"HTTP/1.1 413")
            assert s.recv(100) == b""


def test_container_not_there():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with TlsServer(port) as t:
        with t.connect() as s:  # the handshake goes: who it is can be checked before it serves
            assert s.recv(100) == b""


# ---- many, slow, hostile ----

def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_many_at_once():
    with Backend(echo) as b, TlsServer(b.port) as t:
        links = [t.connect() for _ in range(100)]
        for i, s in enumerate(links):
            s.sendall(str(i).encode() * 1000)
        for i, s in enumerate(links):
            got = b""
            while len(got) < 1000 * len(str(i)) and (more := s.recv(65536)):
                got += more
            assert got == str(i).encode() * 1000
        for s in links:
            s.close()
        assert b.count == 100 and not any(not isinstance(f, ConnectionResetError) for f in b.faults)


def test_one_after_another():
    with Backend(page) as b, TlsServer(b.port) as t:
        for _ in range(300):
            with t.connect() as s:
                s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert s.recv(1000).endswith(b"hello\n")
        assert len(os.listdir(f"/proc/{t.pid}/fd")) < 20


def test_slow_reader_holds_up_nobody():
    def pour(s):
        s.sendall(b"z" * (32 << 20))
    with Backend(pour) as b, TlsServer(b.port) as t:
        slow = t.connect()
        assert slow.recv(10)
        time.sleep(1)
        with t.connect() as s:
            got = 0
            while n := len(s.recv(65536)):
                got += n
        assert got == 32 << 20
        time.sleep(2)
        after = cpu(t.pid)
        time.sleep(2)
        assert cpu(t.pid) - after <= 5, "it spins"  # ticks of 10 ms
        assert memory(t.pid) < 20000
        slow.close()


def test_gone_client_is_noticed_while_the_container_is_slow():
    """The container takes nothing, so the client is not read from; its end must not make the poll spin."""
    hold = threading.Event()
    with Backend(lambda s: hold.wait(60)) as b, TlsServer(b.port) as t:
        s = t.connect()
        s.settimeout(1)
        with pytest.raises((TimeoutError, ssl.SSLError)):
            while True:
                s.send(b"x" * 65536)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=s.detach()).close()
        time.sleep(0.5)
        before = cpu(t.pid)
        time.sleep(2)
        assert cpu(t.pid) - before <= 5, "it spins"
        hold.set()


def test_slow_handshake_is_ended():
    with Backend(page) as b, TlsServer(b.port) as t:
        with socket.create_connection(("127.0.0.1", t.port), timeout=30) as s:
            start = time.monotonic()
            try:
                for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600):
                    s.sendall(bytes([byte]))
                    s.settimeout(0.25)
                    try:
                        if s.recv(1) == b"":
                            break
                    except TimeoutError:
                        pass
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert 9 < time.monotonic() - start < 20
        assert b.count == 0


def test_flood_of_idle_connections():
    """More than it takes: those who were silent make room, and nobody is kept out for longer than that takes."""
    with Backend(page) as b, TlsServer(b.port) as t:
        idle = [socket.create_connection(("127.0.0.1", t.port)) for _ in range(180)]
        start = time.monotonic()
        with t.connect() as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert s.recv(1000).endswith(b"hello\n")
        assert time.monotonic() - start < 15
        assert len(os.listdir(f"/proc/{t.pid}/fd")) < 2 * 128 + 10 and memory(t.pid) < 20000
        for s in idle:
            s.close()


def test_ends_with_the_monitor():
    t = TlsServer(1)
    t.certificate()
    s = t.connect()
    t.close()  # asserts exit status 0
    s.close()


# ---- plinth verify --cert, --tls ----

VECTORS = os.path.join(ROOT, "tests", "unit", "vectors", "evidence")


def load(name):
    with open(os.path.join(VECTORS, name)) as f:
        return json.load(f)


class Case:
    """The recorded evidence of a software TPM, given anew over any key by an AK of the test's, and the reference that fits."""

    def __init__(self, plinth, directory):
        self.plinth, self.directory, self.ak, self.recorded = plinth, directory, Ak(), load("tpm.json")
        reference = load("tpm-reference.json")
        reference["sha256"]["0"] = self.recorded["pcrs"]["sha256"]["0"]
        self.reference = {"version": 1, "tpm": reference, "policy": {"aks": [self.ak.name(self.recorded)]}}

    def evidence(self, spki):
        return json.dumps(self.ak.requote(self.recorded, nonce_of(spki))).encode()

    def verify(self, *args):
        path = self.directory / "reference.json"
        path.write_text(json.dumps(self.reference))
        return self.plinth.run("verify", "--reference", path, "--json", *args)

    def accepted(self, *args):
        r = self.verify(*args)
        assert r.status == 0 and r.json["verdict"] == "accepted", (r.out, r.err)
        return r.json

    def refused(self, reason, *args, status=1):
        r = self.verify(*args)
        assert r.status == status and reason in (r.json["reason"] if r.json else r.err), (r.status, r.out, r.err)
        return r.json

    def file(self, der, name="cert.der"):
        path = self.directory / name
        path.write_bytes(der)
        return path


@pytest.fixture
def case(plinth, tmp_path):
    return Case(plinth, tmp_path)


def key():
    return ec.generate_private_key(ec.SECP256R1())


def spki(k):
    return k.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def states(result):
    return {c["name"]: c["ok"] for c in result["checks"]}


def test_verify_tls(case, tmp_path):
    with Backend(page) as b, TlsServer(b.port, case.evidence) as t:
        at, pem = f"127.0.0.1:{t.port}", tmp_path / "pinned.pem"
        result = case.accepted("--tls", at, "--write-cert", pem)
        assert result["caveats"] == [] and states(result)["tls-key"] and states(result)["tls-handshake"] and states(result)["nonce"]
        assert result["tls"]["peer"] == at and result["tls"]["session"].startswith("TLSv1.2, ECDHE-ECDSA-")
        assert result["manifest"] == case.recorded["manifest"]
        # With what it wrote a client reaches exactly this server.
        assert pem.read_text() == t.pinned(tmp_path).read_text()
        url = f"https://plinth.internal:{t.port}/"
        resolve = ["--resolve", f"plinth.internal:{t.port}:127.0.0.1"]
        assert subprocess.check_output(["curl", "-sS", "--cacert", pem, *resolve, url]) == b"hello\n"
        assert subprocess.check_output(["curl", "-sSk", "--pinnedpubkey", result["tls"]["pin"], f"https://{at}/"]) == b"hello\n"
        with TlsServer(b.port, case.evidence) as other:  # as good, but another one
            url, resolve = f"https://plinth.internal:{other.port}/", ["--resolve", f"plinth.internal:{other.port}:127.0.0.1"]
            assert subprocess.run(["curl", "-sS", "--cacert", pem, *resolve, url], stderr=subprocess.DEVNULL).returncode == 60
        # The same from a file, in both forms; that its key was not proved is said.
        for path in (pem, case.file(ssl.PEM_cert_to_DER_cert(pem.read_text()))):
            result = case.accepted("--cert", path)
            assert len(result["caveats"]) == 1 and "handshake" in result["caveats"][0] and states(result)["tls-handshake"] is None
            assert result["tls"] == {**result["tls"], "peer": None, "session": None}
        # Text for people.
        r = case.plinth.run("verify", "--reference", tmp_path / "reference.json", "--tls", at)
        assert r.status == 0 and "key        sha256//" in r.out and "tls-handshake" in r.out, r.out


def test_without_firmware_log(case):
    """As a long one is left out: the registers are compared alone, and that is said."""
    case.recorded["firmware_log"] = ""
    with TlsServer(1, case.evidence) as t:
        result = case.accepted("--tls", f"127.0.0.1:{t.port}")
        assert states(result)["firmware-log"] is None and "firmware-log" in result["missing"]


def test_changed_reference_refuses(case, tmp_path):
    pem = tmp_path / "pinned.pem"
    with TlsServer(1, case.evidence) as t:
        case.reference["tpm"]["sha256"]["4"] = "ab" * 32
        case.refused("PCR 4", "--tls", f"127.0.0.1:{t.port}", "--write-cert", pem)
        assert not pem.exists()
        case.reference["tpm"]["sha256"]["4"] = case.recorded["pcrs"]["sha256"]["4"]
        case.reference["policy"]["aks"] = ["sha256:" + "00" * 32]
        case.refused("ak-known", "--tls", f"127.0.0.1:{t.port}")


def test_evidence_of_another_guest(case, tmp_path):
    """An attacker has good evidence, a recorded certificate even, but not the key that it is over."""
    with TlsServer(1, case.evidence) as t:
        recorded = t.certificate()
        evidence = evidence_of(recorded)
        der = recorded.public_bytes(serialization.Encoding.DER)
    own = key()
    forged = forge(own, [cmw(evidence)])
    case.refused("tls-key", "--cert", case.file(forged))
    with Impostor(tmp_path, forged, own) as i:
        result = case.refused("tls-key", "--tls", f"127.0.0.1:{i.port}")
        assert states(result)["nonce"] is False and states(result)["tls-handshake"] is True
        assert result["manifest"] is None
    # The recorded certificate itself cannot be served: who tries has to sign with its key.
    s = Impostor.__new__(Impostor)
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH|key values mismatch"):
        Impostor.__init__(s, tmp_path, der, own)
    # Evidence that the TPM gave over something else.
    other = json.dumps(case.ak.requote(case.recorded, hashlib.sha256(spki(own)).digest())).encode()
    case.refused("tls-key", "--cert", case.file(forge(own, [cmw(other)])))
    document = json.loads(case.evidence(spki(own)))
    document["quote"] = json.loads(other)["quote"]  # the document says the right nonce, the quote another
    document["signature"] = json.loads(other)["signature"]
    r = case.verify("--cert", case.file(forge(own, [cmw(json.dumps(document).encode())])))
    assert r.status == 1 and states(r.json)["tls-key"] is True and False in states(r.json).values(), r.out


def test_anybody_may_make_a_good_one(case, tmp_path):
    """What counts is the key under the evidence, not who wrote the certificate around it."""
    own = key()
    der = forge(own, [cmw(case.evidence(spki(own)))])
    case.accepted("--cert", case.file(der))
    with Impostor(tmp_path, der, own) as i:
        result = case.accepted("--tls", f"localhost:{i.port}")
        assert result["tls"]["session"].startswith("TLSv1.3, ")


def test_certificates_refused(case):
    own = key()
    good = cmw(case.evidence(spki(own)))
    assert len(good) > 4000
    for why, der in {
        "carries no evidence": forge(own, []),
        "carries no evidence (": forge(own, [good], oid=bytes.fromhex("678105050408")),
        "twice": forge(own, [good, good]),
        "twice: which": forge(own, [good, cmw(b"{" + b" " * 300 + b"}")]),
        "other software's evidence": forge(own, [b"\xd9\xea\x60\x82\x58\x04abcd\x58\x02ef"]),  # Gramine's tag 60000
        "other software": forge(own, [cmw(case.evidence(spki(own)), b"application/vnd.intel.sgx")]),
        "is cut": forge(own, [good[:-1]]),
        "is cut, or followed": forge(own, [good + b"\x04"]),
        "not signed with its own key": forge(own, [good], signer=key()),
        "bytes follow": forge(own, [good]) + b"\0",
        "neither PEM nor DER": forge(own, [good])[:-1],
        "evidence: ": forge(own, [cmw(b"{}" + b" " * 300)]),
        "ours have 62464 at most": b"\x30\x82\xff\xfc" + bytes(65532),
    }.items():
        case.refused(why, "--cert", case.file(der))
    for valid, at in ((("260101000000Z", "270101000000Z"), "2025-07-01"), (("240101000000Z", "240201000000Z"), "2025-07-01")):
        case.refused("tls-certificate", "--at", at, "--cert", case.file(forge(own, [good], valid=valid)))


def test_oversized_from_a_server(case, tmp_path):
    own = key()
    der = forge(own, [cmw(b"{" + b" " * 65000 + b"}")])
    with Impostor(tmp_path, der, own) as i:
        case.refused("ours have 62464 at most", "--tls", f"127.0.0.1:{i.port}")


def test_peers_refused(case):
    def silent(s):
        s.recv(1 << 16)
        time.sleep(60)
    with Backend(page) as b, Backend(lambda s: s.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")) as http, Backend(lambda s: None) as gone:
        case.refused("does not speak TLS", "--tls", f"127.0.0.1:{http.port}")
        case.refused("127.0.0.1:", "--tls", f"127.0.0.1:{gone.port}", status=3)
        b.__exit__()
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    case.refused("cannot connect", "--tls", f"127.0.0.1:{port}", status=3)
    case.refused("nowhere.invalid", "--tls", "nowhere.invalid:443", status=3)
    with Backend(silent) as b:
        start = time.monotonic()
        case.refused("does not go on", "--tls", f"127.0.0.1:{b.port}", status=3)
        assert time.monotonic() - start < 40


@pytest.mark.parametrize("args, why", [
    ([], "Nothing is named"), (["--tls", "127.0.0.1:1", "--cert", "x"], "One thing at a time"), (["--cert", "x", "evidence"], "One thing at a time"),
    (["--tls", "127.0.0.1"], "not HOST:PORT"), (["--tls", "::1:443"], "not HOST:PORT"), (["--tls", ":443"], "not HOST:PORT"),
    (["--cert", "/dev/null", "--nonce", "00"], "--nonce"), (["--cert", "/nonexistent"], "certificate"),
    (["evidence", "--write-cert", "x"], "--write-cert"),
])
def test_usage(case, args, why):
    case.refused(why, *args, status=2)


# ---- by booting ----

@pytest.fixture(scope="session")
def web(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("web") / "web")
    run("musl-gcc", "-static", "-Os", "-s", "-o", path, os.path.join(ROOT, "tests", "e2e", "guest_probe", "web.c"))
    with open(path, "rb") as f:
        return f.read()


class Guest:
    """A supervised machine with run.tls, as long as it runs."""

    def __init__(self, plinth, keys, ca, registry, web, directory, *args, api=None, **more):
        program = tarfile.TarInfo("bin/web")
        program.mode = 0o755
        self.image = Image(layers=[tar([("bin", None), (program, web)])], process={"Entrypoint": ["/bin/web"], "User": "1000"}).sign(keys["builder"])
        name = serve(self.image, registry, directory / "layout")
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        with open(ca.pem) as f:
            p = policy(keys["builder"], image=name, registry={"ca": f.read()},
                       run={"mode": "supervise", "args": ["/bin/web", "8080", "the page", "8443"], "tls": {"port": 8443, "forward": 8080}, **(api or {})},
                       **more)
        self.policy, self.evidence, self.console_path = plinth.policy(p), directory / "evidence.json", directory / "console"
        self.process = subprocess.Popen(
            [PLINTH, "run", "--policy", self.policy, "--publish", f"{self.port}:8443", "--evidence", self.evidence, "--console", self.console_path,
             "--timeout", "400", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        try:
            until(lambda: "web.ready=1" in self.console or self.process.poll() is not None, 400)
            assert self.process.poll() is None, (self.console, self.process.communicate())
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def console(self):
        return self.console_path.read_text(errors="replace") if self.console_path.exists() else ""

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=60)


def reach(guest, result, pem):
    """curl gets the page from exactly that server, by either way of pinning."""
    url, resolve = f"https://plinth.internal:{guest.port}/", ["--resolve", f"plinth.internal:{guest.port}:127.0.0.1"]
    assert subprocess.check_output(["curl", "-sS", "--cacert", pem, *resolve, url]) == b"the page"
    assert subprocess.check_output(["curl", "-sSk", "--pinnedpubkey", result["tls"]["pin"], f"https://127.0.0.1:{guest.port}/"]) == b"the page"


@pytest.mark.parametrize("kernel", ["lean"], indirect=True)
def test_boot_tpm(plinth, keys, kernel, ca, registry, web, tmp_path):  # noqa: F811
    """With swtpm, a software TPM."""
    vmlinuz, modules = kernel
    assert not modules
    with Guest(plinth, keys, ca, registry, web, tmp_path, "--kernel", vmlinuz, tee=["tpm"]) as g:
        assert "web.bind=Address in use" in g.console or "web.bind=Address already in use" in g.console, g.console
        initrd = tmp_path / "initrd.img"
        assert plinth.run("initrd", "--policy", g.policy, "-o", initrd).status == 0
        predicted = plinth.run("measure", "tpm", "--kernel", vmlinuz, "--initrd", initrd, "--cmdline", "console=ttyS0 panic=-1 quiet",
                               "--policy", g.policy, "--image", f"oci:{tmp_path / 'layout'}:v", "--json")
        assert predicted.status == 0, predicted.err
        until(g.evidence.exists)
        first = json.loads(g.evidence.read_text())
        reference = {**predicted.json, "sha256": {**predicted.json["sha256"], "0": first["pcrs"]["sha256"]["0"]}}
        aks = ["sha256:" + hashlib.sha256(base64.b64decode(first["ak_public"])).hexdigest()]
        path, pem, at = tmp_path / "reference.json", tmp_path / "guest.pem", f"127.0.0.1:{g.port}"
        path.write_text(json.dumps({"version": 1, "tpm": reference, "policy": {"aks": aks}}))
        r = plinth.run("verify", "--reference", path, "--tls", at, "--write-cert", pem, "--json")
        assert r.status == 0 and r.json["caveats"] == [] and r.json["manifest"] == g.image.digest, (r.out, r.err, g.console)
        assert r.json["ear"]["submods"]["tpm"]["ear.status"] == "affirming"
        reach(g, r.json, pem)
        again = plinth.run("verify", "--reference", path, "--tls", at, "--json")
        assert again.status == 0 and again.json["tls"]["pin"] == r.json["tls"]["pin"]
        # A changed reference: another image is expected, and whoever asks does not get a certificate to trust.
        changed = json.loads(path.read_text())
        for bank in ("sha256", "sha384"):
            changed["tpm"][bank]["15"] = "ab" * (32 if bank == "sha256" else 48)
        path.write_text(json.dumps(changed))
        other = tmp_path / "other.pem"
        r = plinth.run("verify", "--reference", path, "--tls", at, "--write-cert", other, "--json")
        assert r.status == 1 and "PCR 15" in r.json["reason"] and not other.exists(), (r.out, r.err)


@pytest.mark.parametrize("kind", ["tdx", "snp"])
def test_boot_simulated(kind, plinth, keys, sim, ca, registry, web, tmp_path):  # noqa: F811
    """A SIMULATED TEE: evidence over the key goes through report_data's preimage."""
    kernel, simtee = sim
    launch = os.urandom(48).hex()
    with Guest(plinth, keys, ca, registry, web, tmp_path, "--kernel", kernel, "--tee", kind, "--simulate", simtee, "--launch-digest", launch,
               api={"api": {"feature": "attestation"}}, tee=[kind]) as g:
        path, pem = tmp_path / "reference.json", tmp_path / "guest.pem"
        values = {"tdx": {"mrtd": launch}, "snp": {"launch_digest": launch}}[kind]
        path.write_text(json.dumps({kind: values, "policy": {"images": [g.image.digest]}}))
        root = os.path.join(simtee, kind)
        collateral = [n for n in os.listdir(root) if n.startswith(("pck_crl.der", "root_ca_crl.der", "tcb_info", "qe_identity"))]
        given = ["--trust", os.path.join(root, "root.pem" if kind == "tdx" else "ark.der"),
                 *(x for n in sorted(collateral) for x in ("--certs", os.path.join(root, n)))]
        verify = ["verify", "--reference", path, "--tls", f"127.0.0.1:{g.port}", *given, "--allow", "reference-coverage", "--json"]
        r = plinth.run(*verify, "--write-cert", pem)
        assert r.status == 0 and r.json["manifest"] == g.image.digest, (r.out, r.err, g.console)
        names = states(r.json)
        assert names["tls-key"] and names["nonce"] and names["preimage"] and names["report-data"] and names["register"], names
        reach(g, r.json, pem)
        path.write_text(json.dumps({kind: values, "policy": {"images": ["sha256:" + "ab" * 32]}}))
        r = plinth.run(*verify)
        assert r.status == 1 and "image: " in r.json["reason"], (r.out, r.err)
