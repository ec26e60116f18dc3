"""A container registry that misbehaves on demand, for tests: standard library only.

    registry = Registry(tls=(cert, key))            # or without TLS; on 127.0.0.1, a free port; `with` or .close()
    registry.add_layout("/path/to/layout", "acme/web")      # or put_manifest, put_blob
    registry.on("/blobs/", truncate(1000), times=2)  # the first two requests whose path holds "/blobs/"
    registry.host                                    # "127.0.0.1:40123"
    registry.requests                                # [Request]: method, path, headers (lower-case names)
    registry.referrers = 100                         # offers the referrers API, in pages of so many; without, it answers 404

Rules are asked in order; the first that fits and is not used up answers. A rule is a callable (connection, request, registry) that writes
its answer by itself and returns True when the connection may go on. Also from the command line:

    hostile_registry.py --layout DIR --repository acme/web [--cert FILE --key FILE] [--port N] [--on SUBSTRING BEHAVIOUR]...
"""
import argparse
import base64
import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Request:
    def __init__(self, method, path, headers):
        self.method, self.path, self.headers, self.body = method, path, headers, b""

    def __repr__(self):
        return f"{self.method} {self.path}"


# ---- Behaviours ------------------------------------------------------------------------------------------------------------


def head(status, headers=(), version="HTTP/1.1"):
    lines = [f"{version} {status} Because", *(f"{k}: {v}" for k, v in dict(headers).items()), "", ""]
    return "\r\n".join(lines).encode()


def answer(status, body=b"", **headers):
    """A complete answer. Underscores in names stand for '-'; None leaves a header out."""
    def act(c, request, registry):
        h = {"Content-Length": len(body), **{k.replace("_", "-"): v for k, v in headers.items()}}
        c.sendall(head(status, {k: v for k, v in h.items() if v is not None}) + body)
        return h["Content-Length"] is not None
    return act


def html(c, request, registry):
    return answer(200, b"<html><body>Please sign in</body></html>", Content_Type="text/html; charset=utf-8")(c, request, registry)


def redirect(location, status=307):
    """`location` may hold {path} and {host}."""
    def act(c, request, registry):
        return answer(status, Location=location.format(path=request.path, host=registry.host))(c, request, registry)
    return act


def redirect_loop(c, request, registry):
    return answer(307, Location=request.path)(c, request, registry)


def raw(data, stay=False):
    """Exactly these bytes, then the end."""
    def act(c, request, registry):
        c.sendall(data)
        return stay
    return act


def close(c, request, registry):
    return False


def reset(c, request, registry):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return False


def stall(c, request, registry):
    registry.closing.wait(120)
    return False


def endless_head(c, request, registry):
    c.sendall(b"HTTP/1.1 200 OK\r\n")
    while not registry.closing.is_set():
        c.sendall(b"X-Filler: " + b"a" * 1000 + b"\r\n")
    return False


def endless_line(c, request, registry):
    c.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not registry.closing.is_set():
        c.sendall(b"a" * 65536)
    return False


def many_headers(c, request, registry):
    c.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(500)) + b"Content-Length: 0\r\n\r\n")
    return False


def endless_body(chunked=False, content_type=OCI_MANIFEST):
    def act(c, request, registry):
        h = {"Content-Type": content_type}
        if chunked:
            h["Transfer-Encoding"] = "chunked"
        c.sendall(head(200, h))
        block = b" " * 65536
        while not registry.closing.is_set():
            c.sendall(b"10000\r\n" + block + b"\r\n" if chunked else block)
        return False
    return act


def trickle(seconds):
    """The honest answer, one byte every `seconds`."""
    def act(c, request, registry):
        for b in registry.honest(request):
            if registry.closing.wait(seconds):
                break
            c.sendall(bytes([b]))
        return False
    return act


def truncate(n, how=close):
    """The honest answer up to `n` body bytes."""
    def act(c, request, registry):
        whole = registry.honest(request)
        c.sendall(whole[:whole.index(b"\r\n\r\n") + 4 + n])
        return how(c, request, registry)
    return act


