"""The repair of torchaudio: its compiled part is set aside where it does not fit, and nothing else is touched."""

import subprocess
import sys
from pathlib import Path

import pytest

from tinycourse import _torchaudio

FAKE_TORCH = """
from types import SimpleNamespace
int32 = None
def zeros(*shape):
    return SimpleNamespace(shape=shape)
def ones(*shape, dtype):
    return zeros(*shape)
def tensor(values, dtype):
    return values
"""
FAKE_TORCHAUDIO = """
from pathlib import Path
import torch
LIBRARIES = list((Path(__file__).parent / "lib").glob("*.so"))
if LIBRARIES and {error}:
    raise {error}
class transforms:
    class MFCC:
        def __init__(self, **options):
            self.count = options["n_mfcc"]
        def __call__(self, audio):
            return torch.zeros(1, self.count, 5)
class functional:
    @staticmethod
    def rnnt_loss(*args, **options):
        if not LIBRARIES:
            raise AttributeError("no such operation")
"""
LIBRARIES = ["_torchaudio.abi3.so", "libtorchaudio.abi3.so"]


@pytest.fixture
def fake_torchaudio(monkeypatch, tmp_path):
    """A function that makes a torchaudio whose compiled part raises `error`, and returns its folder."""

    def make(error: str) -> Path:
        package = tmp_path / "torchaudio"
        (package / "lib").mkdir(parents=True)
        (package / "__init__.py").write_text(FAKE_TORCHAUDIO.format(error=error))
        (tmp_path / "torch.py").write_text(FAKE_TORCH)  # quicker to import than the real one
        for name in ["__init__.py", *LIBRARIES]:
            (package / "lib" / name).write_text(name)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return package

    return make


def files(folder: Path) -> list[str]:
    """The names of the files in `folder`, sorted."""
    return sorted(path.name for path in folder.glob("*") if path.is_file())


def test_repair_touches_nothing_where_torchaudio_loads(fake_torchaudio):
    package = fake_torchaudio("None")
    assert _torchaudio.probe() == ("", "", True)
    assert _torchaudio.repair(package) == (True, 0, "torchaudio loads; nothing to repair")
    assert files(package / "lib") == ["__init__.py", *LIBRARIES]


@pytest.mark.parametrize(
    "error",
    [
        "OSError('libc10_cuda.so: cannot open shared object file')",
        "RuntimeError('PyTorch and TorchAudio were compiled with different CUDA versions')",
    ],
)
def test_repair_sets_shared_objects_aside_once_and_restores_them(fake_torchaudio, error):
    package = fake_torchaudio(error)
    works, moved, text = _torchaudio.repair(package)
    assert (works, moved) == (True, 2) and "\n" not in text and _torchaudio.SET_ASIDE in text
    assert files(package / "lib") == ["__init__.py"]
    assert files(package / _torchaudio.SET_ASIDE) == LIBRARIES
    assert _torchaudio.probe() == ("", "", False)

    assert _torchaudio.repair(package) == (True, 0, "torchaudio loads; nothing to repair")
    assert files(package / _torchaudio.SET_ASIDE) == LIBRARIES

    assert _torchaudio.restore(package) == 2
    assert files(package / "lib") == ["__init__.py", *LIBRARIES]
    assert (package / "lib" / LIBRARIES[0]).read_text() == LIBRARIES[0]


def test_repair_after_torchaudio_was_installed_again(fake_torchaudio):
    package = fake_torchaudio("OSError('libc10_cuda.so')")
    _torchaudio.repair(package)
    (package / "lib" / LIBRARIES[0]).write_text("newer")
    assert _torchaudio.repair(package)[:2] == (True, 1)
    assert (package / _torchaudio.SET_ASIDE / LIBRARIES[0]).read_text() == "newer"


@pytest.mark.parametrize("error", ["ImportError('no module named x')", "RuntimeError('other')", "ValueError('wrong')"])
def test_repair_reports_another_error_and_touches_nothing(fake_torchaudio, error):
    package = fake_torchaudio(error)
    works, moved, text = _torchaudio.repair(package)
    assert (works, moved) == (False, 0) and error.split("(")[0] in text and "install it again" in text
    assert files(package / "lib") == ["__init__.py", *LIBRARIES]


def test_repair_that_does_not_help_is_undone(fake_torchaudio):
    package = fake_torchaudio("OSError('libc10_cuda.so')")
    code = (package / "__init__.py").read_text()
    (package / "__init__.py").write_text(code.replace("class transforms:", "if not LIBRARIES:\n    1 / 0\nclass transforms:"))
    works, moved, text = _torchaudio.repair(package)
    assert (works, moved) == (False, 0) and "ZeroDivisionError" in text
    assert files(package / "lib") == ["__init__.py", *LIBRARIES]


def test_repair_survives_a_torchaudio_that_stops_python(fake_torchaudio):
    package = fake_torchaudio("OSError()")
    (package / "__init__.py").write_text("import os; os._exit(7)")
    assert _torchaudio.repair(package).text.startswith("torchaudio does not load (crash: Python stopped with status 7)")


def test_repair_without_torchaudio(monkeypatch):
    monkeypatch.setattr(_torchaudio, "folder", lambda: None)
    assert _torchaudio.repair().works is False


def test_repair_from_the_command_line():
    run = subprocess.run([sys.executable, "-m", "tinycourse._torchaudio"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "torchaudio loads; nothing to repair\n"), run.stderr
