#!/usr/bin/python3 -B
"""What encrypted layers cost: crypto/ctr_hmac beside `openssl speed`, and the pull of an image beside the same one unencrypted. Rounds are
interleaved; believe the ratios.

    tests/bench/decrypt.py [--rounds 5] [--mb 256]      after `make build/plinth build/bench/ctr_hmac`
"""
import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from image import Image, dumps, tar  # noqa: E402
from ocicrypt import Encrypted, encrypt  # noqa: E402

PIECE = 256 << 10
KEK, KID = b"the key in the owner's KBS, 32 b", "kbs:///default/key/layers"


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def openssl(*which):
    line = output("openssl", "speed", *which, "-bytes", str(PIECE), "-seconds", "1").strip().splitlines()[-1]
    return float(re.search(r"([0-9.]+)k$", line).group(1)) / 1000


def speeds(rounds):
    found = {}
    for _ in range(rounds):
        for line in output(os.path.join(ROOT, "build/bench/ctr_hmac"), "1").splitlines():
            name, value = line.rsplit(": ", 1)
            found.setdefault(name, []).append(float(value))
        ctr, hmac = openssl("-evp", "aes-256-ctr"), openssl("-hmac", "sha256")
        for name, value in (("openssl aes-256-ctr", ctr), ("openssl hmac-sha256", hmac), ("openssl both", 1 / (1 / ctr + 1 / hmac))):
            found.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def files(size):
    """Regular files of this machine's /usr/lib and /usr/bin, about `size` bytes: they pack as those of an image do."""
    found, total = [], 0
    for top in ("/usr/bin", "/usr/lib"):
        for directory, _, names in sorted(os.walk(top)):
            for name in sorted(names):
                path = os.path.join(directory, name)
                if total < size and not os.path.islink(path) and os.path.isfile(path):
                    with open(path, "rb") as f:
                        found.append((path[1:], f.read()))
                    total += len(found[-1][1])
    return found


def images(directory, size):
    """The same two layers four times: gzip and zstd, in the clear and encrypted."""
    refs, content = {}, files(size)
    data = [tar(content[i::2]) for i in range(2)]
    for compression in ("+gzip", "+zstd"):
        for kind in ("clear", "encrypted"):
            image = Image(data, compression=compression)
            for i in range(len(data)) if kind == "encrypted" else ():
                layer = Encrypted(image.blobs.pop(image.layers[i]["digest"]))
                encrypt(image, i, layer, provider=layer.packet(KEK, KID))
            refs[compression, kind] = "oci:" + image.write_layout(os.path.join(directory, kind + compression)) + ":v"
            packed = sum(layer["size"] for layer in image.layers)
        print(f"image {compression[1:]}: 2 layers, {sum(map(len, data)) / 1e6:.0f} MB, packed {packed / 1e6:.0f} MB")
    return refs


def pull(policy, secrets, ref, target):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([os.path.join(ROOT, "build/plinth"), "pull", "--policy", policy, "--secrets", secrets, ref, target], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["rm", "-rf", target], check=True)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--mb", type=int, default=256)
    args = p.parse_args()
    found = speeds(args.rounds)
    for name, value in found.items():
        print(f"{name:24} {value:6.0f} MB/s")
    print(f"ctr_hmac / openssl       {found['ctr_hmac'] / found['openssl both']:6.2f}")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as d:
        os.makedirs(d + "/secrets/default/key")
        with open(d + "/secrets/default/key/layers", "wb") as f:
            f.write(KEK)
        with open(d + "/policy", "wb") as f:
            f.write(dumps({"signatures": {"allowUnsigned": True}}))
        refs = images(d, args.mb << 20)
        runs = {key: [] for key in refs}
        for _ in range(args.rounds + 1):  # the first one warms up
            for key, ref in refs.items():
                runs[key].append(pull(d + "/policy", d + "/secrets", ref, d + "/target"))
        for compression in ("+gzip", "+zstd"):
            clear, sealed = (runs[compression, kind][1:] for kind in ("clear", "encrypted"))
            for what, i in (("wall", 0), ("CPU", 1)):
                a, b = (statistics.median(run[i] for run in of) for of in (clear, sealed))
                print(f"pull {compression[1:]}, {what:4}: {a:.3f} s in the clear, {b:.3f} s encrypted, {b / a:.2f} times")


if __name__ == "__main__":
    main()