def rewrite(change):
    """change(status, headers dict, body) -> the same three; Content-Length is not adjusted."""
    def act(c, request, registry):
        status, headers, body = change(*registry.look_up(request))
        c.sendall(head(status, headers) + body)
        return "Content-Length" in headers
    return act


def flip(at=0):
    return rewrite(lambda s, h, b: (s, h, b[:at] + bytes([b[at] ^ 1]) + b[at + 1:] if s < 300 else b))


def longer(s, h, b):
    return s, {**h, "Content-Length": len(b) + 1}, b + b"!"


def shorter(s, h, b):
    return s, {**h, "Content-Length": len(b) - 1}, b[:-1]


def without_length(s, h, b):
    return s, {k: v for k, v in h.items() if k != "Content-Length"}, b


def chunked(sizes=(7, 1, 4096), end=b"0\r\n\r\n", extension=b""):
    def act(c, request, registry):
        status, headers, body = registry.look_up(request)
        del headers["Content-Length"]
        out, i, at = [], 0, 0
        while at < len(body):
            part = body[at:at + sizes[i % len(sizes)]]
            out.append(b"%x%s\r\n%s\r\n" % (len(part), extension, part))
            at, i = at + len(part), i + 1
        c.sendall(head(status, {**headers, "Transfer-Encoding": "chunked"}) + b"".join(out) + end)
        return end == b"0\r\n\r\n"
    return act


def ignore_range(c, request, registry):
    request.headers.pop("range", None)
    c.sendall(registry.honest(request))
    return True


def honest(c, request, registry):
    c.sendall(registry.honest(request))
    return True


class Basic:
    def __init__(self, user="user", password="secret"):
        self.want = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def __call__(self, c, request, registry):
        if request.headers.get("authorization") == self.want:
            return honest(c, request, registry)
        return answer(401, b"{}", WWW_Authenticate='Basic realm="r"')(c, request, registry)


class Bearer:
    """Demands tokens, which `.tokens` gives at /token of the same or another Registry. Each is good for `uses` requests."""

    def __init__(self, realm="https://{host}/token", credential=None, uses=10**9, member="token"):
        self.realm, self.uses, self.member = realm, uses, member
        self.basic = credential and "Basic " + base64.b64encode(credential.encode()).decode()
        self.left, self.given = {}, 0

    def __call__(self, c, request, registry):
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.left.get(token, 0) > 0:
            self.left[token] -= 1
            return honest(c, request, registry)
        challenge = f'Bearer realm="{self.realm.format(host=registry.host)}",service="a registry",scope="repository:acme/web:pull"'
        return answer(401, b"{}", WWW_Authenticate=challenge)(c, request, registry)

    def tokens(self, c, request, registry):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        if query != {"service": ["a registry"], "scope": ["repository:acme/web:pull"]}:
            return answer(400, repr(query).encode())(c, request, registry)
        if request.headers.get("authorization") != self.basic:
            return answer(401, b"{}", WWW_Authenticate='Basic realm="t"')(c, request, registry)
        self.given += 1
        token = f"token-{self.given}"
        self.left[token] = self.uses
        return answer(200, json.dumps({self.member: token, "expires_in": 60}).encode(), Content_Type="application/json")(c, request, registry)


# ---- The server ------------------------------------------------------------------------------------------------------------


