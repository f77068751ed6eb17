"""Sound as it comes, some samples at a time: the front end of a listener, and of a transducer that takes samples.

Samples that complete no frame yet are kept. The definitions are those of frontend.py, but sound has no end here: before the first
sample lies the mirror image, behind the last one nothing. tc_ears_hear and tc_ears_frame in kernels/ears.c are the same in C.
"""

import numpy as np

from tinycourse.program import frontend
from tinycourse.program.program import Program


class StreamingFrontend:
    """The `features` operation that a program begins with, fed `chunk` samples at a time. `take` changes it; `reset` forgets."""

    def __init__(self, program: Program, chunk: int):
        self.operation, self.chunk = program.operations[0], chunk
        self.samples, self.features = program.tensors[program.input], program.tensors[self.operation.output]
        self.hop, self.lead = (self.operation.parameters[k] for k in ("hop", "lead"))
        self.size, self.bands = len(self.operation.arrays["window"]), self.features.shape[1]
        self.reset()

    def reset(self) -> None:
        """As before the first samples."""
        self.kept = np.zeros(0, np.int16)  # samples, from the beginning of the next frame on
        self.begun = False  # whether the mirror image of the beginning stands before them

    def take(self, chunk: np.ndarray) -> np.ndarray:
        """Samples int16 [chunk] -> features of the frames that they complete, int8 [frames, bands]."""
        self.kept, complete = np.append(self.kept, chunk), []
        if not self.begun and len(self.kept) > self.lead:
            self.kept, self.begun = np.append(self.kept[self.lead : 0 : -1], self.kept), True
        while self.begun and len(self.kept) >= self.size:
            complete.append(self.kept[: self.size])
            self.kept = self.kept[self.hop :]
        samples = np.array(complete, np.int16).reshape(-1, self.size)
        return frontend.frames(self.operation, samples, self.features.zero_point)

    def recording(self, samples: np.ndarray) -> np.ndarray:
        """The same for a recording int16 [S] as a whole: int8 [frames, bands]."""
        return frontend.recording(self.operation, samples, self.frames_after(len(samples)), self.features.zero_point)

    def frames_after(self, samples: int) -> int:
        """How many frames are complete after so many samples."""
        return max(0, (samples + self.lead - self.size) // self.hop + 1) if samples > self.lead else 0
