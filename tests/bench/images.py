"""Makes the images that are pulled, once: a registry's storage with all of them, each signed by cosign, kept in
${PLINTH_CACHE:-~/.cache/plinth}/bench under the hash of what went in.

standard   what a service looks like: a layer of Debian packages (programs, libraries, many small files; `parts files`), a
           layer of weights that do not compress; as gzip -6 and as zstd -3
scale      how cost grows: 100 MB in 1, 10 and 100 layers; one layer of 10 MB and of 4 GB; 200,000 small files (generated)
tiny       two layers of a few files, for the test of this benchmark; with one program that says when it runs (boot.py)

All but the packages' files is generated and the same on every machine. The same tools give the same digests."""
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile

from registry import MANIFEST, QEMU, Registry, output

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("PLINTH_CACHE") or
                     os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "plinth"), "bench")
PACK = {"gzip": ["gzip", "-6", "-n"], "zstd": ["zstd", "-q", "-3"], "fast": ["gzip", "-1", "-n"]}
MEDIA = {"gzip": "gzip", "zstd": "zstd", "fast": "gzip"}
MB = 1000 * 1000


# ---- Trees: generators of (TarInfo, path, bytes or None) ---------------------------------------------------------------------


def packages(directory):
    for base, names, files in os.walk(directory):
        names.sort()
        for name in sorted(names + files):
            yield os.path.join(base, name), os.path.relpath(os.path.join(base, name), directory)


def add_packages(archive, directory):
    for path, name in packages(directory):
        archive.add(path, name, recursive=False, filter=as_root)


def as_root(info):
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


class Bytes:
    """A file of n bytes: of each MiB the `share` is pseudo-random, the rest is text of few words."""

    def __init__(self, seed, n, share):
        self.random, self.left, self.share, self.size = random.Random(seed), n, share, min(n, 1 << 20)
        self.words = [w + b" " for w in (b"layer", b"digest", b"manifest", b"plinth", b"register", b"evidence")]
        self.ready = b""

    def chunk(self):
        fresh = self.random.randbytes(int(self.size * self.share))
        text = b"".join(self.random.choices(self.words, k=self.size // 256 + 1))
        return fresh + (text * 64)[:self.size - len(fresh)]

    def read(self, n):
        n = min(n, self.left)
        while len(self.ready) < n:
            self.ready += self.chunk()
        out, self.ready = self.ready[:n], self.ready[n:]
        self.left -= n
        return out


def add_file(archive, name, n, share=1.0, mode=0o644):
    info = as_root(tarfile.TarInfo(name))
    info.size, info.mode, info.mtime = n, mode, 1767225600
    archive.addfile(info, Bytes(name, n, share))


def add_directory(archive, name):
    info = as_root(tarfile.TarInfo(name))
    info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 1767225600
    archive.addfile(info)


def add_weights(archive):
    for name in ("srv", "srv/model"):
        add_directory(archive, name)
    for i in range(8):
        add_file(archive, f"srv/model/part-{i}.safetensors", 10 * MB)


def add_many(archive, name, files, size, share=0.5):
    for i in range(files):
        if i % 200 == 0:
            add_directory(archive, f"{name}{i // 200}")
        add_file(archive, f"{name}{i // 200}/f{i}", size, share)


def add_program(archive):
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["musl-gcc", "-static", "-s", "-O1", "-o", f"{d}/first", os.path.join(HERE, "first.c")], check=True)
        os.utime(f"{d}/first", (1767225600, 1767225600))
        archive.add(f"{d}/first", "first", filter=as_root)


def some(name, files, size, **more):
    return lambda archive: add_many(archive, name, files, size, **more)


def one(name, n):
    return lambda archive: add_file(archive, name, n, 0.5)


# ---- Sets: name -> {image: (compressions, [tree, ...])} ----------------------------------------------------------------------


def standard():
    files = output(os.path.join(HERE, "parts"), "files")
    return {"standard": (["gzip", "zstd"], [lambda a: add_packages(a, files), add_weights])}, files


def scale():
    with open("/proc/meminfo") as f:
        available = next(int(line.split()[1]) * 1024 for line in f if line.startswith("MemAvailable"))
    big = 4000 if available > 10000 * MB else 1000
    return {"layers-1": (["fast"], [some("d", 4000, 25000)]),
            "layers-10": (["fast"], [some(f"l{i}/d", 400, 25000) for i in range(10)]),
            "layers-100": (["fast"], [some(f"l{i}/d", 40, 25000) for i in range(100)]),
            "bytes-10mb": (["fast"], [one("big", 10 * MB)]),
            f"bytes-{big}mb": (["fast"], [one("big", big * MB)]),
            "files-20000": (["fast"], [some("d", 20000, 200)]),
            "files-200000": (["fast"], [some("d", 200000, 200)])}, ""


def tiny():
    return {"tiny": (["gzip", "zstd"], [add_program, some("d", 40, 3000)])}, ""


SETS = {"standard": standard, "scale": scale, "tiny": tiny}


# ---- Making them -------------------------------------------------------------------------------------------------------------


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return "sha256:" + h.hexdigest()


def count_files(path):
    with tarfile.open(path) as archive:
        return sum(not m.isdir() for m in archive)


def push_image(registry, name, compressions, trees, work):
    """[image], one for each compression: what images.json says of it."""
    packed, diff_ids, sizes, files = {c: [] for c in compressions}, [], [], 0
    for tree in trees:
        path = os.path.join(work, "layer")
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
            tree(archive)
        diff_ids.append(sha256(path))
        sizes.append(os.path.getsize(path))
        files += count_files(path)
        for c in compressions:
            with open(path, "rb") as f, open(path + ".packed", "wb") as out:
                subprocess.run(PACK[c], stdin=f, stdout=out, check=True)
            digest = sha256(path + ".packed")
            registry.put_blob(name, digest, path + ".packed")
            packed[c].append({"mediaType": "application/vnd.oci.image.layer.v1.tar+" + MEDIA[c], "digest": digest,
                              "size": os.path.getsize(path + ".packed")})
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/first"]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    with open(path, "w") as f:
        json.dump(config, f)
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(path), "size": os.path.getsize(path)}
    registry.put_blob(name, described["digest"], path)
    made = []
    for c in compressions:
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": packed[c]}
        made.append({"name": name, "compression": MEDIA[c], "digest": registry.put_manifest(name, MEDIA[c], manifest),
                     "layers": [l["digest"] for l in packed[c]], "compressed": sum(l["size"] for l in packed[c]),
                     "unpacked": sum(sizes), "files": files})
    return made


