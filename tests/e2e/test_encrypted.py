"""Encrypted layers: what skopeo encrypted, what CoCo's key provider wrapped, and what must not be opened. Every manifest is signed
after it was altered, so that only the check at issue stands against it."""
import base64
import gzip
import hashlib
import json
import os
import shutil
import subprocess

import pytest

import hostile_registry
from image import COMPRESS, Image, dumps, policy, sha256, tar
from ocicrypt import ENC, Encrypted, b64, encrypt

HERE = os.path.dirname(os.path.abspath(__file__))
KEK, KID = b"the key in the owner's KBS, 32 b", "kbs:///default/key/layers"
FILES = {"hello": b"hello\n", "etc/large": os.urandom(700_000), "etc/text": b"the same line again\n" * 20_000}


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """Key pairs to encrypt for: NAME.pem, NAME.pub, and rsa.pkcs8, ec.der."""
    d = str(tmp_path_factory.mktemp("pairs"))
    for name in ("rsa", "rsa-other"):
        openssl("genrsa", "-traditional", "-out", f"{d}/{name}.pem", "2048")
        openssl("rsa", "-in", f"{d}/{name}.pem", "-pubout", "-out", f"{d}/{name}.pub")
    for name in ("ec", "ec-other"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{d}/{name}.pem")
        openssl("ec", "-in", f"{d}/{name}.pem", "-pubout", "-out", f"{d}/{name}.pub")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", f"{d}/rsa.pem", "-out", f"{d}/rsa.pkcs8")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", f"{d}/ec.pem", "-outform", "DER", "-out", f"{d}/ec.der")
    return d


@pytest.fixture
def secrets(tmp_path):
    """--secrets: the key that wraps."""
    d = tmp_path / "secrets"
    (d / "default" / "key").mkdir(parents=True)
    (d / "default" / "key" / "layers").write_bytes(KEK)
    return str(d)


def layers():
    return [tar([("hello", FILES["hello"]), ("etc/", None), ("etc/large", FILES["etc/large"])]), tar([("etc/text", FILES["etc/text"])])]


