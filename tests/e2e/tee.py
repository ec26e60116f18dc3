"""Quotes and reports taken apart and verified with openssl and nothing of ours; logs read and replayed. For the simulated TEE: its
throw-away root takes the vendor's place, everything else is as on hardware."""
import base64
import hashlib
import json
import os
import re
import struct
import subprocess

SPKI = {32: bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
        48: bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")}
VCEK, ASK, ARK = "63da758de6644564adc5f4b93be8accd", "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a80349529743 3fb6014cd0ae".replace(" ", "")
AMD = "1.3.6.1.4.1.3704.1."
SGX = "1.2.840.113741.1.13.1"


def openssl(*args, data=None, ok=True):
    p = subprocess.run(["openssl", *map(str, args)], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.returncode == 0 or not ok, p.stderr.decode()
    return p.stdout if ok else p.returncode == 0


def der_integer(raw):
    raw = raw.lstrip(b"\0") or b"\0"
    raw = (b"\0" if raw[0] & 128 else b"") + raw
    return b"\x02" + bytes([len(raw)]) + raw


def verifies(spki, r, s, message, tmp):
    """ECDSA by openssl: spki is DER, r and s big-endian; P-256 with SHA-256, P-384 with SHA-384."""
    body = der_integer(r) + der_integer(s)
    (tmp / "sig").write_bytes(b"\x30" + bytes([len(body)]) + body)
    (tmp / "key.der").write_bytes(spki)
    (tmp / "key.pem").write_bytes(openssl("pkey", "-pubin", "-inform", "DER", "-in", tmp / "key.der"))
    return openssl("dgst", "-sha256" if len(r) == 32 else "-sha384", "-verify", tmp / "key.pem", "-signature", tmp / "sig", data=message, ok=False)


def spki_of(pem, tmp):
    (tmp / "c.pem").write_text(pem)
    key = openssl("x509", "-in", tmp / "c.pem", "-noout", "-pubkey")
    return openssl("pkey", "-pubin", "-outform", "DER", data=key)


def pems(text):
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", text, re.S)


def extension(der, oid_text):
    """What stands behind an OID in a certificate: the content of the OCTET STRING of an extension, or the value of an attribute."""
    first, second, *rest = map(int, oid_text.split("."))
    out = bytes([first * 40 + second])
    for n in rest:
        groups = [n & 127]
        while n := n >> 7:
            groups.append(n & 127 | 128)
        out += bytes(reversed(groups))
    at = der.index(b"\x06" + bytes([len(out)]) + out) + 2 + len(out)
    return value_at(der, at)


def value_at(der, at):
    n, at = der[at + 1], at + 2
    if n & 128:
        n, at = int.from_bytes(der[at:at + (n & 127)], "big"), at + (n & 127)
    return der[at:at + n]


class Quote:
    """TDX quote version 4 (evidence of the TD in `body` fields), not yet believed."""

    def __init__(self, raw):
        self.raw = raw
        self.version, self.key_type, self.tee_type = struct.unpack_from("<HHI", raw)
        self.vendor, self.user_data = raw[12:28].hex(), raw[28:48]
        body = self.body = raw[48:632]
        self.tee_tcb_svn, self.attributes, self.mrtd = body[:16], struct.unpack_from("<Q", body, 120)[0], body[136:184].hex()
        self.mrconfigid = body[184:232].hex()
        self.rtmr = [body[328 + 48 * i:376 + 48 * i].hex() for i in range(4)]
        self.report_data = body[520:584]
        n = struct.unpack_from("<I", raw, 632)[0]
        self.sig_data = raw[636:636 + n]
        assert len(self.sig_data) == n

    def signed(self, tmp):
        """By the attestation key alone."""
        d = self.sig_data
        return verifies(SPKI[32] + d[64:128], d[:32], d[32:64], self.raw[:632], tmp)

    def check(self, trust, tmp):
        """Everything up to the root in the directory `trust`, and the collateral there. Asserts."""
        d = self.sig_data
        assert (self.version, self.key_type, self.tee_type, self.vendor) == (4, 2, 0x81, "939a7233f79c4ca9940a0db3957f0607")
        assert self.signed(tmp)
        kind, size = struct.unpack_from("<HI", d, 128)
        certified = d[134:]
        assert kind == 6 and size == len(certified)
        qe, auth_n = certified[:384], struct.unpack_from("<H", certified, 448)[0]
        auth = certified[450:450 + auth_n]
        kind, size = struct.unpack_from("<HI", certified, 450 + auth_n)
        chain = certified[456 + auth_n:]
        assert kind == 5 and size == len(chain)
        assert qe[320:384] == hashlib.sha256(d[64:128] + auth).digest() + bytes(32)
        pck, platform, root = pems(chain.decode().rstrip("\0"))
        assert root == open(os.path.join(trust, "root.pem")).read()
        assert verifies(spki_of(pck, tmp), certified[384:416], certified[416:448], qe, tmp)
        chain_verifies(pck, [platform], os.path.join(trust, "root.pem"),
                       [os.path.join(trust, n) for n in ("pck_crl.der", "root_ca_crl.der")], tmp)
        self.check_collateral(trust, pck, qe, tmp)

    def check_collateral(self, trust, pck, qe, tmp):
        def body(label):
            raw = open(os.path.join(trust, label + ".json"), "rb").read()
            signature = open(os.path.join(trust, label + "_signature.bin"), "rb").read()
            signer, root = pems(open(os.path.join(trust, label + "_issuer_chain.pem")).read())
            chain_verifies(signer, [], os.path.join(trust, "root.pem"), [os.path.join(trust, "root_ca_crl.der")], tmp)
            assert verifies(spki_of(signer, tmp), signature[:32], signature[32:], raw, tmp)
            return json.loads(raw)
        info, identity = body("tcb_info"), body("qe_identity")
        (tmp / "pck.pem").write_text(pck)
        der = openssl("x509", "-in", tmp / "pck.pem", "-outform", "DER")
        assert info["id"] == "TDX" and info["fmspc"] == extension(der, SGX + ".4").hex().upper() and info["pceId"] == extension(der, SGX + ".3").hex()
        components = [int.from_bytes(extension(der, f"{SGX}.2.{i}"), "big") for i in range(1, 17)]
        pcesvn = int.from_bytes(extension(der, SGX + ".2.17"), "big")

        def reaches(tcb):
            return (all(a >= b["svn"] for a, b in zip(components, tcb["sgxtcbcomponents"])) and pcesvn >= tcb["pcesvn"] and
                    all(a >= b["svn"] for a, b in list(zip(self.tee_tcb_svn, tcb["tdxtcbcomponents"]))[2:]))
        assert [level["tcbStatus"] for level in info["tcbLevels"] if reaches(level["tcb"])][0] == "UpToDate"
        module = next(m for m in info["tdxModuleIdentities"] if m["id"] == f"TDX_{self.tee_tcb_svn[1]:02X}")
        assert next(v for v in module["tcbLevels"] if self.tee_tcb_svn[0] >= v["tcb"]["isvsvn"])["tcbStatus"] == "UpToDate"
        assert identity["id"] == "TD_QE" and identity["mrsigner"] == qe[128:160].hex().upper() and identity["isvprodid"] == struct.unpack_from("<H", qe, 256)[0]
        mask = bytes.fromhex(identity["attributesMask"])
        assert bytes(a & m for a, m in zip(qe[48:64], mask)) == bytes.fromhex(identity["attributes"])
        assert struct.unpack_from("<H", qe, 258)[0] >= identity["tcbLevels"][0]["tcb"]["isvsvn"]


def chain_verifies(leaf, between, root_path, crls, tmp):
    (tmp / "leaf.pem").write_text(leaf)
    (tmp / "between.pem").write_text("".join(between))
    args = ["verify", "-x509_strict", "-CAfile", root_path]
    for i, crl in enumerate(crls):
        (tmp / f"crl{i}.pem").write_bytes(openssl("crl", "-inform", "DER", "-in", crl))
        args += ["-CRLfile", tmp / f"crl{i}.pem"]
    args += ["-crl_check_all"] if len(crls) > 1 else ["-crl_check"] if crls else []
    args += ["-untrusted", tmp / "between.pem"] if between else []
    openssl(*args, tmp / "leaf.pem")


class Report:
    """SNP report, versions 3 and 4, not yet believed."""

    def __init__(self, raw):
        assert len(raw) == 1184
        self.raw = raw
        self.version, _, self.policy = struct.unpack_from("<IIQ", raw)
        self.vmpl, self.sig_algo, self.signer_info = *struct.unpack_from("<II", raw, 0x30), struct.unpack_from("<I", raw, 0x48)[0]
        self.report_data, self.measurement, self.host_data = raw[0x50:0x90], raw[0x90:0xc0].hex(), raw[0xc0:0xe0].hex()
        self.reported_tcb, self.chip_id = raw[0x180:0x188], raw[0x1a0:0x1e0]

    def signed(self, spki, tmp):
        r, s = self.raw[0x2a0:0x2e8], self.raw[0x2e8:0x330]
        assert not any(r[48:] + s[48:] + self.raw[0x330:])
        return verifies(spki, r[47::-1], s[47::-1], self.raw[:0x2a0], tmp)

    def check(self, table, trust, tmp):
        certificates = read_table(table)
        pem = {}
        for guid in (VCEK, ASK, ARK):
            (tmp / "c.der").write_bytes(certificates[guid])
            pem[guid] = openssl("x509", "-inform", "DER", "-in", tmp / "c.der").decode()
        assert pem[ARK] == open(os.path.join(trust, "ark.pem")).read()
        assert self.version >= 3 and self.sig_algo == 1 and self.signer_info == 0
        assert self.signed(spki_of(pem[VCEK], tmp), tmp)
        chain_verifies(pem[VCEK], [pem[ASK]], os.path.join(trust, "ark.pem"), [], tmp)
        (tmp / "ask.pem").write_text(pem[ASK])
        chain_verifies(pem[ASK], [], os.path.join(trust, "ark.pem"), [os.path.join(trust, "crl.der")], tmp)
        for number, i in (("3.1", 0), ("3.2", 1), ("3.3", 6), ("3.8", 7)):
            assert int.from_bytes(value_at(extension(certificates[VCEK], AMD + number), 0), "big") == self.reported_tcb[i]
        assert extension(certificates[VCEK], AMD + "4") == self.chip_id


def read_table(blob):
    out, at = {}, 0
    while any(blob[at:at + 24]):
        offset, n = struct.unpack_from("<II", blob, at + 16)
        assert offset + n <= len(blob)
        out[blob[at:at + 16].hex()] = blob[offset:offset + n]
        at += 24
    return out


def read_log(blob):
    """[(index, type, {alg: digest}, data)] of a crypto-agile log, without its header; ends at padding."""
    assert blob[32:47] == b"Spec ID Event03"
    at = 32 + struct.unpack_from("<I", blob, 28)[0]
    events, size = [], {4: 20, 0xb: 32, 0xc: 48, 0xd: 64}
    while at + 8 <= len(blob) and blob[at:at + 4] != b"\xff" * 4:
        index, kind, count = struct.unpack_from("<III", blob, at)
        at += 12
        digests = {}
        for _ in range(count):
            alg = struct.unpack_from("<H", blob, at)[0]
            digests[alg] = blob[at + 2:at + 2 + size[alg]]
            at += 2 + size[alg]
        n = struct.unpack_from("<I", blob, at)[0]
        events.append((index, kind, digests, blob[at + 4:at + 4 + n]))
        at += 4 + n
    return events


def replay(events, alg=0xc):
    """{index: hex} of the registers that `events` extend."""
    name, out = {0xb: "sha256", 0xc: "sha384"}[alg], {}
    for index, kind, digests, _ in events:
        if kind != 3 and alg in digests:
            old = out.get(index, bytes(hashlib.new(name).digest_size))
            out[index] = hashlib.new(name, old + digests[alg]).digest()
    return {i: v.hex() for i, v in out.items()}


def decode(text):
    return base64.b64decode(text, validate=True)
