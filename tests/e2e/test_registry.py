"""The fetch worker alone against a registry that misbehaves: the confined process of build/plinth, driven over its frames."""
import base64
import json
import os
import socket
import ssl
import tarfile
import threading
import time

import pytest

import hostile_registry as hostile
from fetch_worker import Refused, Worker
from hostile_registry import Authority, Basic, Bearer, Registry, answer, redirect, rewrite, sha256

REPOSITORY = "acme/web"
BIG = bytes(range(256)) * 12000  # 3 MB
PAYLOAD = b'{"critical":{}}'


def digest(n):
    return "sha256:" + f"{n:064x}"


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("ca")))


@pytest.fixture(scope="session")
def tls(ca):
    return ca.server()


def fill(registry):
    """An index over two platforms, tags v and index; signatures of the amd64 manifest."""
    layer, small = registry.put_blob(REPOSITORY, BIG), registry.put_blob(REPOSITORY, b"hello")
    manifests = []
    for arch in ("arm64", "amd64"):
        config = registry.put_blob(REPOSITORY, json.dumps({"architecture": arch}).encode())
        m = {"schemaVersion": 2, "mediaType": hostile.OCI_MANIFEST, "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}, {"mediaType": "application/vnd.oci.image.layer.v1.tar", **small}],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config}}
        manifests.append({**registry.put_manifest(REPOSITORY, "v", m), "platform": {"os": "linux", "architecture": arch}})
    registry.image = manifests[1]["digest"]
    registry.put_manifest(REPOSITORY, "index", {"schemaVersion": 2, "mediaType": hostile.OCI_INDEX, "manifests": manifests}, hostile.OCI_INDEX)
    sign(registry, [{**registry.put_blob(REPOSITORY, PAYLOAD), "annotations": {"dev.cosignproject.cosign/signature": "c2ln"}}])
    return registry


def sign(registry, layers):
    layers = [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", **l} for l in layers]
    registry.put_manifest(REPOSITORY, registry.image.replace(":", "-") + ".sig", {
        "schemaVersion": 2, "mediaType": hostile.OCI_MANIFEST, "layers": layers,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(0), "size": 2}})


@pytest.fixture
def registry(tls):
    with Registry(tls=tls) as r:
        yield fill(r)


@pytest.fixture
def worker(ca):
    """worker(registry, ...): started, and ended with the test; endpoints are (registry or host, repository, credential)."""
    started = []

    def start(*registries, credential="", trust=None, **more):
        hosts = [r if isinstance(r, str) else r.host for r in registries]
        w = Worker([(h, REPOSITORY, credential if i + 1 == len(hosts) else "") for i, h in enumerate(hosts)],
                   ca.bytes() if trust is None else trust, **more)
        started.append(w)
        return w
    yield start
    for w in started:
        w.close()


def refused(what, *args, kind="format", has=(), **more):
    with pytest.raises(Refused) as caught:
        what(*args, **more)
    e = caught.value
    assert e.kind == kind, str(e)
    for words in (has if isinstance(has, (list, tuple)) else [has]):
        assert words in str(e), str(e)
    return e


# ---- What works ------------------------------------------------------------------------------------------------------------


def test_manifest_index_blob_signatures(registry, worker):
    w = worker(registry)
    [(media_type, body)] = w.resolve("v")
    assert media_type == hostile.OCI_MANIFEST and sha256(body) == registry.image
    (index_type, index), (_, child) = w.resolve("index")
    assert index_type == hostile.OCI_INDEX and sha256(child) == registry.image
    assert w.resolve(registry.image) == [(media_type, body)]
    assert w.blob(sha256(BIG), len(BIG)) == BIG
    assert w.blob(sha256(b"hello"), 5) == b"hello"
    assert w.signatures(registry.image) == [(0, PAYLOAD, b"sig")]
    assert w.signatures(digest(7)) == []
    assert registry.connections == 1 and not w.notes  # one connection for all of it
    h = registry.requests[0].headers
    assert h["host"] == registry.host and h["user-agent"].startswith("plinth/") and "authorization" not in h
    for media in ("oci.image.index.v1", "oci.image.manifest.v1", "docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2"):
        assert f"application/vnd.{media}+json" in h["accept"]


def test_memory(registry, worker, ca):
    with open("/etc/ssl/certs/ca-certificates.crt", "rb") as f:
        bundle = f.read()
    w = worker(registry, trust=bundle + ca.bytes())
    w.blob(sha256(BIG), len(BIG))
    peak, _ = w.memory()
    assert peak < 2560, peak


def test_platform(registry, worker):
    (_, index), (_, child) = worker(registry, platform=("linux", "arm64", "v8")).resolve("index")
    assert json.loads(index)["manifests"][0]["digest"] == sha256(child)
    assert len(worker(registry, platform=("linux", "riscv64", "")).resolve("index")) == 1  # the monitor says what is missing


def test_localhost_by_name(registry, worker):
    assert worker(f"localhost:{registry.port}").resolve("v")


def test_missing(registry, worker):
    w = worker(registry)
    refused(w.resolve, "nosuch", has="no manifest nosuch")
    refused(w.blob, digest(1), 5, has="404")
    assert w.resolve("v")


@pytest.mark.parametrize("reference", ["a/b", "../x", "sha256:" + "A" * 64, "sha512:" + "0" * 128, "v?x=1", "v#", "", "-v", "sha256:../../x", "a b", "v\r\nX: y"])
def test_references_that_are_none(registry, worker, reference):
    with pytest.raises(Refused):
        worker(registry).resolve(reference)
    assert not registry.requests


def test_unreadable_manifests_are_handed_on(registry, worker):
    registry.put_manifest(REPOSITORY, "bad", b"{nonsense")
    registry.put_manifest(REPOSITORY, "empty", b"")
    registry.put_manifest(REPOSITORY, "both", {"manifests": [], "layers": [], "config": {}})
    w = worker(registry)
    assert w.resolve("bad") == [(hostile.OCI_MANIFEST, b"{nonsense")]
    assert w.resolve("empty") == [(hostile.OCI_MANIFEST, b"")]
    assert len(w.resolve("both")) == 1


def test_empty_blob(registry, worker):
    registry.put_blob(REPOSITORY, b"")
    w = worker(registry)
    assert w.blob(sha256(b""), 0) == b""
    refused(w.blob, sha256(b""), 5, kind="digest")
    refused(w.blob, sha256(b"hello"), 0, kind="digest")


def test_large_manifest(registry, worker):
    for n in (4 << 20, (4 << 20) + 1):
        registry.put_manifest(REPOSITORY, f"n{n}", b'{"x":"' + b"a" * (n - 8) + b'"}')
    w = worker(registry)
    assert len(w.resolve(f"n{4 << 20}")[0][1]) == 4 << 20
    refused(w.resolve, f"n{(4 << 20) + 1}", has="4194304")


# ---- Framing ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [hostile.chunked(), hostile.chunked((1 << 20,)), hostile.chunked((100000, 3), extension=b";a=b"),
                                 hostile.chunked((65536,), end=b"0\r\nTrailer: x\r\n\r\n"), rewrite(hostile.without_length)])
