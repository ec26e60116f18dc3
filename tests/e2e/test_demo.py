"""`make demo`, as a new user sees it: with the kernel that has everything built in, and with the SIMULATED TEEs."""
import os
import subprocess

import pytest

from conftest import ROOT


@pytest.mark.parametrize("kind, known, caveat", [
    ("tpm", "of 16 PCRs: reference values", "simulated TPM"),
    ("tdx", "MRTD, RTMR1, RTMR2 and RTMR3: reference values", "the root is not the vendor's"),
    ("snp", "the launch digest: reference values", "the root is not the vendor's"),
])
def test_demo(kind, known, caveat):
    environment = {**os.environ, "TEE": kind, **({"KERNEL": "lean"} if kind == "tpm" else {})}
    p = subprocess.run([os.path.join(ROOT, "qemu", "demo")], env=environment, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    out = p.stdout.decode()
    assert p.returncode == 0, out
    assert "(as predicted)" in out and "quote     good" in out and "answers" in out
    assert known in out and "for another nonce it refuses" in out
    assert caveat in out and out.split("\n  verdict")[1].split() == "accepted, with the caveats above".split(), out
    assert ("SIMULATED" in out and "NOT A TEE" in out) == (kind != "tpm"), out
