"""What syft writes, held against the image it was written for: recorded documents (vectors/syft.tar.xz), and those of the syft on PATH.

    python3 tests/e2e/test_syft.py      records them anew with that syft
"""
import copy
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

import pytest

from image import Image, policy, tar
from test_sbom import APK, CYCLONEDX
from test_trust import SPDX, Vouched, member

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "vectors", "syft.tar.xz")
FORMATS = {"spdx-json": SPDX, "cyclonedx-json": CYCLONEDX}
DPKG = """Package: zlib1g
Status: install ok installed
Architecture: amd64
Source: zlib (1:1.3.1-1)
Version: 1:1.3.1-1+b1

Package: base-files
Status: install ok installed
Architecture: amd64
Version: 13.8
"""


def rpm_db(name):
    with open(os.path.join(HERE, "..", "unit", "vectors", "rpm_db", name), "rb") as f:
        return f.read()


def noted(kind, name, version, distribution):
    """A shared library with nothing in it but the note of systemd's "Package Metadata for Executable Files"."""
    text = json.dumps({"type": kind, "os": distribution, "osVersion": "9", "name": name, "version": version, "architecture": "x"}).encode() + b"\0"
    text += b"\0" * (-len(text) % 4)
    note = struct.pack("<III4s", 4, len(text), 0xcafe1a7e, b"FDO\0") + text
    names = b"\0.note.package\0.shstrtab\0"
    sections = [(0, 0, 0, 0), (1, 7, 64, len(note)), (15, 3, 64 + len(note), len(names))]
    table = b"".join(struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, at, size, 0, 0, 4, 0) for name, kind, at, size in sections)
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 64 + len(note) + len(names), 0, 64, 56, 0, 64, 3, 2)
    return head + note + names + table


def release(name):
    return ('ID=%s\nVERSION_ID=9\nNAME=%s\nPRETTY_NAME=%s\n' % (name, name, name)).encode()


# name: how many packages syft lists, the root. In a hash of Berkeley DB it passes over a header that fits into the page of its key.
ROOTS = {
    "deb": (2, {"var/lib/dpkg/status": DPKG.encode(), "usr/lib/libz.so.1": noted("deb", "zlib", "1:1.3.1-1+b1", "debian"), "etc/os-release": release("debian")}),
    "apk": (2, {"lib/apk/db/installed": APK.encode(), "etc/os-release": release("alpine")}),
    "sqlite": (12, {"usr/lib/sysimage/rpm/rpmdb.sqlite": rpm_db("rpmdb.sqlite"), "usr/lib/libp.so": noted("rpm", "p", "2-4.el9", "rhel"), "etc/os-release": release("rhel")}),
    "ndb": (12, {"var/lib/rpm/Packages.db": rpm_db("Packages.db"), "etc/os-release": release("opensuse-leap")}),
    "bdb": (11, {"var/lib/rpm/Packages": rpm_db("Packages"), "etc/os-release": release("centos")}),
    "bdb-big-endian": (11, {"var/lib/rpm/Packages": rpm_db("Packages.big"), "etc/os-release": release("rhel")}),
}


def scan(syft, root, directory):
    """{format: document} by syft, of an image with this root."""
    layout = os.path.join(directory, "image")
    Image(layers=[tar(list(root.items()))]).write_layout(layout)
    out = {form: os.path.join(directory, form) for form in FORMATS}
    subprocess.run([syft, "scan", "-q", "oci-dir:image", "--source-name", "image", *[a for form, path in out.items() for a in ("-o", form + "=" + path)]],
                   cwd=directory, check=True, timeout=120, env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"})
    return {form: json.load(open(path)) for form, path in out.items()}


def record(syft):
    with tarfile.open(VECTORS, "w:xz") as packed:
        for name, (_, root) in ROOTS.items():
            with tempfile.TemporaryDirectory() as directory:
                for form, document in scan(syft, root, directory).items():
                    body = json.dumps(document).encode()
                    member_of = tarfile.TarInfo("%s.%s" % (name, form))
                    member_of.size = len(body)
                    packed.addfile(member_of, io.BytesIO(body))


@pytest.fixture(scope="session")
def recorded():
    with tarfile.open(VECTORS) as t:
        return {m.name: json.load(t.extractfile(m)) for m in t.getmembers()}


@pytest.fixture
def hold(plinth, keys, tmp_path):
    """hold(root, format, document, refuse): plinth's "sbom", and the reason where it refuses."""
    def run(root, form, document, refuse):
        image = Vouched(layers=[tar(list(root.items()))]).tag(keys["builder"]).attest(keys["auditor"], FORMATS[form], document)
        rules = policy(keys["builder"], attestations=[{"predicateType": FORMATS[form], "keys": [member(keys["auditor"])]}],
                       sbom={"matchRootfs": True, "refuse": refuse})
        result = plinth.pull(rules, image.write(tmp_path))
        assert result.status in (0, 1), result.err
        return result.json.get("sbom"), result.json.get("reason") or ""
    return run


def holds(hold, name, form, document):
    """As it is; and with a package taken out of the document, or listed in another version."""
    count, root = ROOTS[name]
    got, reason = hold(root, form, document, ["missing", "changed"])
    assert not reason and got["matched"] >= count + (1 if form == "spdx-json" else 0), (got, reason)
    packages = {p["name"]: p for p in document["packages" if form == "spdx-json" else "components"] if p.get("versionInfo") or p.get("purl")}
    one = {"deb": "base-files", "apk": "musl"}.get(name, "p4")
    assert one in packages and len(packages) >= count, packages.keys()
    kind = name if name in ("deb", "apk") else "rpm"
    less, other = copy.deepcopy(document), copy.deepcopy(document)
    members = less["packages" if form == "spdx-json" else "components"]
    members[:] = [p for p in members if p["name"] != one]
    got, reason = hold(root, form, less, ["missing", "changed"])
    assert not reason and any(d["name"] == "%s %s" % (kind, one) for d in got["unlisted"]), got
    text = json.dumps(other).replace("/%s@" % one, "/%s@9." % one)
    assert text != json.dumps(other)
    got, reason = hold(root, form, json.loads(text), ["missing", "changed"])
    assert "%s %s is changed: " % (kind, one) in reason, reason


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ROOTS)
def test_recorded(hold, recorded, name, form):
    holds(hold, name, form, recorded["%s.%s" % (name, form)])


@pytest.mark.skipif(not shutil.which("syft"), reason="no syft on PATH")
@pytest.mark.parametrize("name", ROOTS)
def test_syft_here(hold, tmp_path, name):
    for form, document in scan("syft", ROOTS[name][1], str(tmp_path)).items():
        holds(hold, name, form, document)


def test_note_of_another_version(hold, recorded):
    """A library whose note names what no installed package was built from."""
    for name, here, there in (("deb", "deb/debian/zlib@1%3A1.3.1-1%2Bb1", "deb/debian/zlib@1%3A1.2"), ("sqlite", "rpm/rhel/p@2-4.el9", "rpm/rhel/p@2-9.el9")):
        for form in FORMATS:
            text = json.dumps(recorded["%s.%s" % (name, form)])
            assert here in text
            _, reason = hold(ROOTS[name][1], form, json.loads(text.replace(here, there)), ["missing"])
            assert "%s is missing" % {"deb": "deb zlib", "sqlite": "rpm p"}[name] in reason, reason


if __name__ == "__main__":
    record(sys.argv[1] if len(sys.argv) > 1 else "syft")
