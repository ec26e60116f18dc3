"""The monitor's side of "plinth:tls" (agent/worker/tls_server.h), to drive it alone, and certificates read and made without our code."""
import base64
import fcntl
import hashlib
import os
import re
import socket
import ssl
import struct
import subprocess
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.environ.get("PLINTH_WORKER", os.path.join(ROOT, "build", "plinth"))
OID = "2.23.133.5.4.9"
MEDIA_TYPE = b"application/vnd.plinth.evidence+json"
SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def frames():
    """Names and numbers of agent/worker/frame.h."""
    with open(os.path.join(ROOT, "agent", "worker", "frame.h")) as f:
        body = re.sub(r"/\*.*?\*/", "", re.search(r"enum frame_type \{(.*?)\};", f.read(), re.S).group(1), flags=re.S)
    return {name: 1 + i for i, name in enumerate(re.findall(r"FRAME_(\w+)", body))}


FRAME = frames()


def nonce_of(spki):
    """CCC "Interoperable RA-TLS": SHA-256 of the CBOR claims {"pubkey-hash": << [1, SHA-256 of the SPKI] >>}; 24 bytes of it behind our tag."""
    entry = b"\x82\x01\x58\x20" + hashlib.sha256(spki).digest()
    return b"plinth-t" + hashlib.sha256(b"\xa1\x6bpubkey-hash\x58" + bytes([len(entry)]) + entry).digest()[:24]


def cmw(evidence, media_type=MEDIA_TYPE):
    return b"\x83\x78" + bytes([len(media_type)]) + media_type + b"\x59" + struct.pack(">H", len(evidence)) + evidence + b"\x04"


def evidence_of(certificate):
    """The document in a certificate (cryptography's), its envelope compared byte by byte."""
    value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(OID)).value.value
    head = b"\x83\x78\x24" + MEDIA_TYPE + b"\x59"
    assert value.startswith(head) and value[-1] == 4
    n = struct.unpack_from(">H", value, len(head))[0]
    assert len(value) == len(head) + 2 + n + 1
    return value[len(head) + 2:-1]


def spki_of(certificate):
    return certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class TlsServer:
    """The worker with `evidence`: bytes, or a function of the key's SubjectPublicKeyInfo."""

    def __init__(self, forward, evidence=b'{"plinth":"evidence of a test"}' + b" " * 300, port=0):
        ours, theirs = socket.socketpair()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 20) for s in (theirs, self.listener)]
        self.pid = os.posix_spawn(PROGRAM, ["plinth:tls"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, fd, 3 + i) for i, fd in enumerate(high)])
        for fd in high:
            os.close(fd)
        theirs.close()
        self.control = ours
        self.send("TLS", struct.pack("<H", forward))
        kind, point = self.receive()
        assert kind == FRAME["ASK"] and len(point) == 65 and point[0] == 4, (kind, point)
        self.spki = SPKI_P256 + point
        self.evidence = evidence(self.spki) if callable(evidence) else evidence
        for i in range(0, len(self.evidence), 1 << 18):
            self.send("DATA", self.evidence[i:i + (1 << 18)])
        self.send("END")

    def send(self, kind, payload=b""):
        self.control.sendall(struct.pack("<II", FRAME[kind], len(payload)) + payload)

    def receive(self):
        kind, n = struct.unpack("<II", self.control.recv(8, socket.MSG_WAITALL))
        return kind, self.control.recv(n, socket.MSG_WAITALL) if n else b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """The monitor goes; the worker must end by itself, properly."""
        if self.pid:
            self.control.close()
            self.listener.close()
            _, status = os.waitpid(self.pid, 0)
            self.pid = 0
            assert status == 0, f"the TLS server ended with status {status:#x}"

    def certificate(self):
        return x509.load_der_x509_certificate(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", self.port))))

    def pinned(self, tmp_path):
        """Its certificate in a file, for clients that shall talk to exactly this server."""
        path = tmp_path / "server.pem"
        path.write_text(ssl.get_server_certificate(("127.0.0.1", self.port)))
        return path

    def connect(self, timeout=30):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=timeout))


