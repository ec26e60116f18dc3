"""sbom.matchRootfs: a signed SPDX or CycloneDX document held against what was unpacked: each kind of difference, refused and let pass."""
import hashlib
import json
import os
import struct
import tarfile
import time

import pytest

from image import Key, entry, policy, tar
from test_trust import SPDX, Vouched, member

CYCLONEDX = "https://cyclonedx.org/bom"
FILES = {"usr/bin/app": b"\x7fELF app", "etc/app.conf": b"x = 1\n", "usr/share/doc/caf\u00e9": b"", "opt/big": bytes(range(256)) * 2000}
DPKG = """Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10
Description: GNU C Library: Shared libraries
 Version: 9 is no field here.
 .
 more

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Version: 1:12.2.0-14

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
APK = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n\nP:busybox\nV:1.36.1-r28\nA:x86_64\n\n"
DEB_PURLS = ["pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12", "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14?arch=amd64"]
APK_PURLS = ["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64", "pkg:apk/alpine/busybox@1.36.1-r28?arch=x86_64&distro=3.20"]


def hexed(data, alg="sha256"):
    return hashlib.new(alg, data).hexdigest()


def spdx(files=FILES, purls=(), prefix="./", alg="sha256", packages=()):
    return {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "app",
            "packages": [{"SPDXID": "SPDXRef-image", "name": "libc6", "versionInfo": "the image itself", "primaryPackagePurpose": "CONTAINER"}] +
            [{"SPDXID": "SPDXRef-%d" % i, "name": "x", "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": p}]}
             for i, p in enumerate(purls)] + list(packages),
            "files": [{"SPDXID": "SPDXRef-f%d" % i, "fileName": prefix + name,
                       "checksums": [{"algorithm": "SHA1", "checksumValue": hexed(data, "sha1")}] +
                       ([{"algorithm": alg.upper(), "checksumValue": hexed(data, alg)}] if alg != "sha1" else [])}
                      for i, (name, data) in enumerate(files.items())]}


def cyclonedx(files=FILES, purls=()):
    inner = [{"type": "file", "name": "/" + n, "hashes": [{"alg": "SHA-256", "content": hexed(d).upper()}]} for n, d in files.items()]
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "metadata": {"component": {"type": "container", "name": "app"}},
            "components": [{"type": "operating-system", "name": "debian", "components": inner}] +
            [{"type": "library", "name": "x", "purl": p} for p in purls]}


def layer(files=FILES, **more):
    return tar(list(files.items()) + list(more.items()))


def debian(files=FILES):
    return tar(list({**files, "var/lib/dpkg/status": DPKG.encode()}.items()))


@pytest.fixture
def attested(plinth, keys, tmp_path):
    """pull(layers, SBOM, refuse): plinth's result. The SBOM is by 'auditor'."""
    count = []

    def pull(layers, document, refuse=None, kind=SPDX, form="attest", on=True, refused=None, mend=None):
        image = Vouched(layers=layers).tag(keys["builder"])
        getattr(image, form)(keys["auditor"], kind, document)
        count.append(1)
        ref = image.write(os.path.join(str(tmp_path), "i%d" % len(count)))
        sbom = {"matchRootfs": on}
        if refuse is not None:
            sbom["refuse"] = refuse
        rules = policy(keys["builder"], attestations=[{"predicateType": kind, "keys": [member(keys["auditor"])]}], sbom=sbom)
        if refused is None:
            result = plinth.pull(rules, ref)
            assert result.status == 0, result.err
            return result.json["sbom"]
        result = plinth.refused(rules, ref)
        assert refused in result.json["reason"], result.json["reason"]
        assert mend is None or mend in result.json["mend"], result.json["mend"]
        return result.json["sbom"]
    return pull


def named(differences):
    return [d["name"] for d in differences]


@pytest.mark.parametrize("prefix", ["./", "/", ""])
@pytest.mark.parametrize("alg", ["sha256", "sha384", "sha512"])
def test_spdx_matches(attested, prefix, alg):
    got = attested([layer()], spdx(prefix=prefix, alg=alg), ["missing", "changed", "unlisted"])
    assert got == {"matched": 4, "uncompared": 0, "count": {"missing": 0, "changed": 0, "unlisted": 0}, "missing": [], "changed": [], "unlisted": []}


