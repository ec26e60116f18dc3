"""Boot milestones. In a machine under QEMU, from the times on the agent's own console lines and the container's first line; and on
the bare host, where no emulation slows anything: `plinth pull`, the same monitor and workers without TPM and DHCP, from exec to the
first byte on the wire and from the last byte of the last layer to the end."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

import images
import peers
from registry import QEMU, Registry, output

LINE = re.compile(rb"\[ *(\d+\.\d+)\] (plinth|container): (.*?)\r*$", re.M)
STEPS = ("config", "register", "network", "resolve", "trust", "measure", "layers", "attest", "launch")
RUNS = 15


class Relay:
    """Passes bytes on to a port, and keeps when the first came from the client and the last from the server."""

    def __init__(self, port):
        self.to, self.first, self.last = port, None, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.to))
                for a, b, mark in ((client, server, self.client_spoke), (server, client, self.server_spoke)):
                    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self.pass_on, args=(a, b, mark), daemon=True).start()

    def pass_on(self, a, b, mark):
        with contextlib.suppress(OSError):
            while data := a.recv(1 << 16):
                mark()
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)

    def client_spoke(self):
        self.first = self.first or time.perf_counter()

    def server_spoke(self):
        self.last = time.perf_counter()


def bare(site, image, work):
    """Milliseconds, medians: exec to first request, last byte to exit."""
    relay = Relay(int(site.registry.http.split(":")[1]))
    before, after = [], []
    [command] = peers.Plinth(site).command(work, image, False)
    command[-2] = command[-2].replace(site.registry.http, relay.host)
    for i in range(RUNS):
        relay.first = None
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended = time.perf_counter()
        shutil.rmtree(command[-1])
        before.append(1000 * (relay.first - began))
        after.append(1000 * (ended - relay.last))
    relay.listener.close()
    return {"exec_to_first_request_ms": statistics.median(before), "last_layer_byte_to_exit_ms": statistics.median(after)}


def kernel():
    """Our own where it has been built, since that takes minutes; else Debian's."""
    parts = os.path.join(os.path.dirname(images.CACHE), "parts")
    built = os.path.isdir(parts) and any(re.fullmatch(r"lean-linux-source-[\d.]+-[0-9a-f]+", name) for name in os.listdir(parts))
    name = "lean-kernel" if built else "stock-kernel"
    return name, output(os.path.join(QEMU, "parts"), name)


def machine(site, image, work):
    """{"kernel", "machine" (accelerator, memory, CPUs), "lines": [[seconds, text]]} of one boot."""
    name, directory = kernel()
    modules = output(os.path.join(QEMU, "modules"), directory, os.path.join(work, "modules"), "virtio_net", "overlay")
    with open(site.key) as f, open(site.registry.ca) as g:
        policy = {"image": "10.0.2.2:" + site.reference(image, True).split(":", 1)[1], "registry": {"ca": g.read()},
                  "signatures": {"threshold": 1, "keys": [{"name": "builder", "pem": f.read()}]}}
    console = os.path.join(work, "console")
    command = [peers.PLINTH, "run", "--policy", peers.write(os.path.join(work, "boot.json"), policy),
               "--kernel", os.path.join(directory, "vmlinuz"), "--evidence", os.path.join(work, "evidence"), "--console", console,
               "--timeout", "120"]
    for module in modules.splitlines():
        command += ["--module", module]
    with open(os.path.join(work, "run.log"), "w+") as log:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        lines = []
        try:
            for _ in range(1500):
                if os.path.exists(console):
                    with open(console, "rb") as f:
                        lines = LINE.findall(f.read())
                if p.poll() is not None or any(who == b"container" for _, who, _ in lines):
                    break
                time.sleep(0.1)
        finally:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
                p.wait(30)
        log.seek(0)
        said = log.read()
    if not any(who == b"container" for _, who, _ in lines):
        raise RuntimeError("the machine did not come up: " + said[-600:])
    return {"kernel": name, "machine": said.splitlines()[0].split(", ", 1)[1],
            "lines": [[float(t), text.decode(errors="replace")] for t, _, text in lines]}


def milestones(work, result, tell):
    directory, made = images.ready("tiny")
    image = made[0]
    with Registry(os.path.join(directory, "storage"), os.path.join(work, "registry-boot")) as registry:
        site = peers.Site(registry, os.path.join(directory, "cosign.pub"), made)
        result["boot"] = {"bare": bare(site, image, work)}
        tell(f"\nOn the bare host, median of {RUNS}, a tiny image over HTTP: exec to first request "
             f"{result['boot']['bare']['exec_to_first_request_ms']:.1f} ms; last byte of the last layer to exit "
             f"{result['boot']['bare']['last_layer_byte_to_exit_ms']:.1f} ms")
        if not all(map(shutil.which, ("qemu-system-x86_64", "swtpm"))):
            tell("no boot: QEMU or swtpm is not installed")
            return
        found = result["boot"]["machine"] = machine(site, image, work)
    tell(f"\nOne boot, {found['kernel']}, {found['machine']}; the console's own times:")
    lines = [(t, text) for t, text in found["lines"] if text in (*STEPS, "first instruction") or text.startswith("plinth ")]
    start = lines[0][0]
    for (t, text), (after, _) in zip(lines, lines[1:] + [(None, None)]):
        name = "/init" if text.startswith("plinth ") else text
        tell(f"  {1000 * (t - start):8.0f} ms  {name:<18}" + (f" {1000 * (after - t):6.0f} ms" if after else ""))
    at = {text: t for t, text in lines}
    found["init_to_resolve_ms"], found["attest_to_first_instruction_ms"] = (
        round(1000 * (b - a)) for a, b in ((start, at["resolve"]), (at["attest"], at["first instruction"])))
    tell(f"  /init to the first request (resolve): {found['init_to_resolve_ms']} ms; after the last layer (attest) to the "
         f"container's first instruction: {found['attest_to_first_instruction_ms']} ms")
