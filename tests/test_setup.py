"""The files that set the course up agree with one another; make says what is wrong; `start` begins a lesson."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import tinycourse
from tinycourse import session
from tinycourse.errors import TinycourseError

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
TORCH_INDEX = re.search(r"^TORCH_INDEX := (\S+)$", MAKEFILE, re.M)[1]


def requirements(lines: list[str]) -> dict[str, Requirement]:
    """Requirements by name; comments, blank lines and options such as -c are left out."""
    parsed = [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]
    names = [canonicalize_name(requirement.name) for requirement in parsed]
    assert len(set(names)) == len(names), f"named twice: {sorted(names)}"
    return dict(zip(names, parsed))


NEEDED = requirements(PROJECT["dependencies"])
EXTRAS = {name: requirements(lines) for name, lines in PROJECT["optional-dependencies"].items()}
ALL = NEEDED | EXTRAS["lab"] | EXTRAS["test"] | EXTRAS["teach"] | EXTRAS["site"]
PINS = requirements((ROOT / "constraints.txt").read_text().splitlines())
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
BINDER = (ROOT / ".binder/requirements.txt").read_text().splitlines()


# --- agreement ---


def test_every_dependency_is_pinned_within_its_range():
    for name, wanted in ALL.items():
        [pin] = PINS[name].specifier
        assert pin.operator == "==" and wanted.specifier.contains(pin.version), f"{wanted}, but {pin}"


def test_every_pin_is_one_version_for_all_machines():
    wrong = [str(pin) for pin in PINS.values() if not re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)) or pin.marker]
    assert not wrong


def test_the_tests_run_with_the_pinned_versions():
    found = {name: version(name) for name in NEEDED | EXTRAS["lab"] | EXTRAS["test"]}
    wrong = {name: number for name, number in found.items() if not PINS[name].specifier.contains(number)}
    assert not wrong, "call make again, or copy the new versions into constraints.txt"


@pytest.mark.parametrize(
    "file, lines, constraints",
    [("environment.yml", CONDA[-1]["pip"], "-c constraints.txt"), (".binder/requirements.txt", BINDER, "-c ../constraints.txt")],
)
def test_conda_and_binder_take_names_and_pins_from_their_one_place(file, lines, constraints):
    named = requirements(lines)
    assert {"torch", "torchaudio"} <= set(named) <= set(NEEDED)
    assert all(not requirement.specifier for requirement in named.values()), f"versions stand in constraints.txt, not in {file}"
    assert constraints in lines and f"--extra-index-url {TORCH_INDEX}" in lines


def test_the_course_itself_is_installed_everywhere():
    assert "-e .[lab]" in CONDA[-1]["pip"]
    assert "-c constraints.txt -e '.[lab]'\n" in MAKEFILE
    assert "-c constraints.txt -e ." in (ROOT / ".binder/postBuild").read_text()


def test_python_is_the_same_everywhere():
    wanted = SpecifierSet(PROJECT["requires-python"])
    versions = [minor for minor in range(20) if wanted.contains(f"3.{minor}")]
    assert versions == [11, 12, 13]
    [conda] = [line for line in CONDA if isinstance(line, str) and line.startswith("python ")]
    assert SpecifierSet(conda.removeprefix("python ")) == wanted
    assert wanted.contains((ROOT / ".binder/runtime.txt").read_text().strip().removeprefix("python-"))
    assert "(3, 11) <= sys.version_info < (3, 14)" in MAKEFILE
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    assert all(wanted.contains(version) for version in workflow["jobs"]["test"]["strategy"]["matrix"]["python"])


def test_command_line_is_installed_under_its_name():
    assert PROJECT["scripts"] == {"tinycourse": "tinycourse.cli:main"}
    assert tinycourse.__version__ == "0.1.0"
    code = "import sys, tinycourse; print(sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


# --- make ---

FAKE_PYTHON = """#!/bin/bash
# Notes how it was called; `-m venv FOLDER` puts a copy of it there.
echo "$*" >> "$LOG"
case "$*" in
    *"-m venv "*) [[ $VENV_FAILS ]] && exit 1; mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    *version_info*) [[ $VERSION == old ]] && exit 1 ;;
    *urlopen*) [[ $INDEX == answers ]] || exit 1 ;;
    *" pip "*"-e ."*) exit "${PIP_STATUS:-0}" ;;
