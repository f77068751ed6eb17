"""A transducer as a package: a frame of features, or the samples between two frames, in; labels out."""

from collections import Counter
from pathlib import Path

import numpy as np

from tinycourse.codegen import emitter, frontend_writer, transducer_writer
from tinycourse.codegen.transducer_writer import KEPT
from tinycourse.errors import TinycourseError
from tinycourse.export.base import COUNTER, FORMAT, Package, must_agree
from tinycourse.export.network_package import NetworkPackage
from tinycourse.program.streaming_frontend import StreamingFrontend
from tinycourse.program.transducer import FRONTEND, PARTS, TransducerProgram
from tinycourse.targets import binaries, toolchain

A_SECOND = COUNTER + "; for one second of sound in which nothing is said"
SAMPLES_README = """
- `model_ears.h`: its front end, from samples to features.
- The FILE below holds samples and nothing else: `ffmpeg -i WAV -f s16le -ac 1 -ar {rate:g} FILE`."""


class TransducerPackage(Package):
    """A TransducerProgram."""

    kind, model_type = "transducer", TransducerProgram

    def sources(self, dsp: bool) -> dict[str, str]:
        """See `Package.sources`."""
        if dsp:
            raise TinycourseError("A transducer has plain kernels only; leave out those for DSP instructions.")
        return transducer_writer.generate(self.model)

    def functions(self) -> list[str]:
        """See `Package.functions`."""
        return transducer_writer.functions(self.model)

    def noise(self) -> np.ndarray:
        """A second of seeded noise, as `TransducerProgram.run` takes it."""
        (kind, size), rows = self.model.row, round(self.model.rate)
        return np.random.default_rng(0).integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, (rows, size), kind)

    def measured(self, target: str, dsp: bool, binary: Path) -> dict:
        """See `Package.measured`; what each network costs, and what a second of noise costs."""
        networks = {part: NetworkPackage(self.model.programs[part], f"model_{part}") for part in PARTS}
        reports = {part: network.measured(target, dsp, binary) for part, network in networks.items()}
        transcriber, noise = self.open(target, binary), self.noise()
        (labels, outputs), (expected, encoded) = transcriber.run(noise), self.model.run(noise)
        must_agree(outputs, encoded, target)
        must_agree(labels, expected, target)
        rates = calls(self.model)
        return {
            "format": FORMAT,
            "kind": self.kind,
            "target": target,
            "machine": reports["front"]["machine"],
            **self.ends(reports),
            **self.memory(reports, transcriber),
            "multiply_adds": round(sum(rates[part] * r["multiply_adds"] for part, r in reports.items())),
            "counter": A_SECOND,
            "instructions": transcriber.instructions,
            "worst_frame": transcriber.worst,
            "labels": len(labels),
            "parts": self.parts(reports, transcriber, len(outputs)),
            "layers": [layer | {"part": part, "path": f"{part}.{layer['path']}"} for part, r in reports.items() for layer in r["layers"]],
            "metadata": self.model.metadata,
        }

    def ends(self, reports: dict[str, dict]) -> dict:
        """Input, output and rate for a report, from those of the networks."""
        program, frontend, (kind, size) = self.model, self.model.frontend, self.model.row
        takes, rate = reports["front"]["input"] | {"shape": [size]}, program.rate
        if frontend:
            takes |= {"type": kind.name, "scale": frontend.samples.scale, "zero_point": frontend.samples.zero_point}
            rate *= size
        return {"input": takes, "output": reports["back"]["output"], "rate": rate}

    def memory(self, reports: dict[str, dict], transcriber: "Transcriber") -> dict:
        """Flash and RAM for a report: those of the networks and what lies beside them. Code and totals are those of the one binary."""
        flash, ram = ({k: add(r[area][k] for r in reports.values()) for k in reports["front"][area]} for area in ("flash", "ram"))
        flash |= {k: reports["front"]["flash"][k] for k in ("code_bytes", "total_bytes")}
        buffers, frontend = self.model.stack * self.model.features + 2 * KEPT, self.model.frontend
        if frontend:
            buffers += emitter.bytes_of(frontend_writer.buffers(frontend))
            flash["weight_bytes"] += tables(frontend)
        ram |= {"buffer_bytes": buffers, "stack_bytes": None, "total_bytes": None}
        if transcriber.emulated:
            stack = transcriber.binary.stack_bound()
            ram |= {"stack_bytes": stack, "total_bytes": transcriber.binary.sections[".bss"] + stack}
        return {"flash": flash, "ram": ram}

    def parts(self, reports: dict[str, dict], transcriber: "Transcriber", outputs: int) -> dict:
        """What each network needs and costs, and the ears; the encoder gave so many `outputs` of the last recording."""
        rates = calls(self.model)
        found = {
            part: {
                "calls_per_second": rates[part],
                "weight_bytes": r["flash"]["weight_bytes"],
                "arena_bytes": r["ram"]["arena_bytes"],
                "multiply_adds": r["multiply_adds"],
                "instructions": r["instructions"],
            }
            for part, r in reports.items()
        }
        if frontend := self.model.frontend:
            cost = of_frontend(transcriber, reports, outputs) if transcriber.emulated else None
            own = {"weight_bytes": tables(frontend), "arena_bytes": 0, "multiply_adds": 0, "instructions": cost}
            found[FRONTEND] = {"calls_per_second": self.model.rate} | own
        return found

    def example(self, clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Package.example`; what `TransducerProgram.run` takes, and its labels."""
        return clip, np.array(self.model.run(clip)[0], np.int16)

    def fields(self, report: dict) -> dict[str, str]:
        """See `Package.fields`."""
        (size,), rate = report["input"]["shape"], f"{report['rate']:,g}"
        what, row, own = f"frames of {size} features, int8, {rate} a second", "a frame of features", ""
        if self.model.frontend:
            what, row = f"samples, int16, mono, {rate} a second", f"the next {size} samples"
            own = SAMPLES_README.format(rate=report["rate"])
        return {
            "what": what,
            "gives": "labels, which are pieces of words",
            "microphone": f", put {row} into model_input(), call model_run(), and so on.",
            "row": row,
            "samples": own,
        }

    def open(self, target: str, binary: Path) -> "Transcriber":
        """See `Package.open`."""
        return Transcriber(self.model, target, binary)


class Transcriber:
    """A transducer's binary. `run` hears a recording row by row, as the chip does, and says what `TransducerProgram.run` says.

    `when` has the row, counted from 0, after which each label of the last recording was said. On an emulated chip `instructions` has
    the count of that recording, `costs` those of its runs, `worst` the largest of them; elsewhere they are None.
    """

    def __init__(self, program: TransducerProgram, target: str, binary: Path):
        """`binary` was built of `program` for `target`."""
        self.program, self.binary = program, binaries.open_binary(target, binary)
        self.emulated = target in toolchain.CHIPS
        self.when, self.instructions, self.costs, self.worst = [], None, None, None

    def run(self, rows: np.ndarray) -> tuple[list[int], np.ndarray]:
        """A recording from its beginning: int8 [T, features] or int16 [T, chunk] -> labels, what the encoder heard, int8 [T', outputs]."""
        program, frontend, labels, encoder_out, costs, self.when = self.program, self.program.frontend, [], [], [], []
        kind, size = program.row
        if rows.dtype != kind or rows.shape[1:] != (size,):
            raise TinycourseError(f"This transducer takes {kind} [T, {size}], not {rows.dtype} {list(rows.shape)}.")
        self.binary.call("reset")
        for number, row in enumerate(rows, start=1):
            output = self.binary.run(row.tobytes(), program.outputs)
            frames = frontend.frames_after(number * frontend.chunk) if frontend else number
            if frames // program.hop // program.reduction > len(encoder_out):
                encoder_out.append(output)
            if self.emulated:
                costs.append(self.binary.instructions)
            new = range(len(labels), self.binary.call("count"))
            if new:
                kept = np.frombuffer(self.binary.read("labels", 2 * KEPT), np.int16)
                labels += [int(kept[i % KEPT]) for i in new]
                self.when += [number - 1] * len(new)
        if self.emulated:
            self.instructions, self.costs, self.worst = sum(costs), costs, max(costs, default=0)
        return labels, np.frombuffer(b"".join(encoder_out), np.int8).reshape(-1, program.outputs)


def on_host(program: TransducerProgram, folder: Path) -> Transcriber:
    """A transducer built for this machine in an empty folder, for use at once: no report, nothing compared."""
    binary = binaries.compiled(transducer_writer.generate(program), "host", folder, transducer_writer.functions(program))
    return Transcriber(program, "host", binary)


def calls(program: TransducerProgram) -> dict[str, float]:
    """How often each network runs in a second of sound in which nothing is said; a label costs one more of prediction and joint."""
    outputs = program.rate / program.hop / program.reduction
    return {"front": program.rate / program.hop, "back": outputs, "prediction": 0.0, "joint": outputs}


def tables(frontend: StreamingFrontend) -> int:
    """Bytes of the constants of a front end."""
    return sum(a.nbytes for a in frontend_writer.kernel(frontend).arrays.values())


def of_frontend(transcriber: Transcriber, parts: dict[str, dict], outputs: int) -> int:
    """Instructions of the front end for a frame: those of the last recording that no network took; the encoder gave so many `outputs`."""
    program, labels = transcriber.program, len(transcriber.when)
    frames = program.frontend.frames_after(len(transcriber.costs) * program.frontend.chunk)
    full = sum(said == program.symbols for said in Counter(transcriber.when).values())  # then the joint network is not asked again
    ran = {"front": frames // program.hop, "back": outputs, "prediction": labels, "joint": outputs + labels - full}
    spent = sum(ran[part] * report["instructions"] for part, report in parts.items())
    return round((transcriber.instructions - spent) / frames)


def add(numbers) -> int | None:
    """The sum, None where one is not known."""
    numbers = list(numbers)
    return None if None in numbers else sum(numbers)
