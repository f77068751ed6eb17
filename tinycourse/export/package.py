"""Folders that hold a model ready to run: C sources, the built binary, a report of its size, and the model itself.

`export` writes one, `load` opens one again, whatever it was built for: this machine (through ctypes), a Cortex-M (through the
emulator) or WebAssembly (through wasmtime).
"""

import json
from pathlib import Path

import numpy as np

from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.errors import TinycourseError
from tinycourse.export.base import FORMAT, MACHINE, PROGRAM, Package
from tinycourse.export.firmware import FORMS
from tinycourse.export.network_package import NetworkPackage, Runner
from tinycourse.export.spotter_package import SpotterPackage
from tinycourse.export.transducer_package import Transcriber, TransducerPackage
from tinycourse.files import digest
from tinycourse.program.keyword_spotter import Listener
from tinycourse.program.program import Program
from tinycourse.program.transducer import TransducerProgram
from tinycourse.targets import toolchain

KINDS: dict[str, type[Package]] = {kind.kind: kind for kind in (NetworkPackage, SpotterPackage, TransducerPackage)}


def export(
    model: Program | Listener | TransducerProgram,
    target: str,
    out: str | Path,
    dsp: bool = False,
    form: str = "plain",
    clip: np.ndarray | None = None,
) -> dict:
    """Write a model for `target` (host, cortex-m4, cortex-m0plus or wasm) into the folder `out`; returns the report.

    What was built is run once on noise, and has to say what the interpreter says. `dsp` takes the kernels made of the DSP instructions
    of a Cortex-M4: the same bits, fewer instructions, more code and scratch. `form` is plain (C and the binary), arduino (a library) or
    zephyr (a module); the example of these two hears `clip`, or else noise: integers [*input shape] of a network, int16 [S] of a
    listener, what `TransducerProgram.run` takes. The folder appears complete or not at all; an earlier export there is replaced, as long
    as nobody has changed it.

    Raises TinycourseError for a target or a form that there is not, one that is made for a chip where `target` is none, a model
    that the kernels cannot compute, and as `toolchain.build` and `files.whole_folder` do.
    """
    need_target(target)
    if form not in FORMS:
        raise TinycourseError(f"There is no form '{form}'; choose one of {', '.join(FORMS)}.")
    if FORMS[form].on_chip and target not in toolchain.CHIPS:
        raise TinycourseError(f"The sizes of firmware ({form}) are measured on a chip; choose the target {' or '.join(toolchain.CHIPS)}.")
    return of(model).export(target, out, dsp, FORMS[form], clip)


def of(model: Program | Listener | TransducerProgram) -> Package:
    """The package of a model's kind."""
    (kind,) = (kind for kind in KINDS.values() if isinstance(model, kind.model_type))
    return kind(model)


def need_target(target: str) -> None:
    """Raises TinycourseError for a target that there is not."""
    if target not in toolchain.TARGETS:
        raise TinycourseError(f"There is no target '{target}'; choose one of {', '.join(toolchain.TARGETS)}.")


def load(folder: str | Path) -> Runner | Compiled | Transcriber:
    """Open what `export` wrote: a Runner of a network, a Compiled listener, a Transcriber of a transducer.

    A host library runs in this process: open only folders that you trust. Raises TinycourseError as `checked` does.
    """
    report = checked(folder)
    return KINDS[report["kind"]].load(Path(folder, PROGRAM)).open(report["target"], Path(folder, report["binary"]))


def checked(folder: str | Path) -> dict:
    """The report in an exported folder. Raises TinycourseError where the folder is missing, damaged, or made for another machine, or
    where it holds nothing to run.
    """
    folder = Path(folder)
    if not (folder / "report.json").is_file():
        raise TinycourseError(f"There is no exported model in {folder}; make one with `tinycourse export`.")
    try:
        report = json.loads((folder / "report.json").read_text())
        if report["form"] not in [name for name, form in FORMS.items() if form.runs]:
            raise TinycourseError(f"{folder} was exported as {report['form']} and holds nothing to run; export it as plain C too.")
        damaged = report["format"] != FORMAT or any(digest(folder / n) != h for n, h in report["sha256"].items())
    except (OSError, ValueError, LookupError, TypeError):
        damaged = True
    if damaged:
        raise TinycourseError(f"The exported model in {folder} is damaged or of another version; export it again.")
    if report["target"] == "host" and report["machine"] != MACHINE:
        raise TinycourseError(f"The model in {folder} was built for {report['machine']}, this is {MACHINE}; export it here.")
    return report
