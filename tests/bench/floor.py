"""The parts alone: what each piece of a pull costs when a bare tool does nothing else, and the floor that follows.

No pull on this machine can be faster than the larger of: the CPU seconds of all parts over the cores, and the longest part of the
largest layer, which only one core can do."""
import os
import shutil
import subprocess

import measure

PARTS = ("fetch", "hash", "decompress", "hash unpacked", "write")


def decompressor(compression):
    """The fastest here that needs one core."""
    if compression == "zstd":
        return ["zstd", "-q", "-d", "-c"]
    return next([name, "-d", "-c"] for name in ("igzip", "pigz", "gzip") if shutil.which(name))


def tools():
    return {"fetch": "curl, and the registry's share", "hash": "openssl dgst -sha256 (SHA-NI where the CPU has it)",
            "decompress": " ".join(decompressor("gzip")) + "; " + " ".join(decompressor("zstd")), "write": "tar -x, to tmpfs"}


def unpacked(site, image, work):
    """The layers as plain tar files; made once."""
    paths = []
    for digest in image["layers"]:
        paths.append(os.path.join(work, digest.split(":")[1] + ".tar"))
        if not os.path.exists(paths[-1]):
            with open(paths[-1], "wb") as out:
                subprocess.run([*decompressor(image["compression"]), site.registry.blob(digest)], stdout=out, check=True)
    return paths


def quiet(*command):
    return ["sh", "-c", 'exec "$@" > /dev/null', "sh", *command]


def once(site, image, work, registry_group):
    """{part: [{"wall", "cpu"} of each layer]}"""
    found = {part: [] for part in PARTS}
    for digest, tar in zip(image["layers"], unpacked(site, image, work)):
        blob = site.registry.blob(digest)
        commands = {"fetch": ["curl", "-s", "-f", "-o", "/dev/null", f"http://{site.registry.http}/v2/{image['name']}/blobs/{digest}"],
                    "hash": ["openssl", "dgst", "-sha256", blob],
                    "decompress": quiet(*decompressor(image["compression"]), blob),
                    "hash unpacked": ["openssl", "dgst", "-sha256", tar]}
        with measure.Room(work) as room, measure.Group("floor") as group:
            commands["write"] = ["tar", "-x", "-f", tar, "-C", room]
            for part in PARTS:
                before = registry_group.cpu()
                cost = measure.run(group, [commands[part]], room)
                if part == "fetch":
                    cost["cpu"] += registry_group.cpu() - before
                found[part].append(cost)
    return found


def floor(parts, cores):
    """`parts`: {part: [{"wall", "cpu"} of each layer]}, medians. The floor in seconds, and both of its sides."""
    cpu = sum(layer["cpu"] for layers in parts.values() for layer in layers)
    chain = max(layer["wall"] for layers in parts.values() for layer in layers)
    return {"floor": max(cpu / cores, chain), "cpu": cpu, "chain": chain}
