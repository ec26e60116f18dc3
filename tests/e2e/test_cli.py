"""The command line's contract: --help, exit statuses, --json, the man page."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import PLINTH, ROOT
from image import Image, policy

COMMANDS = ["pull", "check", "initrd", "run", "eventlog", "verify", "verify-quote"]
MAN = os.path.join(ROOT, "tools", "plinth.1")


def options(plinth, command):
    return re.findall(r"^  (--?[a-z]+)", plinth.run(command, "--help").out, re.M)


def test_help_and_version(plinth):
    r = plinth.run("--help")
    assert r.status == 0 and r.err == "" and all(c in r.out for c in COMMANDS)
    r = plinth.run("--version")
    assert r.status == 0 and re.fullmatch(r"plinth \d+\.\d+\.\d+\n", r.out)
    r = plinth.run()
    assert r.status == 2 and r.out == "" and "usage:" in r.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of(plinth, command):
    r = plinth.run(command, "--help")
    assert r.status == 0 and r.err == "" and r.out.startswith(f"usage: plinth {command}")
    assert "--json" in options(plinth, command) and "--help" in options(plinth, command)
    assert max(map(len, r.out.splitlines())) <= 130
    assert plinth.run(command, "--json", "--help").out == r.out


@pytest.mark.parametrize("command", COMMANDS)
def test_usage(plinth, command):
    for bad in (["--no-such"], ["-x"], ["--json=1"], ["--json", "-"], ["a", "b", "c", "d"]):
        r = plinth.run(command, *bad)
        assert r.status == 2 and r.err.startswith("plinth: "), (bad, r.err)


@pytest.mark.parametrize("args", [
    ["frobnicate"], ["pull"], ["pull", "oci:x"], ["check"], ["pull", "--policy"], ["check", "--policy", "a", "--policy", "b", "oci:x"],
    ["pull", "oci:/nonexistent", "/nonexistent/x"], ["initrd"], ["run"], ["eventlog"], ["eventlog", "/nonexistent"],
])
def test_wrong_usage(plinth, args):
    r = plinth.run(*args)
    assert r.status == 2 and r.out == "" and r.err.startswith("plinth: "), r.err


@pytest.mark.parametrize("args,why", [
    (["--tee", "sgx"], "not tpm, tdx, snp"), (["--tee", "tpm,tdx"], "not tpm, tdx, snp"), (["--tee", "tdx,snp"], "not tpm, tdx, snp"),
    (["--simulate", "/"], "--tee tdx or snp"), (["--host-data", "00"], "--tee tdx or snp"), (["--tee", "snp", "--launch-digest", "00"], "--simulate"),
    (["--nonce", "AB"], "hex"), (["--nonce", "abc"], "hex"), (["--nonce", ""], "hex"), (["--nonce", "ab" * 65], "hex"),
    (["--memory", "1"], "--memory"), (["--memory", "-5"], "--memory"), (["--cpus", "0"], "--cpus"), (["--timeout", "1s"], "--timeout"),
    (["--kernel", "/nonexistent"], "/nonexistent"), (["--kernel", PLINTH, "--agent", "/nonexistent"], "/nonexistent"),
    (["--kernel", PLINTH, "--agent", PLINTH, "--console", "/nonexistent/x"], "console"),
    (["--kernel", PLINTH, "--agent", PLINTH, "--evidence", "/nonexistent/x"], "evidence"), (["--module", "x.ko.xz", "--kernel", PLINTH], "x.ko.xz"),
    (["--kernel", PLINTH, "--agent", PLINTH, "--firmware", "/nonexistent"], "firmware"),
    (["--kernel", PLINTH, "--agent", PLINTH, "--publish", "80"], "HOSTPORT"), (["--kernel", PLINTH, "--agent", PLINTH, "--publish", "80:65536"], "HOSTPORT"),
])
def test_run_usage(plinth, keys, args, why):
    r = plinth.run("run", "--policy", plinth.policy(policy(keys["builder"])), "--json", *args)
    assert r.status == 2 and why in r.err, r.err
    assert r.json["verdict"] == "error" and why in r.json["reason"]


def test_options_and_operands_mix(plinth, keys, tmp_path):
    p = plinth.policy(policy(keys["builder"]))
    ref = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "l")) + ":v"
    for args in (["--policy", p, ref], [ref, "--policy", p], ["--policy=" + p, "--", ref]):
        r = plinth.run("check", *args)
        assert r.status == 0 and r.out.startswith("accepted  oci:"), r.err
    assert plinth.run("check", "--policy", p, "--", ref, "--json").status == 2


def test_statuses(plinth, keys, tmp_path):
    ref = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "l")) + ":v"
    good, other = policy(keys["builder"]), policy(keys["stranger"])
    assert plinth.check(good, ref).json["verdict"] == "accepted"
    r = plinth.check(other, ref)
    assert r.status == 1 and r.json["verdict"] == "refused" and r.err.startswith("plinth: refused: ")
    assert r.json["reason"] in r.err.splitlines()[0]
    r = plinth.check("{", ref)
    assert r.status == 2 and r.json["verdict"] == "error"
    r = plinth.check(dict(good, registry={"allowHttp": True}, limits={"seconds": 1}), "docker://127.0.0.1:9/x/y:z")
    assert r.status == 3 and r.json["verdict"] == "error" and r.json["image"] == "127.0.0.1:9/x/y:z", r.out


def test_check_and_pull_agree(plinth, keys, tmp_path):
    ref = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "l")) + ":v"
    check, pull = plinth.check(policy(keys["builder"]), ref).json, plinth.pull(policy(keys["builder"]), ref).json
    assert check == pull and re.fullmatch("[0-9a-f]{64}", check["register"])
    assert check["registers"]["sha256"] == check["register"] and re.fullmatch("[0-9a-f]{96}", check["registers"]["sha384"])
    assert check["reason"] is None and check["attestations"] == []
    assert [s["form"] for s in check["signatures"]] == ["tag"]


def test_target(plinth, keys, tmp_path):
    """Absent: made, and removed when refused. Empty: kept, emptied. A file, a missing parent: wrong usage."""
    ref = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "l")) + ":v"
    good, other = plinth.policy(policy(keys["builder"])), plinth.policy(policy(keys["stranger"]))
    target = tmp_path / "t"
    assert plinth.run("pull", "--policy", other, ref, target).status == 1 and not target.exists()
    target.mkdir()
    assert plinth.run("pull", "--policy", other, ref, target).status == 1 and os.listdir(target) == []
    assert plinth.run("pull", "--policy", good, ref, target).status == 0 and os.listdir(target) == ["hello"]
    r = plinth.run("pull", "--policy", good, "--json", ref, target)
    assert r.status == 2 and "not empty" in r.err and r.json["verdict"] == "error" and os.listdir(target) == ["hello"]
    assert plinth.run("pull", "--policy", good, ref, tmp_path / "l" / "oci-layout").status == 2
    assert plinth.run("pull", "--policy", good, ref, tmp_path / "no" / "where").status == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted(plinth, tmp_path, number):
    """A registry that says nothing; then the command, or the process that does its work, is ended: nothing is left."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        p = plinth.policy({"signatures": {"allowUnsigned": True}, "registry": {"allowHttp": True}})
        target = tmp_path / "t"
        command = subprocess.Popen([PLINTH, "pull", "--policy", p, f"docker://127.0.0.1:{silent.getsockname()[1]}/x/y:z", target],
                                   stderr=subprocess.PIPE)
        silent.settimeout(20)
        silent.accept()
        assert target.is_dir()
        victim = command.pid
        if number == signal.SIGKILL:
            victim = int(open(f"/proc/{victim}/task/{victim}/children").read().split()[0])
        os.kill(victim, number)
        assert b"stopped by signal" in command.communicate(timeout=20)[1]
        assert command.returncode == 3 and not target.exists()