def skopeo(*args):
    subprocess.run(["skopeo", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def read_layout(directory):
    """(manifest's digest, manifest, read a blob) of a layout with one image."""
    with open(os.path.join(directory, "index.json")) as f:
        digest = json.load(f)["manifests"][0]["digest"]

    def blob(d):
        with open(os.path.join(directory, "blobs", "sha256", d[7:]), "rb") as f:
            return f.read()
    return digest, json.loads(blob(digest)), blob


def sign_layout(directory, key):
    """Signs what skopeo wrote, into the same layout."""
    digest, manifest, blob = read_layout(directory)
    image = Image()
    image.blobs, image.manifests, image.tags = {}, {}, {}
    body = blob(digest)
    for d in [manifest["config"], *manifest["layers"]]:
        image.blobs[d["digest"]] = blob(d["digest"])
    image.put(body, "v")
    image.sign(key, digest=digest)
    signed = directory + "-signed"
    image.write_layout(signed)
    return "oci:" + signed + ":v", manifest


def pull(plinth, rule, ref, *options, files=FILES, status=0):
    plinth.count += 1
    target = os.path.join(plinth.directory, f"out{plinth.count}")
    result = plinth.run("pull", "--json", "--policy", plinth.policy(rule), *options, ref, target)
    assert result.status == status, result.err
    if status:
        assert not os.path.exists(target) or not os.listdir(target), "something was left in the target"
        if status == 1:
            assert result.json["verdict"] == "refused" and result.json["reason"], result.out
        return result
    for name, data in files.items():
        with open(os.path.join(target, name), "rb") as f:
            assert f.read() == data, name
    return result


def refused(plinth, rule, ref, why, *options, status=1):
    result = pull(plinth, rule, ref, *options, status=status)
    assert why in result.err, result.err
    return result


# ---- recorded ----

def test_recorded_vectors(vectors, plinth):
    with open(os.path.join(vectors, "INDEX.json")) as f:
        cases = {c["case"]: c for c in json.load(f)["cases"] if c["case"].startswith("enc-")}
    with open(os.path.join(vectors, "keys", "ka.pub")) as f:
        rule = {"signatures": {"threshold": 1, "keys": [{"name": "ka", "pem": f.read()}]}}
    private = {n: os.path.join(vectors, "keys", "private", f"enc-{n}.der") for n in ("rsa", "p256")}
    for case, opens in (("enc-rsa", ["rsa"]), ("enc-p256", ["p256"]), ("enc-two", ["rsa", "p256"])):
        ref = "oci:" + os.path.join(vectors, "repo") + "@" + cases[case]["image"]
        for name, path in private.items():
            if name in opens:
                assert pull(plinth, rule, ref, "--decryption-key", path, files={}).json["verdict"] == "accepted"
            else:
                refused(plinth, rule, ref, "by none of the private keys", "--decryption-key", path)
        pull(plinth, rule, ref, "--decryption-key", private["rsa"], "--decryption-key", private["p256"], files={})
        refused(plinth, rule, ref, "no private key was given")


with open(os.path.join(HERE, "vectors", "ocicrypt.json")) as f:
    OCICRYPT = json.load(f)


@pytest.mark.parametrize("case", OCICRYPT["layers"], ids=lambda c: c["name"])
def test_recorded_ocicrypt(case, keys, plinth, tmp_path, secrets):
    """containers/ocicrypt 1.3.2: JWKs that choose their algorithm, packets by a key provider that it started, and all of them at once."""
    plain = base64.b64decode(OCICRYPT["plain"])
    image = Image([gzip.decompress(plain)])
    image.layers = [image.descriptor(image.layers[0]["mediaType"] + "+encrypted", base64.b64decode(case["layer"]), annotations=case["annotations"])]
    image.finish()
    image.sign(keys["builder"])
    ref, files = "oci:" + image.write_layout(str(tmp_path / "layout")) + ":v", {"hello": b"hello from ocicrypt 1.3.2\n"}
    for name in ("rsa", "ec", "kek"):
        path = str(tmp_path / name)
        with open(path, "w") as f:
            f.write(OCICRYPT["keys"][name])
        options = ("--secrets", secrets) if name == "kek" else ("--decryption-key", path)
        if name in case["opens"]:
            pull(plinth, policy(keys["builder"]), ref, *options, files=files)
        else:
            refused(plinth, policy(keys["builder"]), ref, "no key opens it", *options)


# ---- real skopeo ----

@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """Unencrypted layouts, by compression."""
    d = str(tmp_path_factory.mktemp("plain"))
    for name in COMPRESS:
        Image(layers(), compression=name).write_layout(d + "/image" + name)
    return d


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("who", ["rsa", "ec", "two"])
def test_skopeo(compression, who, plain, pairs, keys, plinth, tmp_path):
    out = str(tmp_path / "enc")
    names = ["rsa", "ec"] if who == "two" else [who]
    skopeo("copy", "--dest-oci-accept-uncompressed-layers", *[a for n in names for a in ("--encryption-key", f"jwe:{pairs}/{n}.pub")],
           f"oci:{plain}/image{compression}:v", f"oci:{out}:v")
    ref, manifest = sign_layout(out, keys["builder"])
    assert {d["mediaType"] for d in manifest["layers"]} == {f"application/vnd.oci.image.layer.v1.tar{compression}+encrypted"}
    rule = policy(keys["builder"])
    for name in ("rsa", "ec"):
        if name in names:
            pull(plinth, rule, ref, "--decryption-key", f"{pairs}/{name}.pem")
        else:
            refused(plinth, rule, ref, "by none of the private keys", "--decryption-key", f"{pairs}/{name}.pem")
    refused(plinth, rule, ref, "by none of the private keys", "--decryption-key", f"{pairs}/{names[0]}-other.pem")
    pull(plinth, rule, ref, "--decryption-key", f"{pairs}/ec-other.pem", "--decryption-key", f"{pairs}/{names[0]}.pem")
    # No key: the forms that are there, and what would help. `check` needs none.
    result = refused(plinth, rule, ref, "no key opens it: jwe for " + {"rsa": "RSA-OAEP", "ec": "ECDH-ES+A256KW", "two": "RSA-OAEP, ECDH-ES+A256KW"}[who])
    assert "decrypt.keys" in result.json["mend"] and "--decryption-key" in result.json["mend"]
    assert plinth.check(rule, ref).status == 0


def test_keys_in_every_form(plain, pairs, keys, plinth, tmp_path):
    out = str(tmp_path / "enc")
    skopeo("copy", "--encryption-key", f"jwe:{pairs}/rsa.pub", "--encryption-key", f"jwe:{pairs}/ec.pub", f"oci:{plain}/image+gzip:v", f"oci:{out}:v")
    ref, _ = sign_layout(out, keys["builder"])
    rule = policy(keys["builder"])
    for name in ("rsa.pem", "rsa.pkcs8", "ec.pem", "ec.der"):
        pull(plinth, rule, ref, "--decryption-key", f"{pairs}/{name}")
    fifo = subprocess.Popen(["sh", "-c", f"exec cat {pairs}/ec.pem"], stdout=subprocess.PIPE)
    plinth.count += 1
    p = subprocess.run([*("build/plinth", "pull", "--policy", plinth.policy(rule), "--decryption-key", f"/dev/fd/{fifo.stdout.fileno()}", ref),
                        str(tmp_path / "from-pipe")], cwd=os.path.dirname(os.path.dirname(HERE)), pass_fds=[fifo.stdout.fileno()], stderr=subprocess.PIPE)
    assert p.returncode == 0 and fifo.wait() == 0, p.stderr
    refused(plinth, rule, ref, "private key", "--decryption-key", f"{pairs}/rsa.pub")
    refused(plinth, rule, ref, "cannot read --decryption-key /nowhere", "--decryption-key", "/nowhere", status=2)


def test_one_layer_only(plain, pairs, keys, plinth, tmp_path):
    for which, expect in (("0", [True, False]), ("-1", [False, True])):
        out = str(tmp_path / f"enc{which}")
        skopeo("copy", "--encryption-key", f"jwe:{pairs}/rsa.pub", "--encrypt-layer", which, f"oci:{plain}/image+gzip:v", f"oci:{out}:v")
        ref, manifest = sign_layout(out, keys["builder"])
        assert [d["mediaType"].endswith("+encrypted") for d in manifest["layers"]] == expect
        assert [d["encrypted"] for d in plinth.check(policy(keys["builder"]), ref).json["layers"]] == expect
        pull(plinth, policy(keys["builder"]), ref, "--decryption-key", f"{pairs}/rsa.pem")
        refused(plinth, policy(keys["builder"]), ref, f"layer {1 if expect[0] else 2} of 2, which is encrypted")


def docker_image(directory):
    """Docker's schema 2, as skopeo's dir: transport."""
    os.makedirs(directory)
    packed = [gzip.compress(data, mtime=0) for data in layers()]
    config = dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
                    "rootfs": {"type": "layers", "diff_ids": [sha256(data) for data in layers()]}, "history": [{"created_by": "a"}, {"created_by": "b"}]})
    entry = lambda t, b: {"mediaType": "application/vnd.docker." + t, "size": len(b), "digest": sha256(b)}  # noqa: E731
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": entry("container.image.v1+json", config),
                "layers": [entry("image.rootfs.diff.tar.gzip", b) for b in packed]}
    for b in [config, *packed]:
        with open(os.path.join(directory, hashlib.sha256(b).hexdigest()), "wb") as f:
            f.write(b)
    for name, b in (("manifest.json", dumps(manifest)), ("version", b"Directory Transport Version: 1.1\n")):
        with open(os.path.join(directory, name), "wb") as f:
            f.write(b)
    return manifest