@pytest.mark.parametrize("form", ["attest", "bundle"])
def test_forms(attested, form):
    everything = ["missing", "changed", "unlisted"]
    assert attested([layer()], cyclonedx(), everything, kind=CYCLONEDX, form=form)["matched"] == 4
    # cosign attest --type spdx: the document is a string.
    assert attested([layer()], json.dumps(spdx()), everything, form=form)["matched"] == 4


def test_off(plinth, attested, keys):
    assert attested([layer()], spdx({"nothing": b""}), on=False) is None


def test_missing(attested):
    document = spdx({**FILES, "usr/lib/gone.so": b"gone", "usr": b"a directory here"})
    got = attested([layer()], document, refused="/usr/lib/gone.so is missing: sha256:%s in the SBOM, not in the image; 2 missing, 0 changed, 0 unlisted"
                   % hexed(b"gone"), mend='take "missing" out of sbom.refuse')
    assert named(got["missing"]) == ["/usr/lib/gone.so", "/usr"] and got["count"]["missing"] == 2
    assert got["missing"][0] == {"name": "/usr/lib/gone.so", "sbom": "sha256:" + hexed(b"gone"), "image": None}
    assert attested([layer()], document, ["changed", "unlisted"])["count"] == {"missing": 2, "changed": 0, "unlisted": 0}
    assert attested([layer()], document, [])["matched"] == 4


def test_changed(attested):
    now = {**FILES, "usr/bin/app": b"\x7fELF other"}
    refusal = "/usr/bin/app is changed: sha256:%s in the SBOM, sha256:%s in the image; 0 missing, 1 changed" % (hexed(FILES["usr/bin/app"]), hexed(now["usr/bin/app"]))
    got = attested([layer(now)], spdx(), refused=refusal, mend='"changed"')
    assert got["changed"] == [{"name": "/usr/bin/app", "sbom": "sha256:" + hexed(FILES["usr/bin/app"]), "image": "sha256:" + hexed(now["usr/bin/app"])}]
    assert attested([layer(now)], spdx(), ["missing", "unlisted"])["matched"] == 3
    # A later layer changes it, or takes it away: the merged root counts.
    attested([layer(), layer({"usr/bin/app": now["usr/bin/app"]})], spdx(), refused=refusal)
    attested([layer(), layer({"usr/bin/.wh.app": b""})], spdx(), refused="/usr/bin/app is missing")
    attested([layer(now), layer({"usr/bin/app": FILES["usr/bin/app"]})], spdx(), ["missing", "changed", "unlisted"])


def test_unlisted(attested):
    now = {**FILES, "usr/bin/backdoor": b"!", "tmp/a\xe9\n": b""}
    got = attested([layer(now)], spdx(), ["unlisted"], refused="is unlisted: not in the SBOM, a file in the image; 0 missing, 0 changed, 2 unlisted",
                   mend='"unlisted"')
    assert sorted(named(got["unlisted"])) == ["/tmp/a\\xc3\\xa9\\x0a", "/usr/bin/backdoor"]
    assert attested([layer(now)], spdx())["count"]["unlisted"] == 2  # the default lets it pass, and says it
    # Without any file in the SBOM, files are not judged.
    assert attested([layer(now)], spdx({}), ["missing", "changed", "unlisted"])["count"]["unlisted"] == 0
    # Directories, links and devices are no files; the same file by another name is listed.
    links = [entry("bin", tarfile.SYMTYPE, linkname="usr/bin"), entry("usr/bin/hard", tarfile.LNKTYPE, linkname="usr/bin/app"),
             entry("dangling", tarfile.SYMTYPE, linkname="/nowhere"), entry("fifo", tarfile.FIFOTYPE)]
    through = {"bin/app" if n == "usr/bin/app" else n: d for n, d in FILES.items()}
    assert attested([tar(list(FILES.items()) + links)], spdx(through), ["missing", "changed", "unlisted"])["matched"] == 4


def test_links_stay_inside(attested):
    """What a path leads to outside of the root is not looked at."""
    document = spdx({"a": open("/etc/passwd", "rb").read(), "../../../../etc/hostname": open("/etc/hostname", "rb").read()})
    attested([tar([entry("a", tarfile.SYMTYPE, linkname="/etc/passwd")])], document, refused="/a is missing")