def test_no_command_no_register(plinth, keys, tmp_path):
    image = Image(process={"Env": ["A=b"]}).sign(keys["builder"])
    ref = "oci:" + image.write_layout(str(tmp_path / "l")) + ":v"
    r = plinth.check(policy(keys["builder"]), ref)
    assert r.status == 0 and r.json["register"] is None and "no register is predicted" in r.err
    r = plinth.check(policy(keys["builder"], run={"args": ["/hello"]}), ref)
    assert r.status == 0 and r.json["register"]


def test_output_that_cannot_be_written(plinth, keys, tmp_path):
    ref = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "l")) + ":v"
    with open("/dev/full", "w") as full:
        for args in (["--help"], ["--version"], ["check", "--policy", plinth.policy(policy(keys["builder"])), "--json", ref]):
            assert subprocess.run([PLINTH, *args], stdout=full, stderr=subprocess.DEVNULL).returncode == 3, args


def test_closed_standard_descriptors(plinth, keys, tmp_path):
    """Whoever starts us without descriptors 0-2 must not get messages into files."""
    ref = "oci:" + Image().sign(keys["builder"]).write_layout(str(tmp_path / "l")) + ":v"
    p = plinth.policy(policy(keys["builder"]))
    command = f'exec "{PLINTH}" pull --policy "{p}" "{ref}" "{tmp_path}/t" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command]).returncode == 0
    assert (tmp_path / "t" / "hello").read_text() == "hello\n"


def test_man_page_tells_everything(plinth):
    text = open(MAN).read()
    for command in COMMANDS:
        section = text.split('.SS "plinth ' + command.replace("-", "\\-"), 1)
        assert len(section) == 2, command
        section = re.split(r"^\.S[SH]", section[1], maxsplit=1, flags=re.M)[0].replace("\\-", "-")
        for option in options(plinth, command):
            assert option in section or option in ("--help", "--json"), (command, option)


@pytest.mark.skipif(not shutil.which("mandoc") and not shutil.which("groff"), reason="neither mandoc nor groff")
def test_man_page_is_clean():
    if shutil.which("mandoc"):
        p = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    else:
        p = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", MAN], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert p.stdout == b"", p.stdout.decode()
