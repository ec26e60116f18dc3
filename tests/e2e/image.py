"""Builds OCI images byte by byte, honest or not, and signs them with openssl as cosign does (simple signing)."""
import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
COMPRESS = {"": lambda b: b, "+gzip": lambda b: gzip.compress(b, 6, mtime=0),
            "+zstd": lambda b: subprocess.run(["zstd", "-q", "-c"], input=b, stdout=subprocess.PIPE, check=True).stdout}


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


def tar(entries):
    """entries: (name, bytes) for files, (name, None) for directories, or TarInfo, or (TarInfo, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for entry in entries:
            name, data = entry if isinstance(entry, tuple) else (entry, b"")
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if not isinstance(name, tarfile.TarInfo):
                info.mode = 0o644
                if data is None:
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
            data = data or b""
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def entry(name, kind, **more):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info


class Key:
    """A P-256 key pair in files; signs as cosign signs."""

    def __init__(self, directory, name):
        self.name = name
        self.private = os.path.join(directory, name + ".key")
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.private],
                       check=True, stderr=subprocess.DEVNULL)
        self.pem = subprocess.run(["openssl", "ec", "-in", self.private, "-pubout"], check=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL).stdout.decode()

    def sign(self, payload):
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.private], input=payload, check=True,
                              stdout=subprocess.PIPE).stdout


class Image:
    """Blobs, manifests by digest, and tags. Everything may be altered before it is written or served."""

    def __init__(self, layers=None, compression="+gzip", config=None, process=None):
        self.blobs, self.manifests, self.tags = {}, {}, {}
        layers = [tar([("hello", b"hello\n")])] if layers is None else layers
        self.layers = []
        for data in layers:
            packed = COMPRESS[compression](data)
            self.layers.append(self.descriptor(OCI_LAYER + compression, packed))
        self.config = {"architecture": "amd64", "os": "linux", "config": process or {"Cmd": ["/hello"]},
                       "rootfs": {"type": "layers", "diff_ids": [sha256(data) for data in layers]}}
        self.config.update(config or {})
        self.manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
        self.finish()

    def descriptor(self, media_type, data, **more):
        digest = sha256(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def finish(self, tag="v"):
        """Config and manifest from what the members are now; call again after altering them."""
        self.manifest.setdefault("config", None)
        self.manifest["config"] = self.descriptor(OCI_CONFIG, dumps(self.config))
        self.manifest["layers"] = self.layers
        return self.put(dumps(self.manifest), tag)

    def put(self, body, tag="v", media_type=OCI_MANIFEST):
        """A manifest of exactly these bytes, under the tag."""
        self.digest = sha256(body)
        self.manifests[self.digest] = (media_type, body)
        if tag:
            self.tags[tag] = self.digest
        return self.digest

    def index(self, platforms=("amd64",), tag="v"):
        """An index over the present manifest, once for each platform."""
        media_type, body = self.manifests[self.digest]
        entries = [{"mediaType": media_type, "digest": self.digest, "size": len(body),
                    "platform": {"os": "linux", "architecture": a}} for a in platforms]
        return self.put(dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}), tag, OCI_INDEX)

    def payload(self, digest, **changes):
        critical = {"identity": {"docker-reference": "registry.example/app"}, "image": {"docker-manifest-digest": digest},
                    "type": "cosign container image signature"}
        critical.update(changes)
        return dumps({"critical": critical, "optional": None})

    def sign(self, *keys, digest=None, payload=None, alter=lambda b: b):
        """Adds the .sig manifest of `digest` (the image's own) with a layer per key. `alter` changes the payload after signing."""
        digest = digest or self.digest
        layers = []
        for key in keys:
            body = payload or self.payload(digest)
            signature = base64.b64encode(key.sign(body)).decode()
            layers.append(self.descriptor("application/vnd.dev.cosign.simplesigning.v1+json", alter(body),
                                          annotations={"dev.cosignproject.cosign/signature": signature}))
        keep = self.digest
        self.put(dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": self.descriptor(OCI_CONFIG, b"{}"),
                        "layers": layers}), digest.replace(":", "-") + ".sig")
        self.digest = keep
        return self

    def write_layout(self, directory):
        """An OCI image layout, with the tags as annotations of its index."""
        blobs = os.path.join(directory, "blobs", "sha256")
        os.makedirs(blobs, exist_ok=True)
        with open(os.path.join(directory, "oci-layout"), "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')
        entries = []
        for digest, (media_type, body) in self.manifests.items():
            names = [t for t, d in self.tags.items() if d == digest]
            for name in names or [None]:
                e = {"mediaType": media_type, "digest": digest, "size": len(body)}
                if name:
                    e["annotations"] = {"org.opencontainers.image.ref.name": name}
                entries.append(e)
        for digest, data in {**self.blobs, **{d: b for d, (_, b) in self.manifests.items()}}.items():
            with open(os.path.join(blobs, digest.split(":")[1]), "wb") as f:
                f.write(data)
        with open(os.path.join(directory, "index.json"), "wb") as f:
            f.write(dumps({"schemaVersion": 2, "manifests": entries}))
        return directory


def policy(*keys, threshold=None, **more):
    p = {"signatures": {"threshold": threshold or len(keys), "keys": [{"name": k.name, "pem": k.pem} for k in keys]}}
    p.update(more)
    return p