class Registry:
    def __init__(self, tls=None, port=0, host="127.0.0.1", versions=None):
        self.blobs, self.manifests, self.requests, self.rules = {}, {}, [], []
        self.referrers = None
        self.closing = threading.Event()
        self.context, self.tls = None, tls
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
            if versions:
                self.context.minimum_version, self.context.maximum_version = versions
        self.listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.host = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing.set()
        self.listener.close()

    # Content

    def put_blob(self, repository, data):
        self.blobs[repository, sha256(data)] = data
        return {"digest": sha256(data), "size": len(data)}

    def put_manifest(self, repository, reference, data, media_type=OCI_MANIFEST):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        for name in (reference, sha256(data)):
            if name:
                self.manifests[repository, name] = (media_type, data)
        return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}

    def add_layout(self, directory, repository):
        def read(digest):
            with open(os.path.join(directory, "blobs", *digest.split(":")), "rb") as f:
                return f.read()
        with open(os.path.join(directory, "index.json")) as f:
            queue = json.load(f)["manifests"]
        for d in queue:
            data = read(d["digest"])
            self.put_manifest(repository, d.get("annotations", {}).get("org.opencontainers.image.ref.name"), data, d.get("mediaType", OCI_MANIFEST))
            try:
                document = json.loads(data)
                queue.extend(m for m in document.get("manifests", []))
            except ValueError:
                continue
        for algorithm in os.listdir(os.path.join(directory, "blobs")):
            for name in os.listdir(os.path.join(directory, "blobs", algorithm)):
                data = read(f"{algorithm}:{name}")
                self.blobs[repository, f"{algorithm}:{name}"] = data

    def on(self, part, act, times=10**9):
        """`part` of the path; earlier rules first."""
        self.rules.append([part, act, times])
        return act

    def paths(self, part=""):
        return [r.path for r in self.requests if part in r.path]

    # Honest behaviour

    def look_up(self, request):
        """(status, headers, body)"""
        parts = request.path.split("?")[0].split("/")
        missing = (404, {"Content-Type": "application/json", "Content-Length": 2}, b"{}")
        if len(parts) < 5 or parts[1] != "v2":
            return missing
        repository, kind, name = "/".join(parts[2:-2]), parts[-2], parts[-1]
        if kind == "manifests" and (repository, name) in self.manifests:
            media_type, data = self.manifests[repository, name]
            if media_type not in request.headers.get("accept", ""):
                return missing
            return 200, {"Content-Type": media_type, "Docker-Content-Digest": sha256(data), "Content-Length": len(data)}, data
        if kind == "referrers" and self.referrers:
            return self.list_referrers(repository, name, request.path)
        if kind == "blobs" and (repository, name) in self.blobs:
            data = self.blobs[repository, name]
            headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
            r = request.headers.get("range")
            if r:
                first = int(r.removeprefix("bytes=").split("-")[0])
                headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
                data = data[first:]
            return (206 if r else 200), {**headers, "Content-Length": len(data)}, data
        return missing

    def list_referrers(self, repository, subject, path):
        """One page, with a Link to the next."""
        found = []
        for (where, name), (media_type, data) in self.manifests.items():
            try:
                m = json.loads(data) if where == repository and ":" in name else {}
            except ValueError:
                continue
            if isinstance(m, dict) and m.get("subject", {}).get("digest") == subject:
                found.append({"mediaType": media_type, "digest": name, "size": len(data), "artifactType": m.get("artifactType", m["config"]["mediaType"])})
        first = int(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("last", ["0"])[0])
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found[first:first + self.referrers]}).encode()
        headers = {"Content-Type": OCI_INDEX, "Content-Length": len(body)}
        if first + self.referrers < len(found):
            headers["Link"] = f'</v2/{repository}/referrers/{subject}?last={first + self.referrers}>; rel="next"'
        return 200, headers, body

    def honest(self, request):
        status, headers, body = self.look_up(request)
        return head(status, headers) + body

    # Sockets

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            c.settimeout(120)
            if self.context:
                c = self.context.wrap_socket(c, server_side=True)
            buffer = b""
            while not self.closing.is_set():
                while b"\r\n\r\n" not in buffer:
                    more = c.recv(65536)
                    if not more:
                        return
                    buffer += more
                    if buffer[0] == 22:  # a TLS hello on a plain port: Go's answer
                        c.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n")
                        return
                text, buffer = buffer.split(b"\r\n\r\n", 1)
                first, *lines = text.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ")
                request = Request(method, path, {k.lower(): v.strip() for k, v in (l.split(":", 1) for l in lines)})
                size = int(request.headers.get("content-length", 0))
                while len(buffer) < size:
                    more = c.recv(65536)
                    if not more:
                        return
                    buffer += more
                request.body, buffer = buffer[:size], buffer[size:]
                self.requests.append(request)
                act = self.pick(path)
                if not act(c, request, self):
                    if self.context and c.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER) == 0:
                        c.settimeout(0.2)
                        c.unwrap()  # a proper end (close_notify)
                    return
        except (OSError, ValueError):
            pass
        finally:
            c.close()

    def pick(self, path):
        for rule in self.rules:
            if rule[0] in path and rule[2] > 0:
                rule[2] -= 1
                return rule[1]
        return honest