def test_bodies_without_length(registry, worker, act):
    registry.on("/v2/", act)
    w = worker(registry)
    assert sha256(w.resolve("v")[0][1]) == registry.image
    assert w.blob(sha256(b"hello"), 5) == b"hello"
    assert w.blob(sha256(BIG), len(BIG)) == BIG


def test_http_1_0(registry, worker):
    def act(c, request, r):
        status, headers, body = r.look_up(request)
        c.sendall(hostile.head(status, headers, "HTTP/1.0") + body)
    registry.on("", act)
    w = worker(registry)
    assert w.resolve("v") and w.blob(sha256(BIG), len(BIG)) == BIG


def test_interim_responses(registry, worker):
    def act(c, request, r):
        c.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + r.honest(request))
        return True
    registry.on("/manifests/v", act)
    registry.on("/manifests/index", lambda c, request, r: c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100))
    w = worker(registry)
    assert w.resolve("v") and w.resolve("v")
    refused(w.resolve, "index", has="interim")


@pytest.mark.parametrize("bytes_, words", [
    (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
    (b"HTTP/2 200\r\n\r\n", "HTTP/2"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "2000"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "more than one"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", "more than one"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "-5"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nhello", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "gzip"),
    (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", "header line"),
    (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n", "HTTP/1.1"),
    (b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", "header line"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", "chunked"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "chunked"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 70000, "chunked"),
])
def test_broken_http(registry, worker, bytes_, words):
    registry.on("/v2/", hostile.raw(bytes_))
    refused(worker(registry).resolve, "v", has=words)


@pytest.mark.parametrize("act, words", [
    (hostile.html, "HTML"), (hostile.endless_head, "without end"), (hostile.endless_line, "without end"), (hostile.many_headers, "100"),
    (hostile.endless_body(), "4194304"), (hostile.endless_body(chunked=True), "4194304"), (hostile.redirect_loop, "loop"),
    (answer(418), "418"), (answer(206), "206"), (answer(302), "nowhere"), (answer(201), "201")])
def test_wrong_answers(registry, worker, act, words):
    registry.on("/manifests/", act)
    refused(worker(registry).resolve, "v", has=words)
    refused(worker(registry).signatures, registry.image, has=words)


# ---- Blobs: sizes, interruption, resume --------------------------------------------------------------------------------------


@pytest.mark.parametrize("act, kind, words", [
    (rewrite(hostile.longer), "digest", ["3072001", "3072000"]), (rewrite(hostile.shorter), "digest", ["3071999", "3072000"]),
    (hostile.endless_body(), "digest", ["more than", "3072000"]), (hostile.endless_body(chunked=True), "digest", "3072000"),
    (rewrite(lambda s, h, b: (s, {"Content-Type": "x"}, b + b"!")), "digest", "3072000"),
    (answer(403), "policy", "403"), (answer(400), "format", "400"), (answer(206, b"x" * len(BIG)), "format", "206"),
    (answer(204, Content_Length=None), "format", "204")])
def test_blob_of_another_size(registry, worker, act, kind, words):
    registry.on("/blobs/", act)
    refused(worker(registry).blob, sha256(BIG), len(BIG), kind=kind, has=words)


def test_chunked_blob_too_short(registry, worker):
    registry.on("/blobs/", hostile.chunked())
    refused(worker(registry).blob, sha256(b"hello"), 6, kind="digest", has=["5", "6"])


@pytest.mark.parametrize("how", [hostile.close, hostile.reset])
def test_resume(registry, worker, how):
    registry.on("/blobs/", hostile.truncate(1_000_000, how), times=1)
    w = worker(registry)
    assert w.blob(sha256(BIG), len(BIG)) == BIG
    ranges = [r.headers.get("range") for r in registry.requests]
    assert ranges[0] is None and len(ranges) == 2 and ranges[1].startswith("bytes=")
    assert len(w.notes) == 1 and "again" in w.notes[0]


def test_resume_where_range_is_ignored(registry, worker):
    registry.on("/blobs/", hostile.truncate(1_000_000), times=1)
    registry.on("/blobs/", hostile.ignore_range)
    assert worker(registry).blob(sha256(BIG), len(BIG)) == BIG


@pytest.mark.parametrize("content_range", ["bytes 0-3071999/3072000", "bytes 1000000-3071998/3072000", "bytes 1000000-3071999/99", "bytes x", "", None])
def test_resume_with_a_wrong_range(registry, worker, content_range):
    registry.on("/blobs/", hostile.truncate(1_000_000), times=1)
    registry.on("/blobs/", rewrite(lambda s, h, b: (206, {**h, "Content-Range": content_range} if content_range is not None else
                                                    {k: v for k, v in h.items() if k != "Content-Range"}, b)))
    refused(worker(registry).blob, sha256(BIG), len(BIG), has="1000000" if content_range and "-" in content_range else "Content-Range")


def test_kept_connection_that_the_server_closed(registry, worker):
    registry.on("/manifests/v", lambda c, q, r: hostile.honest(c, q, r) and False)
    w = worker(registry)
    for _ in range(3):
        assert w.resolve("v")
    assert w.blob(sha256(b"hello"), 5) == b"hello" and not w.notes  # no fault: asked again at once


def test_session_resumed(registry, worker):
    """A server that keeps sessions by their ID, and ends each connection: one full handshake, then short ones."""
    registry.context.options |= ssl.OP_NO_TICKET
    registry.on("/manifests/v", lambda c, q, r: hostile.honest(c, q, r) and False)
    w = worker(registry)
    for _ in range(5):
        assert w.resolve("v")
    assert w.blob(sha256(b"hello"), 5) == b"hello"
    stats = registry.context.session_stats()
    assert registry.connections == 6 and stats["accept_good"] == 6 and stats["hits"] == 5, stats


def test_session_forgotten(registry, worker):
    """The server has lost the session: a full handshake again, and no fault."""
    registry.context.options |= ssl.OP_NO_TICKET
    registry.on("/manifests/v", lambda c, q, r: hostile.honest(c, q, r) and False)
    w = worker(registry)
    assert w.resolve("v")
    fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    fresh.load_cert_chain(*registry.tls)
    registry.context = fresh
    assert w.resolve("v") and w.resolve("v") and not w.notes
    assert fresh.session_stats()["hits"] < fresh.session_stats()["accept_good"]


# ---- Try again ---------------------------------------------------------------------------------------------------------------


def test_retry(registry, worker):
    registry.on("/manifests/", answer(503), times=1)
    registry.on("/blobs/", answer(429, Retry_After=2), times=1)
    w = worker(registry)
    assert w.resolve("v")
    start = time.monotonic()
    assert w.blob(sha256(b"hello"), 5) == b"hello"
    assert 1.9 < time.monotonic() - start < 8
    assert "503" in w.notes[0] and "in 1 s" in w.notes[0] and "429" in w.notes[1] and "in 2 s" in w.notes[1]


def test_nobody_listens(worker):
    with Registry() as r:
        host = r.host
    other = Registry()
    start = time.monotonic()
    with other:
        fill(other)
        assert worker(host, other, http=True).resolve("v")  # a mirror is not waited for
    assert time.monotonic() - start < 5
    refused(worker("nosuch.invalid").resolve, "v", kind="network", has="nosuch.invalid")


# ---- Mirrors -----------------------------------------------------------------------------------------------------------------


def test_mirror_first(registry, worker, tls):
    with Registry(tls=tls) as mirror:
        fill(mirror)
        w = worker(mirror, registry)
        assert w.resolve("v") and w.blob(sha256(BIG), len(BIG)) == BIG
        assert not registry.requests and not w.notes


@pytest.mark.parametrize("act, noted", [(answer(404), False), (answer(500), True), (hostile.html, True), (hostile.redirect_loop, True)])
def test_mirror_that_fails(registry, worker, tls, act, noted):
    with Registry(tls=tls) as mirror:
        mirror.on("", act)
        w = worker(mirror, registry)
        assert w.resolve("v") and w.signatures(registry.image) and w.blob(sha256(b"hello"), 5)
        assert bool(w.notes) == noted


def test_mirror_interrupted(registry, worker, tls):
    with Registry(tls=tls) as mirror:
        fill(mirror).on("/blobs/", hostile.truncate(2_000_000))
        w = worker(mirror, registry)
        assert w.blob(sha256(BIG), len(BIG)) == BIG
        assert [r.headers.get("range") for r in registry.requests] == ["bytes=2000000-"]


def test_all_fail(registry, worker, ca):
    registry.on("", answer(400))
    with Registry(tls=ca.server(san="DNS:elsewhere.example")) as mirror:
        refused(worker(mirror, registry).resolve, "v", has=["400", "mirrors failed", "elsewhere.example"])


# ---- Certificates ------------------------------------------------------------------------------------------------------------


def serve(tls_files, **more):
    return fill(Registry(tls=tls_files, **more))


@pytest.mark.parametrize("start, end, words", [("20200101000000Z", "20210203000000Z", "2021-02-03"), ("20380101000000Z", "20390101000000Z", "2038-01-01")])
def test_expired_and_not_yet(ca, worker, start, end, words):
    with serve(ca.server(start=start, end=end)) as r:
        refused(worker(r).resolve, "v", kind="signature", has=["127.0.0.1", words, time.strftime("%Y-", time.gmtime())])


def test_unknown_authority(registry, worker, tmp_path):
    stranger = Authority(str(tmp_path), "Strange CA")
    refused(worker(registry, trust=stranger.bytes()).resolve, "v", kind="signature", has=["Test CA", "127.0.0.1", "registry.ca"])
    refused(worker(registry, trust=b"").resolve, "v", kind="signature", has="Test CA")
    same_name = Authority(str(tmp_path / "b"), "Test CA")
    refused(worker(registry, trust=same_name.bytes()).resolve, "v", kind="signature", has="127.0.0.1")


@pytest.mark.parametrize("san, host", [("DNS:elsewhere.example,DNS:*.other.example", "localhost"), ("DNS:127.0.0.1", "127.0.0.1"),
                                       ("IP:127.0.0.2,DNS:localhost", "127.0.0.1"), ("IP:127.0.0.1", "localhost"), ("email:localhost", "localhost")])
def test_wrong_host(ca, worker, san, host):
    with serve(ca.server(san=san, name="nobody.example")) as r:
        e = refused(worker(f"{host}:{r.port}").resolve, "v", kind="signature", has=host)
        if not san.startswith("email"):
            assert san.split(",")[0].split(":")[1] in e.text


def test_ipv6(ca, worker):
    try:
        r = Registry(tls=ca.server(), host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with fill(r):
        assert worker(r).resolve("v")
    with serve(ca.server(san="IP:::2"), host="::1") as r:
        refused(worker(r).resolve, "v", kind="signature", has="0000:0002")


@pytest.mark.parametrize("rsa", [False, True])
def test_intermediate(ca, worker, tmp_path, rsa):
    middle = Authority(str(tmp_path), "Middle CA", parent=ca)
    with serve(middle.server(rsa=rsa)) as r:
        assert worker(r).resolve("v")
        assert worker(r, trust=middle.bytes()).resolve("v")
    with serve(middle.issue("leaf", "subjectAltName=IP:127.0.0.1")) as r:  # without the chain
        refused(worker(r).resolve, "v", kind="signature", has="Middle CA")


def test_certificate_that_is_no_authority(ca, worker, tmp_path):
    pem, key = ca.server()
    with serve((pem, key)) as r:
        with open(pem, "rb") as f:
            assert worker(r, trust=f.read()).resolve("v")  # pinned by itself
    fake = Authority.__new__(Authority)
    fake.__dict__.update(directory=ca.directory, name="x", parent=ca, count=100, pem=pem, key=key)
    fake.bytes = lambda: open(pem, "rb").read()
    with serve(fake.server()) as r:  # a server's certificate that signs another
        refused(worker(r).resolve, "v", kind="signature")


@pytest.mark.parametrize("authority", [False, True])
def test_self_signed(ca, worker, authority):
    files = ca.self_signed(ca=authority)
    with serve(files) as r, open(files[0], "rb") as f:
        assert worker(r, trust=f.read()).resolve("v")
        refused(worker(r).resolve, "v", kind="signature", has="'self'")


def test_broken_trust(registry, worker):
    for trust in (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                  b"-----BEGIN CERTIFICATE-----\nAAAA\n"):
        w = worker(registry, trust=trust)
        refused(w.resolve, "v", kind="usage", has="CA certificates")


def test_tls_1_3_only(ca, tls, worker):
    with serve(tls, versions=(ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)) as r:
        refused(worker(r).resolve, "v", has="TLS")


# ---- Plain HTTP --------------------------------------------------------------------------------------------------------------


def test_plain_http(worker):
    with Registry() as r:
        fill(r)
        refused(worker(r).resolve, "v", has="does not answer in TLS")
        w = worker(r, http=True)
        assert w.resolve("v") and w.blob(sha256(BIG), len(BIG)) == BIG
        assert len(w.notes) == 1 and "allowHttp" in w.notes[0]


def test_tls_where_http_is_allowed(registry, worker, tmp_path):
    w = worker(registry, http=True)
    assert w.resolve("v") and not w.notes
    refused(worker(registry, http=True, trust=Authority(str(tmp_path)).bytes()).resolve, "v", kind="signature")


# ---- Credentials -------------------------------------------------------------------------------------------------------------


def test_basic(registry, worker):
    registry.on("", Basic())
    w = worker(registry, credential="user:secret")
    assert w.resolve("v") and w.blob(sha256(b"hello"), 5)
    assert ["authorization" in r.headers for r in registry.requests] == [False, True, True]
    refused(worker(registry, credential="user:wrong").resolve, "v", kind="policy", has=["refuses the credential", "registry.auth"])
    refused(worker(registry).resolve, "v", kind="policy", has=["without a credential", "registry.auth"])


@pytest.mark.parametrize("credential, member", [(None, "token"), ("user:secret", "token"), (None, "access_token")])
def test_bearer(registry, worker, credential, member):
    bearer = Bearer(credential=credential, member=member)
    registry.on("/token", bearer.tokens)
    registry.on("", bearer)
    w = worker(registry, credential=credential or "")
    assert w.resolve("index") and w.blob(sha256(BIG), len(BIG)) == BIG and bearer.given == 1


def test_bearer_expires(registry, worker):
    bearer = Bearer(uses=1)
    registry.on("/token", bearer.tokens)
    registry.on("", bearer)
    w = worker(registry)
    assert len(w.resolve("index")) == 2 and w.blob(sha256(BIG), len(BIG)) == BIG and bearer.given == 3


def test_bearer_wrong_credential(registry, worker):
    bearer = Bearer(credential="user:secret")
    registry.on("/token", bearer.tokens)
    registry.on("", bearer)
    refused(worker(registry, credential="user:wrong").resolve, "v", kind="policy", has="credential")
    refused(worker(registry).signatures, registry.image, kind="policy")


def test_token_that_does_not_help(registry, worker):
    bearer = Bearer(uses=0)
    registry.on("/token", bearer.tokens)
    registry.on("", bearer)
    refused(worker(registry).resolve, "v", kind="policy")
    assert bearer.given == 1


def test_token_server_elsewhere(registry, worker, tls):
    with Registry(tls=tls) as tokens:
        bearer = Bearer(realm=f"https://{tokens.host}/token", credential="user:secret")
        tokens.on("/token", bearer.tokens)
        registry.on("", bearer)
        w = worker(registry, credential="user:secret")
        assert w.resolve("v")
        assert all(r.headers.get("authorization", "Bearer").startswith("Bearer") for r in registry.requests)


@pytest.mark.parametrize("act, words", [
    (answer(200, b"<html>"), "JSON"), (answer(200, b"{}"), "no usable token"), (answer(200, b'{"token":"a\\r\\nX: y"}'), "no usable token"),
    (answer(200, b'{"token":"' + b"a" * 20000 + b'"}'), "no usable token"), (answer(200, b'{"token":"' + b"a" * 70000 + b'"}'), "65536"),
    (hostile.endless_body(), "65536"), (answer(404), "404"), (answer(302, Location="/x"), "302")])
def test_bad_token_answers(registry, worker, act, words):
    registry.on("/token", act)
    registry.on("", Bearer())
    refused(worker(registry).resolve, "v", has=words)


@pytest.mark.parametrize("challenge", ['Bearer realm="http://127.0.0.1:1/token"', 'Bearer realm="ftp://x/"', "Bearer", 'Bearer realm="https://user@x/"',
                                       'Bearer realm="x', 'Bearer realm="https://a/",realm="https://b/"', 'Bearer realm="https://a\\"b/"'])
def test_bad_challenges(registry, worker, challenge):
    registry.on("", answer(401, WWW_Authenticate=challenge))
    refused(worker(registry, credential="user:secret").resolve, "v")
    assert all("authorization" not in r.headers for r in registry.requests)


# ---- Redirects ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_another_host_leaves_the_credential(registry, worker, tls, status):
    with Registry(tls=tls) as store:
        fill(store)
        registry.on("/blobs/", redirect(f"https://{store.host}{{path}}?X-Signature=a%2Fb&c=d", status))
        registry.on("", Basic())
        w = worker(registry, credential="user:secret")
        assert w.resolve("v") and w.blob(sha256(BIG), len(BIG)) == BIG and w.blob(sha256(b"hello"), 5)
        assert "authorization" in registry.requests[-1].headers
        assert all("authorization" not in r.headers for r in store.requests)
        assert store.requests[0].path.endswith("?X-Signature=a%2Fb&c=d")
        assert store.connections == 1 and registry.connections == 1


def test_redirect_back_home_stays_without(registry, worker, tls):
    with Registry(tls=tls) as store:
        store.on("", redirect(f"https://{registry.host}{{path}}/back"))
        registry.on("/back", answer(401, WWW_Authenticate='Basic realm="x"'))
        registry.on("", redirect(f"https://{store.host}{{path}}"), times=1)
        refused(worker(registry, credential="user:secret").resolve, "v", kind="policy")
        assert all("authorization" not in r.headers for r in registry.requests + store.requests)


@pytest.mark.parametrize("location", ["/v2/acme/web/manifests/v", "v", "//{host}/v2/acme/web/manifests/v", "https://{host}/v2/acme/web/manifests/v#x"])
def test_relative_redirects(registry, worker, location):
    registry.on("/manifests/start", redirect(location))
    registry.on("", Basic())
    assert worker(registry, credential="user:secret").resolve("start") == worker(registry, credential="user:secret").resolve("v")


def test_two_hops_and_six(registry, worker):
    registry.on("/manifests/v", redirect("{path}"), times=5)
    assert worker(registry).resolve("v")
    registry.on("/manifests/index", redirect("{path}"), times=6)
    refused(worker(registry).resolve, "index", has="loop")


@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/v2/x/manifests/v", "file:///etc/passwd", "https://", "https://user:pw@h/", "https://h:0/",
                                      "https://h:99999/", "https://a b/", "https://[::1/", "https://h\\@x/", "https://" + "a" * 300 + "/"])
def test_bad_redirects(registry, worker, location):
    with Registry() as plain:
        fill(plain)
        registry.on("", answer(307, Location=location.replace("{port}", str(plain.port))))
        for http in (False, True):
            refused(worker(registry, http=http).resolve, "v")
        assert not plain.requests


def test_resume_behind_a_redirect(registry, worker, tls):
    with Registry(tls=tls) as store:
        fill(store).on("/blobs/", hostile.truncate(1_234_567), times=1)
        registry.on("/blobs/", redirect(f"https://{store.host}{{path}}"))
        assert worker(registry).blob(sha256(BIG), len(BIG)) == BIG
        assert store.requests[1].headers["range"] == "bytes=1234567-"


# ---- Signatures --------------------------------------------------------------------------------------------------------------


def test_signatures_left_out(registry, worker):
    good = {**registry.put_blob(REPOSITORY, PAYLOAD), "annotations": {"dev.cosignproject.cosign/signature": "c2ln"}}
    registry.put_blob(REPOSITORY, b"x" * 70000)
    registry.on(sha256(b"hello"), hostile.flip())
    hello = {**good, "digest": sha256(b"hello"), "size": 5}
    sign(registry, [{k: v for k, v in good.items() if k != "annotations"}, {**good, "size": 99}, {**good, "digest": digest(3)}, hello,
                    {**good, "digest": sha256(b"x" * 70000), "size": 70000}, {**good, "annotations": {"dev.cosignproject.cosign/signature": "a" * 2000}}, good])
    w = worker(registry)
    assert w.signatures(registry.image) == [(0, PAYLOAD, b"sig")]
    assert len(w.notes) == 6 and all("left out" in n for n in w.notes), w.notes


def test_signature_manifests_that_are_none(registry, worker):
    good = {**registry.put_blob(REPOSITORY, PAYLOAD), "annotations": {"dev.cosignproject.cosign/signature": "c2ln"}}
    sign(registry, [good] * 101)
    refused(worker(registry).signatures, registry.image, has="100")
    sign(registry, [good] * 100)
    assert len(worker(registry).signatures(registry.image)) == 100
    registry.put_manifest(REPOSITORY, registry.image.replace(":", "-") + ".sig", b"{garbage")
    refused(worker(registry).signatures, registry.image)
    refused(worker(registry).signatures, "sha256:../x", kind="digest")


# ---- Attestations and referrers ------------------------------------------------------------------------------------------------

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'
TAG, ENVELOPE, SIGSTORE, MESSAGE = range(4)


def b64(data):
    return base64.b64encode(data).decode()


def envelope(payload=STATEMENT, signatures=(b"sig",), **more):
    return {"payloadType": "application/vnd.in-toto+json", "payload": b64(payload), "signatures": [{"sig": b64(s)} for s in signatures], **more}


def bundle(payload=STATEMENT, **more):
    whole = {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "x"}}, "dsseEnvelope": envelope(payload), **more}
    return {k: v for k, v in whole.items() if v is not None}


