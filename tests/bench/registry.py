"""docker-registry on the loopback, over HTTP and over TLS, on one storage."""
import http.client
import json
import os
import re
import shutil
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QEMU = os.path.join(ROOT, "qemu")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout.strip()


class Registry:
    """`directory` is for its configuration, certificates and logs. Use as a context.

    .http and .tls are host:port; .certs is a folder with ca.crt, as skopeo and podman want it; .pids are its processes."""

    def __init__(self, storage, directory):
        self.storage, self.directory = storage, directory
        self.certs, self.ca = os.path.join(directory, "certs"), os.path.join(directory, "ca.pem")
        self.plain = None

    def __enter__(self):
        os.makedirs(self.storage, exist_ok=True)
        os.makedirs(self.directory)
        os.symlink(self.storage, os.path.join(self.directory, "storage"))
        said = dict(line.split("=", 1) for line in output(os.path.join(QEMU, "registry"), "start", self.directory).splitlines())
        self.tls, self.pids = "127.0.0.1:" + said["PORT"], [said["PID"]]
        try:
            self.start_plain()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_plain(self):
        config, log = os.path.join(self.directory, "plain.yml"), os.path.join(self.directory, "plain.log")
        with open(config, "w") as f:
            f.write('version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\nhttp: {addr: "127.0.0.1:0", secret: plinth}\n'
                    'storage: {filesystem: {rootdirectory: "%s"}}\n' % self.storage)
        program = output(os.path.join(QEMU, "parts"), "registry")
        with open(log, "w") as f:
            self.plain = subprocess.Popen([program, "serve", config], stdin=subprocess.DEVNULL, stdout=f, stderr=f, env={})
        for _ in range(300):
            with open(log) as f:
                found = re.search(r"listening on (127\.0\.0\.1:\d+)", f.read())
            if found:
                self.http = found[1]
                self.pids.append(str(self.plain.pid))
                return
            if self.plain.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("docker-registry does not start: " + open(log).read())

    def __exit__(self, *_):
        if self.plain:
            self.plain.kill()
            self.plain.wait()
        subprocess.run([os.path.join(QEMU, "registry"), "stop", self.directory], check=True)

    def request(self, method, path, body=None, wanted=(), **headers):
        c = http.client.HTTPConnection(self.http)
        c.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = c.getresponse()
        text = answer.read()
        if answer.status not in wanted:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        return answer.headers

    def put_blob(self, repository, digest, path):
        location = self.request("POST", f"/v2/{repository}/blobs/uploads/", wanted=[202], Content_Length="0")["Location"]
        where = location.split(self.http, 1)[-1]
        with open(path, "rb") as f:
            self.request("PUT", f"{where}&digest={digest}", f, [201], Content_Type="application/octet-stream",
                         Content_Length=str(os.path.getsize(path)))

    def put_manifest(self, repository, tag, manifest):
        """Its digest."""
        body = json.dumps(manifest).encode()
        return self.request("PUT", f"/v2/{repository}/manifests/{tag}", body, [201], Content_Type=MANIFEST)["Docker-Content-Digest"]

    def blob(self, digest):
        """The file that holds it."""
        name = digest.split(":")[1]
        return os.path.join(self.storage, "docker/registry/v2/blobs/sha256", name[:2], name, "data")

    def run(self, *command, **more):
        return subprocess.run([os.path.join(QEMU, "registry"), "run", self.directory, *command], **more)


def tools_present(*names):
    return all(map(shutil.which, names))