esac
exit 0
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Call make with a Python that only takes notes; returns the finished process and the notes of that call."""
    if not shutil.which("make") or os.name == "nt":
        pytest.skip("needs make and bash")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "fake-python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    log = tmp_path / "log"

    def call(*goals: str, **environment: str) -> tuple[subprocess.CompletedProcess, str]:
        log.write_text("")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        run = subprocess.run(
            ["make", *goals, f"PYTHON={python}"], cwd=tmp_path, env=clean | environment | {"LOG": str(log)}, capture_output=True, text=True
        )
        return run, log.read_text()

    return call


def test_set_up_takes_torch_from_its_own_index_where_that_answers(make):
    run, notes = make("setup", INDEX="answers")
    torch, course = [line for line in notes.splitlines() if "pip" in line]
    assert run.returncode == 0
    assert f"--no-deps --index-url {TORCH_INDEX} -c constraints.txt torch torchaudio" in torch
    assert course.endswith("-c constraints.txt -e .[lab]") and "index" not in course
    assert notes.splitlines()[-1] == "-m tinycourse._torchaudio"


def test_set_up_takes_torch_from_the_default_index_otherwise(make):
    run, notes = make("setup")
    [course] = [line for line in notes.splitlines() if "pip" in line]
    assert run.returncode == 0 and "does not answer" in run.stdout
    assert course.endswith("-c constraints.txt -e .[lab]") and "index" not in course


def test_set_up_is_done_once_and_again_when_the_pins_change(make, tmp_path):
    make("setup")
    assert make("setup")[1] == ""
    later = (tmp_path / ".venv/ready").stat().st_mtime + 10
    os.utime(tmp_path / "constraints.txt", (later, later))
    assert "pip" in make("setup")[1]


def test_set_up_that_failed_is_tried_again(make):
    run, _ = make("setup", PIP_STATUS="1")
    assert run.returncode
    assert "pip" in make("setup")[1]


@pytest.mark.parametrize(
    "environment, sentence",
    [
        ({"VERSION": "old"}, "The course needs Python 3.11, 3.12 or 3.13, and"),
        ({"VENV_FAILS": "1"}, "Python could not create the virtual environment .venv: install the module venv"),
    ],
)
@pytest.mark.parametrize("goal", ["lab", "test"])
def test_make_says_what_is_wrong_with_python(make, goal, environment, sentence):
    run, notes = make(goal, **environment)
    assert run.returncode and sentence in run.stdout and "pip" not in notes


def test_make_help_lists_every_goal(make):
    goals = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)[1].split()
    assert [line.split()[0] for line in make("help")[0].stdout.splitlines()] == goals


# --- start ---


@pytest.fixture
def tinywords_only(monkeypatch):
    """As on a machine without real recordings, and without the variables that tests set."""
    monkeypatch.setattr(session, "choose_data", lambda: "tinywords")
    monkeypatch.delenv("TINYCOURSE_FAST", raising=False)


def test_start_says_what_the_run_is_made_of(tinywords_only, capsys, monkeypatch):
    import torch

    started = tinycourse.start("03", seed=7)
    assert started == tinycourse.Session("03", 7, "cuda" if torch.cuda.is_available() else "cpu", False, "tinywords")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"tinycourse {tinycourse.__version__}, lesson 03: Python 3.") and torch.__version__ in first
    assert second.startswith(f"seed 7, device {started.device} (") and second.endswith("data tinywords, full run")

    monkeypatch.setenv("TINYCOURSE_FAST", "1")
    assert tinycourse.start("03").fast
    assert "FAST" in capsys.readouterr().out


def test_start_seeds_everything(tinywords_only):
    import random

    import numpy
    import torch

    def draw(seed):
        tinycourse.start("00", seed)
        return random.random(), float(numpy.random.rand()), float(torch.rand(()))

    assert draw(1) == draw(1)
    assert not set(draw(1)) & set(draw(2))


@pytest.mark.parametrize("lesson", ["3", 3, "003", "three", ""])
def test_start_refuses_a_wrong_lesson_number(lesson):
    with pytest.raises(TinycourseError, match=r'tinycourse.start\("03"\)'):
        tinycourse.start(lesson)


@pytest.mark.parametrize("found, name", [("somewhere", "speech-commands"), (None, "tinywords")])
def test_real_recordings_are_used_where_they_are_found(monkeypatch, found, name):
    from tinycourse import data

    monkeypatch.setattr(data, "find", {"speech-commands": found}.get)
    assert session.choose_data() == name


@pytest.mark.parametrize("quota, cpus", [("max 100000", sys.maxsize), ("250000 100000", 2), ("50000 100000", 1)])
def test_threads_respect_a_container(tmp_path, monkeypatch, quota, cpus):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert session.container_cpus(tmp_path / "cpu.max") == cpus
    assert session.container_cpus(tmp_path / "none") == sys.maxsize
    monkeypatch.setattr(session, "container_cpus", lambda: cpus)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert session.threads(64) == min(cpus, session.MOST_THREADS)
    assert session.threads(1) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert session.threads(8) == 8


def test_figures_are_small_and_told_apart_without_colour_vision(tinywords_only, tmp_path):
    import matplotlib.pyplot as plt
    import numpy

    tinycourse.start("00")
    assert plt.rcParams["axes.prop_cycle"].by_key()["color"] == list(session.PALETTE)
    figure, axes = plt.subplots()
    axes.imshow(numpy.random.default_rng(0).random((40, 101)), aspect="auto")  # noise compresses worst
    figure.savefig(tmp_path / "noise.png")
    plt.close(figure)
    assert (tmp_path / "noise.png").stat().st_size < 100_000