def blob(registry, content, media_type, **more):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {"mediaType": media_type, **registry.put_blob(REPOSITORY, content), **more}


def attach(registry, layers, subject=None, artifact_type=None, tag=None):
    """A manifest with these layers, referring to the image; its descriptor."""
    m = {"schemaVersion": 2, "mediaType": hostile.OCI_MANIFEST, "config": blob(registry, b"{}", "application/vnd.oci.empty.v1+json"), "layers": layers}
    if artifact_type:
        m["artifactType"] = artifact_type
    if subject != "":
        m["subject"] = {"mediaType": hostile.OCI_MANIFEST, "digest": subject or registry.image, "size": 1}
    return registry.put_manifest(REPOSITORY, tag, m)


def list_at_tag(registry, entries):
    """The list of referrers that stands in for the API, as cosign writes it: the type is of no use."""
    registry.put_manifest(REPOSITORY, registry.image.replace(":", "-"), {
        "schemaVersion": 2, "mediaType": hostile.OCI_INDEX,
        "manifests": [{**e, "artifactType": "application/vnd.oci.empty.v1+json"} for e in entries]}, hostile.OCI_INDEX)


def attach_bundles(registry, n):
    return [attach(registry, [blob(registry, bundle(b"%d" % i), BUNDLE)], artifact_type=BUNDLE) for i in range(n)]


