"""Size: many layers, many files, large layers; the memory of all processes together, which must not grow with them; and a store.

PLINTH_SLOW=1 adds the sizes that take more than some seconds: 200,000 files and a layer of 4 GB."""
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import threading
import time
import zlib
from random import Random

import pytest

from conftest import PLINTH
from hostile_registry import Registry, answer
from image import Image, OCI_LAYER, entry, policy, sha256, tar
from test_layers import layout, scan

SLOW = pytest.mark.skipif(not os.environ.get("PLINTH_SLOW"), reason="PLINTH_SLOW=1 runs it")
MEMORY_MAX_KB = 10 << 10


# ---- memory ----------------------------------------------------------------------------------------------------------------

def descendants(pid):
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            with open(f"/proc/{one}/task/{one}/children") as f:
                todo += map(int, f.read().split())
        except OSError:
            pass
    return found


def proportional_kb(pid):
    """Pages that processes share, as the program's own are, count once in the sum."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    except OSError:
        return 0


class Peak(threading.Thread):
    """Samples the memory of a process and all below it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.kb, self.samples, self.over = pid, 0, 0, False
        self.start()

    def run(self):
        while not self.over:
            self.kb = max(self.kb, sum(map(proportional_kb, descendants(self.pid))))
            self.samples += 1
            time.sleep(0.005)


def pull(plinth, keys, ref, *more, limits=None):
    """(exit status, standard error, target, peak KiB)"""
    plinth.count += 1
    target = os.path.join(plinth.directory, f"target{plinth.count}")
    p = policy(keys["builder"], limits=limits or {}, registry={"allowHttp": True})
    process = subprocess.Popen([PLINTH, "pull", "--policy", plinth.policy(p), *more, ref, target], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    peak = Peak(process.pid)
    _, err = process.communicate(timeout=600)
    peak.over = True
    peak.join()
    return process.returncode, err.decode(), target, peak


# ---- layers ----------------------------------------------------------------------------------------------------------------

def stack(n):
    """n layers: each adds a file, replaces one, and takes one away; some make a directory opaque."""
    layers, expect = [], {}
    for i in range(n):
        entries = [(f"f{i}", b"%d\n" % i), ("last", b"%d\n" % i), ("d", None), (f"d/{i}", b"x" * i)]
        expect.update({f"f{i}": ("f", b"%d\n" % i), "last": ("f", b"%d\n" % i), "d": ("d", 0o755)})
        if i % 10 == 9:
            entries.insert(3, ("d/.wh..wh..opq", b""))
            expect = {k: v for k, v in expect.items() if not k.startswith("d/")}
        if i:
            entries.append((f".wh.f{i - 1}", b""))
            del expect[f"f{i - 1}"]
        expect[f"d/{i}"] = ("f", b"x" * i)
        layers.append(tar(entries))
    return layers, expect


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100])
def test_layers(plinth, keys, n):
    layers, expect = stack(n)
    image = Image(layers).sign(keys["builder"])
    status, err, target, _ = pull(plinth, keys, layout(plinth, image))
    assert status == 0, err
    assert scan(target) == expect


def test_layers_of_uneven_size(plinth, keys):
    """The large one is in the air while all the small ones come and go: the order of joining is the manifest's all the same."""
    small = [tar([("x", b"%d" % i), (f"s{i}", b"")] + ([(f".wh.s{i - 1}", b"")] if i else [])) for i in range(12)]
    large = tar([("big", os.urandom(1 << 20) * 24), ("x", b"large")])
    for at in (0, 5, 12):
        image = Image(small[:at] + [large] + small[at:]).sign(keys["builder"])
        status, err, target, _ = pull(plinth, keys, layout(plinth, image))
        assert status == 0, err
        with open(os.path.join(target, "x"), "rb") as f:
            assert f.read() == (b"large" if at == 12 else b"11")
        assert sorted(os.listdir(target)) == ["big", "s11", "x"]


