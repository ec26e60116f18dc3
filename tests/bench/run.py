#!/usr/bin/python3
"""make bench: how fast Plinth pulls, checks and unpacks, beside podman, containerd and skopeo with umoci, and beside the floor that
the bare parts set on the same machine in the same run.

    ROUNDS=5           timed runs of each, interleaved; before them each runs once untimed, when its memory is sampled
    TOOLS=plinth,...   only these (plinth, plinth-noverify, podman, podman-signed, containerd, skopeo+umoci)
    IMAGES=standard    or tiny
    TLS=0 BOOT=0       leave out the pass over TLS, the boot
    SCALE=1            also how cost grows with layers, bytes and files (some minutes, and 6 GB of memory and disk)
    SAVE=1             keep numbers and picture in tests/bench too
    OUT=build/bench    where they go
    KEY=cosign.pub     hold the signatures against another key (all is refused then, as the test of this benchmark wants it)

Needs root: memory file systems, cgroups, peers that mount. Exit status 0, 2 wrong usage, 3 when Plinth could not be measured."""
import contextlib
import datetime
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile

import boot
import floor
import images
import measure
import peers
import plot
from registry import ROOT, Registry, output

HERE = os.path.dirname(os.path.abspath(__file__))
MB = 1e6


def option(name, default):
    return os.environ.get(name) or default


def machine():
    with open("/proc/cpuinfo") as f:
        cpu = dict(line.split(":", 1) for line in f.read().split("\n\n")[0].replace("\t", "").splitlines())
    flags = cpu["flags"].split()
    return {"cpu": cpu["model name"].strip(), "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "sha_ni": "sha_ni" in flags, "aes": "aes" in flags, "load": os.getloadavg()[0],
            "commit": output("git", "-c", "safe.directory=*", "-C", ROOT, "describe", "--always", "--dirty")}


def median(costs):
    return {name: statistics.median(c[name] for c in costs) for name in costs[0]}


class Case:
    """One tool with one image over one transport."""

    def __init__(self, tool, image, tls):
        self.tool, self.image, self.tls, self.costs, self.peak = tool, image, tls, [], None

    def once(self, work, sample=False):
        with measure.Group("tool") as group, measure.Room(work) as room:
            self.tool.start(group, room)
            try:
                cost = measure.run(group, self.tool.command(room, self.image, self.tls), room, sample, self.tool.environment)
            finally:
                self.tool.stop()
            files = sum(len(names) for _, _, names in os.walk(room))
            if files < self.image["files"]:
                raise measure.Failed(f"{self.tool.name} left {files} files, the image has {self.image['files']}")
        if sample:
            self.peak = cost
        return cost

    def result(self):
        return {"tool": self.tool.name, "verifies": self.tool.verifies, "image": self.image["name"],
                "compression": self.image["compression"], "tls": self.tls, "median": median(self.costs), "peak": self.peak,
                "costs": self.costs}


def tell(text=""):
    print(text, flush=True)


def choose(site):
    """The tools that are here and wanted, plinth first; and why others are not."""
    wanted, left_out = os.environ.get("TOOLS"), {}
    chosen = []
    for kind in peers.ALL:
        if wanted and kind.name not in wanted.split(","):
            continue
        tool = kind(site)
        if tool.present():
            chosen.append(tool)
        else:
            left_out[tool.name] = "not on this machine"
    return chosen, left_out


def faster_driver(tool, image, work):
    """podman's storage driver: overlay or vfs, whichever takes less here."""
    took = {}
    for tool.driver in ("vfs", "overlay"):
        with contextlib.suppress(measure.Failed):
            took[tool.driver] = Case(tool, image, False).once(work)["wall"]
    if took:
        tool.driver = min(took, key=took.get)


def warm_up(cases, left_out, work):
    """Everything once, untimed: caches are warm then, memory is sampled, and what cannot run here is left out."""
    able = []
    for case in cases:
        try:
            case.once(work, sample=True)
            able.append(case)
        except measure.Failed as e:
            left_out[f"{case.tool.name} {case.image['compression']}" + " TLS" * case.tls] = str(e)
    return able


def rounds(cases, site, floors, registry_group, work, count):
    for i in range(count):
        print(f"bench: round {i + 1} of {count}", file=sys.stderr)
        for case in cases[i % len(cases):] + cases[:i % len(cases)]:
            case.costs.append(case.once(work))
        for image in floors:
            floors[image].append(floor.once(site, site.images[image], work, registry_group))


def medians_of_parts(runs):
    """[{part: [cost of each layer]}] -> the same, once, of medians"""
    return {part: [median([run[part][i] for run in runs]) for i in range(len(runs[0][part]))] for part in runs[0]}


# ---- What is printed ---------------------------------------------------------------------------------------------------------


def print_cases(cases):
    for tls, compression in sorted({(c.tls, c.image["compression"]) for c in cases}):
        rows = [c for c in cases if (c.tls, c.image["compression"]) == (tls, compression)]
        own = next(median(c.costs)["wall"] for c in rows if c.tool.name == "plinth")
        title = f"{compression}, registry over {'TLS' if tls else 'HTTP'}"
        tell(f"\n{title:<30} wall s  least   most   CPU s  memory MB  with files  plinth x  verifies")
        for c in rows:
            m, walls = median(c.costs), [x["wall"] for x in c.costs]
            ratio = f"{m['wall'] / own:.2f}" if c.tool.name != "plinth" else ""
            tell(f"  {c.tool.name:<26} {m['wall']:8.3f} {min(walls):6.3f} {max(walls):6.3f} {m['cpu']:7.3f} {c.peak['memory'] / MB:10.1f}"
                 f" {c.peak['guest'] / c.image['unpacked']:11.2f} {ratio:>9}  {c.tool.verifies}")


