"""run.mode "supervise": the container in name spaces of its own, the API that serves it, and how it ends.

Most of it without a machine: guest_probe/keeper.c is the supervisor in fresh namespaces (so as root), over a TEE and a KBS that are made up;
guest_probe/workload.c is the container. At the end two boots under QEMU, with swtpm, a software TPM, and a mock KBS."""
import base64
import concurrent.futures
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time

import pytest

from conftest import ROOT
from image import Image, policy, tar
import tee
from kbs import Kbs
from test_api import FRAME
from test_boot import Machine, ca, kernel, registry, run, serve  # noqa: F401  (fixtures)
from test_guest import SETUP, Guest, programs, wire  # noqa: F401
from test_simtee import sim  # noqa: F401
from test_tee import TeeMachine

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
PROBES = os.path.join(ROOT, "tests", "e2e", "guest_probe")


def objects():
    """The agent's own, as they were built, but for main and what keeper.c stands for."""
    found = []
    for folder in ("agent", "crypto"):
        for base, _, files in os.walk(os.path.join(ROOT, "build", "obj", folder)):
            source = os.path.relpath(base, os.path.join(ROOT, "build", "obj"))
            found += [os.path.join(base, f) for f in files if f.endswith(".o") and os.path.exists(os.path.join(ROOT, source, f[:-2] + ".c"))
                      and os.path.join(source, f) not in ("agent/main.o", "agent/step/kbs.o", "agent/step/attest.o", "agent/worker/gunzip_zlib.o")]
    return sorted(found)


@pytest.fixture(scope="session")
def workload(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("workload") / "workload")
    run("musl-gcc", "-static", "-Os", "-s", "-o", path, os.path.join(PROBES, "workload.c"))
    return path


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("keeper") / "keeper")
    with open(os.path.join(ROOT, "build", "deps.mk")) as f:
        deps = re.search(r"DEPS := (\S+)", f.read()).group(1)
    run("musl-gcc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-static", "-Iagent/lib", "-Iagent", "-I.", "-isystem", f"{deps}/include", "-isystem",
        f"{deps}/uapi", os.path.join(PROBES, "keeper.c"), *objects(), f"-L{deps}/lib", "-larchive", "-lzstd", "-lisal", "-lz", "-lbearssl", "-lsodium",
        "-lyyjson", "-o", out, cwd=ROOT)
    return out


def saw(console):
    return dict(line.strip()[len("workload."):].split("=", 1) for line in console.splitlines() if line.startswith("workload."))


