"""The monitor's side of the frame protocol (agent/worker/frame.h, job.h), to drive a fetch worker alone."""
import fcntl
import os
import select
import socket
import struct
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ.get("PLINTH_WORKER", os.path.join(HERE, "..", "..", "build", "plinth"))

SOURCE, CA, RESOLVE, SIGNATURES, BLOB, OBJECT, DATA, SIGNATURE, NOTE, END, ERROR = range(1, 12)
KINDS = ["none", "format", "digest", "signature", "policy", "usage", "network", "system"]


class Refused(Exception):
    def __init__(self, kind, text, trail, mend):
        super().__init__(f"[{kind}] {trail}{': ' if trail else ''}{text} ({mend})")
        self.kind, self.text, self.trail, self.mend = kind, text, trail, mend


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<H", len(b)) + b


class Worker:
    """endpoints: [(host, repository, credential)], the registry last. `room`: a directory, for the layout worker."""

    def __init__(self, endpoints, ca=b"", http=False, platform=("linux", "amd64", ""), role="plinth:fetch", room=None):
        ours, theirs = socket.socketpair()
        high = [fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, 20)]
        actions = [(os.POSIX_SPAWN_DUP2, high[0], 3)]
        if room:
            fd = os.open(room, os.O_PATH | os.O_DIRECTORY)
            high.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20))
            os.close(fd)
            actions.append((os.POSIX_SPAWN_DUP2, high[1], 5))
        self.pid = os.posix_spawn(PROGRAM, [role], {}, file_actions=actions)
        for fd in high:
            os.close(fd)
        theirs.close()
        self.socket, self.notes = ours, []
        source = bytes([len(endpoints)])
        for e in endpoints:
            host, repository, credential = (*e, "")[:3]
            source += text(host) + text(repository) + text(credential)
        self.send(SOURCE, source + bytes([http]) + b"".join(text(p) for p in platform))
        for i in range(0, len(ca), 1 << 18):
            self.send(CA, ca[i:i + (1 << 18)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the worker; its exit status must be 0."""
        if self.pid:
            self.socket.close()
            _, status = os.waitpid(self.pid, 0)
            self.pid = 0
            assert status == 0, f"the worker ended with status {status:#x}"

    def send(self, kind, payload=b""):
        self.socket.sendall(struct.pack("<II", kind, len(payload)) + payload)

    def take(self, n):
        b = bytearray()
        while len(b) < n:
            got = self.socket.recv(n - len(b))
            if not got:
                raise EOFError("the worker is gone")
            b += got
        return bytes(b)

    def answer(self, timeout=200):
        """Frames up to END, without notes. Refused for ERROR."""
        end = time.monotonic() + timeout
        while True:
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no answer; notes {self.notes}")
            kind, n = struct.unpack("<II", self.take(8))
            assert n <= 1 << 18
            payload = self.take(n)
            if kind == NOTE:
                self.notes.append(payload.decode())
            elif kind == ERROR:
                code, _, n = struct.unpack_from("<BIH", payload)
                out, at = [payload[7:7 + n].decode()], 7 + n
                for _ in range(2):
                    n, = struct.unpack_from("<H", payload, at)
                    out.append(payload[at + 2:at + 2 + n].decode())
                    at += 2 + n
                raise Refused(KINDS[code], *out)
            elif kind == END:
                return
            else:
                yield kind, payload

    def resolve(self, reference, **more):
        """[(media type, bytes)], one or two."""
        self.send(RESOLVE, reference.encode())
        objects = []
        for kind, payload in self.answer(**more):
            if kind == OBJECT:
                objects.append([payload.decode(), b""])
            else:
                assert kind == DATA
                objects[-1][1] += payload
        return [tuple(o) for o in objects]

    def signatures(self, digest, attestations=False, **more):
        """[(form, payload, signature)]"""
        self.send(SIGNATURES, bytes([attestations]) + digest.encode())
        found = []
        for kind, payload in self.answer(**more):
            if kind == SIGNATURE:
                form, n = struct.unpack_from("<BI", payload)
                found.append([form, b"", payload[5:], n])
            else:
                assert kind == DATA
                found[-1][1] += payload
        assert all(len(f[1]) == f[3] for f in found)
        return [tuple(f[:3]) for f in found]

    def blob(self, digest, size, sink=None, **more):
        self.send(BLOB, struct.pack("<Q", size) + digest.encode())
        parts = []
        for kind, payload in self.answer(**more):
            assert kind == DATA
            (sink or parts.append)(payload)
        return b"".join(parts)

    def memory(self):
        """Peak resident kilobytes, and of these the ones no file stands behind."""
        with open(f"/proc/{self.pid}/status") as f:
            fields = dict(line.split(":", 1) for line in f)
        return int(fields["VmHWM"].split()[0]), int(fields["RssAnon"].split()[0])