def test_docker_types(pairs, keys, plinth, tmp_path, secrets):
    """skopeo makes OCI types of Docker's when it encrypts; others leave the manifest Docker's, and may keep its types."""
    source, out = str(tmp_path / "docker"), str(tmp_path / "enc")
    docker_image(source)
    skopeo("copy", "--format", "oci", "--encryption-key", f"jwe:{pairs}/ec.pub", f"dir:{source}", f"oci:{out}:v")
    ref, manifest = sign_layout(out, keys["builder"])
    assert {d["mediaType"] for d in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip+encrypted"}
    pull(plinth, policy(keys["builder"]), ref, "--decryption-key", f"{pairs}/ec.pem")
    for n, media_type in enumerate(("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip",
                                    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")):
        image = Image(layers())
        for i, data in enumerate(layers()):
            layer = Encrypted(gzip.compress(data, mtime=0))
            image.layers[i]["mediaType"] = media_type
            encrypt(image, i, layer, provider=layer.packet(KEK, KID))
        docker = "application/vnd.docker.distribution.manifest.v2+json"
        image.manifest["mediaType"] = docker
        image.finish()
        image.put(image.manifests[image.digest][1], "v", docker)
        image.sign(keys["builder"])
        ref = "oci:" + image.write_layout(str(tmp_path / f"docker{n}")) + ":v"
        pull(plinth, policy(keys["builder"]), ref, "--secrets", secrets)


def test_recompressed_in_one_go(plain, pairs, keys, plinth, tmp_path):
    """skopeo records the digest of what it read. Uncompressed layers that it compresses on the way are known by their diffID; a digest
    of nothing that is left is refused, and what to do is said."""
    out = str(tmp_path / "compressed")
    skopeo("copy", "--encryption-key", f"jwe:{pairs}/rsa.pub", f"oci:{plain}/image:v", f"oci:{out}:v")
    ref, manifest = sign_layout(out, keys["builder"])
    assert {d["mediaType"] for d in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip+encrypted"}
    pull(plinth, policy(keys["builder"]), ref, "--decryption-key", f"{pairs}/rsa.pem")
    out = str(tmp_path / "again")
    skopeo("copy", "--dest-compress-format", "zstd", "--encryption-key", f"jwe:{pairs}/rsa.pub", f"oci:{plain}/image+gzip:v", f"oci:{out}:v")
    ref, _ = sign_layout(out, keys["builder"])
    result = refused(plinth, policy(keys["builder"]), ref, "digest of the decrypted layer is", "--decryption-key", f"{pairs}/rsa.pem")
    assert "compress first, then encrypt" in result.json["mend"]


# ---- packets of CoCo's key provider, by our own generator ----

def wrapped(keys, tmp_path, secrets_name="layout", compression="+gzip", alter=None, **packet):
    """An image whose layers are encrypted; `alter(image, i, layer, text)` may do the encrypting."""
    image = Image(layers(), compression=compression)
    for i, data in enumerate(layers()):
        layer = Encrypted(COMPRESS[compression](data))
        if alter:
            alter(image, i, layer)
        else:
            encrypt(image, i, layer, provider=layer.packet(KEK, KID, **packet))
    image.sign(keys["builder"])
    return "oci:" + image.write_layout(str(tmp_path / secrets_name)) + ":v"


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("wrap", ["A256GCM", "A256CTR"])
def test_packets(compression, version, wrap, keys, plinth, tmp_path, secrets):
    ref = wrapped(keys, tmp_path, compression=compression, version=version, wrap=wrap)
    pull(plinth, policy(keys["builder"]), ref, "--secrets", secrets)
    result = refused(plinth, policy(keys["builder"]), ref, f"no key opens it: the key {KID} (no KBS is asked on the host)")
    assert "--secrets" in result.json["mend"]
    assert plinth.check(policy(keys["builder"]), ref).status == 0


def test_provider_of_any_name(keys, plinth, tmp_path, secrets):
    ref = wrapped(keys, tmp_path, alter=lambda image, i, layer: encrypt(image, i, layer, provider=layer.packet(KEK, KID), name="somebody"))
    pull(plinth, policy(keys["builder"]), ref, "--secrets", secrets)


def test_several_packets(keys, plinth, tmp_path, secrets):
    def alter(image, i, layer):
        encrypt(image, i, layer, provider=",".join([layer.packet(b"x" * 32, "kbs:///default/key/other"), layer.packet(KEK, KID), layer.packet(KEK, KID)]))
    pull(plinth, policy(keys["builder"]), wrapped(keys, tmp_path, alter=alter), "--secrets", secrets)


def test_private_keys_from_secrets(plain, pairs, keys, plinth, tmp_path, secrets):
    """decrypt.keys: private keys that a KBS gives; here a directory."""
    out = str(tmp_path / "enc")
    skopeo("copy", "--encryption-key", f"jwe:{pairs}/rsa.pub", f"oci:{plain}/image+gzip:v", f"oci:{out}:v")
    ref, _ = sign_layout(out, keys["builder"])
    rule = policy(keys["builder"], decrypt={"keys": ["kbs:///default/key/ec", "kbs:///default/key/rsa"]})
    shutil.copy(f"{pairs}/rsa.pem", secrets + "/default/key/rsa")
    refused(plinth, rule, ref, "private key kbs:///default/key/ec: there is no", "--secrets", secrets)
    shutil.copy(f"{pairs}/ec.der", secrets + "/default/key/ec")
    pull(plinth, rule, ref, "--secrets", secrets)
    refused(plinth, rule, ref, "no private key was given")
    pull(plinth, rule, ref, "--decryption-key", f"{pairs}/rsa.pem")  # in place of those that nobody here has
    with open(secrets + "/default/key/rsa", "w") as f:
        f.write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    refused(plinth, rule, ref, "private key kbs:///default/key/rsa", "--secrets", secrets)
    shutil.copy(f"{pairs}/rsa-other.pem", secrets + "/default/key/rsa")
    refused(plinth, rule, ref, "by none of the private keys", "--secrets", secrets)
    pull(plinth, rule, ref, "--secrets", secrets, "--decryption-key", f"{pairs}/rsa.pem")


# ---- what must not be opened ----

def hostile(keys, plinth, tmp_path, secrets, alter, why, options=None):
    """Every layer, then the first and the last alone: the other one is honest."""
    for n, which in enumerate(({0, 1}, {0}, {1})):
        def one(image, i, layer):
            if i in which:
                return alter(image, i, layer)
            return encrypt(image, i, layer, provider=layer.packet(KEK, KID))
        ref = wrapped(keys, tmp_path, f"hostile{n}", alter=one)
        result = refused(plinth, policy(keys["builder"]), ref, why, *(options or ("--secrets", secrets)))
        private = [b64(KEK)[:20], KEK.decode()[:16]]
        assert not any(text in result.err + result.out for text in private)


def test_hmac(keys, plinth, tmp_path, secrets):
    def wrong(image, i, layer):
        layer.public["hmac"] = b64(bytes([layer.hmac[0] ^ 1]) + layer.hmac[1:])
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, wrong, "the HMAC over the encrypted layer is not the one of its annotation")

    def of_plaintext(image, i, layer):
        import hmac
        layer.public["hmac"] = b64(hmac.new(layer.symkey, gzip.compress(layers()[i], 6, mtime=0), hashlib.sha256).digest())
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, of_plaintext, "the HMAC over the encrypted layer")


@pytest.mark.parametrize("hmac", [None, "", b64(b"x" * 31), b64(b"x" * 33), "%%%%", 7, b64(bytes(32))])
def test_hmac_missing_or_malformed(hmac, keys, plinth, tmp_path, secrets):
    def alter(image, i, layer):
        if hmac is None:
            del layer.public["hmac"]
        else:
            layer.public["hmac"] = hmac
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    why = "the HMAC over the encrypted layer" if hmac == b64(bytes(32)) else "hmac is missing, or not 32 bytes"
    hostile(keys, plinth, tmp_path, secrets, alter, why)


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("compression", COMPRESS)
def test_changed_ciphertext(where, compression, keys, plinth, tmp_path, secrets):
    """The manifest names the changed bytes' digest, and is signed: the HMAC alone is against it."""
    def alter(image, i, layer):
        data = bytearray(layer.cipher)
        data[{"first": 0, "middle": len(data) // 2, "last": -1}[where]] ^= 0x10
        encrypt(image, i, layer, provider=layer.packet(KEK, KID), cipher=bytes(data))
    ref = wrapped(keys, tmp_path, compression=compression, alter=alter)
    refused(plinth, policy(keys["builder"]), ref, "the HMAC over the encrypted layer is not the one of its annotation", "--secrets", secrets)


@pytest.mark.parametrize("cut", [lambda c: c[:-1], lambda c: c + b"x", lambda c: c[16:], lambda c: c[:1]])
def test_cut_ciphertext(cut, keys, plinth, tmp_path, secrets):
    hostile(keys, plinth, tmp_path, secrets, lambda image, i, layer: encrypt(image, i, layer, provider=layer.packet(KEK, KID), cipher=cut(layer.cipher)),
            "the HMAC over the encrypted layer is not the one of its annotation")


def test_swapped_layers(keys, plinth, tmp_path, secrets):
    """Each layer's annotations at the other's bytes."""
    other = [Encrypted(gzip.compress(data, mtime=0)) for data in layers()]

    def alter(image, i, layer):
        encrypt(image, i, other[i], provider=other[1 - i].packet(KEK, KID))
    refused(plinth, policy(keys["builder"]), wrapped(keys, tmp_path, alter=alter), "the HMAC over the encrypted layer", "--secrets", secrets)


def test_plaintext_digest(keys, plinth, tmp_path, secrets):
    def alter(image, i, layer):
        layer.private["digest"] = sha256(b"other")
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, alter, f"the private options say {sha256(b'other')}")

    def missing(image, i, layer):
        del layer.private["digest"]
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, missing, "digest is not sha256")

    def of_the_other(image, i, layer):
        layer.private["digest"] = sha256(layers()[1 - i])  # another layer's diffID
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, of_the_other, "the private options say")


def test_other_bytes_under_the_right_key(keys, plinth, tmp_path, secrets):
    """All that ocicrypt checks is right; the config's diffID is of other bytes."""
    evil = gzip.compress(tar([("hello", b"evil\n")]), mtime=0)

    def alter(image, i, layer):
        bad = Encrypted(evil)
        encrypt(image, i, bad, provider=bad.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, alter, "diffID is")


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_key_of_the_wrong_size(size, keys, plinth, tmp_path, secrets):
    with open(secrets + "/default/key/layers", "wb") as f:
        f.write(b"k" * size)
    refused(plinth, policy(keys["builder"]), wrapped(keys, tmp_path), f"the key has {size} bytes, A256GCM takes 32", "--secrets", secrets)


def test_wrong_wrapping_key(keys, plinth, tmp_path, secrets):
    with open(secrets + "/default/key/layers", "wb") as f:
        f.write(b"another key of thirty-two bytes!")
    refused(plinth, policy(keys["builder"]), wrapped(keys, tmp_path, "gcm"), "the tag is not right", "--secrets", secrets)
    refused(plinth, policy(keys["builder"]), wrapped(keys, tmp_path, "ctr", wrap="A256CTR"), "the private options are not JSON", "--secrets", secrets)


@pytest.mark.parametrize("member,value,why", [
    ("symkey", b64(b"x" * 31), "symkey is not 32 bytes"), ("symkey", b64(b"x" * 16), "symkey is not 32 bytes"), ("symkey", None, "symkey is not 32 bytes"),
    ("cipheroptions", {"nonce": b64(b"x" * 12)}, "nonce is not 16 bytes"), ("cipheroptions", {}, "nonce is not 16 bytes"),
    ("cipheroptions", None, "nonce is not 16 bytes"), ("digest", "sha256:abc", "digest is not sha256")])
def test_private_options(member, value, why, keys, plinth, tmp_path, secrets):
    def alter(image, i, layer):
        layer.private[member] = value
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, alter, why)