class Backend:
    """A TCP server on 127.0.0.1 that gives each connection to `handle`, in a thread; what went wrong there is in `faults`."""

    def __init__(self, handle, port=0):
        self.listener, self.handle, self.faults, self.count = socket.create_server(("127.0.0.1", port), backlog=256), handle, [], 0
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            s.settimeout(60)
            threading.Thread(target=self.run, args=(s,), daemon=True).start()

    def run(self, s):
        with s:
            try:
                self.handle(s)
            except Exception as e:  # noqa: BLE001
                self.faults.append(e)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def echo(s):
    while data := s.recv(65536):
        s.sendall(data)


def page(s):
    """One HTTP/1.0 exchange."""
    request = b""
    while b"\r\n\r\n" not in request:
        got = s.recv(4096)
        if not got:
            return
        request += got
    s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")


def openssl(*args, data=None):
    return subprocess.run(["openssl", *map(str, args)], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


# ---- evidence over any nonce: a recorded software TPM's, signed again with an AK of the test ----

class Ak:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        n = self.key.public_key().public_numbers()
        self.x, self.y = n.x.to_bytes(32, "big"), n.y.to_bytes(32, "big")

    def requote(self, evidence, nonce):
        """`evidence` as this AK would give it over `nonce`."""
        out = dict(evidence)
        quote = base64.b64decode(evidence["quote"])
        at = 6 + 2 + struct.unpack_from(">H", quote, 6)[0]  # magic, type; qualifiedSigner; then extraData
        behind = at + 2 + struct.unpack_from(">H", quote, at)[0]
        quote = quote[:at] + struct.pack(">H", len(nonce)) + nonce + quote[behind:]
        r, s = decode_dss_signature(self.key.sign(quote, ec.ECDSA(hashes.SHA256())))
        public = base64.b64decode(evidence["ak_public"])[:-68] + b"\0\x20" + self.x + b"\0\x20" + self.y
        pem = self.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        signature = b"\0\x18\0\x0b" + b"".join(b"\0\x20" + n.to_bytes(32, "big") for n in (r, s))
        out.update(nonce=nonce.hex(), quote=b64(quote), signature=b64(signature), ak_public=b64(public), ak_public_pem=pem.decode(),
                   ek_certificate="")
        return out

    def name(self, evidence):
        return "sha256:" + hashlib.sha256(base64.b64decode(self.requote(evidence, b"")["ak_public"])).hexdigest()


def b64(raw):
    return base64.b64encode(raw).decode()


# ---- certificates of somebody else's making ----

def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else b"\x82" + struct.pack(">H", n)) + body


def forge(key, values, signer=None, oid=bytes.fromhex("678105050409"), valid=("250101000000Z", "491231235959Z")):
    """DER of a self-signed certificate for the P-256 key, with the extension as often as there are `values`."""
    algorithm = tlv(0x30, tlv(6, bytes.fromhex("2a8648ce3d040302")))
    name = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\x04\x03"), tlv(0x0c, b"forged"))))
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    extensions = [tlv(0x30, tlv(6, oid), tlv(4, v)) for v in values] or [tlv(0x30, tlv(6, b"\x55\x1d\x13"), tlv(4, tlv(0x30)))]
    tbs = tlv(0x30, tlv(0xa0, b"\x02\x01\x02"), b"\x02\x01\x07", algorithm, name, tlv(0x30, *(tlv(0x17, t.encode()) for t in valid)), name,
              spki, tlv(0xa3, tlv(0x30, *extensions)))
    signature = (signer or key).sign(tbs, ec.ECDSA(hashes.SHA256()))
    return tlv(0x30, tbs, algorithm, tlv(3, b"\0", signature))


class Impostor:
    """A TLS server of anybody's (Python's), with a certificate and a key."""

    def __init__(self, directory, der, key):
        pem, key_pem = directory / "impostor.pem", directory / "impostor.key"
        pem.write_text(ssl.DER_cert_to_PEM_cert(der))
        key_pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key_pem)

        def handle(s):
            with context.wrap_socket(s, server_side=True) as tls:
                while tls.recv(4096):
                    pass
        self.backend = Backend(handle)
        self.port = self.backend.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.backend.__exit__()
