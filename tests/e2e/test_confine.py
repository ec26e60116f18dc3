"""What a confined worker can reach: tests/unit/confine_probe.c, built as a plain static program, as root and as an ordinary user."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import ROOT

SOURCES = ["tests/unit/confine_probe.c", "agent/worker/confine.c", "agent/lib/base/err.c"]


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("confine") / "confine_probe")
    with open(os.path.join(ROOT, "build", "deps.mk")) as f:
        deps = re.search(r"DEPS := (\S+)", f.read()).group(1)
    subprocess.run(["musl-gcc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-static", "-Iagent/lib", "-Iagent", "-I.",
                    "-isystem", f"{deps}/uapi", *SOURCES, "-o", out], cwd=ROOT, check=True)
    return out


def run(command, **more):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **more)
    assert p.returncode == 0 and "not ok" not in p.stdout, p.stdout
    return p.stdout


def test_as_started(probe):
    out = run([probe])
    assert "ok unpack as user" in out or "Landlock: no, chroot for users: no" in out, out
    if os.geteuid() == 0:
        assert "ok unpack as root" in out, out


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root to become another user")
def test_as_ordinary_user(probe):
    with tempfile.TemporaryDirectory() as d:  # everybody can reach it
        os.chmod(d, 0o755)
        copy = shutil.copy(probe, d)
        out = run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy])
    assert "as root" not in out and "ok unconfined" in out, out