@pytest.fixture
def bare(registry):
    """The image without the signature at its tag."""
    del registry.manifests[REPOSITORY, registry.image.replace(":", "-") + ".sig"]
    return registry


def test_all_storage_forms(registry, worker):
    annotated = {"annotations": {"dev.cosignproject.cosign/signature": "c2ln"}}
    attach(registry, [blob(registry, envelope(), DSSE, annotations={"dev.cosignproject.cosign/signature": ""}), blob(registry, envelope(b"two", (b"s1", b"s2")), DSSE)],
           subject="", tag=registry.image.replace(":", "-") + ".att")
    attach(registry, [blob(registry, bundle(), BUNDLE)], artifact_type=BUNDLE)
    attach(registry, [blob(registry, bundle(b"x"), "application/octet-stream")], artifact_type="application/vnd.dev.sigstore.bundle+json;version=0.2")
    attach(registry, [blob(registry, bundle(dsseEnvelope=None, messageSignature={"signature": "c2ln"}), BUNDLE)])
    attach(registry, [blob(registry, b"other", SIMPLE_SIGNING, **annotated)])
    attach(registry, [blob(registry, b"no signature", "application/spdx+json")], artifact_type="application/spdx+json")
    attach(registry, [blob(registry, envelope(), DSSE)])
    want = [(TAG, PAYLOAD, b"sig"), (SIGSTORE, STATEMENT, b"sig"), (SIGSTORE, b"x", b"sig"), (MESSAGE, b"", b"sig"), (TAG, b"other", b"sig")]
    att = [(ENVELOPE, STATEMENT, b"sig"), (ENVELOPE, b"two", b"s1"), (ENVELOPE, b"two", b"s2")]
    registry.referrers = 100
    w = worker(registry)
    assert w.signatures(registry.image) == want and not registry.paths(".att")
    assert w.signatures(registry.image, attestations=True) == want[:1] + att + want[1:]
    assert not w.notes, w.notes
    assert w.signatures(digest(7), attestations=True) == []


