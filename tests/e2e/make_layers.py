#!/usr/bin/env python3
"""Layer tars for tests, good and hostile; standard library only.

    import make_layers
    for case in make_layers.HOSTILE:          # Case(name, layers, refused): layers are uncompressed tars, lowest first
        ...
    make_layers.py DIRECTORY                  # writes them all: DIRECTORY/{good,hostile}/NAME.<n>.tar

Headers are written by hand, since tarfile repairs what is to be broken. Each case says in a few words of the message why it must
be refused (`refused`, a regular expression), or what must stand in the root afterwards (`tree`).
"""
import gzip
import os
import sys
import zlib
from collections import namedtuple

BLOCK = 512
END = bytes(2 * BLOCK)

Case = namedtuple("Case", "name layers refused tree", defaults=(None, None))


# ---- tar, byte by byte --------------------------------------------------------------------------------------------------

def pad(data):
    return data + bytes(-len(data) % BLOCK)


def number(value, size):
    """Octal, or base-256 (GNU) for what does not fit or is negative."""
    text = b"%0*o\0" % (size - 1, value) if value >= 0 else b""
    if value >= 0 and len(text) == size:
        return text
    return bytes([0x80 if value >= 0 else 0xff]) + value.to_bytes(size - 1, "big", signed=value < 0)


def header(name, kind=b"0", size=0, link=b"", mode=0o644, uid=0, gid=0, mtime=1700000000, major=0, minor=0, prefix=b"",
           magic=b"ustar\x0000", checksum=None):
    name, link, prefix = raw(name), raw(link), raw(prefix)
    block = bytearray(
        name[:100].ljust(100, b"\0") + number(mode, 8) + number(uid, 8) + number(gid, 8) + number(size, 12) + number(mtime, 12) +
        b" " * 8 + kind + link[:100].ljust(100, b"\0") + magic + bytes(64) + number(major, 8) + number(minor, 8) +
        prefix[:155].ljust(155, b"\0") + bytes(12))
    block[148:156] = b"%06o\0 " % (sum(block) if checksum is None else checksum)
    return bytes(block)


def raw(text):
    return text if isinstance(text, bytes) else text.encode()


def entry(name, data=b"", kind=b"0", **more):
    """One entry; a name over 100 bytes gets a GNU long-name entry before it."""
    long = b""
    if len(raw(name)) > 100:
        long += special(b"L", raw(name) + b"\0")
    if len(raw(more.get("link", b""))) > 100:
        long += special(b"K", raw(more["link"]) + b"\0")
    return long + header(name, kind, more.pop("size", len(data)), **more) + pad(data)


def special(kind, data, name=b"././@LongLink", **more):
    return header(name, kind, len(data), **more) + pad(data)


def pax_record(key, value):
    body = b" " + raw(key) + b"=" + raw(value) + b"\n"
    size = len(body)
    while len(b"%d" % size) + len(body) != size:
        size = len(b"%d" % size) + len(body)
    return b"%d" % size + body


def pax(records, kind=b"x"):
    return special(kind, b"".join(pax_record(k, v) for k, v in records.items()), name=b"PaxHeaders/x")


def directory(name, mode=0o755, **more):
    return entry(name, kind=b"5", mode=mode, **more)


def symlink(name, target, **more):
    return entry(name, kind=b"2", link=target, mode=0o777, **more)


def hardlink(name, target, **more):
    return entry(name, kind=b"1", link=target, **more)


def device(name, kind=b"3", major=1, minor=3, **more):
    return entry(name, kind=kind, major=major, minor=minor, **more)


def fifo(name, **more):
    return entry(name, kind=b"6", **more)


def layer(*entries):
    return b"".join(entries) + END


def sparse(name, size, chunks, **more):
    """PAX GNU.sparse 1.0, as `tar --format=pax --sparse` writes it; chunks are (offset, bytes)."""
    table = b"%d\n" % len(chunks) + b"".join(b"%d\n%d\n" % (at, len(data)) for at, data in chunks)
    body = pad(table) + b"".join(data for _, data in chunks)
    records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name, "GNU.sparse.realsize": str(size)}
    return pax(records) + entry("GNUSparseFile.0/" + os.path.basename(name), body, **more)


# ---- compression --------------------------------------------------------------------------------------------------------

def gz(tar, level=6):
    return gzip.compress(tar, level, mtime=0)


def gz_members(tar, size):
    """Several members, as pigz and eStargz write them."""
    return b"".join(gzip.compress(tar[i:i + size], 6, mtime=0) for i in range(0, len(tar), size))