# ---- Certificates ----------------------------------------------------------------------------------------------------------


class Authority:
    """A throw-away CA in `directory`, made with openssl(1)."""

    CONFIG = ("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
              "unique_subject=no\n[p]\ncommonName=supplied\n")

    def __init__(self, directory, name="Test CA", parent=None):
        self.directory, self.name, self.parent, self.count = directory, name, parent, 0
        os.makedirs(directory, exist_ok=True)
        for file, content in (("ca.conf", self.CONFIG), ("index.txt", "")):
            with open(os.path.join(directory, file), "w") as f:
                f.write(content)
        usage = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
        if parent:
            self.pem, self.key = parent.issue(name, usage)
        else:
            self.key, self.pem = os.path.join(directory, "ca.key"), os.path.join(directory, "ca.pem")
            self.openssl("req", "-x509", *self.ec(self.key), "-days", "30", "-subj", f"/CN={name}", "-out", self.pem,
                         "-addext", "keyUsage=critical,keyCertSign")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.directory, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    @staticmethod
    def ec(key):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]

    def bytes(self):
        with open(self.pem, "rb") as f:
            return f.read()

    def issue(self, name, extensions, start="20200101000000Z", end="20400101000000Z", rsa=False):
        """(certificate file, key file)"""
        self.count += 1
        base = os.path.join(self.directory, f"leaf{self.count}")
        with open(base + ".ext", "w") as f:
            f.write(extensions)
        new = ["-newkey", "rsa:2048", "-nodes", "-keyout", base + ".key"] if rsa else self.ec(base + ".key")
        self.openssl("req", *new, "-subj", f"/CN={name}", "-out", base + ".csr")
        self.openssl("ca", "-batch", "-config", "ca.conf", "-cert", self.pem, "-keyfile", self.key, "-in", base + ".csr", "-out", base + ".pem",
                     "-extfile", base + ".ext", "-startdate", start, "-enddate", end, "-notext")
        return base + ".pem", base + ".key"

    def server(self, san="DNS:localhost,IP:127.0.0.1,IP:::1", name="server", **more):
        """A server's (certificate, key); below an intermediate CA the certificate file holds the chain."""
        pem, key = self.issue(name, f"subjectAltName={san}\nextendedKeyUsage=serverAuth\n", **more)
        if self.parent:
            with open(pem, "ab") as f:
                f.write(self.bytes())
        return pem, key

    def self_signed(self, san="DNS:localhost,IP:127.0.0.1", ca=False):
        self.count += 1
        base = os.path.join(self.directory, f"self{self.count}")
        self.openssl("req", "-x509", *self.ec(base + ".key"), "-days", "30", "-subj", "/CN=self", "-out", base + ".pem", "-addext",
                     f"subjectAltName={san}", "-addext", f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}")
        return base + ".pem", base + ".key"


def main():
    named = {"html": html, "redirect_loop": redirect_loop, "stall": stall, "reset": reset, "close": close, "endless_head": endless_head,
             "endless_body": endless_body(), "many_headers": many_headers, "trickle": trickle(1), "flip": flip(), "longer": rewrite(longer),
             "shorter": rewrite(shorter), "chunked": chunked(), "basic": Basic(), "500": answer(500), "429": answer(429, Retry_After=1)}
    p = argparse.ArgumentParser(description="a container registry that misbehaves", epilog="behaviours: " + " ".join(named))
    p.add_argument("--layout", required=True)
    p.add_argument("--repository", required=True)
    p.add_argument("--cert")
    p.add_argument("--key")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--on", nargs=2, action="append", default=[], metavar=("SUBSTRING", "BEHAVIOUR"))
    a = p.parse_args()
    registry = Registry(tls=(a.cert, a.key) if a.cert else None, port=a.port, host=a.host)
    registry.add_layout(a.layout, a.repository)
    for part, behaviour in a.on:
        registry.on(part, named[behaviour])
    print(registry.host, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