@pytest.mark.parametrize("public,why", [
    ({"cipher": "AES_256_CTR"}, "cipher is 'AES_256_CTR', only AES_256_CTR_HMAC_SHA256 is known"), ({"cipher": None}, "cipher must be a string"),
    ({"cipheroptions": {"nonce": b64(b"x" * 16)}}, "cipheroptions has members")])
def test_public_options(public, why, keys, plinth, tmp_path, secrets):
    def alter(image, i, layer):
        layer.public.update(public)
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    hostile(keys, plinth, tmp_path, secrets, alter, why)


@pytest.mark.parametrize("changes,why", [
    ({"kid": "kbs:///default/../layers"}, "not kbs:///repository/type/tag"), ({"kid": "/etc/passwd"}, "not kbs:///repository/type/tag"),
    ({"kid": "kbs:///a/b"}, "not kbs:///repository/type/tag"), ({"kid": "file:///default/key/layers"}, "not kbs:///repository/type/tag"),
    ({"kid": None}, "kid is missing"), ({"iv": b64(b"x" * 16)}, "iv has 16 bytes, A256GCM takes 12"), ({"iv": b64(b"x" * 12)}, "the tag is not right"),
    ({"wrap_type": "A128GCM"}, "wrap_type is 'A128GCM'"), ({"version": "9"}, "version '9'"), ({"provider": "aliyun"}, "provider 'aliyun'"),
    ({"wrapped_data": b64(b"x" * 100)}, "the tag is not right"), ({"wrapped_data": ""}, "wrapped_data has 0 bytes")])
