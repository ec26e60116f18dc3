"""What gets refused, pulled from OCI layouts: each with its reason, exit 1, and an empty target."""
import copy
import json
import os
import tarfile

import pytest

from image import COMPRESS, OCI_INDEX, OCI_LAYER, Image, dumps, entry, policy, sha256, tar

HEX = "0" * 63 + "1"


@pytest.fixture
def layout(tmp_path):
    def write(image):
        return "oci:" + image.write_layout(str(tmp_path / "layout")) + ":v"
    return write


def test_accepted(plinth, keys, layout):
    image = Image([tar([("etc", None), ("etc/hello", b"hello\n")]), tar([("bye", b"bye\n")])]).sign(keys["builder"])
    result = plinth.pull(policy(keys["builder"]), layout(image))
    assert result.status == 0, result.err
    assert open(os.path.join(result.dir, "etc/hello")).read() == "hello\n"
    assert sorted(os.listdir(result.dir)) == ["bye", "etc"]
    j = result.json
    assert j["verdict"] == "accepted" and j["manifest"] == image.digest
    assert j["config"] == image.manifest["config"]["digest"]
    assert [(l["digest"], l["diffID"]) for l in j["layers"]] == list(
        zip([l["digest"] for l in image.layers], image.config["rootfs"]["diff_ids"]))
    assert [s["key"] for s in j["signatures"]] == ["builder"]


@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"])
def test_compressions(plinth, keys, layout, compression):
    data = os.urandom(3_000_000)
    image = Image([tar([("big", data)])], compression).sign(keys["builder"])
    result = plinth.pull(policy(keys["builder"]), layout(image))
    assert result.status == 0, result.err
    assert open(os.path.join(result.dir, "big"), "rb").read() == data


# ---- signatures ----------------------------------------------------------------------------------------------------------


def test_unsigned(plinth, keys, layout):
    assert "no signature" in plinth.refused(policy(keys["builder"]), layout(Image())).json["reason"]


def test_unsigned_allowed_by_name(plinth, layout):
    result = plinth.pull({"signatures": {"allowUnsigned": True}}, layout(Image()))
    assert result.status == 0 and "allowUnsigned" in result.err


def test_other_key(plinth, keys, layout):
    plinth.refused(policy(keys["builder"]), layout(Image().sign(keys["stranger"])))


def test_one_of_two(plinth, keys, layout):
    r = plinth.refused(policy(keys["builder"], keys["auditor"]), layout(Image().sign(keys["builder"])))
    assert "auditor" in r.err


def test_two_of_two(plinth, keys, layout):
    image = Image().sign(keys["builder"], keys["auditor"])
    result = plinth.check(policy(keys["builder"], keys["auditor"]), layout(image))
    assert result.status == 0 and {s["key"] for s in result.json["signatures"]} == {"builder", "auditor"}


def test_same_key_twice(plinth, keys, layout):
    plinth.refused(policy(keys["builder"], keys["auditor"]), layout(Image().sign(keys["builder"], keys["builder"])))


def test_signature_of_another_image(plinth, keys, layout):
    image = Image()
    image.sign(keys["builder"], payload=image.payload(sha256(b"another")))
    assert sha256(b"another") in plinth.refused(policy(keys["builder"]), layout(image)).err


def test_payload_altered_by_a_byte(plinth, keys, layout):
    image = Image()
    image.sign(keys["builder"], alter=lambda b: b.replace(b"registry.example", b"registry.exampla"))
    plinth.refused(policy(keys["builder"]), layout(image))


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"\xff", b'{"critical":{}}', b"x" * 70_000], ids=range(6))
def test_strange_payloads(plinth, keys, layout, payload):
    image = Image()
    image.sign(keys["builder"], payload=payload or b" ")
    plinth.refused(policy(keys["builder"]), layout(image))


# ---- digests and sizes ---------------------------------------------------------------------------------------------------

ALTERATIONS = {"flipped": lambda b: b[:len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1:],
               "truncated": lambda b: b[:-1], "longer": lambda b: b + b"\0"}


@pytest.mark.parametrize("how", ALTERATIONS)
@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"])
def test_layer_altered(plinth, keys, layout, how, compression):
    image = Image([tar([("a", os.urandom(100_000))]), tar([("b", b"b")])], compression).sign(keys["builder"])
    digest = image.layers[0]["digest"]
    image.blobs[digest] = ALTERATIONS[how](image.blobs[digest])
    r = plinth.refused(policy(keys["builder"]), layout(image))
    if how == "flipped":
        assert digest in r.err and sha256(image.blobs[digest]) in r.err, "both digests are named"


