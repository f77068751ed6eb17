"""A plain install: torchaudio is there and does not load, as its wheel for CUDA beside a torch for CPUs, and everything goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinycourse.authoring import course

ROOT = Path(__file__).parents[1]

IMPORTS = """
import importlib, pkgutil, tinycourse
for module in pkgutil.walk_packages(tinycourse.__path__, "tinycourse."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
VERBS = """
import argparse, contextlib, io
from tinycourse import cli
def helps(parser, path=()):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield (*path, name)
                yield from helps(sub, (*path, name))
for path in helps(cli.parser()):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        cli.main([*path, "--help"])
    assert "usage" in said.getvalue(), path
"""
WORK = """
import sys, torch
from tinycourse import cli, session
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.features.audio import resample
assert Frontend(FrontendConfig())(torch.zeros(1, 16_000)).shape == (1, 1, 101, 40)
assert resample(torch.zeros(8_000).numpy(), 8_000, 16_000).shape == (16_000,)
session.start("01")
assert cli.main(["evaluate", "found-337", "--data", "tinywords", "--split", "validation"]) == 0
assert cli.main(["export", "found-337", "--target", "host", "--out", sys.argv[1]]) == 0
"""
NOTEBOOK = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        shell.run_cell(source := "".join(cell["source"])).raise_error()
        if 'compare("MFCC"' in source:  # the last comparison; what follows knows no torchaudio
            break
"""


@pytest.fixture
def plain(tmp_path):
    """A function that runs Python code where torchaudio raises OSError when it is imported, and returns what it printed."""
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text("raise OSError('libc10_cuda.so: cannot open shared object file')\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "TINYCOURSE_FAST": "1", "MPLBACKEND": "agg", "IPYTHONDIR": str(tmp_path / "ipython")}

    def run(code: str, *arguments) -> str:
        command = [sys.executable, "-c", "import torch\n" + code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3_000:]
        return done.stdout

    return run


def test_every_module_and_every_verb_loads(plain):
    plain(IMPORTS + VERBS + "import sys\nassert 'torchaudio' not in sys.modules")


def test_front_end_evaluation_and_export_work(plain, tmp_path):
    said = plain(WORK, tmp_path / "exported")
    assert "accuracy" in said and json.loads((tmp_path / "exported" / "report.json").read_text())["target"] == "host"


def test_the_doctor_warns_and_repairs_only_on_request(plain, tmp_path):
    code = "import json\nfrom tinycourse.cli import doctor\nprint(json.dumps(doctor.examine_apart('torchaudio')))"
    level, text, remedy = json.loads(plain(code))
    assert level == "WARN" and "libc10_cuda.so" in text and "only comparisons" in remedy and "doctor --repair" in remedy
    assert [path.name for path in (tmp_path / "torchaudio").iterdir() if path.is_dir()] in ([], ["__pycache__"])


def test_lesson_01_shows_stored_values(plain):
    said = plain(NOTEBOOK, ROOT / "notebooks" / f"{course.find('01').folder}.ipynb")
    assert said.count("torchaudio does not load here (OSError)") == 1
    assert "MFCC            [11, 40]" in said
