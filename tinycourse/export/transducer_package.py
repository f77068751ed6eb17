"""A folder that holds a transducer ready to run, as package.py makes one of a single network: `export` writes it, `load` opens it."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from tinycourse.codegen import emitter, frontend_writer, transducer_writer
from tinycourse.codegen.transducer_writer import KEPT
from tinycourse.errors import TinycourseError
from tinycourse.export import firmware, package
from tinycourse.program.transducer import EARS, PARTS, TransducerProgram
from tinycourse.targets import binaries

COUNTER = package.COUNTER + "; for one second of sound in which nothing is said"


def calls(program: TransducerProgram) -> dict[str, float]:
    """How often each network runs in a second of sound in which nothing is said; a label costs one more of prediction and joint."""
    heard = program.rate / program.hop / program.reduction
    return {"front": program.rate / program.hop, "back": heard, "prediction": 0.0, "joint": heard}


class Transcriber:
    """A transducer's binary. `run` hears a recording row by row, as the chip does, and says what `TransducerProgram.run` says.

    `when` has the row, counted from 0, after which each label of the last recording was said. On an emulated chip `instructions` has
    the count of that recording, `costs` those of its runs, `worst` the largest of them; elsewhere they are None.
    """

    def __init__(self, program: TransducerProgram, target: str, binary: Path):
        self.program, self.binary = program, binaries.open_binary(target, binary)
        self.emulated = target.startswith("cortex")
        self.when, self.instructions, self.costs, self.worst = [], None, None, None

    def run(self, rows: np.ndarray) -> tuple[list[int], np.ndarray]:
        """A recording from its beginning: int8 [T, features] or int16 [T, chunk] -> labels, what the encoder heard, int8 [T', outputs]."""
        program, ears, labels, heard, costs, self.when = self.program, self.program.ears, [], [], [], []
        kind, size = program.row
        if rows.dtype != kind or rows.shape[1:] != (size,):
            raise TinycourseError(f"This transducer takes {kind} [T, {size}], not {rows.dtype} {list(rows.shape)}.")
        self.binary.call("reset")
        for number, row in enumerate(rows, start=1):
            output = self.binary.run(row.tobytes(), program.outputs)
            frames = ears.frames_after(number * ears.chunk) if ears else number
            if frames // program.hop // program.reduction > len(heard):
                heard.append(output)
            if self.emulated:
                costs.append(self.binary.instructions)
            new = range(len(labels), self.binary.call("count"))
            if new:
                kept = np.frombuffer(self.binary.read("labels", 2 * KEPT), np.int16)
                labels += [int(kept[i % KEPT]) for i in new]
                self.when += [number - 1] * len(new)
        if self.emulated:
            self.instructions, self.costs, self.worst = sum(costs), costs, max(costs, default=0)
        return labels, np.frombuffer(b"".join(heard), np.int8).reshape(-1, program.outputs)


def on_host(program: TransducerProgram, folder: Path) -> Transcriber:
    """A transducer built for this machine in an empty folder, for use at once: no report, nothing compared."""
    binary = binaries.compiled(transducer_writer.generate(program), "host", folder, transducer_writer.functions(program))
    return Transcriber(program, "host", binary)


def export(program: TransducerProgram, target: str, out: str | Path, form: str = "plain", clip: np.ndarray | None = None) -> dict:
    """Write a transducer for `target` into the folder `out`, as `package.export` does; returns the report.

    The binary hears a second of noise, and has to say what the interpreter says. `clip` is what `TransducerProgram.run` takes.
    """
    package.need_target(target)
    return package.install(out, partial(write, program, target, form, noise(program) if clip is None else clip))


def noise(program: TransducerProgram) -> np.ndarray:
    """A second of seeded noise, as `TransducerProgram.run` takes it."""
    (kind, size), rows = program.row, round(program.rate)
    return np.random.default_rng(0).integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, (rows, size), kind)


def write(program: TransducerProgram, target: str, form: str, clip: np.ndarray, folder: Path) -> dict:
    """Fill an empty folder."""
    if form == "plain":
        program.save(folder / "program.safetensors")
    sources, functions = transducer_writer.generate(program), transducer_writer.functions(program)
    report_of = partial(measured, program, target)
    return package.put(
        form, folder, target, sources, functions, report_of, lambda: (clip, np.array(program.run(clip)[0], np.int16)), readme
    )