def random_layers(seed, n):
    """Layers that add, replace and remove in a small tree, each change one that a builder could have made."""
    random = Random(seed)
    tree, layers = {"": None}, []  # path -> None for directories, else bytes
    for i in range(n):
        entries, own, listed = [], set(), set()
        for k in range(random.randrange(1, 14)):
            above = random.choice([p for p, data in tree.items() if data is None and p.count("/") < 4])
            path = f"{above}/{random.choice('abcde')}".lstrip("/")
            lineage = {path[:at] for at, c in enumerate(path) if c == "/"} | {path}
            below = [p for p in tree if p.startswith(path + "/")]
            if lineage & own or any(p.startswith(path + "/") for p in own | listed):
                continue
            choice = random.random()
            if path in tree and path not in listed and choice < 0.35:
                where, _, name = path.rpartition("/")
                entries.append((f"{where}/.wh.{name}".lstrip("/"), b""))
                own.add(path)
                for p in below + [path]:
                    del tree[p]
            elif choice < 0.75 and not (path in tree and tree[path] is None):
                data = b"%d %d" % (i, k)
                entries.append((path, data))
                own.add(path)
                tree[path] = data
            elif choice < 0.9 and tree.get(path, None) is None:
                entries.append((path, None))
                listed.add(path)
                tree.setdefault(path, None)
            elif path in tree and tree[path] is None:
                entries += [(path, None), (f"{path}/.wh..wh..opq", b"")]
                own.add(path)
                for p in below:
                    del tree[p]
        layers.append(tar(entries))
    del tree[""]
    return layers, {p: ("d", 0o755) if data is None else ("f", data) for p, data in tree.items()}


@pytest.mark.parametrize("seed", range(8))
def test_random_layers(plinth, keys, seed):
    """What layers say about lower ones holds although they were unpacked two at a time; and umoci, one after another, agrees."""
    layers, expect = random_layers(seed, 20)
    image = Image(layers).sign(keys["builder"])
    ref = layout(plinth, image)
    status, err, target, _ = pull(plinth, keys, ref)
    assert status == 0, err
    assert scan(target) == expect
    if os.geteuid() == 0 and shutil.which("umoci"):
        bundle = os.path.join(plinth.directory, "bundle")
        subprocess.run(["umoci", "unpack", "--image", ref[len("oci:"):], bundle], check=True, stdout=subprocess.DEVNULL)
        assert scan(os.path.join(bundle, "rootfs")) == expect


def test_one_bad_layer_of_many(plinth, keys):
    layers, _ = stack(20)
    image = Image(layers)
    image.config["rootfs"]["diff_ids"][13] = sha256(b"another")
    image.finish()
    result = plinth.refused(policy(keys["builder"]), layout(plinth, image.sign(keys["builder"])))
    assert "layer 14 of 20" in result.err and "diffID" in result.err


# ---- files -----------------------------------------------------------------------------------------------------------------

