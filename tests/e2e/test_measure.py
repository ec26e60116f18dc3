"""`plinth measure` and `plinth uki`: predicted registers against boots under QEMU with swtpm, a software TPM, and against recorded values
of public tools (vectors/measure.tar.xz: virtee/sev-snp-measure's own fixtures and what it computed for others, systemd-measure 252)."""
import base64
import hashlib
import json
import os
import subprocess
import sys
import tarfile

import pytest

from conftest import HERE, ROOT
from image import policy
from test_boot import ca, kernel, probe, probe_image, registry, run, serve  # noqa: F401

FIRMWARE = "/usr/share/ovmf/OVMF.fd"
STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
CMDLINE = "console=ttyS0 panic=-1 quiet"  # what plinth run gives a kernel


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("vectors"))
    with tarfile.open(os.path.join(HERE, "vectors", "measure.tar.xz")) as t:
        t.extractall(directory)
    return os.path.join(directory, "measure")


def expected(measure, name):
    with open(os.path.join(measure, name)) as f:
        return json.load(f)["cases"]


def part(name):
    return run(os.path.join(ROOT, "qemu", "parts"), name).strip()


# ---- by booting ----


@pytest.mark.parametrize("way", ["direct", "uki", "uki-debian-13"])
def test_predicted_is_actual(plinth, keys, kernel, ca, registry, probe, tmp_path, way):
    image = probe_image(probe).sign(keys["builder"])
    name = serve(image, registry, tmp_path / "layout")
    with open(ca.pem) as f:
        policy_path = plinth.policy(policy(keys["builder"], image=name, registry={"ca": f.read()}, tee=["tpm"]))
    vmlinuz, modules = kernel
    parts = ["--policy", policy_path, *(x for m in modules for x in ("--module", m))]
    initrd, evidence, uki = tmp_path / "initrd.img", tmp_path / "evidence.json", tmp_path / "plinth.efi"
    assert plinth.run("initrd", *parts, "-o", initrd).status == 0
    own = ["--policy", policy_path, "--image", f"oci:{tmp_path / 'layout'}:v"]
    files = ["--kernel", vmlinuz, "--initrd", initrd, "--cmdline", CMDLINE]
    if way != "direct":
        if way == "uki-debian-13" and modules:
            pytest.skip("that stub is tried with the lean kernel")
        stub = ["--stub", part("efi-stub")] if way == "uki-debian-13" else []
        made = plinth.run("uki", *files, *stub, "-o", uki, "--json")
        assert made.status == 0, made.err
        files, boot = ["--uki", uki], ["--uki", uki]
    else:
        boot = ["--kernel", vmlinuz, *parts]
    predicted = plinth.run("measure", "tpm", *files, *own, "--json")
    assert predicted.status == 0, predicted.err

    result = plinth.run("run", *boot, "--evidence", evidence, "--console", tmp_path / "console", "--timeout", 400, "--json", timeout=500)
    assert evidence.exists(), (result.err, (tmp_path / "console").read_text(errors="replace"))
    pcrs = json.loads(evidence.read_text())["pcrs"]
    known = 0
    for bank in ("sha256", "sha384"):
        wanted = {i: v for i, v in predicted.json[bank].items() if v is not None}
        assert {i: pcrs[bank][i] for i in wanted} == wanted
        assert set("4 8 9 11 15".split()) <= set(wanted)
        known += len(wanted)
    unknown = predicted.json["unknown"]
    assert known == 2 * (16 - len(unknown)) and all(unknown.values())
    assert set(unknown) == ({"0", "1", "7", "10"} if way == "direct" else {"0", "1", "5", "7", "10"})
    # Nothing was right by being zero.
    assert all(int(predicted.json["sha256"][i], 16) for i in ("4", "9", "15") + (("11",) if way != "direct" else ()))