@pytest.mark.parametrize("kind,target", [(tarfile.FIFOTYPE, ""), (tarfile.SYMTYPE, "a"), (tarfile.SYMTYPE, "nowhere"), (tarfile.DIRTYPE, "")])
def test_no_file(attested, kind, target):
    attested([tar([entry("a", kind, linkname=target, mode=0o755)])], spdx({"a": b"", "a/b": b"", "x" * 300: b"", "y/" * 3000: b""}), refused="4 missing")


def test_other_checksums(attested):
    """SHA-1 is not compared: such files are listed, must be there, and are counted apart."""
    got = attested([layer({**FILES, "etc/app.conf": b"other"})], spdx(alg="sha1"), ["missing", "changed", "unlisted"])
    assert got["uncompared"] == 4 and got["matched"] == 0
    attested([layer()], spdx({**FILES, "gone": b""}, alg="sha1"), refused="/gone is missing: a file in the SBOM, not in the image")


@pytest.mark.parametrize("database,purls", [("var/lib/dpkg/status", DEB_PURLS), ("lib/apk/db/installed", APK_PURLS), ("usr/lib/apk/db/installed", APK_PURLS)])
def test_packages(attested, database, purls):
    everything = ["missing", "changed", "unlisted"]
    root = [tar([(database, (DPKG if "dpkg" in database else APK).encode())])]
    kind = "deb" if "dpkg" in database else "apk"
    one = "libc6" if kind == "deb" else "musl"
    version = "2.36-9+deb12u10" if kind == "deb" else "1.2.5-r0"
    assert attested(root, spdx({}, purls), everything)["matched"] == 2
    assert attested(root, cyclonedx({}, purls), everything, kind=CYCLONEDX)["matched"] == 2
    # listed, not installed
    got = attested(root, spdx({}, purls + ["pkg:%s/x/openssl@3.0?arch=amd64" % kind]), refused="%s openssl is missing: 3.0 in the SBOM, not in the image" % kind)
    assert got["missing"] == [{"name": kind + " openssl", "sbom": "3.0", "image": None}] and got["matched"] == 2
    # another version
    old = purls[0].replace(version.split("+")[0], "0.1").split("%2B")[0].split("?")[0] if kind == "deb" else purls[0].replace(version, "0.1")
    attested(root, spdx({}, [old, purls[1]]), refused="%s %s is changed: 0.1 in the SBOM, %s in the image" % (kind, one, version))
    # installed, not listed
    got = attested(root, spdx({}, purls[1:]))
    assert got["unlisted"] == [{"name": "%s %s" % (kind, one), "sbom": None, "image": version}]
    attested(root, spdx({}, purls[1:]), everything, refused="%s %s is unlisted: not in the SBOM, %s in the image" % (kind, one, version))
    # another architecture is another package; a source package and another ecosystem are none of this database
    attested(root, spdx({}, purls + ["pkg:%s/x/%s@%s?arch=s390x" % (kind, one, version)]), refused="%s %s is missing" % (kind, one))
    assert attested(root, spdx({}, purls + ["pkg:%s/x/y@1?arch=source" % kind, "pkg:npm/%40a/b@1"]), everything)["matched"] == 2
    # removed but for its configuration files
    if kind == "deb":
        attested(root, spdx({}, purls + ["pkg:deb/debian/gone@1?arch=amd64"]), refused="deb gone is missing")


def test_packages_without_purl(attested):
    everything = ["missing", "changed", "unlisted"]
    plain = [{"SPDXID": "SPDXRef-a", "name": "libc6", "versionInfo": "2.36-9+deb12u10"}, {"SPDXID": "SPDXRef-b", "name": "left-pad", "versionInfo": "1"},
             {"SPDXID": "SPDXRef-c", "name": "libstdc++6", "versionInfo": "1:12.2.0-14"}]
    root = [tar([("var/lib/dpkg/status", DPKG.encode())])]
    assert attested(root, spdx({}, packages=plain), everything)["matched"] == 2
    plain[0]["versionInfo"] = "2.37"
    attested(root, spdx({}, packages=plain), everything, refused="package libc6 is changed: 2.37 in the SBOM, 2.36-9+deb12u10 in the image")