def test_list_of_referrers_at_the_tag(bare, worker):
    two = attach_bundles(bare, 2)
    assert worker(bare).signatures(bare.image) == []  # neither the API nor the tag: none
    list_at_tag(bare, two + two[:1])
    w = worker(bare)
    assert [s[1] for s in w.signatures(bare.image)] == [b"0", b"1"] and not w.notes
    assert bare.paths("/referrers/")
    for status in (400, 406):  # registries that know no such path (go-containerregistry #1962)
        bare.rules.clear()
        bare.on("/referrers/", answer(status))
        assert len(worker(bare).signatures(bare.image)) == 2
    bare.rules.clear()
    bare.referrers = 100  # the API answers: the tag is not asked
    bare.requests.clear()
    assert len(worker(bare).signatures(bare.image)) == 2
    assert not [p for p in bare.paths("/manifests/sha256-") if not p.endswith(".sig")]


def test_registry_that_takes_the_tag_for_the_digest(bare, worker):
    bare.manifests[REPOSITORY, bare.image.replace(":", "-")] = bare.manifests[REPOSITORY, bare.image]
    assert worker(bare).signatures(bare.image) == []
    bare.put_manifest(REPOSITORY, bare.image.replace(":", "-"), json.loads(bare.manifests[REPOSITORY, bare.image][1]) | {"annotations": {}})
    refused(worker(bare).signatures, bare.image, has="not an index")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_failing_list_is_not_an_empty_one(bare, ca, status):
    bare.on("/referrers/", answer(status, Retry_After=1), times=1)
    bare.on("/manifests/sha256-", answer(status, Retry_After=1), times=1)
    list_at_tag(bare, attach_bundles(bare, 1))
    with Worker([(bare.host, REPOSITORY)], ca.bytes()) as w:
        assert len(w.signatures(bare.image)) == 1
        assert len(w.notes) == 2 and all(str(status) in n for n in w.notes), w.notes