def gz_bomb(megabytes, name="bomb"):
    """One file of zeros, about 1000:1."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = [deflate.compress(header(name, size=megabytes << 20))]
    out += [deflate.compress(bytes(1 << 20)) for _ in range(megabytes)]
    return b"".join(out) + deflate.compress(END) + deflate.flush()


def entry_bomb(count):
    """A million empty files compress to almost nothing; yields gzip bytes."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
    out = []
    for i in range(count):
        out.append(deflate.compress(header("f%d" % i)))
    return b"".join(out) + deflate.compress(END) + deflate.flush()


def zstd_window(log):
    """A frame header that asks for a window of 2**log bytes (RFC 8878, 3.1.1.1), with one empty last block."""
    return bytes.fromhex("28b52ffd") + bytes([0x00, (log - 10) << 3]) + b"\x01\x00\x00"


# ---- the cases ----------------------------------------------------------------------------------------------------------

HI = b"hi\n"
DEEP = "/".join(["d"] * 300)

HOSTILE = [
    # names
    Case("dotdot", [layer(entry("../x", HI))], r'"\.\."'),
    Case("dotdot-inside", [layer(directory("a"), entry("a/../../x", HI))], r'"\.\."'),
    Case("dotdot-dot", [layer(entry("./../x", HI))], r'"\.\."'),
    Case("dotdot-end", [layer(directory("a/.."))], r'"\.\."'),
    Case("absolute", [layer(entry("/abs", HI))], "absolute"),
    Case("absolute-double", [layer(entry("//abs", HI))], "absolute"),
    Case("pax-dotdot", [layer(pax({"path": "../x"}), entry("x", HI))], r'"\.\."'),
    Case("pax-absolute", [layer(pax({"path": "/x"}), entry("x", HI))], "absolute"),
    Case("long-dotdot", [layer(entry("../" + "y" * 120, HI))], r'"\.\."'),
    Case("prefix-dotdot", [layer(entry("x", HI, prefix=b".."))], r'"\.\."'),
    Case("prefix-absolute", [layer(entry("x", HI, prefix=b"/etc"))], "absolute"),
    Case("sparse-name-dotdot", [layer(sparse("../x", 4096, [(0, bytes(512))]))], r'"\.\."'),
    Case("component-too-long", [layer(entry("z" * 256, HI))], "256 bytes"),
    Case("path-too-long", [layer(entry("a/" * 2048 + "b", HI))], "4097 bytes"),
    Case("too-deep", [layer(directory(DEEP))], "255 directories"),
    # symlinks
    Case("symlink-climbs", [layer(symlink("a", "../x"))], "above the layer's root"),
    Case("symlink-climbs-inside", [layer(directory("d"), symlink("d/a", "b/../../../x"))], "above the layer's root"),
    Case("symlink-empty", [layer(symlink("a", ""))], "without a target"),
    Case("pax-linkpath", [layer(pax({"linkpath": "../../x"}), symlink("a", "b"))], "above the layer's root"),
    Case("long-link", [layer(symlink("a", "../" * 50 + "x"))], "above the layer's root"),
    Case("through-symlink", [layer(symlink("a", "/tmp"), entry("a/x", HI))], "through a symlink"),
    Case("through-symlink-relative", [layer(directory("d"), symlink("a", "d"), entry("a/x", HI))], "through a symlink"),
    Case("through-symlink-chain", [layer(symlink("a", "/"), symlink("b", "a"), entry("b/etc/x", HI))], "through a symlink"),
    Case("through-symlink-deep", [layer(directory("d"), symlink("d/l", "/etc"), entry("d/l/a/b/c", HI))], "through a symlink"),
    Case("through-symlink-directory", [layer(symlink("a", "/tmp"), directory("a/x"))], "through a symlink"),
    Case("through-symlink-dot", [layer(symlink("a", "/tmp"), entry("a/./x", HI))], "through a symlink"),
    Case("through-symlink-replaced", [layer(directory("d"), directory("d/e"), entry("d/e/f", HI), symlink("g", "/tmp"), entry("g/h", HI))],
         "through a symlink"),
    Case("through-file", [layer(entry("a", HI), entry("a/x", HI))], "no directory"),
    Case("through-fifo", [layer(fifo("a"), entry("a/x", HI))], "no directory"),
    # the root
    Case("root-symlink", [layer(symlink("./", "/etc"))], "root"),
    Case("root-symlink-dot", [layer(symlink(".", "/etc"))], "root"),
    Case("root-symlink-slash", [layer(symlink("/", "/etc"))], "root"),
    Case("root-file", [layer(entry(".", HI))], "root"),
    Case("root-hardlink", [layer(entry("a", HI), hardlink(".", "a"))], "root"),
    # hard links
    Case("hardlink-dotdot", [layer(hardlink("a", "../x"))], r'"\.\."'),
    Case("hardlink-absolute", [layer(hardlink("a", "/etc/passwd"))], "absolute"),
    Case("hardlink-through-symlink", [layer(symlink("e", "/etc"), hardlink("a", "e/passwd"))], "through a symlink"),
    Case("hardlink-missing", [layer(hardlink("a", "b"))], "not in this layer"),
    Case("hardlink-missing-parent", [layer(hardlink("a", "b/c/d"))], "not in this layer"),
    Case("hardlink-lower", [layer(entry("b", HI)), layer(hardlink("a", "b"))], "not in this layer"),
    Case("hardlink-directory", [layer(directory("d"), hardlink("a", "d"))], "directory"),
    Case("hardlink-whiteout", [layer(entry(".wh.b"), hardlink("a", "b"))], "not in this layer"),
    Case("hardlink-content", [layer(pax({"mtime": "1"}) + entry("b", HI), pax({"size": "3"}) + hardlink("a", "b") + pad(HI))], "hard link with content"),
    Case("hardlink-empty", [layer(entry("b", HI), hardlink("a", ""))], "without a target"),
    Case("hardlink-root", [layer(hardlink("a", "."))], "not in this layer"),
    # whiteouts
    Case("whiteout-bare", [layer(entry(".wh."))], "whiteout"),
    Case("whiteout-dot", [layer(entry(".wh.."))], "whiteout"),
    Case("whiteout-dotdot", [layer(entry(".wh..."))], "whiteout"),
    Case("whiteout-dotdot-below", [layer(directory("d"), entry("d/.wh..."))], "whiteout"),
    Case("whiteout-with-child", [layer(entry(".wh.a/b"))], "below the name of a whiteout"),
    Case("whiteout-device", [layer(device("a", major=0, minor=0))], "0:0"),
    # devices
    Case("device-char", [layer(device("dev/null"))], "limits.allowDevices"),
    Case("device-block", [layer(device("dev/sda", b"4", 8, 0))], "limits.allowDevices"),
    # owners, sizes
    Case("owner-negative", [layer(entry("a", HI, uid=-2))], "owner"),
    Case("owner-huge", [layer(pax({"uid": "4294967295"}), entry("a", HI))], "owner"),
    Case("sparse-huge", [layer(sparse("a", 1 << 62, [(0, bytes(512))]))], "limits.bytes"),
    Case("size-lie", [header("a", size=1 << 40) + bytes(4096)], "runcated|limits.bytes"),
    Case("size-negative", [header("a", size=-1) + bytes(4096)], "tar"),
    Case("pax-size-negative", [layer(pax({"size": "-1"}), entry("a", HI))], "tar"),
    Case("sparse-outside", [layer(sparse("a", 512, [(1 << 20, bytes(512))]))], "sparse map"),
    # replacing
    Case("directory-then-file", [layer(directory("d"), entry("d/x", HI), entry("d", HI))], "directory with entries"),
    # no tar
    Case("cut-in-content", [entry("a", bytes(2000))[:512 + 1500]], "runcated"),
    Case("cut-in-content-early", [entry("a", bytes(2000))[:512 + 10]], "runcated"),
    Case("cut-in-header", [layer(entry("a", HI))[:300]], "tar"),
    Case("cut-in-second-header", [entry("a", HI) + header("b")[:200]], "runcated"),
    Case("checksum", [header("a", checksum=1) + END], "tar"),
    Case("checksum-second", [entry("b", HI) + header("a", checksum=1) + END], "tar"),
    Case("pax-malformed", [layer(special(b"x", b"9999 path=x\n"), entry("a", HI))], "tar"),
    Case("pax-huge", [layer(special(b"x", bytes(2 << 20)), entry("a", HI))], "tar"),
    Case("long-name-huge", [header(b"././@LongLink", b"L", size=1 << 33) + bytes(4096)], "tar"),
    Case("headers-without-end", [special(b"x", pax_record("comment", "x")) * 40 + entry("a", HI) + END], "tar"),
    Case("zip", [b"PK\x03\x04" + bytes(600)], "tar"),
    Case("cpio", [(b"070701" + b"00000000" * 13 + b"TRAILER!!!\0").ljust(1024, b"\0")], "tar"),
    Case("7z", [bytes.fromhex("377abcaf271c0004") + bytes(600)], "tar"),
    Case("xz-inside", [bytes.fromhex("fd377a585a000004") + bytes(600)], "tar"),
    Case("mtree", [b"#mtree\n/set type=file\n. type=dir\n".ljust(1024, b"\n")], "tar"),
    Case("shar", [b"#!/bin/sh\n".ljust(700, b" ")], "tar"),
    Case("random", [bytes((i * 7919 + 13) & 0xff for i in range(2048))], "tar"),
    Case("one-byte", [b"x"], "tar"),
]