def test_changed_packets(changes, why, keys, plinth, tmp_path, secrets):
    hostile(keys, plinth, tmp_path, secrets, lambda image, i, layer: encrypt(image, i, layer, provider=layer.packet(KEK, KID, changes=changes)), why)


def test_annotations(keys, plinth, tmp_path, secrets):
    """Encrypted without usable annotations is refused by name, by `check` too; annotations alone make no layer encrypted."""
    rule = policy(keys["builder"])
    for n, (alter, why) in enumerate((
            (lambda image, i, layer: encrypt(image, i, layer), "is encrypted, but its key is in no form that can be opened"),
            (lambda image, i, layer: encrypt(image, i, layer, provider=layer.packet(KEK, KID), pubopts=""), f"has no annotation {ENC}pubopts"))):
        ref = wrapped(keys, tmp_path, f"annotations{n}", alter=alter)
        refused(plinth, rule, ref, "layers[0] " + why if "is enc" in why else why, "--secrets", secrets)
        result = plinth.check(rule, ref)
        assert result.status == 1 and why in result.err
    image = Image(layers())
    for layer in image.layers:
        layer["annotations"] = {ENC + "pubopts": "nonsense", ENC + "keys.jwe": "nonsense"}
    image.finish()
    image.sign(keys["builder"])
    pull(plinth, rule, "oci:" + image.write_layout(str(tmp_path / "plain")) + ":v")
    # Said to be plain, and is not.
    image = Image(layers())
    for i, layer in enumerate(image.layers):
        sealed = Encrypted(image.blobs[layer["digest"]])
        image.layers[i] = image.descriptor(layer["mediaType"], sealed.cipher, annotations={ENC + "pubopts": b64(json.dumps(sealed.public))})
    image.finish()
    image.sign(keys["builder"])
    refused(plinth, rule, "oci:" + image.write_layout(str(tmp_path / "lying")) + ":v", "gzip", "--secrets", secrets)


