"""A whole transducer on the chip: four programs, the frames that wait between them, and greedy search.

`TransducerProgram.run` is the definition. transducer.c is the same for a chip that hears one frame at a time, or the samples that come
between two frames, and agrees with it on every label and on every number of the encoder.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save as to_bytes

from tinycourse.files import read_tensors, write_bytes
from tinycourse.program.program import EXPORT_IT, Program
from tinycourse.program.streaming_frontend import StreamingFrontend

FORMAT = "tinycourse-transducer-1"
PARTS = "front", "back", "prediction", "joint"
FRONTEND = "ears"  # the program that makes frames of samples, where there is one
BLANK = 0


@dataclass
class TransducerProgram:
    """Features in integers, or samples, to labels.

    `programs` by PARTS: front takes `stack` frames of features every `hop`, back `reduction` outputs of the front; prediction takes a
    label, joint what was heard and as its state what may follow. A fifth one called EARS makes it take samples
    (`integer_frontend.with_frontend`). Blank (label 0) has to lead by `blank_penalty` units of the logits, and
    after `symbols` labels comes the next frame. `rate` is how many frames of features a second has, for reports; `metadata` is free JSON.
    """

    programs: dict[str, Program]
    stack: int
    hop: int
    reduction: int
    symbols: int = 3
    blank_penalty: int = 0
    rate: float = 100.0
    metadata: dict = field(default_factory=dict)

    @property
    def frontend(self) -> StreamingFrontend | None:
        """What makes frames of samples, as new; None where the chip is given frames."""
        if FRONTEND not in self.programs:
            return None
        return StreamingFrontend(self.programs[FRONTEND], chunk=self.programs[FRONTEND].operations[0].parameters["hop"])

    @property
    def row(self) -> tuple[np.dtype, int]:
        """The type and the number of what a run takes: a frame of features, or the samples between two frames."""
        return (np.dtype("int16"), self.frontend.chunk) if self.frontend else (np.dtype("int8"), self.features)

    @property
    def features(self) -> int:
        """Numbers in a frame."""
        return self.programs["front"].tensors[self.programs["front"].input].size // self.stack

    @property
    def outputs(self) -> int:
        """Numbers in what the encoder gives for a frame."""
        return self.programs["back"].tensors[self.programs["back"].output].size

    def outputs_after(self, rows: int) -> int:
        """How many outputs the encoder has given after so many runs."""
        frontend = self.frontend
        return (frontend.frames_after(rows * frontend.chunk) if frontend else rows) // self.hop // self.reduction

    def quantize_input(self, features: np.ndarray) -> np.ndarray:
        """Real features [T, features] to the integers that the chip is given."""
        return self.programs["front"].quantize_input(features)

    def run(self, rows: np.ndarray) -> tuple[list[int], np.ndarray]:
        """A recording from its beginning: int8 [T, features] or int16 [T, chunk] -> labels, what the encoder heard, int8 [T', outputs]."""
        frames = self.frontend.recording(rows.reshape(-1)) if self.frontend else rows
        front, back = self.programs["front"], self.programs["back"]
        silence = np.full((self.stack - self.hop, self.features), front.tensors[front.input].zero_point, np.int8)
        encoder_out = steps(front, together(np.concatenate([silence, frames]), self.stack, self.hop))
        encoder_out = steps(back, together(encoder_out, self.reduction, self.reduction))
        return list(self.search(encoder_out)), encoder_out

    def search(self, encoder_out: np.ndarray) -> Iterator[int]:
        """Greedy search in outputs of the encoder [T', outputs]. Of two labels that are as likely the first is said."""
        prediction, joint = self.programs["prediction"], self.programs["joint"]
        penalty = np.array([self.blank_penalty] + [0] * (joint.tensors[joint.output].size - 1))
        (follows,) = joint.state
        prediction_out, state = prediction.step(np.full((1, 1), BLANK, np.int16), prediction.start(1))
        for one in encoder_out:
            for _ in range(self.symbols):
                logits, _ = joint.step(one[None], {follows: prediction_out})
                label = int((logits[0] - penalty).argmax())
                if label == BLANK:
                    break
                yield label
                prediction_out, state = prediction.step(np.full((1, 1), label, np.int16), state)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, see `files.whole`: the weights, and everything else as JSON in its header."""
        arrays, descriptions = pack(self.programs)
        settings = json.dumps({k: v for k, v in vars(self).items() if k != "programs"})
        write_bytes(path, to_bytes(arrays, metadata={"format": FORMAT, "programs": descriptions, "settings": settings}))

    @classmethod
    def load(cls, path: str | Path) -> "TransducerProgram":
        """Read what `save` wrote. Raises TinycourseError on a missing file or one of another kind."""
        arrays, header = read_tensors(path, FORMAT, "program", EXPORT_IT)
        return cls(unpack(arrays, header["programs"]), **json.loads(header["settings"]))


def together(x: np.ndarray, size: int, hop: int) -> np.ndarray:
    """`size` neighbouring rows side by side, once every `hop`: [T, n] -> [T', size * n]."""
    count = max(0, (len(x) - size) // hop + 1)
    return np.stack([x[i : i + count * hop : hop] for i in range(size)], 1).reshape(count, size * x.shape[1])


def steps(program: Program, x: np.ndarray) -> np.ndarray:
    """One call for every row of x, from the beginning: [T, inputs] -> [T, outputs]."""
    state, y = program.start(1), np.zeros((len(x), program.tensors[program.output].size), np.int8)
    for t, one in enumerate(x):
        y[t : t + 1], state = program.step(one[None], state)
    return y


def pack(programs: dict[str, Program]) -> tuple[dict[str, np.ndarray], str]:
    """Several programs as `Program.pack` gives one: the arrays' names begin with a program's name, the JSON is one of each."""
    packed = {name: program.pack() for name, program in programs.items()}
    arrays = {f"{name}.{key}": array for name, (found, _) in packed.items() for key, array in found.items()}
    return arrays, json.dumps({name: description for name, (_, description) in packed.items()})


def unpack(arrays: dict[str, np.ndarray], descriptions: str) -> dict[str, Program]:
    """The inverse of `pack`; arrays of other names are left alone."""
    programs = {}
    for name, description in json.loads(descriptions).items():
        own = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
        programs[name] = Program.unpack(own, description)
    return programs