# tree: path -> (kind, detail): "f" content, "l" target, "d" mode, "p" None; what is not named must not be there.
GOOD = [
    Case("empty-stream", [b""], tree={}),
    Case("empty-blocks", [END], tree={}),
    Case("one-block", [bytes(BLOCK)], tree={}),
    Case("no-end-mark", [entry("a", HI)], tree={"a": ("f", HI)}),
    Case("no-padding", [entry("a", HI)[:512 + 3]], tree={"a": ("f", HI)}),
    Case("junk-after-end", [layer(entry("a", HI)) + b"junk" * 300], tree={"a": ("f", HI)}),
    Case("dots", [layer(directory("./"), directory("./a/"), entry("./a//./b", HI))], tree={"a": ("d", 0o755), "a/b": ("f", HI)}),
    Case("root-slash", [layer(directory("/", mode=0o711), entry("a", HI))], tree={".": ("d", 0o711), "a": ("f", HI)}),
    Case("implied-parents", [layer(entry("a/b/c", HI))], tree={"a": ("d", 0o755), "a/b": ("d", 0o755), "a/b/c": ("f", HI)}),
    Case("implied-keeps-lower", [layer(directory("tmp", mode=0o1777)), layer(entry("tmp/x", HI))],
         tree={"tmp": ("d", 0o1777), "tmp/x": ("f", HI)}),
    Case("directory-late", [layer(entry("a/b", HI), directory("a", mode=0o700))], tree={"a": ("d", 0o700), "a/b": ("f", HI)}),
    Case("read-only-directories", [layer(directory("a", mode=0o555), directory("a/b", mode=0o500), entry("a/b/c", HI, mode=0o400)),
                                   layer(entry("a/b/d", HI), directory("a/e", mode=0o111), entry("a/e/f", HI))],
         tree={"a": ("d", 0o555), "a/b": ("d", 0o500), "a/b/c": ("f", HI), "a/b/d": ("f", HI), "a/e": ("d", 0o111), "a/e/f": ("f", HI)}),
    Case("closed-directories", [layer(directory("a", mode=0), entry("a/b", HI), entry("c", HI), entry("a/d/e", HI)), layer(entry("a/.wh.b"))],
         tree={"a": ("d", 0), "a/d": ("d", 0o755), "a/d/e": ("f", HI), "c": ("f", HI)}),
    Case("symlinks", [layer(directory("d"), symlink("d/up", "../a"), symlink("abs", "/etc/passwd"), symlink("dangling", "no/../where"))],
         tree={"d": ("d", 0o755), "d/up": ("l", "../a"), "abs": ("l", "/etc/passwd"), "dangling": ("l", "no/../where")}),
    Case("symlink-replaced", [layer(symlink("a", "/tmp"), directory("a"), entry("a/x", HI))],
         tree={"a": ("d", 0o755), "a/x": ("f", HI)}),
    Case("symlink-replaced-above", [layer(symlink("a", "/tmp")), layer(directory("a"), entry("a/x", HI))],
         tree={"a": ("d", 0o755), "a/x": ("f", HI)}),
    Case("symlink-above-directory", [layer(directory("a"), entry("a/x", HI)), layer(symlink("a", "/tmp"))], tree={"a": ("l", "/tmp")}),
    Case("file-twice", [layer(entry("a", b"1"), entry("a", b"2"))], tree={"a": ("f", b"2")}),
    Case("file-over-symlink", [layer(symlink("a", "/etc/passwd"), entry("a", HI))], tree={"a": ("f", HI)}),
    Case("file-over-empty-directory", [layer(directory("a"), entry("a", HI))], tree={"a": ("f", HI)}),
    Case("hardlinks", [layer(entry("a", HI), directory("d"), hardlink("d/b", "a"), hardlink("./c", "./d/b"))],
         tree={"a": ("f", HI), "d": ("d", 0o755), "d/b": ("f", HI), "c": ("f", HI)}),
    Case("hardlink-of-symlink", [layer(symlink("a", "/etc/passwd"), hardlink("b", "a"))],
         tree={"a": ("l", "/etc/passwd"), "b": ("l", "/etc/passwd")}),
    Case("hardlink-itself", [layer(entry("a", HI), hardlink("a", "a"))], tree={"a": ("f", HI)}),
    Case("hardlink-over-file", [layer(entry("a", HI), entry("b", b"old"), hardlink("b", "a"))], tree={"a": ("f", HI), "b": ("f", HI)}),
    Case("hardlink-broken-by-file", [layer(entry("a", HI), hardlink("b", "a"), entry("a", b"new"))],
         tree={"a": ("f", b"new"), "b": ("f", HI)}),
    Case("fifo", [layer(fifo("p"))], tree={"p": ("p", None)}),
    Case("whiteout", [layer(entry("a", HI), entry("b", HI)), layer(entry(".wh.a"))], tree={"b": ("f", HI)}),
    Case("whiteout-directory", [layer(directory("d"), entry("d/a", HI)), layer(entry(".wh.d"))], tree={}),
    Case("whiteout-of-nothing", [layer(entry("a", HI)), layer(entry(".wh.b"))], tree={"a": ("f", HI)}),
    Case("whiteout-then-own", [layer(entry("a", b"1")), layer(entry(".wh.a"), entry("a", b"2"))], tree={"a": ("f", b"2")}),
    Case("own-then-whiteout", [layer(entry("a", b"1")), layer(entry("a", b"2"), entry(".wh.a"))], tree={"a": ("f", b"2")}),
    Case("whiteout-then-own-directory", [layer(directory("d"), entry("d/old", HI)), layer(entry(".wh.d"), directory("d"), entry("d/new", HI))],
         tree={"d": ("d", 0o755), "d/new": ("f", HI)}),
    Case("own-directory-then-whiteout", [layer(directory("d"), entry("d/old", HI)), layer(directory("d"), entry("d/new", HI), entry(".wh.d"))],
         tree={"d": ("d", 0o755), "d/new": ("f", HI)}),
    Case("whiteout-then-implied", [layer(directory("d", mode=0o700), entry("d/old", HI)), layer(entry(".wh.d"), entry("d/new", HI))],
         tree={"d": ("d", 0o755), "d/new": ("f", HI)}),
    Case("opaque-first", [layer(directory("d"), entry("d/old", HI)), layer(directory("d"), entry("d/.wh..wh..opq"), entry("d/new", HI))],
         tree={"d": ("d", 0o755), "d/new": ("f", HI)}),
    Case("opaque-last", [layer(directory("d"), entry("d/old", HI)), layer(directory("d"), entry("d/new", HI), entry("d/.wh..wh..opq"))],
         tree={"d": ("d", 0o755), "d/new": ("f", HI)}),
    Case("opaque-alone", [layer(directory("d", mode=0o700), directory("d/e"), entry("d/e/old", HI)), layer(entry("d/.wh..wh..opq"))],
         tree={"d": ("d", 0o700)}),
    Case("opaque-root", [layer(entry("old", HI), directory("d")), layer(entry(".wh..wh..opq"), entry("new", HI))], tree={"new": ("f", HI)}),
    Case("opaque-twice", [layer(directory("d"), entry("d/1", HI)), layer(entry("d/.wh..wh..opq"), entry("d/2", HI)),
                          layer(entry("d/3", HI)), layer(entry("d/.wh..wh..opq"), entry("d/4", HI))],
         tree={"d": ("d", 0o755), "d/4": ("f", HI)}),
    Case("opaque-in-new", [layer(entry("a", HI)), layer(entry("x/y/.wh..wh..opq"), entry("x/y/z", HI), entry("x/.wh.none"))],
         tree={"a": ("f", HI), "x": ("d", 0o755), "x/y": ("d", 0o755), "x/y/z": ("f", HI)}),
    Case("file-then-directory", [layer(directory("d"), entry("d/old", HI)), layer(entry("d", HI), directory("d"), entry("d/new", HI))],
         tree={"d": ("d", 0o755), "d/new": ("f", HI)}),
    # umoci repack lists the content of a directory that a symlink replaced; nothing may happen behind the symlink.
    Case("whiteout-below-symlink", [layer(directory("a"), entry("a/x", HI), directory("b"), entry("b/x", HI)),
                                    layer(symlink("a", "b"), entry("a/.wh.x"), entry("a/c/.wh.d"), entry("a/.wh..wh..opq"), entry("c", HI))],
         tree={"a": ("l", "b"), "b": ("d", 0o755), "b/x": ("f", HI), "c": ("f", HI)}),
    Case("whiteout-below-file", [layer(directory("a"), entry("a/x", HI)), layer(entry("a", HI), entry("a/.wh.x"))], tree={"a": ("f", HI)}),
    Case("whiteout-below-whiteout", [layer(directory("a"), entry("a/x", HI)), layer(entry(".wh.a"), entry("a/.wh.x"), entry("a/b/.wh..wh..opq"))],
         tree={}),
    Case("aufs", [layer(entry(".wh..wh.aufs"), directory(".wh..wh.plnk"), entry(".wh..wh.plnk/1.2", HI), entry("a", HI))],
         tree={"a": ("f", HI)}),
    Case("long-name", [layer(entry("n" * 255, HI), entry("/".join(["d" * 100] * 5) + "/x", HI))],
         tree={"n" * 255: ("f", HI), **{"/".join(["d" * 100] * i): ("d", 0o755) for i in range(1, 6)}, "/".join(["d" * 100] * 5) + "/x": ("f", HI)}),
    Case("pax-name", [layer(pax({"path": "\u00e4\u00f6/\u65e5\u672c"}) + entry("x", HI), pax({"path": b"latin-\xe4"}) + entry("x", HI))],
         tree={"\u00e4\u00f6": ("d", 0o755), "\u00e4\u00f6/\u65e5\u672c": ("f", HI), os.fsdecode(b"latin-\xe4"): ("f", HI)}),
    Case("raw-name", [layer(entry(b"latin-\xe4", HI), entry(b"ctl-\x01\x7f\n", HI))],
         tree={os.fsdecode(b"latin-\xe4"): ("f", HI), "ctl-\x01\x7f\n": ("f", HI)}),
    Case("pax-global", [layer(pax({"comment": "x"}, b"g"), entry("a", HI))], tree={"a": ("f", HI)}),
    Case("setuid", [layer(entry("a", HI, mode=0o4755), entry("b", HI, mode=0o2755), directory("c", mode=0o1777))],
         tree={"a": ("f", HI), "b": ("f", HI), "c": ("d", 0o1777)}),
    Case("sparse", [layer(sparse("s", 1 << 20, [(4096, b"x" * 512), (1 << 19, b"y" * 1024), (1 << 20, b"")]))],
         tree={"s": ("f", bytes(4096) + b"x" * 512 + bytes((1 << 19) - 4608) + b"y" * 1024 + bytes((1 << 19) - 1024))}),
    Case("times", [layer(pax({"mtime": "1700000000.123456789"}) + entry("ns", HI), entry("old", HI, mtime=-1000000),
                         entry("far", HI, mtime=1 << 40), pax({"mtime": "99999999999999999999"}) + entry("overflow", HI))],
         tree={n: ("f", HI) for n in ("ns", "old", "far", "overflow")}),
    Case("old-tar", [layer(entry("a", HI, magic=bytes(8)), entry("d/", kind=b"\0", magic=bytes(8)))], tree={"a": ("f", HI), "d": ("d", 0o644)}),
    Case("gnu-tar", [layer(entry("a", HI, magic=b"ustar  \0"))], tree={"a": ("f", HI)}),
    Case("xattrs", [layer(pax({"SCHILY.xattr.user.kept": b"\x00\xff=\n", "SCHILY.xattr.security.selinux": "x", "SCHILY.xattr.trusted.overlay.opaque": "y",
                               "SCHILY.xattr.user.overlay.opaque": "y"}) + directory("d"))], tree={"d": ("d", 0o755)}),
]


def write(directory_path):
    for folder, cases in (("good", GOOD), ("hostile", HOSTILE)):
        os.makedirs(os.path.join(directory_path, folder), exist_ok=True)
        for case in cases:
            for i, tar in enumerate(case.layers):
                with open(os.path.join(directory_path, folder, "%s.%d.tar" % (case.name, i)), "wb") as f:
                    f.write(tar)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_layers.py DIRECTORY")
    write(sys.argv[1])