@pytest.mark.parametrize("nonce", ["ff" * 16, "00" * 12 + "ffffffff", "ab" * 8 + "ff" * 8, "00" * 15 + "01", "5a" * 12 + "fffff000"])
def test_counter_wraps(nonce, keys, plinth, tmp_path, secrets):
    image = Image(layers(), compression="")
    for i, data in enumerate(layers()):
        layer = Encrypted(data, nonce=bytes.fromhex(nonce))
        encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    image.sign(keys["builder"])
    pull(plinth, policy(keys["builder"]), "oci:" + image.write_layout(str(tmp_path / "wraps")) + ":v", "--secrets", secrets)


@pytest.mark.parametrize("compression", COMPRESS)
def test_empty_layer(compression, keys, plinth, tmp_path, secrets):
    image = Image([tar([])], compression=compression)
    layer = Encrypted(COMPRESS[compression](tar([])))
    encrypt(image, 0, layer, provider=layer.packet(KEK, KID))
    image.sign(keys["builder"])
    pull(plinth, policy(keys["builder"]), "oci:" + image.write_layout(str(tmp_path / "empty")) + ":v", "--secrets", secrets, files={})


# ---- --secrets ----

def test_secrets_directory(keys, plinth, tmp_path, secrets):
    """Regular files of at most 1 MiB; no link is followed; nothing hangs."""
    rule, ref, path = policy(keys["builder"]), wrapped(keys, tmp_path), secrets + "/default/key/layers"
    outside = str(tmp_path / "outside")
    with open(outside, "wb") as f:
        f.write(KEK)
    os.remove(path)
    refused(plinth, rule, ref, "there is no", "--secrets", secrets)
    os.symlink(outside, path)
    refused(plinth, rule, ref, "a symbolic link", "--secrets", secrets)
    os.remove(path)
    os.mkfifo(path)
    refused(plinth, rule, ref, "is no regular file", "--secrets", secrets)
    os.remove(path)
    os.mkdir(path)
    refused(plinth, rule, ref, "is no regular file", "--secrets", secrets)
    os.rmdir(path)
    with open(path, "wb") as f:
        f.truncate(3 << 20)
    refused(plinth, rule, ref, "is no regular file of at most", "--secrets", secrets)
    shutil.rmtree(secrets + "/default/key")
    os.makedirs(str(tmp_path / "elsewhere"))
    shutil.copy(outside, str(tmp_path / "elsewhere" / "layers"))
    os.symlink(str(tmp_path / "elsewhere"), secrets + "/default/key")
    refused(plinth, rule, ref, "a symbolic link", "--secrets", secrets)
    refused(plinth, rule, ref, "cannot open the directory --secrets", "--secrets", str(tmp_path / "nowhere"), status=2)
    refused(plinth, rule, ref, "cannot open the directory --secrets", "--secrets", outside, status=2)


