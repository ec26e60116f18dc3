"""make bench, small: a tiny image, one round, and no word about time. What is tested is that the numbers are there and plausible, and
that nothing is left mounted or running."""
import json
import os
import shutil
import subprocess

import pytest

from conftest import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the benchmark needs root")
RUN = os.path.join(ROOT, "tests", "bench", "run.py")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("bench"))
    env = {**os.environ, "IMAGES": "tiny", "ROUNDS": "1", "TOOLS": "plinth,skopeo+umoci", "BOOT": "0", "SCALE": "0", "SAVE": "0", "OUT": out, "TMPDIR": out}
    said = subprocess.run(["python3", RUN], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    assert said.returncode == 0, said.stderr.decode()
    with open(os.path.join(out, "result.json")) as f:
        value = json.load(f)
    with open("/proc/mounts") as f:
        assert out not in f.read()
    assert sorted(os.listdir(out)) == ["bench.png", "result.json"] if shutil.which("gnuplot") else ["result.json"]
    value["text"] = said.stdout.decode()
    return value


def test_every_case_was_measured(result):
    assert not result["left_out"]
    cases = {(r["tool"], r["compression"], r["tls"]) for r in result["runs"]}
    assert cases == {(tool, compression, tls) for tool in ("plinth", "skopeo+umoci") for compression, tls in
                     (("gzip", False), ("zstd", False), ("gzip", True))}
    for r in result["runs"]:
        assert len(r["costs"]) == 1 and r["median"] == r["costs"][0]
        assert 0 < r["median"]["cpu"] < 60 and r["peak"]["memory"] > 500_000, r
        assert r["peak"]["guest"] >= result["images"][0]["unpacked"] // 2, r


def test_floor_is_that_of_its_parts(result):
    for compression in ("gzip", "zstd"):
        f = result["floor"][compression]
        costs = [layer for layers in f["parts"].values() for layer in layers]
        assert len(costs) == 5 * len(result["images"][0]["layers"])
        assert f["floor"] == max(sum(c["cpu"] for c in costs) / result["machine"]["cores"], max(c["wall"] for c in costs))


def test_text_and_machine(result):
    assert "skopeo+umoci" in result["text"] and "times the floor" in result["text"]
    assert result["machine"]["cpu"] and result["machine"]["kernel"] == os.uname().release
    assert result["versions"]["plinth"].startswith("plinth ") and "umoci" in result["versions"]["skopeo+umoci"]


def test_an_image_that_is_not_signed_by_the_key_is_no_result(tmp_path):
    """The policy of the measured pull is a real one: with another key nothing is measured, and that is a failure."""
    env = {**os.environ, "IMAGES": "tiny", "ROUNDS": "1", "TOOLS": "plinth", "BOOT": "0", "TLS": "0", "OUT": str(tmp_path), "TMPDIR": str(tmp_path),
           "KEY": os.path.join(str(tmp_path), "other.pub")}
    subprocess.run(f"openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out {env['KEY']}", shell=True, check=True,
                   stderr=subprocess.DEVNULL)
    said = subprocess.run(["python3", RUN], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    assert said.returncode == 3, said.stderr.decode()
    assert b"plinth" in said.stdout and b"signature" in said.stdout, said.stdout
