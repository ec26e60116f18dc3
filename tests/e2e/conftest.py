import json
import os
import subprocess
import sys
import tarfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLINTH = os.path.join(ROOT, "build", "plinth")
sys.path.insert(0, HERE)

from image import Key  # noqa: E402


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        self.json = json.loads(out) if out.strip().startswith("{") else None


class Plinth:
    """Runs build/plinth with a policy given as an object."""

    def __init__(self, directory):
        self.directory = directory
        self.count = 0

    def run(self, *args, timeout=60, **more):
        p = subprocess.run([PLINTH, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=timeout, **more)
        return Result(p.returncode, p.stdout.decode(), p.stderr.decode())

    def policy(self, policy):
        self.count += 1
        path = os.path.join(self.directory, f"policy{self.count}.json")
        with open(path, "w") as f:
            f.write(policy if isinstance(policy, str) else json.dumps(policy))
        return path

    def check(self, policy, ref, **more):
        return self.run("check", "--policy", self.policy(policy), "--json", ref, **more)

    def pull(self, policy, ref, **more):
        """Result with .dir, the target directory (absent before)."""
        self.count += 1
        target = os.path.join(self.directory, f"target{self.count}")
        result = self.run("pull", "--policy", self.policy(policy), "--json", ref, target, **more)
        result.dir = target
        return result

    def refused(self, policy, ref, status=1, **more):
        """Pulls; it must be refused with a reason on both outputs and leave nothing behind."""
        result = self.pull(policy, ref, **more)
        assert result.status == status, (result.status, result.out, result.err)
        assert not os.path.exists(result.dir) or not os.listdir(result.dir), "something was left in the target"
        assert result.err.startswith("plinth: "), result.err
        if status == 1:
            assert result.json["verdict"] == "refused" and result.json["reason"], result.out
        return result


@pytest.fixture
def plinth(tmp_path):
    return Plinth(str(tmp_path))


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("keys"))
    return {name: Key(directory, name) for name in ("builder", "auditor", "stranger")}


@pytest.fixture(scope="session")
def vectors(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("vectors"))
    with tarfile.open(os.path.join(HERE, "vectors", "cosign.tar.xz")) as t:
        t.extractall(directory)
    return os.path.join(directory, "cosign")