@pytest.mark.parametrize("how", ALTERATIONS)
def test_config_altered(plinth, keys, layout, how):
    image = Image().sign(keys["builder"])
    digest = image.manifest["config"]["digest"]
    image.blobs[digest] = ALTERATIONS[how](image.blobs[digest])
    plinth.refused(policy(keys["builder"]), layout(image))


@pytest.mark.parametrize("how", ALTERATIONS)
def test_manifest_altered(plinth, keys, layout, how):
    image = Image().sign(keys["builder"])
    media_type, body = image.manifests[image.digest]
    image.manifests[image.digest] = (media_type, ALTERATIONS[how](body))
    plinth.refused(policy(keys["builder"]), layout(image))


@pytest.mark.parametrize("size", [0, 1, 2**40, 2**63, 2**64, -1, 1.5, "12", None])
@pytest.mark.parametrize("where", ["layer", "config"])
def test_size_lies(plinth, keys, layout, size, where):
    image = Image()
    (image.layers[0] if where == "layer" else image.manifest["config"])["size"] = size
    image.put(dumps(image.manifest))
    plinth.refused(policy(keys["builder"]), layout(image.sign(keys["builder"])))


@pytest.mark.parametrize("digest", ["sha256:" + "A" * 64, "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha512:" + "0" * 128,
                                    "md5:" + "0" * 32, "sha256:../../../../etc/passwd", "sha256:" + "../" * 21 + "x",
                                    "", "sha256:", HEX, "sha256:" + "0" * 63 + "\u0000", None, 7], ids=range(13))
@pytest.mark.parametrize("where", ["layer", "config"])
def test_digest_grammar(plinth, keys, layout, digest, where):
    image = Image()
    (image.layers[0] if where == "layer" else image.manifest["config"])["digest"] = digest
    image.put(dumps(image.manifest))
    plinth.refused(policy(keys["builder"]), layout(image.sign(keys["builder"])))


@pytest.mark.parametrize("diff_ids", [[], ["sha256:" + HEX], ["same", "same"], ["sha256:" + "A" * 64], ["x"], "x", [None]])
def test_diff_ids(plinth, keys, layout, diff_ids):
    image = Image()
    good = image.config["rootfs"]["diff_ids"][0]
    image.config["rootfs"]["diff_ids"] = [good if d == "same" else d for d in diff_ids]
    image.finish()
    plinth.refused(policy(keys["builder"]), layout(image.sign(keys["builder"])))


# ---- manifests -----------------------------------------------------------------------------------------------------------


def altered_manifest(change):
    image = Image()
    manifest = copy.deepcopy(image.manifest)
    change(manifest)
    image.put(dumps(manifest))
    return image


@pytest.mark.parametrize("change", [
    lambda m: m.update(schemaVersion=1),
    lambda m: m.pop("schemaVersion"),
    lambda m: m.update(mediaType=OCI_INDEX),
    lambda m: m.update(mediaType="text/html"),
    lambda m: m.update(manifests=[]),
    lambda m: m.pop("layers"),
    lambda m: m.pop("config"),
    lambda m: m.update(layers={}),
    lambda m: m["layers"][0].update(mediaType=OCI_LAYER),
    lambda m: m["layers"][0].update(mediaType=OCI_LAYER + "+zstd"),
    lambda m: m["layers"][0].update(mediaType=OCI_LAYER + "+xz"),
    lambda m: m["layers"][0].update(mediaType=OCI_LAYER + "+gzip+encrypted"),
    lambda m: m["layers"][0].update(urls=["http://other.example/blob"]),
    lambda m: m["config"].update(mediaType="application/vnd.oci.empty.v1+json"),
    lambda m: m.update(layers=m["layers"] * 129),
], ids=range(15))
def test_manifest_lies(plinth, keys, layout, change):
    plinth.refused(policy(keys["builder"]), layout(altered_manifest(change).sign(keys["builder"])))


@pytest.mark.parametrize("text", [b'{"schemaVersion":2,"schemaVersion":2', b"[" * 100_000, b"<html></html>", b"",
                                  b'{"schemaVersion":2}x', b"\x00"], ids=range(6))
def test_manifest_garbage(plinth, keys, layout, text):
    image = Image()
    image.put(text or b" ")
    plinth.refused(policy(keys["builder"]), layout(image.sign(keys["builder"])))


def test_duplicate_member(plinth, keys, layout):
    image = Image()
    body = dumps(image.manifest)
    image.put(body[:-1] + b',"config":' + dumps(image.manifest["config"]) + b"}")
    assert "config" in plinth.refused(policy(keys["builder"]), layout(image.sign(keys["builder"]))).json["reason"]


