"""What a run costs: wall time, CPU seconds of every process it starts, and the most memory they hold at one time.

The processes are put into a cgroup of their own (cgroup v2; its cpu.stat needs no controller), so daemons and grandchildren
count. Memory is sampled from /proc, in runs that are not timed: PSS, the sum of the processes' resident pages where a page
that N of them share counts 1/N for each. Kernel memory (pipes, sockets) and files in tmpfs are not in it; the latter is asked of the
file system at the same moments."""
import os
import shlex
import subprocess
import threading
import time

SAMPLE_S = 0.004


class Failed(Exception):
    pass


class Group:
    """A cgroup. Use as a context; ends all processes that are left in it."""

    def __init__(self, name):
        self.path = os.path.join(cgroup2(), f"plinth-bench-{os.getpid()}-{name}")

    def __enter__(self):
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        for _ in range(200):
            if not self.pids():
                break
            with open(os.path.join(self.path, "cgroup.kill"), "w") as f:
                f.write("1")
            time.sleep(0.01)
        os.rmdir(self.path)

    def add(self, pid):
        with open(os.path.join(self.path, "cgroup.procs"), "w") as f:
            f.write(str(pid))

    def pids(self):
        with open(os.path.join(self.path, "cgroup.procs")) as f:
            return f.read().split()

    def cpu(self):
        with open(os.path.join(self.path, "cpu.stat")) as f:
            return int(f.readline().split()[1]) / 1e6

    def start(self, command, **more):
        """Through a shell that enters the group first, so that nothing of this process is in it."""
        return subprocess.Popen(["sh", "-c", 'echo $$ > "$0"; exec "$@"', os.path.join(self.path, "cgroup.procs"), *command],
                                stdin=subprocess.DEVNULL, **more)


class Room:
    """An empty directory in memory (tmpfs). Use as a context; takes with it what was mounted inside."""

    def __init__(self, work):
        self.path = os.path.join(work, "room")

    def __enter__(self):
        os.mkdir(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=90%,nr_inodes=4m", "plinth-bench", self.path], check=True)
        return self.path

    def __exit__(self, *_):
        with open("/proc/mounts") as f:
            mounts = [line.split()[1] for line in f]
        for mount in reversed([m for m in mounts if m == self.path or m.startswith(self.path + "/")]):
            subprocess.run(["umount", "-l", mount], check=True)
        os.rmdir(self.path)


def cgroup2():
    with open("/proc/mounts") as f:
        for line in f:
            where, kind = line.split()[1:3]
            if kind == "cgroup2":
                return where
    raise Failed("no cgroup v2 is mounted (as root: mount -t cgroup2 none /some/directory)")


def pss(pid):
    """Bytes, and 0 for a process that is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return next((int(line.split()[1]) * 1024 for line in f if line.startswith("Pss:")), 0)
    except OSError:
        return 0


def used(directory):
    v = os.statvfs(directory)
    return (v.f_blocks - v.f_bfree) * v.f_frsize


class Sampler(threading.Thread):
    def __init__(self, group, room):
        super().__init__()
        self.group, self.room, self.ended = group, room, threading.Event()
        self.memory = self.guest = 0  # peaks: processes; processes and their files

    def run(self):
        before = used(self.room)
        while not self.ended.is_set():
            now = sum(map(pss, self.group.pids()))
            self.memory = max(self.memory, now)
            self.guest = max(self.guest, now + used(self.room) - before)
            self.ended.wait(SAMPLE_S)


def run(group, commands, room, sample=False, environment=None, timeout=600):
    """Runs the commands one after another: {"wall", "cpu"}, or with `sample` {"memory", "guest"}. Failed with what the command said."""
    command = commands[0] if len(commands) == 1 else ["sh", "-c", " && ".join(map(shlex.join, commands))]
    sampler = Sampler(group, room) if sample else None
    with open(os.path.join(room, "output"), "w+") as output:
        before = group.cpu()
        if sampler:
            sampler.start()
        began = time.perf_counter()
        p = group.start(command, stdout=output, stderr=output, env=environment)
        try:
            status = p.wait(timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            status = p.wait()
        wall = time.perf_counter() - began
        if sampler:
            sampler.ended.set()
            sampler.join()
        cpu = group.cpu() - before
        if status:
            output.seek(0)
            raise Failed(f"{commands[0][0]}, exit status {status}: {output.read()[-300:].strip()}")
    return {"memory": sampler.memory, "guest": sampler.guest} if sampler else {"wall": wall, "cpu": cpu}
