"""The API's worker alone (agent/worker/api.h), as the supervisor starts it, with this test in the monitor's place: what a workload gets, and
what becomes of those who misuse it."""
import concurrent.futures
import fcntl
import json
import os
import re
import select
import socket
import struct
import time

import pytest

from conftest import PLINTH, ROOT

with open(os.path.join(ROOT, "agent", "worker", "frame.h")) as f:
    NAMES = re.findall(r"^    FRAME_(\w+)(?: = 1)?,", re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S), re.M)
FRAME = {name: i for i, name in enumerate(NAMES, 1)}
EVIDENCE, RESOURCE, TOKEN, EXTEND = range(4)
CONNECTIONS, CLIENT_SECONDS = 16, 10
POLICY = 4  # enum err_kind


def text(s):
    return struct.pack("<H", len(s)) + s


class Api:
    """The worker, and its monitor. `host`: what its TCP socket listens on."""

    def __init__(self, directory, features=3, tee=b"tdx", host="127.0.0.1"):
        self.path = os.path.join(str(directory), "api.sock")
        tcp, local = socket.socket(), socket.socket(socket.AF_UNIX)
        tcp.bind((host, 0))
        local.bind(self.path)
        for s in (tcp, local):
            s.listen(64)
            s.setblocking(False)
        self.port = tcp.getsockname()[1]
        self.control, theirs = socket.socketpair()
        self.control.settimeout(60)
        high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 20) for s in (theirs, tcp, local)]
        self.pid = os.posix_spawn(PLINTH, ["plinth:api"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, fd, 3 + i) for i, fd in enumerate(high)])
        for fd in high:
            os.close(fd)
        theirs.close(), tcp.close(), local.close()
        self.send("API", bytes([features]) + text(tee))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.control.close()
        if self.pid:
            assert os.waitpid(self.pid, 0)[1] == 0

    def send(self, kind, payload=b""):
        self.control.sendall(struct.pack("<II", FRAME[kind], len(payload)) + payload)

    def take(self, n):
        b = b""
        while len(b) < n:
            got = self.control.recv(n - len(b))
            if not got:
                raise EOFError
            b += got
        return b

    def asked(self):
        """The next question: kind and its three texts."""
        kind, n = struct.unpack("<II", self.take(8))
        payload = self.take(n)
        assert kind == FRAME["ASK"], (kind, payload)
        texts, at = [], 1
        for _ in range(3):
            n = struct.unpack_from("<H", payload, at)[0]
            texts.append(payload[at + 2:at + 2 + n])
            at += 2 + n
        assert at == len(payload)
        return payload[0], *texts

    def answer(self, body):
        for i in range(0, len(body), 1 << 18):
            self.send("DATA", body[i:i + (1 << 18)])
        self.send("END")

    def refuse(self, kind, why):
        self.send("ERROR", bytes([kind]) + struct.pack("<I", 0) + text(why) + text(b"") + text(b""))

    def dial(self, local=False, host="127.0.0.1"):
        s = socket.socket(socket.AF_UNIX) if local else socket.socket()
        s.settimeout(60)
        s.connect(self.path if local else (host, self.port))
        return s

    def request(self, line, body=None, local=False, host="127.0.0.1"):
        s = self.dial(local, host)
        head = f"{line} HTTP/1.1\r\nHost: x\r\n" + (f"Content-Length: {len(body)}\r\n" if body is not None else "") + "\r\n"
        s.sendall(head.encode() + (body or b""))
        return s


def response(s):
    """(status, type, body); everything up to the end, which the worker makes."""
    b = b""
    while got := s.recv(1 << 16):
        b += got
    s.close()
    if not b:
        return None
    head, body = b.split(b"\r\n\r\n", 1)
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert int(fields["Content-Length"]) == len(body) and fields["Connection"] == "close"
    return int(head.split()[1]), fields.get("Content-Type"), body


@pytest.fixture
def api(tmp_path):
    with Api(tmp_path) as a:
        yield a


def get(api, target, **more):
    return response(api.request("GET " + target, **more))


@pytest.mark.parametrize("local", [False, True], ids=["tcp", "unix"])
def test_answers(api, local):
    s = api.request("GET /cdh/resource/default/key/1", local=local)
    assert api.asked() == (RESOURCE, b"default/key/1", b"", b"")
    secret = os.urandom(700000)
    api.answer(secret)
    assert response(s) == (200, "application/octet-stream", secret)
    s = api.request("GET /aa/token?token_type=kbs", local=local)
    assert api.asked()[0] == TOKEN
    api.answer(b'{"token":"a.b.c","tee_keypair":"PEM"}')
    assert response(s) == (200, "application/octet-stream", b'{"token":"a.b.c","tee_keypair":"PEM"}')
    s = api.request("GET /aa/evidence?runtime_data=a+b%2B", local=local)
    assert api.asked() == (EVIDENCE, b"a b+", b"", b"")
    api.answer(b'{"quote":"x"}')
    assert response(s) == (200, "application/octet-stream", b'{"quote":"x"}')
    s = api.request("POST /aa/aael", json.dumps({"domain": "app", "operation": "start", "content": "with \"words\""}).encode(), local=local)
    assert api.asked() == (EXTEND, b"app", b"start", b'with "words"')
    api.answer(b'{"success":"true"}')
    assert response(s) == (200, "application/json", b'{"success":"true"}')
    assert json.loads(get(api, "/info", local=local)[2])["feature"] == "all"