def make(images, directory):
    storage, work = os.path.join(directory, "storage"), os.path.join(directory, "work")
    os.makedirs(work)
    cosign, env = output(os.path.join(QEMU, "parts"), "cosign"), {**os.environ, "COSIGN_PASSWORD": ""}
    subprocess.run([cosign, "generate-key-pair"], cwd=directory, env=env, check=True, stderr=subprocess.DEVNULL)
    made = []
    with Registry(storage, os.path.join(work, "registry")) as registry:
        for name, (compressions, trees) in images.items():
            print(f"bench: making the image {name}", file=sys.stderr)
            made += push_image(registry, "bench/" + name, compressions, trees, work)
        for image in made:
            image["signed_as"] = f"{registry.tls}/{image['name']}"  # what the signature calls it
            said = registry.run(cosign, "sign", "--key", os.path.join(directory, "cosign.key"), "--tlog-upload=false", "-y",
                                f"{image['signed_as']}@{image['digest']}", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if said.returncode:
                raise RuntimeError("cosign: " + said.stdout.decode())
    shutil.rmtree(work)
    with open(os.path.join(directory, "images.json"), "w") as f:
        json.dump(made, f, indent=1)


def ready(name):
    """The set's directory: storage/, cosign.pub, and in images.json a list of its images."""
    images, files = SETS[name]()
    tools = [output(*command).splitlines()[0] for command in (["gzip", "--version"], ["zstd", "--version"])]
    with open(__file__) as f, open(os.path.join(HERE, "first.c")) as g:
        key = hashlib.sha256("\n".join([f.read(), g.read(), files, *images, *tools]).encode()).hexdigest()[:12]
    directory = os.path.join(CACHE, f"{name}-{key}")
    os.makedirs(CACHE, exist_ok=True)
    with open(directory + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(directory):
            shutil.rmtree(directory + ".new", ignore_errors=True)
            make(images, directory + ".new")
            os.rename(directory + ".new", directory)
    with open(os.path.join(directory, "images.json")) as f:
        return directory, json.load(f)
