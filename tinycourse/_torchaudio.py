"""torchaudio, which the course compares with and never needs; and how it imports beside a torch that its compiled part was not built for.

The torchaudio wheel for Linux on PyPI is built for CUDA. Beside a CPU build of torch `import torchaudio` raises OSError, because
libraries such as libc10_cuda.so are missing; beside a CUDA build of another version it raises RuntimeError. Its Python part works
without the compiled one: `rnnt_loss`, `forced_align` and the CTC decoder are lost.
`repair` moves the shared objects into a sibling folder, where `restore` finds them again. Where torchaudio loads by itself
nothing is touched.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tinycourse.errors import TinycourseError

SHARED_OBJECTS = (".so", ".pyd", ".dll", ".dylib")
SET_ASIDE = "lib-set-aside"
REINSTALL = "install it again: python -m pip install --force-reinstall --no-deps torchaudio"

# Runs in a process of its own: a torchaudio that failed to import cannot be imported again in the same process.
PROBE = """
import json
try:
    import torch, torchaudio
    features = torchaudio.transforms.MFCC(sample_rate=16000, n_mfcc=10)(torch.zeros(1, 16000))
    assert features.shape[:2] == (1, 10), features.shape
    try:
        lengths = [torch.tensor([n], dtype=torch.int32) for n in (2, 1)]
        torchaudio.functional.rnnt_loss(torch.zeros(1, 2, 2, 3), torch.ones(1, 1, dtype=torch.int32), *lengths, blank=0)
        compiled = True
    except (AttributeError, RuntimeError):
        compiled = False
    print(json.dumps({"error": "", "message": "", "compiled": compiled}))
except BaseException as error:
    message = str(error).strip().partition("\\n")[0]
    print(json.dumps({"error": type(error).__name__, "message": message, "compiled": False}))
"""


class Probe(NamedTuple):
    """How torchaudio loads: name of the `error` ("" where it works), its `message`, and whether the `compiled` part answers."""

    error: str
    message: str
    compiled: bool


class Repair(NamedTuple):
    """What `repair` did: `works` after it, `moved` shared objects, and one line of `text` that says so."""

    works: bool
    moved: int
    text: str


def load() -> ModuleType:
    """The module torchaudio. Raises TinycourseError where it does not load."""
    try:
        import torchaudio
    except (ImportError, OSError, RuntimeError) as error:
        raise TinycourseError(
            f"torchaudio does not load here ({type(error).__name__}): only comparisons need it; `tinycourse doctor` says what to do."
        ) from error
    return torchaudio


def folder() -> Path | None:
    """The folder of the installed torchaudio package, found without importing it; None where it is not installed."""
    spec = importlib.util.find_spec("torchaudio")
    return Path(spec.origin).parent if spec and spec.origin else None


def probe() -> Probe:
    """Import torchaudio, compute an MFCC and try `rnnt_loss`, in a new process."""
    run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    if run.returncode or not run.stdout.strip():
        return Probe("crash", f"Python stopped with status {run.returncode}", compiled=False)
    return Probe(**json.loads(run.stdout.splitlines()[-1]))


def built_for_another_torch(found: Probe) -> bool:
    """Whether the compiled part is what stops the import: a shared object is missing, or its CUDA version is another."""
    return found.error == "OSError" or (found.error == "RuntimeError" and "different CUDA versions" in found.message)


def move(source: Path, target: Path) -> int:
    """Move the shared objects of folder `source` into folder `target`, over older ones of the same name; how many they were."""
    libraries = [path for path in sorted(source.glob("*")) if path.suffix in SHARED_OBJECTS]
    for path in libraries:
        target.mkdir(exist_ok=True)
        os.replace(path, target / path.name)
    return len(libraries)


def restore(package: Path) -> int:
    """Undo `repair`: move the shared objects back into torchaudio/lib; how many they were."""
    return move(package / SET_ASIDE, package / "lib")


def repair(package: Path | None = None) -> Repair:
    """Make `import torchaudio` work where only its compiled part prevents it; calling it again changes nothing.

    package: the folder of the torchaudio package (default: the installed one).
    """
    package = package or folder()
    if package is None:
        return Repair(False, 0, "torchaudio is not installed; " + REINSTALL)
    before = probe()
    if not before.error:
        return Repair(True, 0, "torchaudio loads; nothing to repair")
    if not built_for_another_torch(before):
        return Repair(False, 0, f"torchaudio does not load ({before.error}: {before.message}); {REINSTALL}")
    moved = move(package / "lib", package / SET_ASIDE)
    after = probe()
    if after.error:
        restore(package)
        return Repair(
            False, 0, f"torchaudio does not load, with or without its compiled part ({after.error}: {after.message}); {REINSTALL}"
        )
    return Repair(
        True,
        moved,
        f"torchaudio's compiled part was built for another torch: its {moved} shared objects went from "
        f"torchaudio/lib to torchaudio/{SET_ASIDE}, and torchaudio loads",
    )


if __name__ == "__main__":
    outcome = repair()
    print(outcome.text)
    sys.exit(not outcome.works)