@pytest.mark.parametrize("act, kind, words", [
    (answer(401), "policy", "401"), (answer(403), "policy", "403"), (answer(410), "format", "410"), (answer(405), "format", "405"),
    (hostile.html, "format", "JSON"), (answer(200, b"[]"), "format", "object"), (answer(200, b"{"), "format", "JSON"), (answer(206, b"{}"), "format", "206"),
    (answer(200, b'{"schemaVersion":2,"manifests":[{}]}'), "format", "mediaType"), (hostile.endless_body(), "format", "4194304"),
    (hostile.endless_body(chunked=True), "format", "4194304"), (hostile.redirect_loop, "format", "loop"), (answer(302), "format", "nowhere"),
    (answer(200, b'{"schemaVersion":2,"manifests":[]}', Link="nonsense"), "format", "Link"),
    (answer(200, b'{"schemaVersion":2,"manifests":[]}', Link='<https://elsewhere.example/x>; rel="next"'), "format", "elsewhere.example"),
    (answer(200, b'{"schemaVersion":2,"manifests":[]}', Link='<http://127.0.0.1/x>; rel=next'), "format", "another place"),
    (answer(200, b'{"schemaVersion":2,"manifests":[]}', Link='<?again>; rel="next"'), "format", "20 pages")])
def test_lists_that_are_none(bare, worker, act, kind, words):
    bare.on("/referrers/", act)
    list_at_tag(bare, attach_bundles(bare, 1))
    refused(worker(bare).signatures, bare.image, kind=kind, has=words)


def test_pages(bare, worker):
    attach_bundles(bare, 7)
    bare.referrers = 3
    w = worker(bare)
    assert [s[1] for s in w.signatures(bare.image)] == [b"%d" % i for i in range(7)]
    assert len(bare.paths("/referrers/")) == 3 and not w.notes
    bare.on("last=3", answer(404))
    refused(worker(bare).signatures, bare.image, has="404")


def test_filter_that_nobody_asked_for(bare, worker):
    attach_bundles(bare, 2)
    bare.referrers = 100
    bare.on("/referrers/", rewrite(lambda s, h, b: (s, {**h, "OCI-Filters-Applied": "artifactType"}, b)))
    assert len(worker(bare).signatures(bare.image)) == 2
    assert "artifactType" not in bare.paths("/referrers/")[0]


def test_mirror_without_the_list(bare, worker, tls):
    """A cache mirrors images, not lists: empty and missing ones are asked for at home."""
    attach_bundles(bare, 2)
    bare.referrers = 100
    with Registry(tls=tls) as mirror:
        fill(mirror)
        del mirror.manifests[REPOSITORY, mirror.image.replace(":", "-") + ".sig"]
        for mirror.referrers in (None, 100):
            assert len(worker(mirror, bare).signatures(bare.image)) == 2


def test_too_many(bare, worker):
    def page(n):
        entries = [{"mediaType": hostile.OCI_MANIFEST, "digest": digest(i), "size": 5} for i in range(n)]
        return answer(200, json.dumps({"schemaVersion": 2, "manifests": entries}).encode())
    bare.on("/referrers/", page(10000))
    refused(worker(bare).signatures, bare.image, has=["10000", "100"])
    assert len(bare.requests) < 10
    layers = [blob(bare, PAYLOAD, SIMPLE_SIGNING, annotations={"dev.cosignproject.cosign/signature": "c2ln"})]
    sign(bare, layers * 10000)
    refused(worker(bare).signatures, bare.image, has=["10000", "100"])
    del bare.manifests[REPOSITORY, bare.image.replace(":", "-") + ".sig"]
    bare.rules.clear()
    list_at_tag(bare, attach_bundles(bare, 101))
    refused(worker(bare).signatures, bare.image, has="100")
    list_at_tag(bare, attach_bundles(bare, 100))
    assert len(worker(bare).signatures(bare.image)) == 100
    sign(bare, layers)  # one more than a hundred, in two places
    refused(worker(bare).signatures, bare.image, has=["more than 100", bare.image])
    attach(bare, [blob(bare, envelope(b"x", [b"s"] * 60), DSSE), blob(bare, envelope(b"y", [b"s"] * 60), DSSE)], subject="",
           tag=bare.image.replace(":", "-") + ".att")
    refused(worker(bare).signatures, bare.image, attestations=True, has="more than 100")