def print_floor(image, parts, found, own, bare, cores):
    tell(f"\nThe parts alone, {image['compression']}      wall s   CPU s   of the largest layer, wall s")
    for part, layers in parts.items():
        tell(f"  {part:<20} {sum(x['wall'] for x in layers):9.3f} {sum(x['cpu'] for x in layers):7.3f}"
             f" {max(x['wall'] for x in layers):10.3f}")
    tell(f"  floor: {found['floor']:.3f} s, the larger of {found['cpu']:.3f} CPU s / {cores} cores and {found['chain']:.3f} s of one")
    if own:
        tell(f"  plinth takes {own['wall'] / found['floor']:.2f} times the floor, and "
             f"{own['cpu'] / found['cpu']:.2f} times the parts' CPU")
    if own and bare:
        time, cpu = (100 * (own[what] / bare[what] - 1) for what in ("wall", "cpu"))
        tell(f"  verification costs {time:.0f} % of time, {cpu:.0f} % of CPU")


def compare(site, registry_group, work, result):
    """The main part: tools and floor, interleaved."""
    count, cores, image = int(option("ROUNDS", 5)), result["machine"]["cores"], site.images[0]
    tools, left_out = choose(site)
    for tool in tools:
        if tool.name == "podman":
            faster_driver(tool, image, work)
    cases = [Case(tool, i, tls) for tls in (False, True) if not tls or option("TLS", "1") == "1"
             for i in (site.images if not tls else site.images[:1]) for tool in tools if tool.tls or not tls]
    cases = warm_up(cases, left_out, work)
    for name, why in left_out.items():
        tell(f"left out: {name}: {why}")
    if not any(c.tool.name == "plinth" for c in cases):
        return False
    floors = {i: [] for i in range(len(site.images))}
    rounds(cases, site, floors, registry_group, work, count)

    result.update(rounds=count, images=site.images, left_out=left_out, runs=[c.result() for c in cases], floor={},
                  versions={tool.name: tool.version() for tool in tools}, parts=floor.tools())
    tell(f"{image['name']}: {len(image['layers'])} layers, {image['files']} files, {image['unpacked'] / MB:.1f} MB unpacked, "
         + ", ".join(f"{i['compressed'] / MB:.1f} MB {i['compression']}" for i in site.images)
         + f"; {cores} cores; target in memory; median of {count} runs, interleaved")
    print_cases(cases)
    for number, runs in floors.items():
        of = {c.tool.name: median(c.costs) for c in cases if c.image is site.images[number] and not c.tls}
        parts = medians_of_parts(runs)
        found = floor.floor(parts, cores)
        result["floor"][site.images[number]["compression"]] = {**found, "parts": parts}
        print_floor(site.images[number], parts, found, of.get("plinth"), of.get("plinth-noverify"), cores)
    return True


def scale(site, registry_group, work, result):
    """How Plinth's cost grows; podman beside it where an image is small enough to wait for."""
    tell(f"\n{'':<16} unpacked MB    files  layers   wall s   CPU s  memory MB  with files  podman, wall s")
    result["scale"] = []
    for image in site.images:
        case, peer = Case(peers.Plinth(site), image, False), Case(peers.Podman(site), image, False)
        case.once(work, sample=True)
        case.costs = [case.once(work) for _ in range(3)]
        with_peer = peer.tool.present() and image["unpacked"] < 300 * MB
        peer.costs = [peer.once(work) for _ in range(2)] if with_peer else []
        m = median(case.costs)
        tell(f"{image['name'].removeprefix('bench/'):<16} {image['unpacked'] / MB:11.1f} {image['files']:8} {len(image['layers']):7}"
             f" {m['wall']:8.3f} {m['cpu']:7.3f} {case.peak['memory'] / MB:10.1f} {case.peak['guest'] / image['unpacked']:11.2f}"
             + (f" {median(peer.costs)['wall']:15.3f}" if with_peer else ""))
        result["scale"].append({"image": image, "median": m, "peak": case.peak, "podman": median(peer.costs) if with_peer else None})
    return True


def with_registry(name, what, work, result):
    directory, made = images.ready(name)
    with Registry(os.path.join(directory, "storage"), os.path.join(work, "registry-" + name)) as registry:
        with measure.Group("registry-" + name) as group:
            for pid in registry.pids:
                group.add(pid)
            return what(peers.Site(registry, option("KEY", os.path.join(directory, "cosign.pub")), made), group, work, result)


def save(result):
    out = option("OUT", os.path.join(ROOT, "build", "bench"))
    os.makedirs(out, exist_ok=True)
    name, picture = os.path.join(out, "result.json"), os.path.join(out, "bench.png")
    with open(name, "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    if shutil.which("gnuplot"):
        plot.draw(result, picture)
    if option("SAVE", "0") == "1":
        os.makedirs(os.path.join(HERE, "results"), exist_ok=True)
        name = shutil.copy(name, os.path.join(HERE, "results", result["date"][:10] + ".json"))
        picture = shutil.copy(picture, HERE)
    tell(f"\nnumbers: {name}; picture: {picture}")


def main():
    if os.geteuid() != 0:
        print("bench: needs root: it mounts memory file systems and starts peers that mount", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that registry and mounts go
    result = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine()}
    with tempfile.TemporaryDirectory(prefix="plinth-bench-") as work:
        peers.Plinth.program = shutil.copy(peers.PLINTH, work)  # somebody may build meanwhile
        if not with_registry(option("IMAGES", "standard"), compare, work, result):
            return 3
        if option("BOOT", "1") == "1":
            boot.milestones(work, result, tell)
        if option("SCALE", "0") == "1":
            with_registry("scale", scale, work, result)
    save(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