def test_predictions_differ(plinth, kernel, tmp_path):
    """Each input moves the registers that it should, and no other."""
    vmlinuz, _ = kernel
    (tmp_path / "a").write_bytes(b"initramfs a")
    (tmp_path / "b").write_bytes(b"initramfs, the other one")

    def predict(initrd, cmdline, *more):
        r = plinth.run("measure", "tpm", "--kernel", vmlinuz, "--initrd", tmp_path / initrd, "--cmdline", cmdline, "--json", *more)
        assert r.status == 0, r.err
        return r.json["sha256"]

    def differ(x, y):
        return {i for i in x if x[i] != y[i]}

    new = predict("a", "quiet", "--qemu-version", "10.0.2")
    assert differ(new, predict("b", "quiet", "--qemu-version", "10.0.2")) == {"9"}
    assert differ(new, predict("a", "quiet debug", "--qemu-version", "10.0.2")) == {"9"}
    assert differ(new, predict("a", "quiet", "--qemu-version", "10.0.2", "--memory", "2048")) == set()
    old = predict("a", "quiet", "--qemu-version", "7.2")
    assert differ(new, old) == {"4"}
    assert differ(old, predict("a", "quiet", "--qemu-version", "7.2", "--memory", "2048")) == {"4"}
    assert differ(old, predict("b", "quiet", "--qemu-version", "7.2")) == {"9", "4"}


# ---- UKI ----


def pcr11(path, sections):
    value = {"sha256": bytes(32), "sha384": bytes(48)}
    for name, data in sections:
        for event in (name.encode() + b"\0", data):
            for bank in value:
                value[bank] = hashlib.new(bank, value[bank] + hashlib.new(bank, event).digest()).digest()
    return {bank: v.hex() for bank, v in value.items()}


def test_uki_pcr11_like_systemd_measure(plinth, measure, kernel, tmp_path):
    """systemd-measure's recorded values follow from names and contents; the prediction for a real image is computed the same way."""
    for case in expected(measure, "uki-pcr11-expected.json"):
        if case["phases"]:
            continue
        order = [s for s in ("linux", "osrel", "cmdline", "initrd") if s in case["sections"]]
        data = [("." + s, open(os.path.join(measure, case["sections"][s]), "rb").read()) for s in order]
        assert pcr11(None, data) == {b: case["pcr11"][b] for b in ("sha256", "sha384")}
    vmlinuz, _ = kernel
    (tmp_path / "initrd").write_bytes(b"x" * 5001)
    (tmp_path / "osrel").write_bytes(b"ID=plinth\n")
    r = plinth.run("uki", "--kernel", vmlinuz, "--initrd", tmp_path / "initrd", "--cmdline", "quiet", "--osrel", tmp_path / "osrel", "-o",
                   tmp_path / "a.efi", "--json")
    assert r.status == 0, r.err
    again = plinth.run("uki", "--kernel", vmlinuz, "--initrd", tmp_path / "initrd", "--cmdline", "quiet", "--osrel", tmp_path / "osrel", "-o",
                       tmp_path / "b.efi", "--json")
    assert again.json["sha256"] == r.json["sha256"] == hashlib.sha256((tmp_path / "a.efi").read_bytes()).hexdigest()
    with open(vmlinuz, "rb") as f:
        data = [(".linux", f.read()), (".osrel", b"ID=plinth\n"), (".cmdline", b"quiet"), (".initrd", b"x" * 5001)]
    with open(STUB, "rb") as f:
        stub = f.read()
    if b"systemd-stub 252" not in stub:
        pytest.skip("the expected sections are those of systemd 252's stub")
    predicted = plinth.run("measure", "tpm", "--uki", tmp_path / "a.efi", "--json")
    assert {b: predicted.json[b]["11"] for b in ("sha256", "sha384")} == pcr11(None, data)
    sections = run("objdump", "-h", tmp_path / "a.efi")
    assert all(name in sections for name in (".linux", ".osrel", ".cmdline", ".initrd"))


