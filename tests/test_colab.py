"""Elsewhere: the first cell where the course is not installed, Colab's versions, Binder's files."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from packaging.requirements import Requirement

from tinycourse.authoring import course

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("exercises/*.ipynb")])
COLAB = [Requirement(line) for line in (ROOT / "constraints-colab.txt").read_text().splitlines() if not line.startswith("#")]

# Runs a cell in IPython. The course cannot be imported before the cell has called %pip, which takes a note instead of installing.
FRESH = """
import importlib.abc, json, sys
from IPython.core.interactiveshell import InteractiveShell
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tinycourse":
            raise ModuleNotFoundError(name)
blocked = Blocked()
sys.meta_path.insert(0, blocked)
shell, calls = InteractiveShell.instance(), []
def pip(line):
    calls.append(line)
    sys.meta_path.remove(blocked)
shell.register_magic_function(pip, "line", "pip")
done = shell.run_cell(sys.stdin.read())
done.raise_error()
print(json.dumps({"calls": calls, "lesson": shell.user_ns["session"].lesson}))
"""


def test_the_first_cell_installs_the_course_where_it_is_missing_and_goes_on(tmp_path):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "IPYTHONDIR": str(tmp_path / "ipython")}
    cell = course.first_cell(ROOT, course.find("03"))
    done = subprocess.run([sys.executable, "-c", FRESH], input=cell, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"calls": [f'install -q "git+https://github.com/{course.repository(ROOT)}"'], "lesson": "03"}


@pytest.mark.parametrize("pin", COLAB, ids=str)
def test_what_colab_brings_satisfies_the_course(pin):
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    [wanted] = [r for r in map(Requirement, needed) if r.name == pin.name]
    [version] = pin.specifier
    assert version.operator == "==" and wanted.specifier.contains(version.version), f"%pip install would replace Colab's {pin}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_badges_open_the_notebook_they_stand_in(path):
    title = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    name = f"{path.parent.name}/{path.name}"
    binder, colab = (
        urlsplit(re.search(rf"\)\]\((https://{host}/[^)]+)", title)[1]) for host in ("mybinder.org", "colab.research.google.com")
    )
    assert binder.path == f"/v2/gh/{course.repository(ROOT)}/HEAD" and unquote(binder.query) == f"urlpath=lab/tree/{name}"
    assert colab.path == f"/github/{course.repository(ROOT)}/blob/main/{name}"


def test_binder_finds_what_it_looks_for():
    known = {"environment.yml", "requirements.txt", "runtime.txt", "postBuild", "apt.txt", "start"}
    assert {path.name for path in (ROOT / ".binder").iterdir()} <= known
    assert re.fullmatch(r"python-3\.\d+\s*", (ROOT / ".binder/runtime.txt").read_text())
    for line in (ROOT / ".binder/requirements.txt").read_text().splitlines():
        if line.startswith("-c "):
            assert (ROOT / ".binder" / line.removeprefix("-c ")).is_file()


def test_binder_can_run_its_last_step():
    script = ROOT / ".binder/postBuild"
    assert script.read_bytes().startswith(b"#!/usr/bin/env bash\n")
    if not (shutil.which("bash") and shutil.which("git") and (ROOT / ".git").exists()):
        pytest.skip("needs bash, and git in a clone")
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    mode = subprocess.run(["git", "ls-files", "-s", str(script)], capture_output=True, text=True, cwd=ROOT).stdout
    assert mode.startswith("100755"), "git update-index --chmod=+x .binder/postBuild"
