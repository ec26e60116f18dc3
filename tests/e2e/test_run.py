"""plinth run alone, with an agent of the test's own: evidence out, refusal, time, signals, and that nothing is left behind."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import HERE, PLINTH, ROOT

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("qemu-system-x86_64", "swtpm", "swtpm_setup", "musl-gcc"))),
                                reason="QEMU, swtpm or musl-gcc is not installed")
NONCE = "00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    agent = tmp_path_factory.mktemp("agent") / "init"
    subprocess.run(["musl-gcc", "-static", "-O1", "-o", agent, os.path.join(HERE, "guest_agent.c")], check=True)
    kernel = subprocess.run([os.path.join(ROOT, "qemu", "parts"), "stock-kernel"], check=True, stdout=subprocess.PIPE, text=True)
    return ["--agent", str(agent), "--ca", "none", "--kernel", os.path.join(kernel.stdout.strip(), "vmlinuz")]


@pytest.fixture
def machine(plinth, parts, tmp_path):
    """Starts `plinth run`; afterwards nothing of it may be left."""
    policy = plinth.policy({"signatures": {"allowUnsigned": True}})
    directory = tmp_path / "t"
    directory.mkdir()
    started = []

    def start(*args):
        env = dict(os.environ)
        env["TMPDIR"] = short
        p = subprocess.Popen([PLINTH, "run", "--policy", policy, *parts, "--nonce", NONCE, *map(str, args)], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(p)
        return p

    short = f"/tmp/plinth-test-{os.getpid()}"  # TMPDIR must be short
    os.makedirs(short, exist_ok=True)
    yield start
    for p in started:
        if p.poll() is None:
            p.kill()
            p.communicate()
    left = os.listdir(short)
    shutil.rmtree(short)
    assert not left


def children(pid):
    return [int(c) for c in open(f"/proc/{pid}/task/{pid}/children").read().split()]


def gone(pids):
    for _ in range(100):
        if not any(os.path.exists(f"/proc/{p}") for p in pids):
            return True
        time.sleep(0.1)
    return False


def test_evidence_then_a_signal(machine, tmp_path):
    evidence = tmp_path / "evidence"
    p = machine("--evidence", evidence, "--timeout", "200")
    while p.poll() is None and not evidence.exists():
        time.sleep(0.2)
    assert p.poll() is None, p.communicate()
    bytes_ = evidence.read_bytes()
    assert len(bytes_) == 600000 and bytes_.startswith(b"nonce " + NONCE.encode() + b"\n")
    machinery = children(p.pid)
    assert len(machinery) == 2
    p.send_signal(signal.SIGTERM)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 0 and out.startswith(b"evidence 600000 bytes, sha256 ") and NONCE.encode() in out
    assert b"got nonce " + NONCE.encode() in err and b"\x1b" not in err
    assert gone(machinery)


def test_refusal(machine, tmp_path):
    p = machine("--append", "test=refuse", "--json", "--console", tmp_path / "console", "--timeout", "200")
    out, err = p.communicate(timeout=220)
    assert p.returncode == 1 and b'"verdict":"refused","reason":"machine: trust: ' in out, (out, err)
    assert b"plinth: refused: machine: trust: \\x1b[31m." in err and b"\x1b" not in err
    assert b"\x1b[31mgot nonce" in (tmp_path / "console").read_bytes()


def test_too_late(machine):
    p = machine("--append", "test=silent", "--timeout", "1")
    err = p.communicate(timeout=30)[1]
    assert p.returncode == 3 and b"no evidence in 1 seconds" in err


def test_killed(machine, tmp_path):
    """When the command is killed outright, the machine dies with it (the directory stays)."""
    p = machine("--append", "test=silent", "--console", tmp_path / "console")
    while len(machinery := children(p.pid)) < 2:
        assert p.poll() is None, p.communicate()
        time.sleep(0.05)
    time.sleep(1)
    machinery = children(p.pid)
    p.kill()
    p.communicate()
    assert gone(machinery)
    directory = f"/tmp/plinth-test-{os.getpid()}"
    for name in os.listdir(directory):
        shutil.rmtree(os.path.join(directory, name))


def test_stopped_early(machine):
    p = machine("--append", "test=silent")
    while len(children(p.pid)) < 2:
        assert p.poll() is None, p.communicate()
        time.sleep(0.05)
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=30)[1]
    assert p.returncode == 3 and b"stopped by signal 2" in err
