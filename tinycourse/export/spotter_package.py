"""A keyword spotter as a package: chunks of samples in, now and then a word out."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from tinycourse.codegen import emitter, frontend_writer, spotter_writer
from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.errors import TinycourseError
from tinycourse.export.base import COUNTER, Package
from tinycourse.export.network_package import NetworkPackage
from tinycourse.program import keyword_spotter
from tinycourse.program.keyword_spotter import BITS, Listener, Settings
from tinycourse.program.program import Program
from tinycourse.targets import binaries

A_SECOND = COUNTER + "; for one second of sound, noise in which the network runs as often as ever"


class SpotterPackage(Package):
    """A Listener, which travels as its program, its settings among the metadata."""

    kind, model_type, counted = "listener", Listener, "a second of sound"

    def __init__(self, model: Listener):
        """Settings are kept as JSON has them."""
        settings = asdict(model.settings) | {"deaf_to": list(model.settings.deaf_to)}
        super().__init__(Listener(replace(model.program, metadata=model.program.metadata | {"listener": settings}), model.settings))

    def sources(self, dsp: bool) -> dict[str, str]:
        """See `Package.sources`."""
        return spotter_writer.generate(self.model, dsp=dsp)

    def functions(self) -> list[str]:
        """See `Package.functions`."""
        return spotter_writer.FUNCTIONS

    def noise(self) -> np.ndarray:
        """Seeded noise, int16 [S]: the second that fills the ring, and then another, or as much more as the last hop needs."""
        listener = self.model
        rate, hop, chunk = listener.rate, listener.stride * listener.frontend.hop, listener.chunk
        samples = rate + math.ceil(rate / hop) * hop
        return np.random.default_rng(0).integers(-(2**15), 2**15, math.ceil(samples / chunk) * chunk, np.int16)

    def measured(self, target: str, dsp: bool, binary: Path) -> dict:
        """See `Package.measured`; what a second of sound costs, and what of it is the network's."""
        listener = self.model
        network = NetworkPackage(listener.alone, "model_network").measured(target, dsp, binary)
        costs, x = compare(self.open(target, binary), self.noise()), listener.program.tensors[listener.program.input]
        arrays = *spotter_writer.tables(listener).values(), *frontend_writer.kernel(listener.frontend).arrays.values()
        tables = sum(array.nbytes for array in arrays)
        buffers = emitter.bytes_of(frontend_writer.buffers(listener.frontend) | spotter_writer.buffers(listener))
        parts = self.parts(network, tables, costs["instructions"])
        return network | {
            "kind": self.kind,
            "input": {"shape": [listener.chunk], "type": x.dtype.name, "scale": float(x.scale), "zero_point": x.zero_point},
            "output": {"shape": [2], "type": "int16", "scale": 2.0**-BITS, "zero_point": 0},
            "rate": listener.rate,
            "flash": network["flash"] | {"weight_bytes": network["flash"]["weight_bytes"] + tables},
            "ram": {k: network["ram"][k] for k in ("arena_bytes", "lower_bound_bytes")}
            | {"buffer_bytes": buffers, "stack_bytes": costs["stack"], "total_bytes": costs["ram"]},
            "multiply_adds": round(parts["network"]["calls_per_second"] * network["multiply_adds"]),
            "counter": A_SECOND,
            "instructions": costs["instructions"],
            "worst_chunk": costs["worst"],
            "parts": parts,
            "metadata": listener.program.metadata,
        }

    def parts(self, network: dict, tables: int, instructions: int | None) -> dict:
        """What is the network's, whose own report this is, and what is left of a second's instructions and of all constants."""
        listener = self.model
        runs = listener.rate / (listener.stride * listener.frontend.hop)
        rest = instructions and instructions - round(runs * network["instructions"])
        alone = {
            "calls_per_second": runs,
            "weight_bytes": network["flash"]["weight_bytes"],
            "multiply_adds": network["multiply_adds"],
            "instructions": network["instructions"],
        }
        others = {
            "calls_per_second": listener.rate / listener.chunk,
            "weight_bytes": tables,
            "multiply_adds": 0,
            "instructions": rest and round(rest * listener.chunk / listener.rate),
        }
        return {"network": alone, "front end, posteriors, decision": others}

    def example(self, clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Package.example`; of int16 [S] its whole chunks, and (chunk, word, score) of each detection."""
        return keyword_spotter.chunks(clip, self.model.chunk), np.array(keyword_spotter.spot(self.model, clip), np.int16)

    def fields(self, report: dict) -> dict[str, str]:
        """See `Package.fields`."""
        s, rate = self.model.settings, report["rate"]
        return {
            "what": f"chunks of {report['input']['shape'][0]} samples, int16, {rate:,} a second",
            "gives": "a word when it recognises one",
            "microphone": ", put the newest MODEL_CHUNK samples into model_input(), call model_run(), look at model_output(), and so on.",
            "rate": str(rate),
            "windows": str(s.windows),
            "hop": f"{s.hop:g}",
            "threshold": f"{s.threshold:g}",
            "refractory": f"{s.refractory:g}",
            "bits": str(BITS),
        }

    def save(self, path: Path) -> None:
        """See `Package.save`."""
        self.model.program.save(path)

    @classmethod
    def load(cls, path: Path) -> "SpotterPackage":
        """See `Package.load`."""
        program = Program.load(path)
        kept = program.metadata["listener"]
        return cls(Listener(program, Settings(**kept | {"deaf_to": tuple(kept["deaf_to"])})))

    def open(self, target: str, binary: Path) -> Compiled:
        """See `Package.open`."""
        return Compiled(self.model, binaries.open_binary(target, binary))


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
    costs = {"heard": heard, "flash": None, "ram": None, "stack": None, "instructions": None, "worst": compiled.worst}
    if compiled.emulated:
        sections, seconds = compiled.binary.sections, (len(rows) - begin) * reference.chunk / reference.rate
        most = compiled.binary.stack_bound(["network_run", "network_input", "network_output"])
        costs |= {"flash": sections[".text"] + sections[".rodata"], "ram": sections[".bss"] + most, "stack": most}
        costs["instructions"] = round((compiled.instructions - first) / seconds)
    return costs
