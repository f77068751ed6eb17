"""A folder that holds a listener ready to run, as package.py makes one of a single network: `export` writes it, `load` opens it."""

import math
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from tinycourse.codegen import emitter, frontend_writer, spotter_writer
from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.errors import TinycourseError
from tinycourse.export import firmware, package
from tinycourse.program import keyword_spotter
from tinycourse.program.keyword_spotter import BITS, Listener, Settings
from tinycourse.program.program import Program
from tinycourse.targets import binaries

COUNTER = package.COUNTER + "; for one second of sound, noise in which the network runs as often as ever"


def compare(compiled: Compiled, samples: np.ndarray) -> dict:
    """Let what was built hear int16 samples [S], more than a second, and compare it with the reference.

    Returns `heard`, (chunk, class, score) of each detection; of an emulated chip also bytes of `flash` and `ram` (of which `stack`), all
    of it counted; `instructions` a second, from the second second on; `worst`, those of the dearest chunk; elsewhere None. Raises
    TinycourseError where the two differ.
    """
    reference, heard, first = compiled.listener, [], None
    compiled.reset()
    reference.reset()
    for i, chunk in enumerate(rows := keyword_spotter.chunks(samples, reference.chunk)):
        if i == (begin := reference.rate // reference.chunk):
            first = compiled.instructions
        if (found := compiled.step(chunk)) != reference.step(chunk):
            raise TinycourseError(f"What was built of the listener differs from the interpreter in chunk {i}; please report it.")
        heard += [(i, *found)] if found else []
    bill = {"heard": heard, "flash": None, "ram": None, "stack": None, "instructions": None, "worst": compiled.worst}
    if compiled.emulated:
        sections, seconds = compiled.binary.sections, (len(rows) - begin) * reference.chunk / reference.rate
        most = compiled.binary.stack_bound(["network_run", "network_input", "network_output"])
        bill |= {"flash": sections[".text"] + sections[".rodata"], "ram": sections[".bss"] + most, "stack": most}
        bill["instructions"] = round((compiled.instructions - first) / seconds)
    return bill


def export(
    listening: Listener, target: str, out: str | Path, dsp: bool = False, form: str = "plain", clip: np.ndarray | None = None
) -> dict:
    """Write a listener for `target` into the folder `out`, as `package.export` does; returns the report.

    The binary hears noise, and has to do what `Listener` does in every chunk. `clip` is int16 [S].
    """
    package.need_target(target)
    return package.install(out, partial(write, listening, target, dsp, form, noise(listening) if clip is None else clip))


def noise(listening: Listener) -> np.ndarray:
    """Seeded noise, int16 [S]: the second that fills the ring, and then another, or as much more as the last hop needs."""
    rate, hop, chunk = listening.rate, listening.stride * listening.ears.hop, listening.chunk
    samples = rate + math.ceil(rate / hop) * hop
    return np.random.default_rng(0).integers(-(2**15), 2**15, math.ceil(samples / chunk) * chunk, np.int16)


def write(listening: Listener, target: str, dsp: bool, form: str, clip: np.ndarray, folder: Path) -> dict:
    """Fill an empty folder."""
    settings = asdict(listening.settings) | {"deaf_to": list(listening.settings.deaf_to)}  # as JSON has them
    about = listening.program.metadata | {"listener": settings}
    listening = Listener(replace(listening.program, metadata=about), listening.settings)
    if form == "plain":
        listening.program.save(folder / "program.safetensors")

    def example() -> tuple[np.ndarray, np.ndarray]:
        return keyword_spotter.chunks(clip, listening.chunk), np.array(keyword_spotter.hear(listening, clip), np.int16)

    sources, report_of = spotter_writer.generate(listening, dsp=dsp), partial(measured, listening, target, dsp)
    return package.put(form, folder, target, sources, spotter_writer.FUNCTIONS, report_of, example, readme)


def measured(listening: Listener, target: str, dsp: bool, binary: Path) -> dict:
    """The report: sizes, what a second of sound costs, and what of it is the network's. Raises TinycourseError where a bit differs."""
    network = package.describe(listening.alone, target, dsp)
    package.measure(listening.alone, target, binary, network, "model_network")
    compiled = Compiled(listening, binaries.open_binary(target, binary))
    bill, x = compare(compiled, noise(listening)), listening.program.tensors[listening.program.input]
    runs = listening.rate / (listening.stride * listening.ears.hop)
    tables = sum(a.nbytes for a in (*spotter_writer.tables(listening).values(), *frontend_writer.kernel(listening.ears).arrays.values()))
    buffers = emitter.bytes_of(frontend_writer.buffers(listening.ears) | spotter_writer.buffers(listening))
    rest = bill["instructions"] and bill["instructions"] - round(runs * network["instructions"])
    return network | {
        "kind": "listener",
        "input": {"shape": [listening.chunk], "type": x.dtype.name, "scale": float(x.scale), "zero_point": x.zero_point},
        "output": {"shape": [2], "type": "int16", "scale": 2.0**-BITS, "zero_point": 0},
        "rate": listening.rate,
        "flash": network["flash"] | {"weight_bytes": network["flash"]["weight_bytes"] + tables},
        "ram": {k: network["ram"][k] for k in ("arena_bytes", "lower_bound_bytes")}
        | {"buffer_bytes": buffers, "stack_bytes": bill["stack"], "total_bytes": bill["ram"]},
        "multiply_adds": round(runs * network["multiply_adds"]),
        "counter": COUNTER,
        "instructions": bill["instructions"],
        "worst_chunk": bill["worst"],
        "parts": {
            "network": {
                "calls_per_second": runs,
                "weight_bytes": network["flash"]["weight_bytes"],
                "multiply_adds": network["multiply_adds"],
                "instructions": network["instructions"],
            },
            "front end, posteriors, decision": {
                "calls_per_second": listening.rate / listening.chunk,
                "weight_bytes": tables,
                "multiply_adds": 0,
                "instructions": rest and round(rest * listening.chunk / listening.rate),
            },
        },
        "metadata": listening.program.metadata,
    }


def readme(report: dict) -> str:
    """What the folder holds, for somebody who finds it."""
    s = Settings(**report["metadata"]["listener"])
    return f"""# A keyword spotter (front end, int8 network, detector) in C, for {report["target"]}

Made by tinycourse. Takes chunks of {report["input"]["shape"][0]} samples, int16, {report["rate"]:,} a second, and says when it recognises
a word. It needs: {", ".join(firmware.sizes(report))}.

A word fires where its posterior, averaged over {s.windows} runs of the network, one every {s.hop:g} s, reaches {s.threshold:g}; then
nothing fires for {s.refractory:g} s.

- `model.h`, `model.c`: the spotter. Call `model_reset()`; then for every chunk fill `model_input()`, which moves, and call `model_run()`.
  `model_output()[0]` is the word that fired (`words.h`), or -1, `model_output()[1]` its mean posterior with {BITS} bits after the point.
- `model_network`: its network.
- The FILE below holds samples and nothing else: `ffmpeg -i WAV -f s16le -ac 1 -ar {report["rate"]} FILE`.
{package.rest_of_folder(report)}"""


def load(folder: str | Path) -> Compiled:
    """Open what `export` wrote. Raises TinycourseError as `package.load` does."""
    report, program = package.checked(folder, "listener"), Program.load(Path(folder, "program.safetensors"))
    kept = program.metadata["listener"]
    listening = Listener(program, Settings(**kept | {"deaf_to": tuple(kept["deaf_to"])}))
    return Compiled(listening, binaries.open_binary(report["target"], Path(folder, report["binary"])))