def test_refusals(api):
    s = api.request("GET /cdh/resource/a/b/c")
    api.asked()
    api.refuse(POLICY, b"a/b/c is for the boot")
    assert response(s) == (403, None, b"a/b/c is for the boot")
    s = api.request("GET /aa/evidence?runtime_data=x")
    api.asked()
    api.send("DATA", b"half an answer")
    api.refuse(6, b"no network\x1b[2J")
    assert response(s) == (500, None, b"no network?[2J")
    s = api.request("GET /cdh/resource/a/b/c")
    api.asked()
    api.answer(bytes(3 << 20))  # more than any answer has: cut by the worker, told as an error
    assert response(s)[0] == 500
    assert get(api, "/nothing") == (404, None, b"URL NOT FOUND")
    assert get(api, "/aa/evidence") == (400, None, b"BAD REQUEST")


@pytest.mark.parametrize("features, word", [(1, "resource"), (2, "attestation")])
def test_features(tmp_path, features, word):
    with Api(tmp_path, features) as api:
        assert json.loads(get(api, "/info")[2])["feature"] == word
        off = "/aa/token?token_type=kbs" if features == 1 else "/cdh/resource/a/b/c"
        assert get(api, off)[0] == 404 and b"Not Enabled" in get(api, off)[2]
        assert not select.select([api.control], [], [], 0)[0], "the monitor was asked"


def test_byte_by_byte(api):
    s = api.dial()
    body = b'{"domain":"a","operation":"b","content":"c"}'
    for b in b"POST /aa/aael HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body:
        s.sendall(bytes([b]))
    assert api.asked() == (EXTEND, b"a", b"b", b"c")
    api.answer(b'{"success":"true"}')
    assert response(s)[0] == 200


MALFORMED = {
    "no-http": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two-lengths": b"POST /aa/aael HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "smuggled": b"POST /aa/aael HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "line-feeds": b"GET /info HTTP/1.1\nHost: x\n\r\n\r\n",
    "control": b"GET /in\x00fo HTTP/1.1\r\n\r\n",
    "endless": b"GET /" + b"a" * (32 << 10),
    "fields": b"GET /info HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "long-body": b"POST /aa/aael HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n{",
    "negative": b"POST /aa/aael HTTP/1.1\r\nContent-Length: -1\r\n\r\n{",
    "deep": b"POST /aa/aael HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + b"[" * 20000,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(api, what):
    s = api.dial()
    try:
        s.sendall(MALFORMED[what])
        answer = response(s)
    except ConnectionError:  # answered and closed before all of it was read
        answer = None
    assert answer is None or answer[0] in (400, 413, 500), answer
    assert not select.select([api.control], [], [], 0)[0], "the monitor was asked"
    assert get(api, "/info")[0] == 200


def test_stalled_clients_are_cut(api):
    """As many as are served at once send half a request, and nothing more: whoever comes next waits for their end, and is served."""
    stalled = [api.dial() for _ in range(CONNECTIONS)]
    for s in stalled:
        s.sendall(b"GET /info HTT")
    before = time.monotonic()
    assert get(api, "/info")[0] == 200
    assert CLIENT_SECONDS - 2 < time.monotonic() - before < 3 * CLIENT_SECONDS
    assert all(response(s) is None for s in stalled)


def test_who_does_not_read_is_cut(api):
    s = api.request("GET /cdh/resource/a/b/c", local=True)  # TCP on this host would buffer all of it
    api.asked()
    api.answer(bytes((2 << 20) - 1))
    other = api.request("GET /cdh/resource/d/e/f")  # is not held up by it
    assert api.asked()[1] == b"d/e/f"
    api.answer(b"x")
    assert response(other)[2] == b"x"
    time.sleep(CLIENT_SECONDS + 2)
    n = 0
    while got := s.recv(1 << 20):
        n += len(got)
    assert 0 < n < 1 << 20


def test_who_goes_away_costs_one_answer(api):
    for _ in range(3 * CONNECTIONS):
        s = api.request("GET /cdh/resource/a/b/c")
        api.asked()
        s.close()
        api.answer(b"for nobody")
    assert get(api, "/info")[0] == 200


def test_many_at_once(api):
    """One question at a time reaches the monitor, and everybody gets the answer to his own."""
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(lambda i=i: get(api, f"/cdh/resource/a/b/{i}")) for i in range(300)]
        for _ in range(300):
            path = api.asked()[1]
            assert not select.select([api.control], [], [], 0)[0], "a second question before the answer"
            api.answer(path)
        assert [a.result()[2] for a in answers] == [b"a/b/%d" % i for i in range(300)]


@pytest.mark.skipif(not os.environ.get("PLINTH_SLOW"), reason="takes half a minute; PLINTH_SLOW=1 runs it")
def test_queue_has_an_end(api):
    first = api.request("GET /cdh/resource/a/b/c")
    api.asked()
    second = api.request("GET /cdh/resource/d/e/f")
    assert response(second) == (429, None, b"Too Many Requests")
    api.answer(b"late")
    assert response(first)[2] == b"late"


def test_only_this_machine(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address = s.getsockname()[0]
    with Api(tmp_path, host="0.0.0.0") as api:
        assert get(api, "/info", host=address) == (403, None, b"Forbidden")
        assert get(api, "/info")[0] == 200


def test_the_monitor_goes(tmp_path):
    with Api(tmp_path) as api:
        s = api.request("GET /cdh/resource/a/b/c")
        api.asked()
        api.control.close()
        assert os.waitpid(api.pid, 0)[1] == 0
        api.pid = 0
        assert s.recv(1) == b""