def test_large_signature_blobs(bare, worker, ca):
    """100 MB, said and unsaid; the good one behind them counts."""
    big = {"mediaType": BUNDLE, "digest": digest(5), "size": 100 << 20}
    liar = {**big, "digest": digest(6), "size": 1000}
    bare.on(f"/blobs/{digest(6)}", hostile.endless_body())
    for d in (big, liar):
        attach(bare, [d], artifact_type=BUNDLE)
        attach(bare, [{**d, "mediaType": SIMPLE_SIGNING, "annotations": {"dev.cosignproject.cosign/signature": "c2ln"}}])
    attach(bare, [{**liar, "size": 0}], artifact_type=BUNDLE)
    attach_bundles(bare, 1)
    bare.referrers = 100
    for attestations in (False, True):
        w = worker(bare)
        assert [s[1] for s in w.signatures(bare.image, attestations=attestations)] == [b"0"]
        assert len(w.notes) == 5 and all("left out" in n for n in w.notes) and sum("104857600" in n for n in w.notes) == 2, w.notes
        assert w.memory()[0] < 2560, w.memory()
    assert not bare.paths(digest(5))


def test_large_statements(bare, worker):
    sizes = (64 << 10, (64 << 10) + 1, 5_000_000, 16 << 20, 12_000_000)
    for i, n in enumerate(sizes):
        attach(bare, [blob(bare, bundle(bytes([65 + i]) * n), BUNDLE)], artifact_type=BUNDLE)
    bare.referrers = 100
    w = worker(bare)
    assert [len(s[1]) for s in w.signatures(bare.image)] == [64 << 10]
    assert len(w.notes) == 4 and all("no attestation is asked for" in n for n in w.notes), w.notes
    w = worker(bare)
    found = w.signatures(bare.image, attestations=True)
    assert [s[1] for s in found] == [bytes([65 + i]) * sizes[i] for i in range(4)]
    assert str(32 << 20) in w.notes[0] and len(w.notes) == 1, w.notes
    assert w.memory()[0] < 56 << 10, w.memory()  # the document twice, the second time with the statement in it
    attach(bare, [blob(bare, bundle(b"x" * ((16 << 20) + 1)), BUNDLE)], artifact_type=BUNDLE)
    w = worker(bare)
    assert len(w.signatures(bare.image, attestations=True)) == 4
    assert "16777217" in w.notes[-1] or "67108864" in w.notes[-1], w.notes


def test_attachments_left_out(bare, worker):
    def one(content, artifact_type=BUNDLE, media_type=BUNDLE, **more):
        return attach(bare, [blob(bare, content, media_type)], artifact_type=artifact_type, **more)
    twice = json.dumps(bundle()).encode()[:-1] + b',"mediaType":"x"}'
    broken = [one(b""), one(b"{"), one(json.dumps(bundle()).encode()[:-5]), one(twice), one(bundle(mediaType="application/vnd.dev.sigstore.bundle.v9.9+json")),
              one(bundle(verificationMaterial={"certificate": {"rawBytes": "AAAA"}})), one(bundle(verificationMaterial={})),
              one(bundle(dsseEnvelope=envelope(signatures=(b"a", b"b")))), one(bundle(dsseEnvelope=envelope(payload_type="application/json", payloadType=None))),
              one(b"[" * 100000), one(b"[" + b"0," * 2_000_000 + b"0]"), one(bundle(), subject=digest(9)),
              {"mediaType": hostile.OCI_MANIFEST, "digest": digest(4), "size": 9}, bare.put_manifest(REPOSITORY, None, b"{garbage"),
              bare.put_manifest(REPOSITORY, None, {"schemaVersion": 2, "manifests": []}, hostile.OCI_INDEX)]
    altered = one(bundle(b"altered"))
    bare.manifests[REPOSITORY, altered["digest"]] = (hostile.OCI_MANIFEST, bare.manifests[REPOSITORY, altered["digest"]][1] + b" ")
    list_at_tag(bare, broken + [altered] + attach_bundles(bare, 1))
    w = worker(bare)
    assert [s[1] for s in w.signatures(bare.image, attestations=True)] == [b"0"]
    assert len(w.notes) == len(broken) + 1 and all("left out" in n for n in w.notes), w.notes
    for words in ("is there twice", "v9.9", "only keys are supported", "deeper", "gone", "its subject is " + digest(9), "another digest"):
        assert any(words in n for n in w.notes), (words, w.notes)


def test_a_failing_bundle_ends_the_search(bare, ca):
    attach_bundles(bare, 1)
    bare.referrers = 100
    bare.on("/blobs/", answer(403))
    with Worker([(bare.host, REPOSITORY)], ca.bytes()) as w:
        refused(w.signatures, bare.image, kind="policy", has="403")


@pytest.mark.parametrize("how", ["layout", "tag", "api"])
def test_recorded_repository(worker, reader, vectors, how):
    """Every candidate of every recorded image is found, over each of the three ways, by what INDEX.json says of its storage."""
    with open(os.path.join(vectors, "INDEX.json")) as f:
        index = json.load(f)
    repo = os.path.join(vectors, "repo")
    with Registry() as r:
        r.add_layout(repo, REPOSITORY)
        r.referrers = 100 if how == "api" else None
        w = reader(repo) if how == "layout" else worker(r, http=True)
        forms = {name: {s[0] for s in w.signatures(d, attestations=True)} for name, d in index["images"].items()}
        none = {"c2-unsigned", "n-sig-empty", "n-sig-noann", "n-sig-notb64", "n-att-ptype", "n-att-ptype-swap", "n-att-nosigs", "p-att-b64url", "n-b-trunc", "n-b-mt",
                "n-b-2sigs", "n-b-nosig", "n-b-ptype", "n-b-both", "n-b-none", "n-b-nomat", "n-b-subject", "arch-arm64"}
        for case in index["cases"]:
            name = next(n for n, d in index["images"].items() if d == case["image"])
            want = SIGSTORE if case["storage"] == "referrers-bundle" else ENVELOPE if case["kind"] == "attest" else TAG
            if case["case"] == "o-b-msgsig":
                want = MESSAGE
            assert (want in forms[name]) == (name not in none), (case["case"], name, forms[name])
        counts = {n: len(w.signatures(index["images"][n], attestations=True)) for n in ("p-many", "c2-two", "c3-two", "c2-att-multi", "p-att-2sigs", "c3-both",
                                                                                       "mix-old-new", "p-b-badfirst", "index-rec", "c2-oci11")}
        assert counts == {"p-many": 40, "c2-two": 2, "c3-two": 2, "c2-att-multi": 3, "p-att-2sigs": 2, "c3-both": 3, "mix-old-new": 2, "p-b-badfirst": 2,
                          "index-rec": 2, "c2-oci11": 1}


