"""`plinth pull` of good and hostile layers (make_layers.py), as root and as an ordinary user, and against umoci's idea of an image."""
import os
import random
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

import make_layers
from conftest import Plinth
from image import Image, OCI_LAYER, policy, sha256
from make_layers import GOOD, HI, HOSTILE, directory, entry, layer, symlink

USERS = ["caller"] + (["ordinary"] if os.geteuid() == 0 and shutil.which("setpriv") else [])


class AsUser(Plinth):
    """Runs plinth as user 65534, from a directory of his."""

    def run(self, *args, **more):
        for root, names, files in os.walk(self.directory):
            for name in names + files:
                os.chown(os.path.join(root, name), 65534, 65534, follow_symlinks=False)
        return super().run(*args, user=65534, group=65534, extra_groups=[], **more)


@pytest.fixture
def pulls(request, tmp_path):
    if request.param == "caller":
        yield Plinth(str(tmp_path))
        return
    with tempfile.TemporaryDirectory() as d:
        os.chown(d, 65534, 65534)
        yield AsUser(d)
        subprocess.run(["chmod", "-R", "u+rwx", d], check=True)


def layout(plinth, image):
    return "oci:" + image.write_layout(os.path.join(plinth.directory, "layout")) + ":v"


def ids(cases):
    return [c.name for c in cases]