def test_uki_refuses(plinth, kernel, tmp_path):
    vmlinuz, _ = kernel
    (tmp_path / "initrd").write_bytes(b"x")
    (tmp_path / "text").write_bytes(b"MZ but no kernel" * 100)

    def refused(status, reason, **change):
        options = {"--kernel": vmlinuz, "--initrd": tmp_path / "initrd", "--cmdline": "quiet", "-o": tmp_path / "out.efi", **change}
        r = plinth.run("uki", *(x for k, v in options.items() if v is not None for x in (k, v)))
        assert r.status == status and reason in r.err, r.err
        assert not (tmp_path / "out.efi").exists()

    refused(1, "kernel: PE:", **{"--kernel": tmp_path / "text"})
    refused(1, "stub: PE:", **{"--stub": tmp_path / "text"})
    refused(1, "blanks at its ends", **{"--cmdline": "quiet "})
    refused(1, "printable ASCII", **{"--cmdline": "quiet\tdebug"})
    refused(2, "--cmdline TEXT is missing", **{"--cmdline": None})
    refused(2, "cannot open the stub", **{"--stub": tmp_path / "absent"})
    r = plinth.run("run", "--uki", tmp_path / "text", "--append", "debug")
    assert r.status == 2 and "none can be given beside it" in r.err


# ---- SNP ----


def snp_arguments(measure, case):
    path = lambda name: name if name.startswith("/") else os.path.join(measure, name)  # noqa: E731
    args = ["snp", "--firmware", path(case["ovmf"]), "--vcpus", case["vcpus"], "--vcpu-type", case["vcpu_type"]]
    if case.get("guest_features"):
        args += ["--guest-features", case["guest_features"]]
    if case.get("kernel"):
        args += ["--kernel", path(case["kernel"]), "--cmdline", case["append"] or ""]
    if case.get("initrd"):
        args += ["--initrd", path(case["initrd"])]
    if case.get("svsm"):
        args += ["--svsm", path(case["svsm"]), "--svsm-vars-size", case["ovmf_vars_size"]]
    return args


def snp_cases(measure):
    """Of QEMU: those of EC2 and GCE are other hypervisors', SEV and SEV-ES other technologies, and one case is no launch."""
    for name in ("snp-expected-upstream.json", "snp-expected-generated.json"):
        for case in expected(measure, name):
            if case["mode"] in ("snp", "snp-svsm") and case.get("vmm", "qemu") == "qemu":
                yield case


def test_snp_recorded(plinth, measure):
    count = 0
    for case in snp_cases(measure):
        r = plinth.run("measure", *snp_arguments(measure, case), "--json")
        count += 1
        if "error" in case:
            assert r.status == 1 and "no page for the hashes of a kernel" in r.err, case
        else:
            assert r.status == 0 and r.json["launch_digest"] == case["launch_digest"], (case, r.err)
    assert count == 49


def test_snp_refuses(plinth, measure, tmp_path):
    base = ["measure", "snp", "--vcpu-type", "EPYC-Milan"]
    amd, plain = os.path.join(measure, "ovmf_AmdSev_suffix.bin"), os.path.join(measure, "ovmf_OvmfX64_suffix.bin")
    kernel_bin = os.path.join(measure, "kernel.bin")
    for status, reason, args in (
            (1, "no page for the hashes of a kernel", ["--firmware", plain, "--kernel", kernel_bin]),
            (1, "not whole pages", ["--firmware", kernel_bin]),
            (2, "--firmware FILE is missing", []),
            (2, "go with --kernel", ["--firmware", amd, "--cmdline", "x"]),
            (2, "no whole number", ["--firmware", amd, "--vcpus", "0"]),
            (2, "no hexadecimal number", ["--firmware", amd, "--guest-features", "0xyz"]),
            (2, "--id-block FILE", ["--firmware", amd, "--id-block-key", "x"])):
        r = plinth.run(*base, *args)
        assert r.status == status and reason in r.err, r.err
    r = plinth.run("measure", "snp", "--firmware", amd, "--vcpu-type", "Opteron_G1")
    assert r.status == 2 and "no such model" in r.err


