"""`make demo`, as a new user sees it: with the kernel that has everything built in, and with the SIMULATED TEEs. The demo itself
checks what it says; here, that it says all of it."""
import os
import subprocess

import pytest

from conftest import ROOT


@pytest.mark.parametrize("kind, known, caveat, refused", [
    ("tpm", "of 16 PCRs: reference values", "simulated TPM", {"tpm: PCR 15 (sha256) is": 1, "tpm: PCR ": 3}),
    ("tdx", "MRTD, RTMR1, RTMR2 and RTMR3: reference values", "the root is not the vendor's", {"tdx: RTMR2 is": 2, "expected was 'plinth manifest": 1}),
    ("snp", "the launch digest: reference values", "the root is not the vendor's", {"snp: launch digest is": 2, "image: sha256:": 1}),
])
def test_demo(kind, known, caveat, refused):
    environment = {**os.environ, "TEE": kind, **({"KERNEL": "lean"} if kind == "tpm" else {})}
    p = subprocess.run([os.path.join(ROOT, "qemu", "demo")], env=environment, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    out = p.stdout.decode()
    assert p.returncode == 0, out
    assert "(as predicted)" in out and "quote     good" in out and "answers" in out
    assert known in out and "for another nonce it refuses" in out
    assert caveat in out and out.split("\n  verdict")[1].split() == "accepted, with the caveats above".split(), out
    assert ("SIMULATED" in out and "NOT A TEE" in out) == (kind != "tpm"), out
    # An encrypted image and a secret, for this machine; and for three others, each with its own fault, nothing.
    assert "encrypt   its layers" in out and "wants the password that only the relying party knew; with it, it answers" in out, out
    assert "gave      demo/key/layers demo/site/visitors to that machine" in out and "nothing   is what all three got" in out, out
    reasons = [line.split("| refused: ")[1] for line in out.splitlines() if "| refused: " in line]
    assert len(reasons) == 3 and {text: sum(text in r for r in reasons) for text in refused} == refused, reasons