def scan(root):
    """path -> (kind, detail) as in Case.tree."""
    found = {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            what = os.path.relpath(path, root)
            if stat.S_ISLNK(mode):
                found[what] = ("l", os.readlink(path))
            elif stat.S_ISDIR(mode):
                found[what] = ("d", stat.S_IMODE(mode))
            elif stat.S_ISREG(mode):
                with open(path, "rb") as f:
                    found[what] = ("f", f.read())
            else:
                found[what] = ("p", None) if stat.S_ISFIFO(mode) else ("?", oct(mode))
    return found


def root_mode(target):
    return stat.S_IMODE(os.stat(target).st_mode)


@pytest.mark.parametrize("pulls", USERS, indirect=True)
@pytest.mark.parametrize("case", HOSTILE, ids=ids(HOSTILE))
def test_hostile(pulls, keys, case):
    image = Image(case.layers, random.Random(case.name).choice(["", "+gzip", "+zstd"])).sign(keys["builder"])
    before = set(os.listdir("/tmp"))
    result = pulls.refused(policy(keys["builder"], limits={"bytes": "1GiB"}), layout(pulls, image))
    assert re.search(case.refused, result.err), result.err
    assert not {n for n in set(os.listdir("/tmp")) - before if n in ("x", "etc", "a")}


@pytest.mark.parametrize("pulls", USERS, indirect=True)
@pytest.mark.parametrize("case", GOOD, ids=ids(GOOD))
def test_good(pulls, keys, case):
    image = Image(case.layers, random.Random(case.name).choice(["", "+gzip", "+zstd"])).sign(keys["builder"])
    result = pulls.pull(policy(keys["builder"]), layout(pulls, image))
    assert result.status == 0, result.err
    wanted = dict(case.tree)
    root = wanted.pop(".", None)
    if os.geteuid() == 0:
        assert scan(result.dir) == wanted
    assert root is None or root_mode(result.dir) == root[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps owners")
def test_owners_times_devices(plinth, keys):
    times = [1, 999999999, 1700000000]
    image = Image([layer(*[entry(f"o{i}", HI, uid=i * 70000, gid=(1 << 32) - 2 - i, mtime=times[i]) for i in range(3)],
                         make_layers.device("null"), symlink("s", "o1", uid=5, gid=6, mtime=7),
                         directory("d", uid=8, mtime=9), entry("d/f", HI))]).sign(keys["builder"])
    result = plinth.pull(policy(keys["builder"], limits={"allowDevices": True}), layout(plinth, image))
    assert result.status == 0, result.err
    look = lambda name: os.lstat(os.path.join(result.dir, name))  # noqa: E731
    for i in range(3):
        assert (look(f"o{i}").st_uid, look(f"o{i}").st_gid, look(f"o{i}").st_mtime) == (i * 70000, (1 << 32) - 2 - i, times[i])
    assert (look("s").st_uid, look("s").st_gid, look("s").st_mtime) == (5, 6, 7)
    assert (look("d").st_uid, look("d").st_mtime) == (8, 9)
    assert stat.S_ISCHR(look("null").st_mode) and look("null").st_rdev == os.makedev(1, 3)


def raw_layer(image, compression, packed, tar):
    """Puts `packed` as the one layer, whatever it is; `tar` is what its diffID says."""
    image.layers = [image.descriptor(OCI_LAYER + compression, packed)]
    image.config["rootfs"]["diff_ids"] = [sha256(tar)]
    image.finish()
    return image


def test_gzip_members(plinth, keys):
    tar = layer(*[entry(f"f{i}", bytes([i]) * 3000) for i in range(50)])
    image = raw_layer(Image(), "+gzip", make_layers.gz_members(tar, 10_000), tar).sign(keys["builder"])
    result = plinth.pull(policy(keys["builder"]), layout(plinth, image))
    assert result.status == 0 and len(os.listdir(result.dir)) == 50, result.err


BAD_STREAMS = {
    "gzip-trailing": ("+gzip", lambda t: make_layers.gz(t) + b"garbage"),
    "gzip-trailing-zeros": ("+gzip", lambda t: make_layers.gz(t) + bytes(512)),
    "gzip-cut-trailer": ("+gzip", lambda t: make_layers.gz(t)[:-1]),
    "gzip-cut": ("+gzip", lambda t: make_layers.gz(t)[:-100]),
    "gzip-crc": ("+gzip", lambda t: make_layers.gz(t)[:-8] + bytes(8)),
    "gzip-is-xz": ("+gzip", lambda t: bytes.fromhex("fd377a585a000004") + t),
    "gzip-is-plain": ("+gzip", lambda t: t),
    "gzip-is-zstd": ("+gzip", lambda t: subprocess.run(["zstd", "-qc"], input=t, stdout=subprocess.PIPE, check=True).stdout),
    "gzip-empty": ("+gzip", lambda t: b""),
    "zstd-is-gzip": ("+zstd", make_layers.gz),
    "zstd-window": ("+zstd", lambda t: make_layers.zstd_window(31)),
    "zstd-cut": ("+zstd", lambda t: subprocess.run(["zstd", "-qc"], input=t, stdout=subprocess.PIPE, check=True).stdout[:-5]),
    "plain-is-gzip": ("", make_layers.gz),
}


@pytest.mark.parametrize("name", BAD_STREAMS)
def test_bad_stream(plinth, keys, name):
    tar = layer(entry("f", b"some text" * 100))
    compression, pack = BAD_STREAMS[name]
    packed = pack(tar)
    plinth.refused(policy(keys["builder"]), layout(plinth, raw_layer(Image(), compression, packed, tar).sign(keys["builder"])))


def test_a_million_entries(plinth, keys):
    image = raw_layer(Image(), "+gzip", make_layers.entry_bomb(30_000), b"").sign(keys["builder"])
    result = plinth.refused(policy(keys["builder"], limits={"files": 20_000}), layout(plinth, image))
    assert "limits.files" in result.err


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("umoci"), reason="needs umoci, as root")
def test_like_umoci(plinth, keys, tmp_path):
    """Three layers that umoci itself made, of deletions, replacements and changed attributes: the same tree, to the nanosecond."""
    umoci = lambda *a: subprocess.run(["umoci", *a], check=True, stdout=subprocess.DEVNULL, cwd=tmp_path)  # noqa: E731
    root = tmp_path / "b" / "rootfs"

    def step(change):
        umoci("unpack", "--image", "img:v", "b")
        subprocess.run(["sh", "-euc", change], cwd=root, check=True)
        umoci("repack", "--image", "img:v", "b")
        shutil.rmtree(tmp_path / "b")

    umoci("init", "--layout", "img")
    umoci("new", "--image", "img:v")
    step("mkdir -p etc/alt usr/bin ro/x tmp var/old/deep; chmod 1777 tmp; cp -a /etc/ssl /etc/default etc/; echo 1 > etc/passwd; "
         "for i in 1 2 3; do echo $i > etc/alt/$i; echo $i > var/old/deep/$i; done; echo a > ro/x/f; chmod 555 ro ro/x; mkfifo ff; "
         "ln etc/passwd etc/group; ln -s ../etc usr/e; cp /bin/true usr/bin/su; chown 7:8 usr/bin/su; chmod 6755 usr/bin/su")
    step("rm -r etc/alt; ln -s /nowhere etc/alt; rm etc/passwd; echo b > ro/x/g; rm -r var/old; mkdir var/old; echo n > var/old/n; "
         "touch -d '2001-02-03 04:05:06.789' etc/group; mkdir -p n/e/w; chmod 700 usr")
    step("rm -r ro; echo file > n/e/w2; rmdir n/e/w; rm ff; mkdir ff; rm usr/e; echo x > tmp/x; setfattr -n user.a -v b etc 2>/dev/null || true")
    umoci("unpack", "--image", "img:v", "b")
    result = plinth.pull({"signatures": {"allowUnsigned": True}}, f"oci:{tmp_path}/img:v")
    assert result.status == 0, result.err

    def full(top):
        out = {}
        for folder, names, files in os.walk(top):
            for name in ["."] * (folder == str(top)) + names + files:
                s = os.lstat(os.path.join(folder, name))
                out[os.path.relpath(os.path.join(folder, name), top)] = (
                    s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_rdev, stat.S_ISDIR(s.st_mode) or (s.st_nlink, s.st_size))
        return out

    assert full(result.dir) == full(root)