def many_files(n):
    """As tar writes them: sorted, in directories of a hundred, ten of these in each of the upper ones."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as t:
        for i in range(n):
            where = f"d{i // 1000}/d{i // 100 % 10}"
            if i % 1000 == 0:
                t.addfile(entry(where.split("/")[0], tarfile.DIRTYPE, mode=0o755))
            if i % 100 == 0:
                t.addfile(entry(where, tarfile.DIRTYPE, mode=0o755))
            info = entry(f"{where}/f{i}", tarfile.REGTYPE, size=i % 7)
            t.addfile(info, io.BytesIO(b"content"[:i % 7]))
    return out.getvalue()


@pytest.mark.parametrize("n", [2000, 20000, pytest.param(200000, marks=SLOW)])
def test_small_files(plinth, keys, n):
    image = Image([many_files(n)]).sign(keys["builder"])
    status, err, target, peak = pull(plinth, keys, layout(plinth, image))
    assert status == 0, err
    assert sum(len(files) for _, _, files in os.walk(target)) == n
    last = os.path.join(target, f"d{(n - 1) // 1000}/d9/f{n - 1}")
    assert os.stat(last).st_size == (n - 1) % 7
    assert peak.kb < MEMORY_MAX_KB, f"{peak.kb} KiB in {peak.samples} samples"


@pytest.mark.skipif(not os.path.exists("/usr/bin/strace"), reason="strace counts the system calls")
def test_system_calls_per_file(plinth, keys):
    """Making a file is open, write, time, close: what else is called for it was put there by mistake."""
    n, counts = 4000, []
    for files in (n, 2 * n):
        image = Image([many_files(files)]).sign(keys["builder"])
        ref, log = layout(plinth, image), os.path.join(plinth.directory, "strace")
        target = os.path.join(plinth.directory, f"counted{files}")
        done = subprocess.run(["strace", "-f", "-c", "-U", "name,calls", "-o", log, PLINTH, "pull", "--policy",
                               plinth.policy(policy(keys["builder"])), ref, target], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if b"ptrace" in done.stderr:
            pytest.skip("no tracing here")
        assert done.returncode == 0, done.stderr
        with open(log) as f:
            counts.append(sum(int(line.split()[1]) for line in f if line.split()[1:2] and line.split()[1].isdigit() and
                              line.split()[0] != "total"))
    each = (counts[1] - counts[0]) / n
    assert each < 6, f"{each:.1f} system calls per file"


# ---- bytes -----------------------------------------------------------------------------------------------------------------

class Zeros:
    """A tar with one file of zeros, `size` bytes, and its gzip, of which neither is ever whole in memory."""

    def __init__(self, path, size):
        info = entry("zeros", tarfile.REGTYPE, size=size)
        diff, packer = hashlib.sha256(), zlib.compressobj(1, wbits=31)
        block, self.size = bytes(1 << 20), 0
        with open(path, "wb") as out:
            def put(data):
                diff.update(data)
                out.write(packer.compress(data))
            put(info.tobuf(tarfile.GNU_FORMAT))
            for _ in range(size // len(block)):
                put(block)
            put(bytes(1024))
            out.write(packer.flush())
        self.diff_id = "sha256:" + diff.hexdigest()


def zeros_image(plinth, keys, size):
    path = os.path.join(plinth.directory, "zeros.gz")
    zeros = Zeros(path, size)
    with open(path, "rb") as f:
        data = f.read()
    image = Image([])
    image.layers = [image.descriptor(OCI_LAYER + "+gzip", data)]
    image.config["rootfs"]["diff_ids"] = [zeros.diff_id]
    image.finish()
    return image.sign(keys["builder"])


@pytest.mark.parametrize("size", [10 << 20, 300 << 20, pytest.param(4 << 30, marks=SLOW)])
def test_large_layer(plinth, keys, size):
    image = zeros_image(plinth, keys, size)
    with Registry() as registry:
        registry.add_layout(image.write_layout(os.path.join(plinth.directory, "layout")), "acme/web")
        status, err, target, peak = pull(plinth, keys, f"docker://{registry.host}/acme/web:v", limits={"bytes": "5GiB"})
    assert status == 0, err
    assert os.stat(os.path.join(target, "zeros")).st_size == size
    os.unlink(os.path.join(target, "zeros"))
    assert peak.samples > 3 and peak.kb < MEMORY_MAX_KB, f"{peak.kb} KiB in {peak.samples} samples"


def test_memory_does_not_follow_size(plinth, keys):
    """Two layers of random bytes at once, then of ten times as many."""
    peaks = []
    for megabytes in (4, 40):
        layers = [tar([(f"f{i}", os.urandom(megabytes << 20))]) for i in range(2)]
        image = Image(layers, "+zstd").sign(keys["builder"])
        with Registry() as registry:
            registry.add_layout(image.write_layout(os.path.join(plinth.directory, f"layout{megabytes}")), "acme/web")
            status, err, _, peak = pull(plinth, keys, f"docker://{registry.host}/acme/web:v")
        assert status == 0, err
        peaks.append(peak.kb)
    assert max(peaks) < MEMORY_MAX_KB, peaks


# ---- store -----------------------------------------------------------------------------------------------------------------

def blobs(registry, since=0):
    return [r.path.rsplit("/", 1)[1] for r in registry.requests[since:] if "/blobs/sha256:" in r.path and r.method == "GET"]


@pytest.fixture
def kept(plinth, keys):
    """Two images that share two of three layers, in a registry; pull(tag) -> what was fetched."""
    base = [tar([("a", os.urandom(300000))]), tar([("b", b"b")])]
    images = [Image(base + [tar([("c", b"%d" % i)])], config={"created": f"202{i}-01-01T00:00:00Z"}) for i in range(2)]
    with Registry() as registry:
        for i, image in enumerate(images):
            image.tags = {f"v{i}": image.digest}
            image.sign(keys["builder"])
            registry.add_layout(image.write_layout(os.path.join(plinth.directory, f"layout{i}")), "acme/web")
        store = os.path.join(plinth.directory, "store")

        def run(i, status=0):
            since = len(registry.requests)
            got = pull(plinth, keys, f"docker://{registry.host}/acme/web:v{i}", "--store", store)
            assert got[0] == status, got[1]
            run.err = got[1]
            if status == 0:
                assert scan(got[2]).keys() == {"a", "b", "c"}
            return set(blobs(registry, since))

        run.wanted = [{d["digest"] for d in image.layers} | {image.manifest["config"]["digest"]} for image in images]
        run.folder = os.path.join(store, "blobs", "sha256")
        run.registry, run.images = registry, images
        yield run


def test_store_saves_what_it_has(kept):
    first = kept(0)
    assert kept.wanted[0] <= first
    payloads = first - kept.wanted[0]  # of signatures: always asked for
    assert {"sha256:" + name for name in os.listdir(kept.folder)} == kept.wanted[0]
    second = kept(1) & kept.wanted[1]
    assert second == kept.wanted[1] - kept.wanted[0] and len(second) == 2  # a layer and the config
    assert not kept(0) & kept.wanted[0] and payloads
    for name in os.listdir(kept.folder):
        with open(os.path.join(kept.folder, name), "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == name


@pytest.mark.parametrize("how", ["flipped", "shorter", "empty", "longer", "directory", "symlink", "fifo"])
def test_store_damaged(kept, how):
    kept(0)
    victim = kept.images[0].layers[0]["digest"]
    path = os.path.join(kept.folder, victim.split(":")[1])
    with open(path, "rb") as f:
        data = f.read()
    os.unlink(path)
    changed = {"flipped": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], "shorter": data[:-1], "empty": b"", "longer": data + b"x"}
    if how in changed:
        with open(path, "wb") as f:
            f.write(changed[how])
    elif how == "directory":
        os.mkdir(path)
    elif how == "symlink":
        os.symlink("/etc/passwd", path)
    else:
        os.mkfifo(path)
    assert kept(0) & kept.wanted[0] == {victim}
    assert "is damaged" in kept.err
    if how != "directory":  # which is left alone
        with open(path, "rb") as f:
            assert f.read() == data


def test_store_keeps_nothing_wrong(kept):
    """Bytes that are not the digest's never get its name, and a download that breaks off leaves no file."""
    victim = kept.images[0].layers[0]["digest"]
    honest = kept.images[0].blobs[victim]
    kept.registry.on("/blobs/" + victim, answer(200, bytes(len(honest))))
    kept(0, status=1)
    assert victim.split(":")[1] not in os.listdir(kept.folder)


def test_store_abandoned_copy(kept):
    """A copy that a killed pull left is no obstacle; one that is being written is left alone."""
    os.makedirs(kept.folder)
    names = [d["digest"].split(":")[1] for d in kept.images[0].layers[:2]]
    for name in names:
        with open(os.path.join(kept.folder, "." + name), "wb") as f:
            f.write(b"half")
    old = time.time() - 3600
    os.utime(os.path.join(kept.folder, "." + names[0]), (old, old))
    kept(0)
    there = os.listdir(kept.folder)
    assert names[0] in there and "." + names[0] not in there
    assert names[1] not in there and "." + names[1] in there


def test_store_full_or_read_only(kept, plinth):
    """What cannot be kept is pulled all the same."""
    store = os.path.dirname(os.path.dirname(kept.folder))
    os.makedirs(store)
    with open(os.path.join(store, "blobs"), "w"):
        pass
    assert kept.wanted[0] <= kept(0)


def test_store_and_layout(plinth, keys):
    image = Image().sign(keys["builder"])
    status, err, _, _ = pull(plinth, keys, layout(plinth, image), "--store", os.path.join(plinth.directory, "s"))
    assert status == 2 and "--store" in err