def test_id_block(plinth, measure, tmp_path):
    """Layout and signatures by OpenSSL's word; the same key and input give the same bytes."""
    for name in ("id", "author"):
        run("openssl", "ecparam", "-name", "secp384r1", "-genkey", "-out", tmp_path / f"{name}.pem")
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "p256.pem")
    args = ["measure", "snp", "--firmware", os.path.join(measure, "ovmf_AmdSev_suffix.bin"), "--vcpu-type", "EPYC-Milan", "--id-block",
            tmp_path / "block", "--id-auth", tmp_path / "auth", "--guest-svn", "7", "--guest-policy", "0xb0000", "--family-id", "01" * 16, "--json"]
    r = plinth.run(*args, "--id-block-key", tmp_path / "id.pem", "--author-key", tmp_path / "author.pem")
    assert r.status == 0, r.err
    block, auth = (tmp_path / "block").read_bytes(), (tmp_path / "auth").read_bytes()
    assert len(block) == 96 and len(auth) == 4096
    assert block == bytes.fromhex(r.json["launch_digest"]) + b"\1" * 16 + bytes(16) + (1).to_bytes(4, "little") + (7).to_bytes(4, "little") + (
        0xb0000).to_bytes(8, "little")
    assert auth[:64] == b"\1\0\0\0\1\0\0\0" + bytes(56)
    keys = {}
    for name, at in (("id", 0x240), ("author", 0x880)):
        der = subprocess.run(["openssl", "ec", "-in", tmp_path / f"{name}.pem", "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
        x, y = der[-96:-48], der[-48:]
        keys[name] = (2).to_bytes(4, "little") + x[::-1] + bytes(24) + y[::-1] + bytes(24) + bytes(0x404 - 148)
        assert auth[at:at + 0x404] == keys[name]
        (tmp_path / f"{name}.der").write_bytes(der)
    assert r.json["id_key_digest"] == hashlib.sha384(keys["id"]).hexdigest()
    assert r.json["author_key_digest"] == hashlib.sha384(keys["author"]).hexdigest()

    def integer(little):
        v = little[::-1].lstrip(b"\0") or b"\0"
        v = (b"\0" if v[0] & 0x80 else b"") + v
        return b"\2" + bytes([len(v)]) + v

    for name, at, message in (("id", 0x40, block), ("author", 0x680, keys["id"])):
        r_s = integer(auth[at:at + 72]) + integer(auth[at + 72:at + 144])
        (tmp_path / "sig").write_bytes(b"\x30" + bytes([len(r_s)]) + r_s)
        (tmp_path / "message").write_bytes(message)
        run("openssl", "dgst", "-sha384", "-verify", tmp_path / f"{name}.der", "-keyform", "DER", "-signature", tmp_path / "sig", tmp_path / "message")
        assert not any(auth[at + 144:at + 512])
    plinth.run(*args, "--id-block-key", tmp_path / "id.pem", "--author-key", tmp_path / "author.pem")
    assert (tmp_path / "auth").read_bytes() == auth
    r = plinth.run(*args, "--id-block-key", tmp_path / "id.pem")
    auth = (tmp_path / "auth").read_bytes()
    assert r.status == 0 and auth[4:8] == bytes(4) and not any(auth[0x680:]) and r.json["author_key_digest"] is None
    for bad in ("p256.pem", "id.der"):
        r = plinth.run(*args, "--id-block-key", tmp_path / bad)
        assert r.status == 1 and "ID key" in r.err, r.err


@pytest.fixture(scope="session")
def snp_tool(tmp_path_factory):
    """virtee's own tool in a virtual environment, where pip can fetch it."""
    directory = str(tmp_path_factory.mktemp("pip"))
    python = os.path.join(directory, "bin", "python")
    for command in ([sys.executable, "-m", "venv", directory], [python, "-m", "pip", "-q", "install", "sev-snp-measure"]):
        p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        if p.returncode:
            pytest.skip("sev-snp-measure cannot be installed here: " + p.stdout.decode(errors="replace").strip().splitlines()[-1][:200])
    return os.path.join(directory, "bin", "sev-snp-measure")


@pytest.mark.parametrize("vcpus,vcpu_type,features,cmdline", [(1, "EPYC-v4", "0x1", "quiet"), (3, "EPYC-Genoa", "0x21", "console=ttyS0 a=b")])
def test_snp_like_the_public_tool(plinth, measure, snp_tool, vcpus, vcpu_type, features, cmdline):
    files = {n: os.path.join(measure, f) for n, f in (("ovmf", "ovmf_AmdSev_suffix.bin"), ("kernel", "kernel.bin"), ("initrd", "initrd.bin"))}
    theirs = run(snp_tool, "--mode", "snp", "--vcpus", vcpus, "--vcpu-type", vcpu_type, "--guest-features", features, "--ovmf", files["ovmf"],
                 "--kernel", files["kernel"], "--initrd", files["initrd"], "--append", cmdline).strip()
    ours = plinth.run("measure", "snp", "--firmware", files["ovmf"], "--kernel", files["kernel"], "--initrd", files["initrd"], "--cmdline", cmdline,
                      "--vcpus", vcpus, "--vcpu-type", vcpu_type, "--guest-features", features, "--json")
    assert ours.json["launch_digest"] == theirs


def test_snp_real_firmware(plinth, kernel, snp_tool):
    """Debian's OVMF for SNP, a real kernel: as the public tool says. Its OVMF for TDX has empty sections, which count for nothing."""
    vmlinuz, _ = kernel
    for name, files in (("ovmf-snp", {"kernel": vmlinuz, "initrd": STUB}), ("ovmf-tdx", {})):
        options = [x for k, v in files.items() for x in ("--" + k, v)]
        theirs = run(snp_tool, "--mode", "snp", "--vcpus", 2, "--vcpu-type", "EPYC-Genoa", "--guest-features", "0x1", "--ovmf", part(name), *options,
                     *(["--append", "quiet"] if files else [])).strip()
        r = plinth.run("measure", "snp", "--firmware", part(name), *options, *(["--cmdline", "quiet"] if files else []), "--vcpus", 2, "--vcpu-type",
                       "EPYC-Genoa", "--json")
        assert r.json["launch_digest"] == theirs


# ---- TDX ----


def test_tdx_recorded(plinth, measure, kernel):
    vmlinuz, _ = kernel
    cases = expected(measure, "tdx-mrtd-expected.json")
    with open(os.path.join(measure, "tdx-mrtd-expected.json")) as f:
        external = json.load(f)["external"]
    count = 0
    for case in cases + external:
        path = os.path.join(measure, case["file"]) if case in cases else FIRMWARE
        with open(path, "rb") as f:
            if hashlib.sha256(f.read()).hexdigest() != case["sha256"]:
                continue  # another release of the distribution's OVMF
        r = plinth.run("measure", "tdx", "--firmware", path, "--json")
        assert r.status == 0, r.err
        assert (r.json["mrtd"], r.json["mrtd_single_pass"]) == (case["mrtd_qemu_two_pass"], case["mrtd_single_pass"])
        assert [r.json[f"rtmr{i}"] for i in range(4)] == [None] * 4 and len(r.json["unknown"]) == 4
        count += 1
    assert count >= 1
    r = plinth.run("measure", "tdx", "--firmware", part("ovmf-tdx"), "--json")
    assert r.status == 0 and int(r.json["mrtd"], 16) and r.json["mrtd"] != r.json["mrtd_single_pass"], r.err
    for name in ("ovmf_OvmfX64_suffix.bin", "ovmf_AmdSev_suffix.bin"):
        r = plinth.run("measure", "tdx", "--firmware", os.path.join(measure, name))
        assert r.status == 1 and "the file 4096 bytes" in r.err
    r = plinth.run("measure", "tdx", "--firmware", os.path.join(measure, "tdvf-synthetic.fd"), "--kernel", vmlinuz, "--initrd",
                   os.path.join(measure, "initrd.bin"), "--cmdline", "quiet", "--qemu-version", "10.0", "--json")
    value = bytes(48)
    with open(os.path.join(measure, "initrd.bin"), "rb") as f:
        for event in ("quiet initrd=initrd\0".encode("utf-16le"), f.read()):
            value = hashlib.sha384(value + hashlib.sha384(event).digest()).digest()
    assert r.json["rtmr2"] == value.hex() and r.json["rtmr1"] != r.json["rtmr1_separator_in_rtmr0"] and r.json["unknown"].keys() == {"rtmr0", "rtmr3"}


# ---- reference values ----


def test_reference(plinth, measure, kernel, tmp_path):
    """Twice the same bytes; every value is what `plinth measure` says of the named inputs; Trustee's message holds the same ones."""
    vmlinuz, _ = kernel
    firmware = {"FIRMWARE_SNP": os.path.join(measure, "ovmf_AmdSev_suffix.bin"), "FIRMWARE_TDX": os.path.join(measure, "tdvf-synthetic.fd")}
    initrd = os.path.join(measure, "initrd.bin")
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        env = {**os.environ, **firmware, "KERNEL": vmlinuz, "INITRD": initrd, "OUT": str(tmp_path / name), "VCPUS": "1 3", "VCPU_TYPES": "EPYC-Milan",
               "GUEST_FEATURES": "0x1", "CMDLINE": CMDLINE}
        subprocess.run([os.path.join(ROOT, "qemu", "reference")], env=env, check=True, stderr=subprocess.PIPE)
        made.append([(tmp_path / name / f).read_bytes() for f in ("reference.json", "reference.rvps.json", "reference.efi")])
    assert made[0] == made[1]
    values, message = json.loads(made[0][0]), json.loads(made[0][1])
    for key, path in (("kernel", vmlinuz), ("initrd", initrd), ("firmware_snp", firmware["FIRMWARE_SNP"]), ("stub", part("efi-stub")), ("uki", tmp_path / "a/reference.efi")):
        with open(path, "rb") as f:
            assert values["inputs"][key] == "sha256:" + hashlib.sha256(f.read()).hexdigest()
    files = ["--kernel", vmlinuz, "--initrd", initrd, "--cmdline", CMDLINE]
    snp = plinth.run("measure", "snp", "--firmware", firmware["FIRMWARE_SNP"], *files, "--vcpus", 3, "--vcpu-type", "EPYC-Milan", "--json").json
    assert [v["vcpus"] for v in values["snp"]] == [1, 3] and values["snp"][1]["launch_digest"] == snp["launch_digest"]
    tdx = plinth.run("measure", "tdx", "--firmware", firmware["FIRMWARE_TDX"], *files, "--qemu-version", "10.0", "--json").json
    assert {k: tdx[k] for k in ("mrtd", "rtmr1", "rtmr2")} == {k: values["tdx"][k] for k in ("mrtd", "rtmr1", "rtmr2")}
    tpm = plinth.run("measure", "tpm", "--uki", tmp_path / "a/reference.efi", "--json").json
    assert values["tpm"]["uki"]["sha256"] == tpm["sha256"]
    assert values["tpm"]["direct"]["qemu >= 10"]["sha256"]["4"] != values["tpm"]["direct"]["qemu < 10, 1024 MiB"]["sha256"]["4"]
    assert message["type"] == "sample"
    payload = json.loads(base64.b64decode(message["payload"]))
    assert payload["tpm_pcr11"] == [tpm["sha256"]["11"]] and payload["mr_td"][0] == tdx["mrtd"] and snp["launch_digest"] in payload["snp_launch_measurement"]
