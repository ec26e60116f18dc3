#!/usr/bin/env python3
"""What one guest costs `plinth serve`, against one signature check of the same machine; and many guests at once.

    python3 -B tests/bench/serve.py [--guests 200] [--seconds 10] [--count 400] [--json]

The guests are SIMULATED (tests/e2e/serve_guest.py): software keys, real TLS, real quotes over fresh nonces. Each opens a connection of its
own. CPU is the server's, user and system, from /proc; so the load generator, which is Python and shares the cores, does not count in it,
but wall-clock rates are a lower bound. The signature check is `openssl speed ecdsap256`. Believe ratios of an idle machine only."""
import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from serve_guest import Machine, Server, load  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
RESOURCE = "acme/keys/layer"


class Watched(Server):
    peak = 0

    def cpu(self):
        """Seconds so far."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """KiB now."""
        with open(f"/proc/{self.pid}/smaps_rollup") as f:
            return int(re.search(r"^Pss: +(\d+)", f.read(), re.M).group(1))

    def watch(self, stop):
        while not stop.wait(0.1):
            self.peak = max(self.peak, self.memory())


def signature_check():
    """Microseconds of CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(["openssl", "speed", "-seconds", "2", "ecdsap256"], capture_output=True, text=True).stdout
    rate = float(re.search(r"256 bits ecdsa.*?([\d.]+)$", out, re.M).group(1))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert took > 1, "openssl speed did not get a core"
    return 1e6 / rate


def phases(server, machine, count):
    """Microseconds of the server's CPU per guest for: a connection and a challenge; evidence appraised and a token; a secret."""
    def connect(client): client.auth()
    def attest(client): client.attest()
    def secret(client): client.get(RESOURCE)
    clients = [server.client(machine) for _ in range(count)]
    machine.evidence(bytes(32))
    result = {}
    for name, step in (("connect", connect), ("appraise", attest), ("secret", secret)):
        began = server.cpu()
        for client in clients:
            step(client)
        result[name] = (server.cpu() - began) / count * 1e6
    for client in clients:
        client.close()
    return result


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--guests", type=int, default=200)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--count", type=int, default=400, help="guests one after the other, for the CPU of each step")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(layers=8)
        with Watched(directory, machine.reference(), {RESOURCE: os.urandom(32)}, "--rate", 0, "--connections", 2048) as server:
            check = signature_check()
            idle = server.memory()
            steps = phases(server, machine, a.count)
            stop = threading.Event()
            watcher = threading.Thread(target=server.watch, args=(stop,))
            watcher.start()
            began = server.cpu()
            many = load(server.url, machine, a.guests, a.seconds, RESOURCE, server.ca)
            cpu = server.cpu() - began
            stop.set()
            watcher.join()
    whole = sum(steps.values())
    result = {"signature_check_us": round(check, 1), "cpu_us": {k: round(v, 1) for k, v in steps.items()},
              "ratio": {k: round(v / check, 1) for k, v in steps.items()} | {"whole": round(whole / check, 1)},
              "pss_idle_kib": idle, "pss_peak_kib": server.peak, "load": many,
              "cpu_us_under_load": round(cpu / max(1, many["handshakes"]) * 1e6, 1), "per_second": round(many["handshakes"] / many["seconds"], 1)}
    if a.json:
        return print(json.dumps(result))
    print(f"one ECDSA P-256 check (openssl speed)   {check:8.0f} us")
    for name, what in (("connect", "TLS 1.3 handshake and challenge"), ("appraise", "evidence appraised, token signed"), ("secret", "secret released and encrypted")):
        print(f"{what:40}{steps[name]:8.0f} us CPU = {steps[name] / check:5.1f} checks")
    print(f"{'a whole guest':40}{whole:8.0f} us CPU = {whole / check:5.1f} checks: {1e6 / whole:.0f} guests per second and core")
    print(f"{many['guests']} guests at once: {many['handshakes']} handshakes in {many['seconds']} s, {result['per_second']} per second with the load generator on the "
          f"same {os.cpu_count()} cores; {result['cpu_us_under_load']:.0f} us CPU each; {many['failures']} failed; {many['ms_50']} ms (50 of 100), {many['ms_99']} ms (99)")
    print(f"memory (PSS): {idle} KiB idle, {server.peak} KiB at most")


if __name__ == "__main__":
    main()
