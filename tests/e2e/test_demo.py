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
