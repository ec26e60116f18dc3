"""plinth initrd: what is in it, that it is the same every time, and what is refused. The archive is read by a reader of our own."""
import hashlib
import os
import stat
import subprocess

import pytest

from conftest import ROOT
from image import policy

HOST_CA = "/etc/ssl/certs/ca-certificates.crt"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def unpack(path):
    """{path: (mode, content, (major, minor))} in archive order, of the zstd frames in the file, one after another."""
    packed = open(path, "rb").read()
    assert len(packed) % 4 == 0
    # Up to three zeros fill the file to a multiple of four; a zero may as well be the last byte of the last frame's checksum.
    for end in range(len(packed), len(packed) - 4, -1):
        assert not packed[end:].strip(b"\0")
        p = subprocess.run(["zstd", "-dc"], input=packed[:end], capture_output=True)
        if p.returncode == 0:
            break
    assert p.returncode == 0, p.stderr
    text = p.stdout
    entries, at, inode = {}, 0, 0
    while at < len(text):
        assert text[at:at + 6] == b"070701", at
        f = [int(text[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = text[at + 110:at + 109 + f[11]].decode()
        at = (at + 110 + f[11] + 3) & ~3
        content = text[at:at + f[6]]
        at = (at + f[6] + 3) & ~3
        if name == "TRAILER!!!":
            inode = 0
            continue
        inode += 1
        assert f[0] == inode and f[2] == f[3] == f[5] == 0, (name, f)
        entries[name] = (f[1], content, (f[9], f[10]))
    return entries


@pytest.fixture
def agent(tmp_path):
    path = tmp_path / "agent"
    path.write_bytes(b"\x7fELF agent")
    return path


@pytest.fixture
def initrd(plinth, agent, tmp_path):
    def make(*args, status=0):
        out = tmp_path / "initrd.img"
        out.unlink(missing_ok=True)
        r = plinth.run("initrd", "--agent", agent, "-o", out, *args)
        assert r.status == status, r.err
        if status:
            assert not [n for n in os.listdir(tmp_path) if n.startswith("initrd.img")]
            return r.err
        r.entries = unpack(out)
        r.sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
        return r
    return make


def module(tmp_path, name, content=b"\x7fELF module"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_content(initrd, plinth, keys, tmp_path):
    p = plinth.policy(policy(keys["builder"]))
    b, a = module(tmp_path, "b.ko"), module(tmp_path, "a_1.ko")
    extra = tmp_path / "extra"
    extra.write_text("x")
    extra.chmod(0o700)
    e = initrd("--policy", p, "--module", b, "--module", a, "--add", f"{extra}=/opt/deep/tool", "--add", f"{p}=opt/data").entries
    assert list(e) == sorted(e)
    for name in ("proc", "sys", "dev", "run", "tmp", "image", "etc", "etc/plinth", "opt", "opt/deep"):
        assert stat.S_ISDIR(e[name][0]), name
    assert e["init"][:2] == (stat.S_IFREG | 0o755, b"\x7fELF agent")
    assert e["dev/console"] == (stat.S_IFCHR | 0o600, b"", (5, 1))
    assert e["dev/null"] == (stat.S_IFCHR | 0o666, b"", (1, 3))
    assert e["tmp"][0] == stat.S_IFDIR | 0o1777
    assert e["etc/plinth/policy.json"][1] == open(p, "rb").read()
    assert e["modules/order"][1] == b"b.ko\na_1.ko\n"
    assert e["modules/b.ko"][1] == b"\x7fELF module"
    assert e["opt/deep/tool"][:2] == (stat.S_IFREG | 0o755, b"x")
    assert e["opt/data"][0] == stat.S_IFREG | 0o644


def test_same_bytes(initrd, plinth, keys, agent, tmp_path):
    p = plinth.policy(policy(keys["builder"]))
    first = initrd("--policy", p).sha256
    os.utime(agent, (1, 1))
    os.chmod(agent, 0o700)
    second = plinth.run("initrd", "--agent", agent, "--policy", p, "--json", "-o", tmp_path / "again", umask=0o077)
    assert second.status == 0 and second.json["sha256"] == first
    assert second.json["size"] == (tmp_path / "again").stat().st_size


def test_ca(initrd, plinth, keys, tmp_path):
    e = initrd().entries
    if os.path.exists(HOST_CA):
        assert e["etc/ssl/ca.pem"][1].count(b"BEGIN CERTIFICATE") == open(HOST_CA).read().count("BEGIN CERTIFICATE")
    assert "etc/plinth/policy.json" not in e
    assert "etc/ssl/ca.pem" not in initrd("--ca", "none").entries
    own = tmp_path / "ca.pem"
    own.write_text("# Name: one\r\n" + PEM.replace("\n", "\r\n") + "junk between\n" + PEM.replace("MIIB", "MIIC").rstrip("\n"))
    assert initrd("--ca", own).entries["etc/ssl/ca.pem"][1].decode() == PEM + PEM.replace("MIIB", "MIIC")
    own.write_text("junk")
    assert "no whole certificate" in initrd("--ca", own, status=2)
    own.write_text(PEM[:30])
    assert "no whole certificate" in initrd("--ca", own, status=2)


def test_ca_of_the_policy(initrd, plinth, keys, tmp_path):
    key, cert = tmp_path / "k", tmp_path / "c"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                    "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    p = plinth.policy(policy(keys["builder"], registry={"ca": cert.read_text()}))
    assert "etc/ssl/ca.pem" not in initrd("--policy", p).entries
    assert "etc/ssl/ca.pem" in initrd("--policy", p, "--ca", cert).entries


@pytest.mark.parametrize("name,content,why", [
    ("x.ko.xz", b"\xfd7zXZ", "qemu/modules"), ("x.ko.zst", b"\x7fELF", "qemu/modules"), ("x.ko", b"\xfd7zXZ", "compressed"),
    ("x.ko", b"", "compressed"), (".ko", b"\x7fELF", "not the name"), ("a b.ko", b"\x7fELF", "not the name"),
])
def test_bad_module(initrd, tmp_path, name, content, why):
    assert why in initrd("--module", module(tmp_path, name, content), status=2)


def test_refused(initrd, plinth, tmp_path, agent):
    good = module(tmp_path, "m.ko")
    assert "twice" in initrd("--module", good, "--module", good, status=2)
    assert "twice" in initrd("--add", f"{good}=init", status=2)
    assert "no directory" in initrd("--add", f"{good}=init/x", status=2)
    assert "no path" in initrd("--add", f"{good}=a/../../x", status=2)
    assert "HOST=GUEST" in initrd("--add", "nothing", status=2)
    assert "HOST=GUEST" in initrd("--add", f"{good}=/", status=2)
    assert "is a directory" in initrd("--add", f"{tmp_path}=x", status=2)
    assert "absent" in initrd("--policy", tmp_path / "absent", status=2)
    assert "policy" in initrd("--policy", plinth.policy({"signatures": {}}), status=2)
    assert "policy" in initrd("--policy", plinth.policy("{"), status=2)
    assert "no regular file" in plinth.run("initrd", "--agent", agent, "-o", "/dev/null").err
    assert plinth.run("initrd", "--agent", agent, "-o", tmp_path / "no" / "where").status == 3
    assert "--agent" in plinth.run("initrd", "--agent", tmp_path / "absent", "-o", tmp_path / "o").err


def test_replaces_whole(initrd, plinth, agent, tmp_path):
    out = tmp_path / "initrd.img"
    out.write_text("old")
    assert plinth.run("initrd", "--agent", agent, "--policy", plinth.policy("{"), "-o", out).status == 2
    assert out.read_text() == "old"
    initrd()


def test_policy_from_a_pipe(plinth, keys, agent, tmp_path):
    text = open(plinth.policy(policy(keys["builder"])), "rb").read()
    out = tmp_path / "o"
    p = subprocess.run([os.path.join(ROOT, "build", "plinth"), "initrd", "--policy", "/dev/stdin", "--agent", agent, "-o", out], input=text,
                       stderr=subprocess.PIPE)
    assert p.returncode == 0, p.stderr
    assert unpack(out)["etc/plinth/policy.json"][1] == text


def test_the_built_one(plinth):
    """build/initrd.img: the agent, the CA bundle, no policy, no modules."""
    e = unpack(os.path.join(ROOT, "build", "initrd.img"))
    assert e["init"][1] == open(os.path.join(ROOT, "build", "init"), "rb").read()
    assert "etc/plinth/policy.json" not in e and e["modules/order"][1] == b""
