"""Who is measured: each fetches an image from a registry and leaves its file system below a folder, on tmpfs.

Nothing of this machine's configuration counts: each has its own storage, policy and home. The peers verify no signature
unless their name says so: that is their default (insecureAcceptAnything)."""
import json
import os
import shutil
import subprocess
import time

from registry import ROOT, output

HERE = os.path.dirname(os.path.abspath(__file__))
PLINTH = os.path.join(ROOT, "build", "plinth")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text if isinstance(text, str) else json.dumps(text))
    return path


class Site:
    """What all tools need to know: the registry, its images, and the file with the key that signed them."""

    def __init__(self, registry, key, images):
        self.registry, self.key, self.images = registry, key, images

    def host(self, tls):
        return self.registry.tls if tls else self.registry.http

    def reference(self, image, tls):
        return f"{self.host(tls)}/{image['name']}:{image['compression']}"


class Tool:
    """command(room, image, tls): the commands that are measured. start and stop are not: what stands ready before."""
    zstd = tls = True
    environment = None

    def __init__(self, site):
        self.site = site

    def start(self, group, room):
        pass

    def stop(self):
        pass


class Plinth(Tool):
    name, verifies, program = "plinth", "signature, digests, diffIDs", PLINTH

    def present(self):
        return os.access(self.program, os.X_OK)

    def version(self):
        return output(self.program, "--version").splitlines()[0]

    def command(self, room, image, tls):
        registry = {"allowHttp": True}
        if tls:
            with open(self.site.registry.ca) as f:
                registry = {"ca": f.read()}
        with open(self.site.key) as f:
            key = {"name": "builder", "pem": f.read()}
        policy = write(f"{room}/policy.json", {"registry": registry, "signatures": {"threshold": 1, "keys": [key]}})
        return [[self.program, "pull", "--policy", policy, "docker://" + self.site.reference(image, tls), f"{room}/target"]]


class PlinthNoVerify(Plinth):
    """The benchmark-only build that checks nothing."""
    name, verifies, program = "plinth-noverify", "nothing", os.path.join(ROOT, "build", "bench", "plinth-noverify")
    tls = False

    def present(self):
        made = subprocess.run(["make", "-s", "-C", ROOT, "build/bench/plinth-noverify"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
        return made.returncode == 0 and os.access(self.program, os.X_OK)


class Podman(Tool):
    name, verifies, driver = "podman", "digests, diffIDs", "overlay"

    def present(self):
        return shutil.which("podman") is not None

    def version(self):
        return output("podman", "--version") + f", storage driver {self.driver}"

    def command(self, room, image, tls):
        home = f"{room}/home"
        self.environment = {"PATH": os.environ["PATH"], "HOME": home, "CONTAINERS_REGISTRIES_CONF": f"{home}/registries.conf"}
        write(f"{home}/.config/containers/policy.json", {"default": self.rule(image)})
        write(f"{home}/.config/containers/registries.d/all.yaml", "default-docker: {use-sigstore-attachments: true}\n")
        write(f"{home}/registries.conf", "unqualified-search-registries = []\n")
        trust = ["--cert-dir", self.site.registry.certs] if tls else ["--tls-verify=false"]
        return [["podman", "--root", f"{room}/root", "--runroot", f"{room}/run", "--tmpdir", f"{room}/tmp", "--storage-driver",
                 self.driver, "pull", "-q", *trust, self.site.reference(image, tls)]]

    def rule(self, image):
        return [{"type": "insecureAcceptAnything"}]


class PodmanSigned(Podman):
    """Debian 12's podman was built without sigstore; where that is so the run says it and goes on without."""
    name, verifies, tls = "podman-signed", "signature, digests, diffIDs", False

    def rule(self, image):
        return [{"type": "sigstoreSigned", "keyPath": self.site.key,
                 "signedIdentity": {"type": "exactRepository", "dockerRepository": image["signed_as"]}}]


class Containerd(Tool):
    """ctr image pull, from a containerd of its own with empty storage. It hands gzip to unpigz where that is installed, and it is."""
    name, verifies, daemon = "containerd", "digests, diffIDs", None
    tls = False  # ctr takes every registry on the loopback for one without

    def present(self):
        self.programs = output(os.path.join(HERE, "parts"), "containerd")
        return True

    def version(self):
        return "containerd " + output(f"{self.programs}/containerd", "--version").split()[2] + ", overlayfs snapshotter"

    def start(self, group, room):
        self.socket = f"{room}/containerd.sock"
        config = write(f"{room}/config.toml", f'''version = 2
root = "{room}/root"
state = "{room}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "{self.socket}"
[ttrpc]
address = "{self.socket}.ttrpc"
''')
        with open(f"{room}/containerd.log", "w") as log:
            self.daemon = group.start([f"{self.programs}/containerd", "-c", config], stdout=log, stderr=log)
        for _ in range(500):
            ask = [f"{self.programs}/ctr", "-a", self.socket, "version"]
            if subprocess.run(ask, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.02)
        raise RuntimeError("containerd does not start: " + open(f"{room}/containerd.log").read()[-600:])

    def command(self, room, image, tls):
        return [[f"{self.programs}/ctr", "-a", self.socket, "image", "pull", "--plain-http", "--snapshotter", "overlayfs",
                 self.site.reference(image, tls)]]

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()
            self.daemon = None


class SkopeoUmoci(Tool):
    name, verifies = "skopeo+umoci", "digests, diffIDs"

    def present(self):
        if not shutil.which("skopeo"):
            return False
        self.umoci = output(os.path.join(HERE, "parts"), "umoci")
        return True

    def version(self):
        return output("skopeo", "--version") + ", " + output(self.umoci, "--version").splitlines()[0]

    def command(self, room, image, tls):
        policy = write(f"{room}/policy.json", {"default": [{"type": "insecureAcceptAnything"}]})
        trust = ["--src-cert-dir", self.site.registry.certs] if tls else ["--src-tls-verify=false"]
        return [["skopeo", "--policy", policy, "--tmpdir", room, "copy", "-q", *trust, "docker://" + self.site.reference(image, tls),
                 f"oci:{room}/layout:v"],
                [self.umoci, "unpack", "--image", f"{room}/layout:v", f"{room}/bundle"]]


ALL = [Plinth, PlinthNoVerify, Podman, PodmanSigned, Containerd, SkopeoUmoci]