def measured(program: TransducerProgram, target: str, binary: Path) -> dict:
    """The report: sizes, what each network costs, and what a second of noise costs. Raises TinycourseError where a bit differs."""
    parts = {part: package.describe(program.programs[part], target) for part in PARTS}
    for part, report in parts.items():
        package.measure(program.programs[part], target, binary, report, f"model_{part}")
    transcriber, x = Transcriber(program, target, binary), noise(program)
    (labels, heard), (expected, encoded) = transcriber.run(x), program.run(x)
    if labels != expected or not np.array_equal(heard, encoded):
        raise TinycourseError(f"The transducer built for {target} differs from the interpreter; please report it.")
    rates = calls(program)
    front, back = parts["front"], parts["back"]
    flash, ram = ({k: add(r[area][k] for r in parts.values()) for k in front[area]} for area in ("flash", "ram"))
    buffers, ears, (kind, size) = program.stack * program.features + 2 * KEPT, program.ears, program.row
    takes = front["input"] | {"shape": [size]}
    if ears:
        buffers += emitter.bytes_of(frontend_writer.buffers(ears))
        flash["weight_bytes"] += (tables := sum(a.nbytes for a in frontend_writer.kernel(ears).arrays.values()))
        takes |= {"type": kind.name, "scale": ears.samples.scale, "zero_point": ears.samples.zero_point}
    found = {
        "format": package.FORMAT,
        "kind": "transducer",
        "target": target,
        "machine": front["machine"],
        "input": takes,
        "output": back["output"],
        "rate": program.rate * size if ears else program.rate,
        "flash": flash | {k: front["flash"][k] for k in ("code_bytes", "total_bytes")},  # those of the binary, in every report
        "ram": ram | {"buffer_bytes": buffers, "stack_bytes": None, "total_bytes": None},
        "multiply_adds": round(sum(rates[part] * r["multiply_adds"] for part, r in parts.items())),
        "counter": COUNTER,
        "instructions": transcriber.instructions,
        "worst_frame": transcriber.worst,
        "labels": len(labels),
        "parts": {
            part: {
                "calls_per_second": rates[part],
                "weight_bytes": r["flash"]["weight_bytes"],
                "arena_bytes": r["ram"]["arena_bytes"],
                "multiply_adds": r["multiply_adds"],
                "instructions": r["instructions"],
            }
            for part, r in parts.items()
        },
        "layers": [layer | {"part": part, "path": f"{part}.{layer['path']}"} for part, r in parts.items() for layer in r["layers"]],
        "metadata": program.metadata,
    }
    if ears:
        found["parts"][EARS] = {"calls_per_second": program.rate, "weight_bytes": tables, "arena_bytes": 0, "multiply_adds": 0}
        found["parts"][EARS]["instructions"] = of_ears(transcriber, parts, len(heard)) if transcriber.emulated else None
    if transcriber.emulated:
        most = transcriber.binary.stack_bound()
        found["ram"] |= {"stack_bytes": most, "total_bytes": transcriber.binary.sections[".bss"] + most}
    return found


def of_ears(transcriber: Transcriber, parts: dict[str, dict], heard: int) -> int:
    """Instructions of the ears for a frame: those of the last recording that no network took; the encoder gave `heard` outputs."""
    program, labels = transcriber.program, len(transcriber.when)
    frames = program.ears.frames_after(len(transcriber.costs) * program.ears.chunk)
    full = sum(said == program.symbols for said in Counter(transcriber.when).values())  # then the joint network is not asked again
    ran = {"front": frames // program.hop, "back": heard, "prediction": labels, "joint": heard + labels - full}
    spent = sum(ran[part] * report["instructions"] for part, report in parts.items())
    return round((transcriber.instructions - spent) / frames)


def add(numbers) -> int | None:
    """The sum, None where one is not known."""
    numbers = list(numbers)
    return None if None in numbers else sum(numbers)


EARS_README = """\
- `model_ears.h`: its front end, from samples to features.
- The FILE below holds samples and nothing else: `ffmpeg -i WAV -f s16le -ac 1 -ar {rate:g} FILE`.
"""


def readme(report: dict) -> str:
    """What the folder holds, for somebody who finds it."""
    ears = EARS_README.format(rate=report["rate"]) if EARS in report["parts"] else ""
    return f"""# A speech recogniser (RNN transducer, int8) in C, for {report["target"]}

Made by tinycourse. Takes {firmware.takes(report)}, and gives labels. It needs:
{", ".join(firmware.sizes(report))}.

- `model.h`, `model.c`: the recogniser. Call `model_reset()`; then fill `model_input()`, which moves, with {firmware.row(report)}, call
  `model_run()`, and so on. `model_count()` is how many labels were written so far, `model_labels()[i % MODEL_KEPT]` is label i, and
  `words.h` has what each writes.
- `model_front`, `model_back` (the encoder before and behind the joining of frames), `model_prediction`, `model_joint`: its networks.
{ears}{package.rest_of_folder(report)}"""


def load(folder: str | Path) -> Transcriber:
    """Open what `export` wrote. Raises TinycourseError as `package.load` does."""
    report = package.checked(folder, "transducer")
    return Transcriber(TransducerProgram.load(Path(folder, "program.safetensors")), report["target"], Path(folder, report["binary"]))