def test_schema1_is_named(plinth, keys, layout):
    image = altered_manifest(lambda m: m.update(schemaVersion=1))
    assert "schema" in plinth.refused(policy(keys["builder"]), layout(image.sign(keys["builder"]))).json["reason"]


@pytest.mark.parametrize("signed", ["index", "child"])
def test_index(plinth, keys, layout, signed):
    image = Image()
    child = image.digest
    index = image.index(["arm64", "amd64"])
    image.sign(keys["builder"], digest=index if signed == "index" else child)
    result = plinth.pull(policy(keys["builder"]), layout(image))
    assert result.status == 0, result.err
    assert result.json["manifest"] == child


def test_two_of_two_over_index_and_child(plinth, keys, layout):
    image = Image()
    child = image.digest
    index = image.index()
    image.sign(keys["builder"], digest=index)
    image.sign(keys["auditor"], digest=child)
    assert plinth.check(policy(keys["builder"], keys["auditor"]), layout(image)).status == 0


def test_index_without_our_platform(plinth, keys, layout):
    image = Image()
    index = image.index(["arm64", "s390x"])
    r = plinth.refused(policy(keys["builder"]), layout(image.sign(keys["builder"], digest=index)))
    assert "arm64" in r.err and "amd64" in r.err


def test_config_of_another_platform(plinth, keys, layout):
    plinth.refused(policy(keys["builder"]), layout(Image(config={"architecture": "arm64"}).sign(keys["builder"])))


def test_pinned_digest(plinth, keys, layout):
    image = Image().sign(keys["builder"])
    ref = layout(image)
    assert plinth.check(policy(keys["builder"]), ref + "@" + image.digest).status == 0
    plinth.refused(policy(keys["builder"]), ref[:-2] + "@sha256:" + HEX)


# ---- layers --------------------------------------------------------------------------------------------------------------


def link(name, target, kind=tarfile.SYMTYPE):
    return entry(name, kind, linkname=target)