# ---- Layouts -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def layout(tmp_path):
    directory = tmp_path / "layout"
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    store = fill(Registry())
    store.close()
    entries = []
    for (_, data) in set(store.manifests.values()):
        (blobs / sha256(data)[7:]).write_bytes(data)
    for (_, name), data in store.blobs.items():
        (blobs / name[7:]).write_bytes(data)
    for (_, name), (media_type, data) in store.manifests.items():
        if ":" not in name:
            entries.append({"mediaType": media_type, "digest": sha256(data), "size": len(data), "annotations": {"org.opencontainers.image.ref.name": name}})
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return directory, store, entries


@pytest.fixture
def reader():
    started = []

    def start(directory):
        started.append(Worker([("", "", "")], role="plinth:layout", room=str(directory)))
        return started[-1]
    yield start
    for w in started:
        w.close()


def test_layout(layout, reader):
    directory, store, _ = layout
    w = reader(directory)
    assert [sha256(b) for _, b in w.resolve("v")] == [store.image]
    assert [sha256(b) for _, b in w.resolve("index")][1] == store.image
    assert w.resolve(store.image)[0][0] == "" or w.resolve(store.image)[0][0] == hostile.OCI_MANIFEST
    assert w.signatures(store.image) == [(0, PAYLOAD, b"sig")] and w.signatures(digest(5)) == []
    assert w.blob(sha256(BIG), len(BIG)) == BIG
    refused(w.blob, sha256(BIG), len(BIG) + 1, kind="digest", has=["3072000", "3072001"])
    refused(w.blob, digest(5), 5)
    refused(w.resolve, "nosuch", has="nosuch")
    refused(w.resolve, "latest", has="latest")
    refused(w.resolve, "sha256:../../oci-layout", kind="digest")


def test_layouts_that_are_none(layout, reader, tmp_path):
    directory, store, entries = layout
    index = directory / "index.json"

    def write(value):
        index.write_text(value if isinstance(value, str) else json.dumps({"schemaVersion": 2, "manifests": value}))
    write(entries + [{**entries[0], "digest": digest(1)}])
    refused(reader(directory).resolve, "v" if entries[0]["annotations"]["org.opencontainers.image.ref.name"] == "v" else "index", has="twice")
    write([{k: v for k, v in entries[0].items() if k != "annotations"}])
    assert reader(directory).resolve("latest")
    write([{**entries[0], "digest": "sha256:../../../etc/passwd"}])
    refused(reader(directory).resolve, entries[0]["annotations"]["org.opencontainers.image.ref.name"], kind="digest")
    write([{**entries[0], "digest": digest(9)}])
    refused(reader(directory).resolve, entries[0]["annotations"]["org.opencontainers.image.ref.name"], has="index.json names")
    write("{bad")
    refused(reader(directory).resolve, "v", has="image layout")
    index.unlink()
    refused(reader(directory).resolve, "v", has="index.json")
    os.mkfifo(index)
    refused(reader(directory).resolve, "v", has="not a file")
    (directory / "oci-layout").unlink()
    refused(reader(directory).resolve, "v", has="oci-layout")


def test_layout_links_out_of_the_room(layout, reader, tmp_path):
    directory, store, _ = layout
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (directory / "blobs" / "sha256" / digest(8)[7:]).symlink_to(secret)
    with pytest.raises(Refused):
        reader(directory).blob(digest(8), 6)


# ---- Silence, last: these wait half a minute, all at once ----------------------------------------------------------------------


def test_silence(registry, ca, tls):
    """Mirrors that stall in four ways, and a registry that stays broken."""
    results = {}

    def run(name, endpoints, work):
        start = time.monotonic()
        with Worker([(e, REPOSITORY) for e in endpoints], ca.bytes()) as w:
            try:
                results[name] = (work(w), w.notes, time.monotonic() - start)
            except Refused as e:
                results[name] = (e, w.notes, time.monotonic() - start)

    mirrors = [fill(Registry(tls=tls)) for _ in range(3)]
    mirrors[0].on("", hostile.stall)
    mirrors[1].on("/blobs/", hostile.truncate(700_000, hostile.stall))
    mirrors[2].on("", hostile.trickle(0.5))
    mute = socket.create_server(("127.0.0.1", 0))  # the kernel takes connections; nobody speaks
    broken = Registry(tls=tls)
    broken.on("", answer(500))
    threads = [threading.Thread(target=run, args=a) for a in [
        ("head", [mirrors[0].host, registry.host], lambda w: w.resolve("v")),
        ("body", [mirrors[1].host, registry.host], lambda w: w.blob(sha256(BIG), len(BIG))),
        ("trickle", [mirrors[2].host, registry.host], lambda w: w.resolve("v")),
        ("handshake", [f"127.0.0.1:{mute.getsockname()[1]}", registry.host], lambda w: w.resolve("v")),
        ("broken", [broken.host], lambda w: w.signatures(registry.image))]]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in mirrors + [broken, mute]:
        r.close()
    for name in ("head", "body", "trickle", "handshake"):
        result, notes, seconds = results[name]
        assert not isinstance(result, Refused), (name, result)
        assert 25 < seconds < 50 and len(notes) == 1, (name, seconds, notes)
    assert results["body"][0] == BIG
    error, notes, seconds = results["broken"]
    assert error.kind == "network" and "500" in error.text and "5 attempts" in str(error), error
    assert [n.split(" in ")[1] for n in notes] == ["1 s", "2 s", "4 s", "8 s"]