class Keeper:
    """A supervisor and its container. `args` are the workload's; `console` is what both said, whole after end()."""

    def __init__(self, program, workload, directory, *args, options=(), netns=None):
        root, image, self.log = str(directory / "root"), str(directory / "layers"), str(directory / "console")
        os.makedirs(root)
        for d in ("bin", "etc"):
            os.makedirs(os.path.join(image, "0", d))
        shutil.copy(workload, os.path.join(image, "0", "bin/workload"))
        with open(os.path.join(image, "0", "etc/passwd"), "w") as f:
            f.write("root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n")
        with open(self.log, "w") as out:
            self.process = subprocess.Popen(
                [*(["ip", "netns", "exec", netns] if netns else []), "unshare", "-m", "-p", "-u", "-i", *([] if netns else ["-n"]), "-f", "--propagation", "private", "sh", "-c", SETUP, "sh", root, program, image, "layers=1",
                 "arg=/bin/workload", *("arg=" + a for a in args), *options], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    @property
    def console(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    @property
    def saw(self):
        return saw(self.console)

    def wait_for(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.console:
            assert time.monotonic() < end and self.process.poll() is None, self.console
            time.sleep(0.02)

    def children(self, pid=None):
        """{argv[0]: [pid]} of the processes that the supervisor started itself."""
        found = {}
        with open(f"/proc/{pid or self.pid}/task/{pid or self.pid}/children") as f:
            for child in f.read().split():
                with open(f"/proc/{child}/cmdline", "rb") as c:
                    found.setdefault(c.read().split(b"\0")[0].decode(), []).append(int(child))
        return found

    @property
    def pid(self):
        """Of the supervisor, as this host sees it."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return int(f.read())

    def end(self, seconds=60):
        """The power is off: unshare ends as its child did, which in a PID name space is SIGINT."""
        status = self.process.wait(seconds)
        assert status in (128 + signal.SIGINT, -signal.SIGINT), (status, self.console)
        return self.console

    def kill(self):
        if self.process.poll() is None:
            for pid in [self.pid]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture
def keeper(program, workload, tmp_path):
    started = []

    def start(*args, options=(), **more):
        started.append(Keeper(program, workload, tmp_path, *args, options=options, **more))
        return started[-1]
    yield start
    for k in started:
        k.kill()


def test_name_spaces(keeper):
    k = keeper("ps", "look /proc/1/root/etc/plinth", "look /etc/plinth/policy.json", "look /init", "look /sysroot", "look /image", "look /dev/tpmrm0",
               "look /sys/kernel/config/tsm", "look /run/plinth/eventlog", "look /run/plinth/api.sock", "exit 0", options=["user=0"])
    console = k.end()
    assert "the container ended with exit status 0; powering off" in console
    assert k.saw["1"] == "1 self 1 parent 0"
    assert [k.saw[str(i)] for i in range(2, 11)] == ["No such file or directory"] * 7 + ["there", "No such file or directory"]


@pytest.mark.parametrize("how, said", [("exit 7", "ended with exit status 7"), ("exit 127", "ended with exit status 127"),
                                       ("kill 11", "was ended by signal 9 (Killed)")])
def test_endings(keeper, how, said):
    """PID 1 of a name space cannot end itself by a signal that it does not handle; from outside only SIGKILL does."""
    k = keeper(how)
    if how.startswith("kill"):
        k.wait_for("workload.end=1")
        os.kill(k.children()["/bin/workload"][0], signal.SIGKILL)
    assert f"the container {said}; powering off" in k.end()


def test_what_cannot_start(keeper):
    k = keeper(options=["user=nobody"])
    assert k.process.wait(60) in (128 + signal.SIGINT, -signal.SIGINT)
    assert "no 'nobody' in the image's /etc/passwd" in k.console and "supervising" not in k.console


def test_orphans_end_with_the_container(keeper):
    k = keeper("orphan", "ps", "exit 3")
    assert "exit status 3" in k.end()
    assert "self 1" in k.saw["2"]


def test_the_container_is_the_same_as_without_a_supervisor(program, workload, programs, tmp_path):
    """What guest_probe/probe.c sees and may do is told line by line; only what shows the supervisor itself differs."""
    os.mkdir(tmp_path / "exec"), os.mkdir(tmp_path / "keeper")
    guest = Guest(programs, tmp_path / "exec")
    shutil.rmtree(guest.layers)
    k = Keeper(program, programs[1], tmp_path / "keeper", "one", options=["user=0", "file=key/x", *API])
    shutil.copytree(tmp_path / "keeper" / "layers", guest.layers)
    alone = guest.run("arg=/bin/workload", "arg=one", "user=0", "file=key/0400//x", layers=1)
    k.end()
    there = dict(re.findall(r"^probe\.([^=\n]+)=(.*)$", k.console, re.M))
    assert there["end"] == alone["end"] == "1" and there["pid"] == alone["pid"] == "1"
    assert there["escape.init"] == there["escape.policy"] == "No such file or directory"
    for seen in (there, alone):
        seen["root"], seen["escape.root"] = sorted(seen["root"].split()), sorted(seen["escape.root"].split())
    differ = {key for key in {*there, *alone} - {"error"} if there.get(key) != alone.get(key)}
    mounts = lambda seen: sorted(re.sub(r"(size|nr_inodes|lowerdir|inode64)[^, ]*", "", v) for q, v in seen.items() if q.startswith("mount."))  # noqa: E731
    assert mounts(there) == mounts(alone)
    differ = {d for d in differ if not d.startswith(("mount.", "path:/proc/", "session", "cgroup"))}
    assert differ <= {"run.plinth", "path:/run/plinth/evidence.json", "write:/run/plinth/evidence.json", "path:/run/plinth"}, differ


def test_secrets_reach_only_the_container(keeper):
    k = keeper("cat /run/secrets/key", "env TOKEN", "exit 0", options=["user=web", "file=key/top secret", "variable=TOKEN=also secret"])
    k.end()
    assert bytes.fromhex(k.saw["1"]) == b"top secret" and k.saw["2"] == "also secret"


@pytest.mark.parametrize("stop, number", [("", 15), ("SIGQUIT", 3), ("SIGRTMIN+3", 37), ("nonsense", 15)])
def test_stop_signal(keeper, stop, number):
    k = keeper(f"trap {number} 5", "wait", options=[f"stop={stop}"] if stop else [])
    k.wait_for("workload.end=1")
    os.kill(k.pid, signal.SIGTERM)
    console = k.end(8)
    assert f"signal {number} " in console and "workload.trapped=1" in console and "exit status 5" in console
    assert ("StopSignal 'nonsense' is unknown" in console) == (stop == "nonsense")


def test_who_does_not_stop_is_killed(keeper):
    k = keeper("trap 10 5", "wait")
    k.wait_for("workload.end=1")
    before = time.monotonic()
    os.kill(k.pid, signal.SIGINT)
    os.kill(k.pid, signal.SIGTERM)  # asking twice changes nothing
    console = k.end(40)
    assert time.monotonic() - before > 9
    assert console.count("SIGKILL in 10 s") == 1 and "did not stop: SIGKILL" in console and "signal 9" in console


API = ["api=3", "resource=app/config/1/some bytes", "resource=boot/key/1/not for you"]


def body(line):
    return line.split(" ", 2)[2]


def test_api(keeper):
    k = keeper("GET /info", "GET /cdh/resource/app/config/1", "unix GET /cdh/resource/app/config/1", "GET /aa/token?token_type=kbs",
               "GET /aa/evidence?runtime_data=abc", "GET /aa/evidence?runtime_data=YWJj&encoding=base64&format=plinth",
               "GET /aa/additional-evidence?runtime_data=abc", "look /run/plinth/api.sock",
               "GET /aa/evidence?runtime_data=" + "x" * 48 + "plinth-evidence1", "GET /aa/evidence?format=plinth&runtime_data=plinth-kxyz",
               "GET /aa/evidence?runtime_data=plinth-t" + "x" * 24, "exit 0", options=["user=web", *API])
    k.end()
    assert json.loads(body(k.saw["1"])) == {"version": "0.1.0", "tee": "snp", "feature": "all"}
    assert k.saw["2"] == k.saw["3"] == "200 application/octet-stream some bytes"
    token = json.loads(body(k.saw["4"]))
    assert set(token) == {"token", "tee_keypair"} and token["tee_keypair"].startswith("-----BEGIN PRIVATE KEY-----\n")
    evidence, document = json.loads(body(k.saw["5"])), json.loads(body(k.saw["6"]))
    assert evidence["made_up"] == "trustee" and evidence["nonce"] == b"abc".hex() + "00" * 61
    assert document["made_up"] == "plinth" and document["nonce"] == b"abc".hex()
    assert k.saw["7"] == "200 application/octet-stream" and k.saw["8"] == "there"
    for n in ("9", "10", "11"):
        assert k.saw[n].startswith("403 "), "what only the agent may say of itself (lib/tee/evidence.h)"


def test_events(keeper):
    def event(domain, operation="op", content="text"):
        return "POST /aa/aael " + json.dumps({"domain": domain, "operation": operation, "content": content})
    k = keeper("cat /run/plinth/eventlog", "GET /aa/evidence?runtime_data=a", "GET /aa/token?token_type=kbs", event("plinth", "separator", "{}"),
               event("github.com/confidential-containers", "PullImage", "{}"), event("app", "two words"), event("app", "x", "two\nlines"),
               event("app x"), "GET /aa/evidence?runtime_data=a", event("app", "start", '{"a": "b"}'), "cat /run/plinth/eventlog",
               "GET /aa/evidence?runtime_data=a", "GET /aa/token?token_type=kbs", "exit 0", options=["user=web", *API])
    k.end()
    before, after = bytes.fromhex(k.saw["1"]), bytes.fromhex(k.saw["11"])
    assert k.saw["4"].startswith("403 ") and k.saw["5"].startswith("403 ") and "domain" in k.saw["4"]
    assert [k.saw[str(i)][:4] for i in (6, 7, 8)] == ["500 "] * 3
    register = [json.loads(body(k.saw[i]))["register"] for i in ("2", "9", "12")]
    assert register[0] == register[1] != register[2]
    assert k.saw["10"] == '200 application/json {"success":"true"}'
    assert after.startswith(before) and after.endswith(b'app start {"a": "b"}') and after.count(b"separator") == 1
    text = b'app start {"a": "b"}'
    digest = hashlib.sha384(b"\x4c\x45\x41\x41" + len(text).to_bytes(4, "little") + text).digest()
    assert hashlib.sha384(bytes.fromhex(register[0]) + digest).hexdigest() == register[2] and digest in after[len(before):]
    assert k.saw["3"] != k.saw["13"], "the token after the event is a new one"


@pytest.mark.parametrize("options, wanted", [
    (["used=kbs:///boot/key/1"], ["200", "403", "500"]),
    (["used=kbs://host/boot/key/1"], ["200", "403", "500"]),
    (["prefix=kbs:///boot"], ["403", "200", "500"]),
    (["prefix=kbs:///app/config/", "prefix=kbs:///boot/key/1", "used=kbs:///boot/key/1"], ["200", "200", "500"]),
], ids=["used", "used-with-host", "prefix", "prefix-of-used"])
def test_resources(keeper, options, wanted):
    k = keeper("GET /cdh/resource/app/config/1", "GET /cdh/resource/boot/key/1", "GET /cdh/resource/boot/../app/config/1",
               "GET /cdh/resource/app/config/2", "exit 0", options=["user=web", *API, *options])
    console = k.end()
    assert [k.saw[str(i)].split()[0] for i in (1, 2, 3)] == wanted
    assert k.saw["4"].startswith("403 ") and "not for you" not in console.replace(k.saw["2"], "")


@pytest.mark.parametrize("feature", [0, 1, 2])
def test_features(keeper, feature):
    k = keeper("GET /cdh/resource/app/config/1", "GET /aa/token?token_type=kbs", "look /run/plinth/api.sock", "exit 0",
               options=["api=%d" % feature, *API[1:]])
    k.end()
    got = [k.saw["1"].split()[0], k.saw["2"].split()[0]]
    assert got == [["no", "no"], ["200", "404"], ["404", "200"]][feature]
    assert (k.saw["3"] == "there") == (feature > 0)


def test_no_kbs(keeper):
    k = keeper("GET /cdh/resource/app/config/1", "GET /aa/token?token_type=kbs", "GET /aa/evidence?runtime_data=", "exit 0", options=["api=3", "nokbs=1"])
    k.end()
    assert "no KBS" in k.saw["1"] and "no KBS" in k.saw["2"] and k.saw["3"].startswith("200 ")


def test_flood(keeper):
    """Hundreds of questions: all are answered, at the pace the monitor allows, and it still sees everything else."""
    k = keeper("flood 300 /info", "flood 150 /cdh/resource/app/config/1", "stall 16", "trap 15 4", "flood 500 /cdh/resource/app/config/1", "exit 9",
               options=["user=web", *API])
    k.wait_for("workload.2=", 120)
    assert k.saw["1"].startswith("200:300 lost:0"), k.saw
    served = dict(p.split(":") for p in k.saw["2"].split())
    assert int(served["200"]) == 150 and int(served["seconds"]) >= 1, k.saw
    time.sleep(1)  # in the middle of the third
    os.kill(k.pid, signal.SIGTERM)
    console = k.end(10)
    assert "workload.trapped=1" in console and "exit status 4" in console


def test_slow_evidence_holds_up_nothing_else(keeper):
    """While a quote is on its way the container ends: the monitor sees it at once."""
    k = keeper("trap 15 6", "GET /aa/evidence?runtime_data=slow", "GET /aa/evidence?runtime_data=hang", "exit 0", options=API)
    k.wait_for("workload.2=", 30)
    assert k.saw["2"].startswith("200 ")
    os.kill(k.pid, signal.SIGTERM)
    assert "exit status 6" in k.end(5)


def test_evidence_whose_maker_dies(keeper):
    k = keeper("GET /aa/evidence?runtime_data=crash", "GET /aa/evidence?runtime_data=abc", "exit 0", options=API)
    assert "exit status 0" in k.end()
    assert k.saw["1"].startswith("500 ") and "died" in k.saw["1"] and k.saw["2"].startswith("200 ")


def test_api_that_dies_while_evidence_is_made(keeper):
    """Who makes it goes on, for nobody: a TPM whose command were cut short would take no other."""
    k = keeper("GET /aa/evidence?runtime_data=slow", "GET /aa/evidence?runtime_data=abc", "exit 0", options=API)
    k.wait_for("supervising process")
    end = time.monotonic() + 30
    while "/init" not in k.children():
        assert time.monotonic() < end
        time.sleep(0.01)
    maker, = k.children()["/init"]
    os.kill(k.children()["plinth:api"][0], signal.SIGSEGV)
    k.wait_for("the api worker crashed (signal 11")
    k.wait_for("workload.1=")
    assert k.children().get("/init") == [maker]
    assert "exit status 0" in k.end()
    assert not k.saw["1"].startswith("200 ") and k.saw["2"].startswith("200 ") and b"abc".hex() in k.saw["2"]


def test_api_that_crashes(keeper):
    """It is started again on the same sockets, with the same duties, a bounded number of times."""
    k = keeper("GET /info", "sleep 3", "GET /cdh/resource/app/config/1", "unix GET /info", "wait", options=API)
    k.wait_for("workload.1=200")
    first = k.children()["plinth:api"][0]
    os.kill(first, signal.SIGSEGV)
    k.wait_for("the api worker crashed (signal 11")
    k.wait_for("workload.end=1")
    assert k.saw["3"].startswith("200 ") and k.saw["4"].startswith("200 ")
    for _ in range(5):
        end = time.monotonic() + 10
        while not (pids := k.children().get("plinth:api")) and time.monotonic() < end:
            time.sleep(0.01)
        last = pids[0]
        os.kill(last, signal.SIGSEGV)
        while os.path.exists(f"/proc/{last}") and time.monotonic() < end:
            time.sleep(0.01)
    k.wait_for("plinth:api: not started again")
    assert "plinth:api" not in k.children() and "/bin/workload" in k.children()
    tries = "import socket; s = socket.socket(); s.setsockopt(1, 2, 1); print(s.connect_ex(('127.0.0.1', 8006))); s = socket.socket(); " \
            "s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 8006))"
    r = subprocess.run(["nsenter", "-t", str(k.pid), "-n", sys.executable, "-c", tries], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert r.stdout == "111\n" and "Address already in use" in r.stderr, "refused, and no place for anybody else"
    os.kill(k.children()["/bin/workload"][0], signal.SIGKILL)
    assert "signal 9" in k.end()


def steal(pid, fd):
    """That process's descriptor, as a socket of this one: what it would say if it were taken over."""
    mine = ctypes.CDLL(None, use_errno=True).syscall(438, os.pidfd_open(pid), fd, 0)  # pidfd_getfd
    assert mine >= 0, os.strerror(ctypes.get_errno())
    return socket.socket(fileno=mine)


LIES = {
    "unknown": (struct.pack("<II", 999, 0), "message of unknown type"),
    "out-of-turn": (struct.pack("<II", FRAME["END"], 0), "out of turn"),
    "too-long": (struct.pack("<II", FRAME["ASK"], 1 << 20), "at most"),
    "half": (b"\1\0", "no answer from the worker in the time allowed"),
    "half-a-question": (struct.pack("<II", FRAME["ASK"], 100) + b"\1\2\0", "no answer from the worker in the time allowed"),
    "malformed": (struct.pack("<II", FRAME["ASK"], 3) + b"\1\2\0", "an answer without a question"),
    "kind": (struct.pack("<II", FRAME["ASK"], 7) + b"\4" + bytes(6), "an answer without a question"),
}


@pytest.mark.parametrize("lie", LIES)
def test_api_that_lies(keeper, lie):
    """It is ended and started anew; the container does not notice, and the monitor goes on."""
    k = keeper("GET /info", "sleep 4", "GET /cdh/resource/app/config/1", "wait", options=API)
    k.wait_for("workload.1=200")
    first = k.children()["plinth:api"][0]
    steal(first, 3).sendall(LIES[lie][0])
    k.wait_for(LIES[lie][1])
    k.wait_for("workload.end=1")
    assert k.saw["3"].startswith("200 ") and k.children()["plinth:api"] != [first]
    os.kill(k.children()["/bin/workload"][0], signal.SIGKILL)
    assert "signal 9" in k.end(5)


def test_api_that_floods(keeper):
    """Whatever it asks, it gets no more than its share of the monitor's time; and more than it may have it does not get."""
    k = keeper("wait", options=["api=2", *API[1:]])
    k.wait_for("workload.end=1")
    s, answers = steal(k.children()["plinth:api"][0], 3), 0
    question = lambda kind, *texts: struct.pack("<II", FRAME["ASK"], 1 + sum(2 + len(t) for t in texts)) + bytes([kind]) + b"".join(  # noqa: E731
        struct.pack("<H", len(t)) + t for t in texts)
    os.kill(k.children()["plinth:api"][0], signal.SIGSTOP)  # so that it takes none of the answers
    s.settimeout(1)
    s.sendall(question(1, b"app/config/1", b"", b""))
    kind, n = struct.unpack("<II", s.recv(8, socket.MSG_WAITALL))
    assert kind == FRAME["ERROR"] and b"run.api.feature" in s.recv(n, socket.MSG_WAITALL)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        s.sendall(question(3, b"plinth", b"x", b"y"))  # a domain that it may not have
        kind, n = struct.unpack("<II", s.recv(8, socket.MSG_WAITALL))
        assert kind == FRAME["ERROR"] and b"domain" in s.recv(n, socket.MSG_WAITALL)
        answers += 1
    assert 0 < answers <= 100 + 25 * 5, answers
    before = time.monotonic()
    os.kill(k.children()["/bin/workload"][0], signal.SIGKILL)
    assert "signal 9" in k.end(5) and time.monotonic() - before < 3


def test_no_process_of_ours_holds_more_than_its_own(keeper):
    k = keeper("GET /info", "wait", options=["user=web", *API])
    k.wait_for("workload.end=1")
    links = {d: os.readlink(f"/proc/{k.children()['plinth:api'][0]}/fd/{d}") for d in os.listdir(f"/proc/{k.children()['plinth:api'][0]}/fd")}
    assert set(links) == {"0", "1", "2", "3", "4", "5"} and all(links[d].startswith("socket:") for d in "345"), links
    container = k.children()["/bin/workload"][0]
    assert set(os.listdir(f"/proc/{container}/fd")) == {"0", "1", "2"}
    ours = {os.readlink(f"/proc/{k.pid}/ns/{n}") for n in ("pid", "mnt")}
    assert not ours & {os.readlink(f"/proc/{container}/ns/{n}") for n in ("pid", "mnt")}
    assert os.readlink(f"/proc/{container}/ns/net") == os.readlink(f"/proc/{k.pid}/ns/net")
    with open(f"/proc/{k.pid}/mounts") as f:
        mine = f.read()
    assert "overlay" not in mine and "/sysroot" not in mine
    with open(f"/proc/{container}/mounts") as f:
        theirs = f.read()
    assert "configfs" not in theirs and "securityfs" not in theirs and " /run/plinth tmpfs ro," in theirs, theirs


@pytest.mark.parametrize("mode, said", [("short", "eth0: the address is ours for another 20 s"),
                                        ("moving", "DHCP gives 192.168.77.101 now; 192.168.77.100, which the container uses, is kept")])
def test_lease_is_renewed(keeper, wire, mode, said):  # noqa: F811
    netns, server = wire
    server(mode)
    k = keeper("wait", options=["cmdline="], netns=netns)
    k.wait_for("workload.end=1")
    assert "from DHCP, for 20 s" in k.console
    k.wait_for(said, 40)
    assert "plinth:address" not in k.children(), "it is gone when it has answered"
    os.kill(k.children()["/bin/workload"][0], signal.SIGKILL)
    k.end()


# ---- in a machine ----

def workload_image(workload, **process):
    mode = tarfile.TarInfo("bin/workload")
    mode.mode = 0o755
    with open(workload, "rb") as f:
        files = [("bin", None), (mode, f.read()), ("etc", None), ("etc/passwd", b"root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n")]
    return Image(layers=[tar(files)], process={"Entrypoint": ["/bin/workload"], "User": "web", **process})


@pytest.fixture
def supervised(keys, ca, registry, workload, tmp_path):  # noqa: F811
    """The policy of a supervised workload that does `args`, its image in the registry."""
    name = serve(workload_image(workload).sign(keys["builder"]), registry, tmp_path / "layout")
    with open(ca.pem) as f:
        pem = f.read()

    def make(args, run_more, kbs=None, **more):
        if kbs:
            more["kbs"] = {"url": kbs.url.replace("127.0.0.1", "10.0.2.2"), "ca": pem}
        return policy(keys["builder"], image=name, registry={"ca": pem}, run={"mode": "supervise", "args": ["/bin/workload", *args], **run_more}, **more)
    return make


def judge(m, plinth, directory, evidence, nonce):
    """The quote in that document is right, over that nonce, and its log replays; gives the log."""
    m.evidence, m.nonce = evidence, nonce
    m.check_quote(directory)
    return m.log(plinth, directory)


EVENT = "POST /aa/aael " + json.dumps({"domain": "app", "operation": "ready", "content": "42"})
RESERVED = "POST /aa/aael " + json.dumps({"domain": "plinth", "operation": "layer", "content": "{}"})


@pytest.mark.parametrize("kernel", ["stock"], indirect=True)
def test_boot_supervised(plinth, kernel, ca, supervised, tmp_path):  # noqa: F811
    nonce = os.urandom(32)
    asks = "GET /aa/evidence?format=plinth&encoding=base64&runtime_data=" + base64.urlsafe_b64encode(nonce).rstrip(b"=").decode()
    secret, key, other = (os.urandom(30).hex().encode() for _ in range(3))
    with Kbs({"acme/app/config": secret, "acme/app/key": key, "acme/app/token": other}, tls=ca.server("IP:127.0.0.1,IP:10.0.2.2"), plinth="0.1.0") as kbs:
        m = Machine(plinth, kernel, supervised([
            "ps", "GET /info", "GET /cdh/resource/acme/app/config", "unix GET /cdh/resource/acme/app/config", "GET /cdh/resource/acme/app/key",
            "GET /cdh/resource/acme/none/such", "GET /aa/token?token_type=kbs", asks, RESERVED, EVENT, asks, "cat /run/plinth/eventlog",
            "GET /aa/evidence?runtime_data=x", "cat /run/secrets/key", "env TOKEN", "look /dev/tpmrm0", "flood 200 /cdh/resource/acme/app/config", "exit 7"],
            {"api": {"feature": "all"}, "secrets": [{"uri": "kbs:///acme/app/key", "file": "key"}, {"uri": "kbs:///acme/app/token", "env": "TOKEN"}]},
            kbs=kbs, tee=["tpm"]), tmp_path)
        given, jwks = list(kbs.given), [a.jwk["x"] for a in kbs.attestations]
    s = saw(m.console)
    assert s.get("end") == "1", (m.console, m.result.err)
    assert s["1"] == "1 self 1 parent 0"
    assert json.loads(body(s["2"])) == {"version": "0.1.0", "tee": "tpm", "feature": "all"}
    assert s["3"] == s["4"] == "200 application/octet-stream " + secret.decode()
    assert s["5"].startswith("403 ") and s["6"].startswith("403 ") and "denied by the KBS" in s["6"]
    token = json.loads(body(s["7"]))
    assert token["token"].count(".") == 2 and "PRIVATE KEY" in token["tee_keypair"]
    assert len(set(jwks[1:])) == 1 and jwks[0] != jwks[1], "the key that is given away opened nothing of the boot's"
    logs = [judge(m, plinth, tmp_path, json.loads(body(s[i])), nonce.hex()) for i in ("8", "11")]
    assert s["9"].startswith("403 ") and s["10"] == '200 application/json {"success":"true"}'
    assert b"app ready 42" not in logs[0] and logs[1].startswith(logs[0]) and logs[1].endswith(b"app ready 42")
    assert bytes.fromhex(s["12"]) == logs[1]
    assert s["13"].startswith("500 ") and "RSA" in s["13"], "Trustee's shape takes a key that this TPM does not have"
    assert bytes.fromhex(s["14"]) == key and s["15"] == other.decode() and s["16"] == "No such file or directory"
    flood = dict(p.split(":") for p in s["17"].split())
    assert int(flood["200"]) + int(flood.get("429", 0)) == 200 and given.count("acme/app/key") == 1, s["17"]
    assert "the container ended with exit status 7; powering off" in m.console and "Kernel panic" not in m.console


@pytest.mark.parametrize("kernel", ["stock"], indirect=True)
def test_boot_power_button(plinth, kernel, supervised, tmp_path, monkeypatch):  # noqa: F811
    """QEMU's system_powerdown is the ACPI power button; a shim gives this test a QMP socket beside what `plinth run` asks of QEMU."""
    qemu, qmp = shutil.which("qemu-system-x86_64"), str(tmp_path / "qmp")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "qemu-system-x86_64").write_text(f'#!/bin/sh\nexec {qemu} "$@" -qmp unix:{qmp},server=on,wait=off\n')
    (tmp_path / "bin" / "qemu-system-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:" + os.environ["PATH"])
    directory = os.path.dirname(kernel[0])
    modules = run(os.path.join(ROOT, "qemu", "modules"), directory, tmp_path / "modules", "virtio_net", "overlay", "button", "evdev").split()

    def press():
        end = time.monotonic() + 300
        while time.monotonic() < end:
            if (tmp_path / "console").exists() and "workload.end=1" in (tmp_path / "console").read_text(errors="replace"):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(qmp)
                    f = s.makefile("rw")
                    for command in ("qmp_capabilities", "system_powerdown"):
                        f.readline()
                        f.write(json.dumps({"execute": command}) + "\n")
                        f.flush()
                    f.readline()
                return
            time.sleep(0.2)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pressed = pool.submit(press)
        m = Machine(plinth, (kernel[0], modules), supervised(["trap 3 5", "wait"], {}), tmp_path)
        pressed.result()
    assert "power button: signal 15" in m.console and "SIGKILL in 10 s" in m.console, m.console
    assert "did not stop: SIGKILL" in m.console and "ended by signal 9 (Killed); powering off" in m.console, m.console


def test_boot_supervised_td(plinth, sim, supervised, tmp_path):  # noqa: F811
    """A TD, SIMULATED (qemu/simtee, NOT A TEE): evidence in Trustee's shape, whose log explains all four registers, with the workload's event too."""
    m = TeeMachine(plinth, "tdx", sim, supervised(["GET /aa/evidence?runtime_data=hello+there", EVENT, "GET /aa/evidence?runtime_data=hello%20again",
                                                   "GET /cdh/resource/a/b/c", "trap 15 3", "exit 0"], {"api": {"feature": "attestation"}}), tmp_path)
    s = saw(m.console)
    assert "the container ended with exit status 0; powering off" in m.console, (m.console, m.result.err)
    assert s["4"] == "404 - Resource Feature Not Enabled"
    registers = []
    for number, data in (("1", b"hello there"), ("3", b"hello again")):
        evidence = json.loads(body(s[number]))
        assert set(evidence) == {"quote", "cc_eventlog"}
        quote, log = tee.Quote(base64.b64decode(evidence["quote"])), base64.b64decode(evidence["cc_eventlog"])
        quote.check(os.path.join(sim[1], "tdx"), tmp_path)
        assert quote.report_data == data.ljust(64, b"\0") and log.endswith(b"\xff" * 8)
        assert tee.replay(tee.read_log(log[:-8])) == {1 + i: quote.rtmr[i] for i in range(4)}
        assert (b"app ready 42" in log) == (number == "3")
        registers.append(quote.rtmr[3])
    assert registers[0] != registers[1]
