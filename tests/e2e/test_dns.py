"""Names of registries through DNS, over IPv4 and IPv6: in network and mount namespaces of their own, with a resolver made here."""
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading

import pytest

from conftest import HERE, Plinth
from hostile_registry import Authority, Registry
from image import Image, Key, policy

ZONE = {"four.registry.test": (1, socket.inet_pton(socket.AF_INET, "127.0.0.1")),
        "six.registry.test": (28, socket.inet_pton(socket.AF_INET6, "::1"))}


def serve_dns(sock):
    """A name server (RFC 1035) for ZONE; everything else does not exist."""
    while True:
        query, peer = sock.recvfrom(512)
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        kind, data = ZONE.get(".".join(name).lower(), (0, b""))
        records = b""
        if kind == struct.unpack(">H", query[at + 1:at + 3])[0]:
            records = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        flags = 0x8180 if kind else 0x8183
        sock.sendto(query[:2] + struct.pack(">HHHHH", flags, 1, 1 if records else 0, 0, 0) + question + records, peer)


def inside(directory):
    """Runs in the namespaces; prints what each `plinth check` said."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    resolv = os.path.join(directory, "resolv.conf")
    with open(resolv, "w") as f:
        f.write("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind(("127.0.0.1", 53))
    threading.Thread(target=serve_dns, args=(dns,), daemon=True).start()
    ca = Authority(os.path.join(directory, "ca"))
    key = Key(directory, "builder")
    image = Image().sign(key)
    layout = image.write_layout(os.path.join(directory, "layout"))
    plinth = Plinth(directory)
    p = policy(key, registry={"ca": ca.bytes().decode()})
    for name, host in (("four.registry.test", "127.0.0.1"), ("six.registry.test", "::1"), ("none.registry.test", "127.0.0.1")):
        with Registry(tls=ca.server("DNS:four.registry.test,DNS:six.registry.test"), host=host) as registry:
            registry.add_layout(layout, "acme/web")
            r = plinth.check(p, f"docker://{name}:{registry.host.rsplit(':', 1)[1]}/acme/web:v")
            print(name, r.status, " ".join(r.err.split()))


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"), reason="needs root and namespaces")
def test_names(tmp_path):
    out = subprocess.run(["unshare", "-n", "-m", sys.executable, "-B", os.path.join(HERE, "test_dns.py"), str(tmp_path)], check=True,
                         stdout=subprocess.PIPE, timeout=120).stdout.decode()
    four, six, none = out.splitlines()
    assert four.startswith("four.registry.test 0"), out
    assert six.startswith("six.registry.test 0"), out
    assert none.startswith("none.registry.test 3") and "cannot be resolved" in none, out


if __name__ == "__main__":
    inside(sys.argv[1])