def put(secrets, path, data):
    path = os.path.join(secrets, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else json.dumps(data).encode())


def test_registry_behind_secrets(keys, plinth, tmp_path, secrets):
    """CA, mirrors, credentials and the key of the layers all out of --secrets, from a registry that wants them; and the policy, too."""
    layout = wrapped(keys, tmp_path)[4:-2]
    ca = hostile_registry.Authority(str(tmp_path))
    with hostile_registry.Registry(tls=ca.server()) as registry:
        registry.on("", hostile_registry.Basic("user", "s3cret-word"))
        registry.add_layout(layout, "mirrored/app")
        put(secrets, "default/registry/ca", ca.bytes())
        put(secrets, "default/registry/mirrors", [f"{registry.host}/mirrored"])
        put(secrets, "default/registry/auth", {"auths": {registry.host: {"auth": b64("user:s3cret-word")}}, "credsStore": "x"})
        rule = policy(keys["builder"], registry={"ca": "kbs:///default/registry/ca", "mirrors": "kbs:///default/registry/mirrors",
                                                 "auth": "kbs:///default/registry/auth"})
        ref = "docker://registry.example/app:v"
        result = pull(plinth, rule, ref, "--secrets", secrets)
        assert "s3cret-word" not in result.err + result.out
        assert result.json["register"] == plinth.run("check", "--json", "--secrets", secrets, "--policy", plinth.policy(rule), ref).json["register"]
        refused(plinth, rule, ref, "no KBS is asked on the host")
        put(secrets, "acme/policy/web", rule)
        first = {"kbs": {"policy": "kbs:///acme/policy/web"}}
        other = pull(plinth, first, ref, "--secrets", secrets)
        assert other.json["register"] != result.json["register"]  # both policies are in it
        refused(plinth, first, ref, "kbs.policy")
        put(secrets, "acme/policy/web", first)
        refused(plinth, first, ref, "names yet another policy", "--secrets", secrets)
        put(secrets, "acme/policy/web", {"surprise": 1})
        refused(plinth, first, ref, "surprise", "--secrets", secrets, status=2)
        put(secrets, "default/registry/auth", {"auths": {registry.host: {"auth": b64("user:wrong")}}})
        refused(plinth, rule, ref, "refuses the credential", "--secrets", secrets, status=3)
        put(secrets, "default/registry/ca", b"no certificate")
        refused(plinth, rule, ref, "kbs:///default/registry/ca", "--secrets", secrets, status=2)


