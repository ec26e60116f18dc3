"""What the agent does to the machine as PID 1: network, mounts, user, capabilities, launch. In fresh namespaces, so as root, but
without a virtual machine: guest_probe/trial.c calls the steps, guest_probe/probe.c is the container and tells what it sees."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import HERE, ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"),
                                reason="needs root, unshare and ip")
SOURCES = """agent/step/network.c agent/step/launch.c agent/worker/address.c agent/worker/confine.c agent/worker/frame.c agent/worker/job.c
             agent/sys/net.c agent/sys/console.c agent/sys/mounts.c agent/sys/power.c agent/sys/root.c agent/sys/exec.c agent/sys/proc.c
             agent/sys/secret_memory.c crypto/wipe.c
             agent/lib/format/dhcp.c agent/lib/format/cmdline.c agent/lib/oci/passwd.c""".split()
SETUP = r"""
set -e
mount -t tmpfs -o mode=0755 none "$1"; cd "$1"; mkdir old image etc etc/plinth
cp "$2" init; echo secret > etc/plinth/policy.json
mount -t tmpfs -o nosuid,nodev,noexec none image; cp -a "$3"/. image
shift 3
pivot_root . old; cd /
exec /init "$@"
"""


def build(out, *flags):
    with open(os.path.join(ROOT, "build", "deps.mk")) as f:
        deps = re.search(r"DEPS := (\S+)", f.read()).group(1)
    subprocess.run(["musl-gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Os", "-static", "-Iagent/lib", "-Iagent", "-I.", "-isystem",
                    f"{deps}/include", "-isystem", f"{deps}/uapi", *flags, "-o", out], cwd=ROOT, check=True)
    return out


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    d = tmp_path_factory.mktemp("guest")
    base = [f"agent/lib/base/{n}.c" for n in ("arena", "codec", "err", "reader", "view", "writer")]
    return (build(str(d / "trial"), "tests/e2e/guest_probe/trial.c", *SOURCES, *base),
            build(str(d / "probe"), "-s", "tests/e2e/guest_probe/probe.c"))


class Guest:
    def __init__(self, programs, directory):
        self.trial, self.probe = programs
        self.root, self.layers = str(directory / "root"), str(directory / "layers")
        os.makedirs(self.root)
        for d in ("bin", "etc", "usr/bin", "opq"):
            os.makedirs(self.path(0, d))
        for d in ("etc", "srv"):
            os.makedirs(self.path(1, d))
        shutil.copy(self.probe, self.path(0, "bin/probe"))
        self.write(0, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:Web:/srv:/bin/sh\n")
        self.write(1, "etc/group", "root:x:0:\nweb:x:102:\nadm:x:4:web\n")

    def path(self, layer, name):
        return os.path.join(self.layers, str(layer), name)

    def write(self, layer, name, text, mode=0o644):
        path = self.path(layer, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def link(self, layer, name, target):
        path = self.path(layer, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)

    def run(self, *args, layers=2, netns=None, timeout=60):
        """The container's lines as a dict, or (refused) the error text in "error"."""
        if not any(a.startswith("arg=") for a in args):
            args = ("arg=probe", *args)
        net = ["ip", "netns", "exec", netns] if netns else []
        p = subprocess.run([*net, "unshare", "-m", "-p", "-u", "-i", *([] if netns else ["-n"]), "-f", "--propagation", "private", "sh",
                            "-c", SETUP, "sh", self.root, self.trial, self.layers, f"layers={layers}", *args],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        seen = dict(re.findall(r"^probe\.([^=\n]+)=(.*)$", p.stdout.decode(), re.M))
        seen["error"] = p.stderr.decode()
        assert seen.get("end") == "1" or "trial: " in seen["error"], p
        return seen


@pytest.fixture
def guest(programs, tmp_path):
    return Guest(programs, tmp_path)


def numbered(seen, key):
    return [seen[k] for k in sorted((k for k in seen if re.fullmatch(key + r"\.\d+", k)), key=lambda k: int(k.rsplit(".")[-1]))]


def test_root_container(guest):
    seen = guest.run("arg=/bin/probe", "arg=-g", "arg=daemon off;", "env=A=b c")
    assert seen["pid"] == "1" and seen["uid"] == "0 0" and seen["groups"] == "0" and seen["cwd"] == "/"
    assert numbered(seen, "arg") == ["/bin/probe", "-g", "daemon off;"]
    assert numbered(seen, "env") == ["A=b c", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                                     "HOSTNAME=plinth"]
    assert seen["CapPrm"] == seen["CapEff"] == seen["CapBnd"] == "00000000a80425fb"
    assert seen["CapInh"] == seen["CapAmb"] == "0000000000000000" and seen["NoNewPrivs"] == "1" and seen["Umask"] == "0022"
    assert seen["SigBlk"] == seen["SigCgt"] == "0000000000000000"
    # 32 to 34 are the C library's own, which it lets nobody reset; whoever starts the tests may ignore them.
    assert int(seen["SigIgn"], 16) & ~(7 << 31) == 0
    assert seen["fds"] == "0 1 2 3" and seen["stdin"] == "end"  # 3 is the probe's own look at the directory
    assert seen["write:/tmp/x"] == seen["write:/x"] == seen["write:/dev/shm/x"] == seen["pty"] == seen["exec:/tmp"] == "ok"
    for path in ("/proc/sys/kernel/hostname", "/sys/kernel/mm", "/sys/fs/cgroup", "/run/plinth/x", "/run/plinth/evidence.json"):
        assert seen[f"write:{path}"] == "Read-only file system", path
    for name in ("mount", "umount", "sethostname"):
        assert seen[name] == "Operation not permitted", name
    assert seen["etc.hostname"] == r"plinth\n" and seen["run.plinth"] == "evidence.json"


def test_no_way_to_the_tpm_or_back(guest):
    seen = guest.run()
    assert sorted(seen["dev"].split()) == sorted("ptmx stderr stdout stdin fd console tty urandom random full zero null mqueue shm pts"
                                                 .split())
    for where in ("/tmp/tpm", "/dev/tpm", "/dev/shm/null"):  # nodes can be made, as in other runtimes, but not opened
        assert seen[f"node:{where}"] == "mknod ok, open Permission denied", where
    assert "sysroot" not in seen["escape.root"] and "init" not in seen["escape.root"].split()
    assert seen["escape.init"] == seen["escape.policy"] == "No such file or directory"
    mounts = [m.split() for m in numbered(seen, "mount")]
    loose = {m[1] for m in mounts if "nodev" not in m[3].split(",")}
    assert loose == {"/dev/pts"} | {m[1] for m in mounts if m[2] == "devtmpfs"}
    assert not [m for m in mounts if m[1].startswith(("/image", "/sysroot", "/old"))]


def test_devices_allowed_by_policy(guest):
    seen = guest.run("devices=1")
    assert "nodev" not in numbered(seen, "mount")[0].split()[3].split(",")
    assert seen["CapBnd"] == "00000000a00425fb"  # then nobody may make one
    assert seen["node:/tmp/tpm"].startswith("mknod Operation not permitted")


@pytest.mark.parametrize("user, ids, home", [
    ("web", ("101 101", "102 102", "4 102"), "/srv"), ("101", ("101 101", "102 102", "4 102"), "/srv"),
    ("web:adm", ("101 101", "4 4", "4"), "/srv"), ("77:web", ("77 77", "102 102", "102"), "/"), ("77", ("77 77", "0 0", "0"), "/"),
])
def test_users(guest, user, ids, home):
    seen = guest.run(f"user={user}", "cwd=/srv/new/dir")
    assert (seen["uid"], seen["gid"], seen["groups"]) == ids and f"HOME={home}" in numbered(seen, "env")
    assert seen["CapPrm"] == seen["CapEff"] == "0000000000000000" and seen["CapBnd"] == "00000000a80425fb"
    assert seen["cwd"] == "/srv/new/dir" and seen["setuid0"] == seen["escape.chroot"] == "Operation not permitted"
    assert seen["path:/dev/null"].endswith("owner 0:0")


def test_secrets(guest):
    """Files on a mount of their own, each with mode and owner by the image's names; variables over the process's, only now."""
    seen = guest.run("env=A=public", "env=TOKEN=sealed.x", "user=web", "file=own/0400//first", "file=theirs/0640/root:adm/0640", "file=all/0444/7:9/x",
                     "variable=TOKEN=opened=1", "variable=HOME=/elsewhere", "arg=probe", "arg=cat:/run/secrets/own", "arg=cat:/run/secrets/theirs",
                     "arg=ls:/run/secrets", "arg=path:/run/secrets", "arg=path:/run/secrets/own", "arg=path:/run/secrets/theirs",
                     "arg=path:/run/secrets/all")
    assert [v for v in numbered(seen, "env") if not v.startswith("PATH=")] == ["A=public", "TOKEN=opened=1", "HOSTNAME=plinth", "HOME=/elsewhere"]
    assert seen["path:/run/secrets"].endswith("mode 711 owner 0:0")
    assert seen["path:/run/secrets/own"] == "file mode 400 owner 101:102" and seen["cat:/run/secrets/own"] == "first"
    assert seen["path:/run/secrets/theirs"] == "file mode 640 owner 0:4" and seen["cat:/run/secrets/theirs"] == "0640"  # web is in adm
    assert seen["path:/run/secrets/all"] == "file mode 444 owner 7:9"
    assert seen["ls:/run/secrets"] == "(Permission denied)"
    mount = [m.split() for m in numbered(seen, "mount") if m.split()[1] == "/run/secrets"]
    assert len(mount) == 1 and mount[0][2] == "tmpfs" and {"ro", "nosuid", "nodev", "noexec", "mode=711"} <= set(mount[0][3].split(",")), mount


def test_secrets_fill_their_mount(guest):
    names = [f"s{i}" for i in range(12)]
    seen = guest.run(*(f"file={n}/0400//{n}{'x' * 120_000}" for n in names), "arg=probe", "arg=ls:/run/secrets", "arg=cat:/run/secrets/s11")
    assert sorted(seen["ls:/run/secrets"].split()) == sorted(names) and seen["cat:/run/secrets/s11"].startswith("s11xxx")


def test_no_secrets_no_mount(guest):
    assert not [m for m in numbered(guest.run(), "mount") if "/run/secrets" in m]


def test_secrets_wiped_when_written(guest):
    guest.write(0, "bin/garbage", "garbage", 0o755)
    seen = guest.run("arg=garbage", "file=one/0400//first", "file=two/0400//second")
    assert "Exec format error" in seen["error"] and "one is wiped" in seen["error"] and "two is wiped" in seen["error"]


@pytest.mark.parametrize("owner, why", [("nobody", "no 'nobody' in the image's /etc/passwd"), ("web:nobody", "no group 'nobody'")])
def test_owner_of_a_secret_unknown(guest, owner, why):
    seen = guest.run(f"file=key/0400/{owner}/x")
    assert "end" not in seen and why in seen["error"] and "owner of /run/secrets/key" in seen["error"]


def test_masked_paths(guest):
    seen = guest.run()
    for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"):
        assert seen[f"path:{path}"].startswith(("char 1:3", "(No such")), path
    for path in ("/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"):
        assert seen[f"path:{path}"].startswith(("dir 0 ", "(No such")), path
    assert [m for m in numbered(seen, "mount") if m.split()[1] == "/proc/sys" and m.split()[3].startswith("ro,")]


def test_many_layers(guest):
    for i in range(2, 128):
        guest.write(i, f"n{i}", "")
    guest.write(127, "etc/passwd", "web:x:7:8::/top:\n")
    seen = guest.run("user=web", layers=128)
    assert seen["uid"] == "7 7" and all(f"n{i}" in seen["root"].split() for i in range(2, 128))


def test_whiteouts_and_opaque_directories(guest):
    guest.write(0, "gone", "x")
    guest.write(0, "opq/lower", "x")
    guest.write(1, "opq/upper", "x")
    guest.write(0, "both/lower", "x")
    guest.write(1, "both/upper", "x")
    os.mknod(guest.path(1, "gone"), 0o020000, 0)
    try:
        os.setxattr(guest.path(1, "opq"), "user.overlay.opaque", b"y")
    except OSError:
        pytest.skip("no user xattrs in the temporary directory")
    seen = guest.run("arg=probe", "arg=ls:/opq", "arg=ls:/both")
    assert "gone" not in seen["root"].split()
    assert seen["ls:/opq"] == "upper" and sorted(seen["ls:/both"].split()) == ["lower", "upper"]


def test_links_stay_inside(guest):
    shutil.rmtree(guest.path(0, "etc"))
    shutil.rmtree(guest.path(1, "etc"))
    guest.link(0, "etc", "../../../../usr/etc")
    guest.write(0, "usr/etc/passwd", "root:x:0:0::/inside:\n")
    guest.link(0, "usr/etc/hosts", "/etc/passwd")
    guest.link(0, "bin/again", "../../../bin/probe")
    seen = guest.run("arg=again", "cwd=/../../a/./b//c/")
    assert "HOME=/inside" in numbered(seen, "env") and seen["cwd"] == "/a/b/c"
    assert seen["hosts"].startswith("127.0.0.1")


@pytest.mark.parametrize("place", ["proc", "sys", "dev", "run", "run/plinth", "run/secrets"])
def test_mount_point_is_a_link(guest, place):
    guest.link(0, place, "/etc")
    seen = guest.run("file=key/0400//x")
    assert "end" not in seen and "Symbolic link" in seen["error"] and "to mend it" in seen["error"]


@pytest.mark.parametrize("args, why", [
    (["arg=nginx", "env=PATH=/bin:/usr/bin"], "no program 'nginx' in the image's PATH=/bin:/usr/bin"),
    (["arg=./x"], "./x is no executable file of the image"),
    (["arg=/etc/passwd"], "/etc/passwd is no executable file"),
    (["arg=/proc/self/exe"], "/proc/self/exe is no executable file"),
    (["arg=/etc"], "/etc is no executable file"),
    (["user=nginx"], "no 'nginx' in the image's /etc/passwd"),
    (["user=web:nginx"], "no group 'nginx'"),
    (["cwd=/etc/passwd"], "Not a directory"),
    (["cwd=/proc/self/cwd"], "Symbolic link loop"),
    (["arg=script", "user=5"], "cannot execute /bin/script as user 5:0: No such file or directory"),
    (["arg=garbage", "user=5"], "cannot execute /bin/garbage as user 5:0: Exec format error"),
    (["arg=private", "user=5"], "cannot execute /bin/private as user 5:0: Permission denied"),
])
def test_refused(guest, args, why):
    guest.write(0, "bin/script", "#!/nowhere\n", 0o755)
    guest.write(0, "bin/garbage", "garbage", 0o755)
    guest.write(0, "bin/private", "#!/bin/probe\n", 0o700)
    seen = guest.run(*args)
    assert "end" not in seen and why in seen["error"]


@pytest.mark.parametrize("make, why", [
    (lambda p: os.mkfifo(p), "no regular file"),
    (lambda p: os.mkdir(p), "no regular file"),
    (lambda p: open(p, "wb").truncate((1 << 20) + 1), "more than 1048576 bytes"),
])
def test_hostile_passwd(guest, make, why):
    os.unlink(guest.path(0, "etc/passwd"))
    make(guest.path(0, "etc/passwd"))
    assert why in guest.run("user=web")["error"]


def test_no_layers(guest):
    assert "no program 'probe'" in guest.run(layers=0)["error"]


# ---- network ----

@pytest.fixture
def wire():
    """A pair of network namespaces joined by a cable: the guest's, and the hostile server's (interface "far")."""
    names = f"plinth-g{os.getpid()}", f"plinth-s{os.getpid()}"
    run = lambda *a: subprocess.run(["ip", *a], check=True)
    servers = []
    try:
        for n in names:
            run("netns", "add", n)
        run("link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "far", "netns", names[1])
        run("-n", names[1], "link", "set", "far", "up")

        def serve(mode):
            servers.append(subprocess.Popen(["ip", "netns", "exec", names[1], sys.executable, os.path.join(HERE, "guest_probe", "dhcp_server.py"),
                                             "far", mode], stdout=subprocess.PIPE))
            servers[-1].stdout.readline()
        yield names[0], serve
    finally:
        for s in servers:
            s.send_signal(signal.SIGKILL)
            s.wait()
        for n in names:
            subprocess.run(["ip", "netns", "del", n])


@pytest.mark.parametrize("mode", ["good", "junk", "refusing", "flood"])
def test_dhcp(guest, wire, mode):
    netns, serve = wire
    serve(mode)
    before = time.monotonic()
    seen = guest.run("cmdline=console=ttyS0", netns=netns)
    assert "eth0: 192.168.77.99/24 through 192.168.77.1, from DHCP, for 3600 s" in seen["error"]
    assert seen["resolv.conf"] == r"search lab.example\nnameserver 192.168.77.1\nnameserver 9.9.9.9\n"
    assert seen["hosts"].endswith("192.168.77.99\tguest-7\\n") and seen["hostname"] == "guest-7"
    assert time.monotonic() - before < 20


@pytest.mark.skipif(not os.environ.get("PLINTH_SLOW"), reason="takes a minute; PLINTH_SLOW=1 runs it")
def test_dhcp_absurd_address(guest, wire):
    netns, serve = wire
    serve("absurd")
    seen = guest.run("cmdline=", netns=netns, timeout=90)
    assert "no usable DHCP answer in 60 s" in seen["error"] and "127.0.0.1" in seen["error"] and "ip=" in seen["error"]


def test_static_addresses(guest, wire):
    netns, _ = wire
    seen = guest.run("cmdline=ip=10.1.2.3::10.9.9.9:32:web-1:eth0:none:10.1.2.1 ip=[fd00::3]::[fe80::1]:64 plinth.dns=fd00::53", netns=netns)
    assert "10.1.2.3/32 through 10.9.9.9" in seen["error"] and "fd00::3/64 through fe80::1" in seen["error"]
    assert seen["resolv.conf"] == r"nameserver fd00::53\n" and seen["hostname"] == "web-1"


def test_no_interface(guest):
    seen = guest.run("cmdline=ip=dhcp")
    assert "no Ethernet interface after 5 s; there are: lo" in seen["error"]
    seen = guest.run("cmdline=plinth.policy=/x")
    assert "plinth.policy=/x: unknown parameter" in seen["error"]