HOSTILE = {
    "dotdot": [("../escape", b"x")],
    "dotdot-inside": [("a/../../escape", b"x")],
    "dotdot-deep": [("a/b/../c", b"x")],
    "absolute": [("/etc/passwd", b"x")],
    "symlink-escapes": [link("out", "../../outside")],
    "symlink-escapes-deep": [("a", None), link("a/out", "../../../etc")],
    "hardlink-escapes": [link("out", "../../etc/passwd", tarfile.LNKTYPE)],
    "hardlink-absolute": [link("out", "/etc/passwd", tarfile.LNKTYPE)],
    "hardlink-through-symlink": [link("s", "/etc"), link("out", "s/passwd", tarfile.LNKTYPE)],
    "hardlink-to-nothing": [link("out", "nothing", tarfile.LNKTYPE)],
    "path-through-symlink": [link("s", "/tmp"), ("s/file", b"x")],
    "path-through-relative-symlink": [("d", None), link("s", "d"), ("s/file", b"x")],
    "path-through-file": [("f", b"x"), ("f/g", b"x")],
    "root-is-symlink": [link(".", "/tmp")],
    "root-is-file": [("./", b"x")],
    "device": [entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "block-device": [entry("sda", tarfile.BLKTYPE, devmajor=8, devminor=0)],
    "whiteout-device": [entry("gone", tarfile.CHRTYPE, devmajor=0, devminor=0)],
    "whiteout-alone": [(".wh.", b"")],
    "whiteout-dot": [(".wh..", b"")],
    "whiteout-dotdot": [("a/.wh...", b"")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_layer(plinth, keys, layout, name):
    r = plinth.refused(policy(keys["builder"]), layout(Image([tar(HOSTILE[name])]).sign(keys["builder"])))
    assert not os.path.lexists("/tmp/escape") and not os.path.lexists("/escape")
    assert "layer 1 of 1" in r.json["reason"]


@pytest.mark.parametrize("data", [b"PK\x03\x04" + b"x" * 2000, b"070701" + b"0" * 1000, b"7z\xbc\xaf\x27\x1c" + b"\0" * 600,
                                  b"\x1f\x8b" + b"x" * 1000, b"x" * 511, b"!<arch>\n" + b"x" * 600, os.urandom(2048)],
                         ids=["zip", "cpio", "7z", "gzip-in-plain", "short", "ar", "noise"])
def test_not_a_tar(plinth, keys, layout, data):
    plinth.refused(policy(keys["builder"]), layout(Image([data]).sign(keys["builder"])))


@pytest.mark.parametrize("compression", ["+gzip", "+zstd"])
def test_bomb(plinth, keys, layout, compression):
    """10,000:1 and more: 2 GiB of zeros, allowed 64 MiB."""
    info = tarfile.TarInfo("zeros")
    info.size = 2 << 30
    head = info.tobuf()
    if compression == "+zstd":
        packed = COMPRESS["+zstd"](head + bytes(256 << 20))
        packed += COMPRESS["+zstd"](bytes(256 << 20)) * 7 + COMPRESS["+zstd"](bytes(1024))
    else:
        import gzip
        packed = gzip.compress(head + bytes(256 << 20), 9) + gzip.compress(bytes(256 << 20), 9) * 7 + gzip.compress(bytes(1024))
    image = Image([])
    image.layers = [image.descriptor(OCI_LAYER + compression, packed)]
    image.config["rootfs"]["diff_ids"] = ["sha256:" + HEX]
    image.finish()
    r = plinth.refused(policy(keys["builder"], limits={"bytes": "64MiB"}), layout(image.sign(keys["builder"])))
    assert "limits.bytes" in r.err


def test_too_many_entries(plinth, keys, layout):
    entries = [(f"f{i}", b"") for i in range(3000)]
    image = Image([tar(entries)]).sign(keys["builder"])
    assert "limits.files" in plinth.refused(policy(keys["builder"], limits={"files": 1000}), layout(image)).err


def test_limits_count_over_layers(plinth, keys, layout):
    image = Image([tar([("a", b"x" * 60_000)]), tar([("b", b"x" * 60_000)])]).sign(keys["builder"])
    assert "limits.bytes" in plinth.refused(policy(keys["builder"], limits={"bytes": 100_000}), layout(image)).err
    assert plinth.pull(policy(keys["builder"], limits={"bytes": 200_000}), "oci:" + str(plinth.directory) + "/layout:v").status == 0


def test_too_many_layers(plinth, keys, layout):
    image = Image([tar([(f"l{i}", b"")]) for i in range(3)]).sign(keys["builder"])
    assert "limits.layers" in plinth.refused(policy(keys["builder"], limits={"layers": 2}), layout(image)).err


def test_a_hundred_layers(plinth, keys, layout):
    image = Image([tar([(f"l{i}", str(i).encode()), ("last", str(i).encode())]) for i in range(100)]).sign(keys["builder"])
    result = plinth.pull(policy(keys["builder"]), layout(image))
    assert result.status == 0, result.err
    assert len(os.listdir(result.dir)) == 101 and open(os.path.join(result.dir, "last")).read() == "99"


# ---- policies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    lambda p: p.update(unknown=1),
    lambda p: p["signatures"].update(treshold=1),
    lambda p: p["signatures"].pop("keys"),
    lambda p: p["signatures"].update(keys=[]),
    lambda p: p["signatures"]["keys"][0].pop("pem"),
    lambda p: p["signatures"]["keys"][0].update(pem="nonsense"),
    lambda p: p["signatures"].update(threshold=2),
    lambda p: p["signatures"].update(threshold=0),
    lambda p: p["signatures"].update(threshold=-1),
    lambda p: p["signatures"]["keys"].append(dict(p["signatures"]["keys"][0], name="again")),
    lambda p: p.pop("signatures"),
    lambda p: p.update(register={"pcr": 16}),
    lambda p: p.update(register={"pcr": 23}),
    lambda p: p.update(register={"pcr": 17}),
    lambda p: p.update(limits={"bytes": 0}),
    lambda p: p.update(registry={"ca": "no certificate"}),
    lambda p: p["signatures"].update(allowUnsigned=True),
], ids=range(17))
def test_policy_refused(plinth, keys, layout, change):
    p = copy.deepcopy(policy(keys["builder"]))
    change(p)
    r = plinth.refused(p, layout(Image().sign(keys["builder"])), status=2)
    assert "policy" in r.err


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"signatures":{"allowUnsigned":true},"signatures":{}}', "{} {}"])
def test_policy_garbage(plinth, layout, text):
    plinth.refused(text, layout(Image()), status=2)


def test_json_of_a_refusal_has_every_member(plinth, keys, layout):
    j = plinth.refused(policy(keys["builder"]), layout(Image())).json
    assert {"verdict", "reason", "image", "manifest", "config", "layers", "signatures", "attestations", "register"} <= set(j)


def test_target_not_empty(plinth, keys, layout, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("keep")
    ref = layout(Image().sign(keys["builder"]))
    result = plinth.run("pull", "--policy", plinth.policy(policy(keys["builder"])), ref, tmp_path / "full")
    assert result.status == 2 and (tmp_path / "full" / "mine").read_text() == "keep"