def test_nothing_is_fetched_without_a_key(keys, plinth, tmp_path, secrets):
    """No layer is asked for that could not be opened: neither the encrypted one, nor the one before it that is not."""
    def last_only(image, i, layer):
        if i == 1:
            encrypt(image, i, layer, provider=layer.packet(KEK, KID))
    layout = wrapped(keys, tmp_path, alter=last_only)[4:-2]
    ca = hostile_registry.Authority(str(tmp_path))
    with hostile_registry.Registry(tls=ca.server()) as registry:
        registry.add_layout(layout, "app")
        rule = policy(keys["builder"], registry={"ca": ca.bytes().decode()})
        ref = f"docker://{registry.host}/app:v"
        layer_digests = [d["digest"] for d in plinth.check(rule, ref).json["layers"]]
        refused(plinth, rule, ref, "layer 2 of 2, which is encrypted: no key opens it")
        assert not any(d in r.path for d in layer_digests for r in registry.requests)
        pull(plinth, rule, ref, "--secrets", secrets)
        assert all(any(d in r.path for r in registry.requests) for d in layer_digests)


def test_workers_see_no_key(keys, plinth, tmp_path, secrets):
    """What the workers are given, as strace would show it: the unpack worker's input is the plaintext, and no process' arguments or
    environment hold a key."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("no strace")
    image = Image([tar([("hello", b"hello\n")])])
    layer = Encrypted(gzip.compress(tar([("hello", b"hello\n")]), mtime=0))
    encrypt(image, 0, layer, provider=layer.packet(KEK, KID))
    image.sign(keys["builder"])
    ref = "oci:" + image.write_layout(str(tmp_path / "seen")) + ":v"
    log = str(tmp_path / "strace")
    p = subprocess.run([strace, "-f", "-xx", "-s", "100000", "-o", log, "build/plinth", "pull", "--secrets", secrets, "--policy",
                        plinth.policy(policy(keys["builder"])), ref, str(tmp_path / "t")], cwd=os.path.dirname(os.path.dirname(HERE)), stderr=subprocess.PIPE)
    assert p.returncode == 0, p.stderr
    hexed = lambda data: "".join(f"\\x{b:02x}" for b in data)  # noqa: E731
    with open(log) as f:
        lines = f.readlines()
    assert any(hexed(KEK) in line and " read(" in line for line in lines)  # the monitor reads it
    for secret in (KEK, layer.symkey, layer.private["symkey"].encode(), layer.nonce):
        assert not any(hexed(secret) in line for line in lines if " read(" not in line), "a secret left the monitor"
    readers = {line.split()[0] for line in lines if hexed(KEK) in line}
    assert len(readers) == 1