def test_distroless(attested):
    stanzas = {"var/lib/dpkg/status.d/" + s.split("\n")[0].split()[1]: s.replace("Status: install ok installed\n", "").encode()
               for s in DPKG.split("\n\n")[:2]}
    root = [tar(list({**stanzas, "var/lib/dpkg/status.d/libc6.md5sums": b"d41d8cd98f00b204e9800998ecf8427e  usr/x\n"}.items()))]
    assert attested(root, spdx({}, DEB_PURLS), ["missing", "changed", "unlisted"])["matched"] == 2


def rpm_db(name):
    with open(os.path.join(os.path.dirname(__file__), "..", "unit", "vectors", "rpm_db", name), "rb") as f:
        return f.read()


RPM_PURLS = ["pkg:rpm/redhat/old@1.2-3?arch=noarch&epoch=7&distro=rhel-9", "pkg:rpm/redhat/tiny@1.2-3?arch=noarch",
             "pkg:rpm/redhat/p0@0:2-0.el9?arch=x86_64"] + ["pkg:rpm/redhat/p%d@2-%d.el9?arch=x86_64&epoch=%d" % (i, i, i % 3) for i in range(1, 9)]


@pytest.mark.parametrize("where", ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"])
@pytest.mark.parametrize("database", ["rpmdb.sqlite", "Packages.db", "Packages"])
def test_rpm(attested, where, database):
    everything = ["missing", "changed", "unlisted"]
    root = [tar([(where + "/" + database, rpm_db(database))])]
    assert attested(root, spdx({}, RPM_PURLS), everything)["matched"] == 11  # without the key, which is no package
    assert attested(root, cyclonedx({}, RPM_PURLS), everything, kind=CYCLONEDX)["matched"] == 11
    key = "pkg:rpm/redhat/gpg-pubkey@105ef944-65ca83d1"
    assert attested(root, spdx({}, RPM_PURLS + [key]), everything)["matched"] == 12
    attested(root, spdx({}, RPM_PURLS + [key + "0"]), refused="rpm gpg-pubkey is changed: 105ef944-65ca83d10 in the SBOM, 105ef944-65ca83d1 in the image")
    attested(root, spdx({}, RPM_PURLS + ["pkg:rpm/redhat/bash@5.2-1?arch=x86_64"]), refused="rpm bash is missing: 5.2-1 in the SBOM, not in the image")
    attested(root, spdx({}, RPM_PURLS[1:]), everything, refused="rpm old is unlisted: not in the SBOM, 7:1.2-3 in the image; 0 missing, 0 changed, 1 unlisted")
    attested(root, spdx({}, [p.replace("&epoch=7", "") for p in RPM_PURLS]), refused="rpm old is changed: 1.2-3 in the SBOM, 7:1.2-3 in the image")
    attested(root, spdx({}, [p.replace("noarch", "s390x") for p in RPM_PURLS]), refused="rpm old is missing")


def ndb(name, count):
    """As Packages.db of vectors/rpm_db/make: so many packages of one name."""
    store = name + b"\0x\0001\0noarch\0"
    tags = [(1000, 0), (1001, len(name) + 1), (1002, len(name) + 3), (1022, len(name) + 5)]
    body = struct.pack(">II", 4, len(store)) + b"".join(struct.pack(">IIII", t, 6, at, 1) for t, at in tags) + store
    body += b"\0" * (-len(body) % 16)
    pages = (count + 2 + 255) // 256
    slots = b"".join(struct.pack("<4sIII", b"Slot", i, pages * 256 + i * (1 + len(body) // 16), 9) for i in range(count))
    blobs = b"".join(struct.pack("<4sIII", b"BlbS", i, i, 8 + 16 * 4 + len(store)) + body for i in range(count))
    return struct.pack("<4sIII16x", b"RpmP", 0, 0, pages) + slots + struct.pack("<4sIII", b"Slot", 0, 0, 0) * (pages * 256 - 2 - count) + blobs


def test_rpm_twice(attested):
    """The same database by two ways is read once."""
    link = entry("var/lib/rpm", tarfile.SYMTYPE, linkname="../../usr/lib/sysimage/rpm")
    root = [tar([("usr/lib/sysimage/rpm/rpmdb.sqlite", rpm_db("rpmdb.sqlite")), link])]
    assert attested(root, spdx({}, RPM_PURLS), ["missing", "changed", "unlisted"])["matched"] == 11


def test_rpm_without_database(attested):
    got = attested([layer()], spdx(FILES, RPM_PURLS), refused="rpm old is missing: 7:1.2-3 in the SBOM, not in the image; 11 missing")
    assert got["matched"] == 4


def test_rpm_log(attested):
    """SQLite would merge a log that lies beside its database."""
    database = ("var/lib/rpm/rpmdb.sqlite", rpm_db("rpmdb.sqlite"))
    assert attested([tar([database, ("var/lib/rpm/rpmdb.sqlite-wal", b"")])], spdx({}, RPM_PURLS), ["missing", "changed", "unlisted"])["matched"] == 11
    attested([tar([database, ("var/lib/rpm/rpmdb.sqlite-wal", b"7\x7f\x06\x82")])], spdx({}, RPM_PURLS),
             refused="/var/lib/rpm/rpmdb.sqlite-wal is changed: a complete database in the SBOM, changes it does not have yet in the image")


@pytest.mark.parametrize("body,why", [(b"", "beyond its end of 0 bytes"), (b"x" * 99, "neither SQLite, nor NDB, nor a hash of Berkeley DB"),
                                      (rpm_db("rpmdb.sqlite")[:-1], "beyond its end"), (rpm_db("Packages.db")[:4100], "beyond its end")])
def test_rpm_unreadable(attested, body, why):
    attested([tar([("var/lib/rpm/rpmdb.sqlite", body)])], spdx({}), [], refused="package database /var/lib/rpm/rpmdb.sqlite: it leads in circles, or " * ("end" in why) + why)


def test_notes_in_programs(attested):
    """syft lists the notes of ELF programs: a package without architecture, by the name of what it was built from."""
    everything = ["missing", "changed", "unlisted"]
    dpkg = DPKG.replace("Package: libc6\n", "Package: libc6\nSource: glibc\n").replace("Package: libstdc++6\n", "Package: libstdc++6\nSource: gcc-12 (12.2.0-1)\n")
    for database, text, notes in (("var/lib/dpkg/status", dpkg, ["pkg:deb/glibc@2.36-9%2Bdeb12u10", "pkg:deb/debian/gcc-12@12.2.0-1", "pkg:deb/gcc-12@1:12.2.0-14"]),
                                  ("lib/apk/db/installed", APK.replace("P:musl\n", "P:musl\no:musl-src\n"), ["pkg:apk/wolfi/musl-src@1.2.5-r0"]),
                                  ("var/lib/rpm/Packages.db", None, ["pkg:rpm/fedora/p@2-4.el9", "pkg:rpm/fedora/p@2-7.el9"])):
        root = [tar([(database, text.encode() if text else rpm_db("Packages.db"))])]
        listed = DEB_PURLS if "dpkg" in database else APK_PURLS if "apk" in database else RPM_PURLS
        assert attested(root, spdx({}, listed + notes), everything)["matched"] == len(listed)
        name = notes[0].split("@")[0].split("/")[-1]
        attested(root, spdx({}, listed + [notes[0] + "9"]), refused=" %s is missing" % name)
        attested(root, spdx({}, listed + [notes[0] + "?arch=x86_64"]), refused=" %s is missing" % name)


def test_many_differences(attested):
    got = attested([layer()], spdx({"f%d" % i: b"" for i in range(500)}), refused="500 missing")
    assert got["count"]["missing"] == 500 and named(got["missing"]) == ["/f%d" % i for i in range(20)]


def test_two_documents(plinth, keys, tmp_path):
    """Each statement that counts is held against the root; the same bytes by two keys are compared once."""
    b, a = keys["builder"], keys["auditor"]
    both = {"threshold": 1, "keys": [member(b), member(a)]}
    rules = policy(b, attestations=[{"predicateType": SPDX, **both}, {"predicateType": "https://example.org/x", **both}], sbom={"matchRootfs": True})
    image = Vouched(layers=[layer()]).tag(b).attest(b, "https://example.org/x", {}).attest(b, SPDX, spdx()).attest(a, SPDX, spdx())
    result = plinth.pull(rules, image.write(tmp_path))
    assert result.status == 0 and result.json["sbom"]["matched"] == 4, result.err
    image = Vouched(layers=[layer()]).tag(b).attest(b, "https://example.org/x", {}).attest(b, SPDX, spdx()).attest(a, SPDX, spdx({"gone": b""}))
    assert "/gone is missing" in plinth.refused(rules, image.write(os.path.join(tmp_path, "x"))).json["reason"]


@pytest.mark.parametrize("document,why", [
    ({"spdxVersion": "SPDX-3.0"}, "spdxVersion is 'SPDX-3.0', SPDX-2.2 and SPDX-2.3 are read"),
    ("no JSON", "the text that the predicate is: not JSON"),
    ({}, "spdxVersion is missing"),
    ({"spdxVersion": "SPDX-2.3", "files": {}}, "files"),
    ({"spdxVersion": "SPDX-2.3", "files": [{"fileName": "a", "checksums": [{"algorithm": "SHA256", "checksumValue": "00ab"}]}]}, "'00ab' is no SHA256 of the file a"),
    (spdx(purls=["pkg:deb"]), "'pkg:deb' is no package URL"),
    (spdx(purls=["pkg:deb/debian/a%2@1"]), "without two hex digits"),
])
def test_unreadable(attested, document, why):
    attested([layer()], document, [], refused=why)


def test_unreadable_database(attested):
    attested([tar([("var/lib/dpkg/status", b"Package: a\nPackage: b\nVersion: 1\n")])], spdx({}), [],
             refused="package database /var/lib/dpkg/status: a package has the field Package twice")


@pytest.mark.parametrize("what", ["files", "dpkg", "rpm"])
def test_seconds(plinth, keys, tmp_path, what):
    """limits.seconds bounds the comparison too: each of these would take minutes."""
    document, limits = spdx({}), {"seconds": 2, "bytes": "64GiB"}
    if what == "files":
        root = tar([("big", bytes(8 << 20))])
        document["files"] = [{"fileName": "big", "checksums": [{"algorithm": "SHA512", "checksumValue": "1" * 128}]}] * 20000
    else:
        purl = {"dpkg": "pkg:deb/debian/a@%d?arch=all", "rpm": "pkg:rpm/redhat/a@%d-1?arch=noarch"}[what]
        document = spdx({}, [purl % i for i in range(60000)])
        root = tar([("var/lib/dpkg/status", b"Package: a\nVersion: x\nArchitecture: all\n\n" * 100000) if what == "dpkg" else
                    ("var/lib/rpm/Packages.db", ndb(b"a", 100000))])
    image = Vouched(layers=[root]).tag(keys["builder"]).attest(keys["auditor"], SPDX, document)
    rules = policy(keys["builder"], attestations=[{"predicateType": SPDX, "keys": [member(keys["auditor"])]}], sbom={"matchRootfs": True, "refuse": []}, limits=limits)
    start = time.monotonic()
    result = plinth.refused(rules, image.write(tmp_path), status=3, timeout=100)
    assert result.json["reason"].startswith("sbom: ") and "limits.seconds of the policy (2 s) ran out" in result.json["reason"], result.json["reason"]
    assert "raise limits.seconds" in result.json["mend"] and time.monotonic() - start < 30


def test_policy(plinth, keys, tmp_path):
    b = keys["builder"]
    ref = Vouched().tag(b).write(tmp_path)
    result = plinth.check(policy(b, sbom={"matchRootfs": True}), ref)
    assert result.status == 2 and "attestations has no entry whose predicateType is an SBOM's" in result.err, result.err
    for sbom, why in (({"matchRootfs": 1}, "true or false"), ({"matchRootfs": True, "refuse": ["gone"]}, "sbom.refuse names 'gone'"),
                      ({"refuse": ["missing", "missing"]}, "each once"), ({"refuse": "missing"}, "array"), ({"match": True}, "not known")):
        result = plinth.check(policy(b, sbom=sbom), ref)
        assert result.status == 2 and why in result.err, result.err
    assert plinth.check(policy(b, sbom={"matchRootfs": False}), ref).status == 0
