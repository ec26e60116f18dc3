"""`make demo`, as a new user sees it, with the kernel that has everything built in."""
import os
import subprocess

from conftest import ROOT


def test_demo():
    p = subprocess.run([os.path.join(ROOT, "qemu", "demo")], env={**os.environ, "KERNEL": "lean"}, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    out = p.stdout.decode()
    assert p.returncode == 0, out
    assert "(as predicted)" in out and "quote     good" in out and "answers" in out
    assert "of 16 PCRs are known from the files" in out and "for another nonce it refuses" in out
    assert "simulated TPM" in out and out.split("\n  verdict")[1].split() == "accepted, with the caveats above".split(), out
