"""A chip that never stops listening: chunks of int16 samples in, now and then a word out, integers only.

Every 20 ms a chunk comes. Frames that it completes go into a ring buffer of features; every `hop` seconds the network judges the
newest second of them; its posteriors are averaged over the last few times, and the best keyword fires where the mean reaches a
threshold. Then the detector is deaf for a while, so that one word is one detection. These are the definitions of spotting/detector.py, on
integers, but for one thing: a window's first and last frames see the sound around it (streaming_frontend.py), not its mirror image.

`Listener.step` is the reference, `posteriors` and `decide` give the same for a recording as a whole. codegen/spotter_writer.py writes it in
C, and export/spotter_package.py a package of that.
"""

from dataclasses import dataclass, replace

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.program.program import Program
from tinycourse.program.streaming_frontend import StreamingFrontend

BITS = 14  # after the point of posteriors
PAUSES = 0.3, 1.0  # seconds of silence before and after a clip: the network judges whole seconds
BATCH = 50  # runs of the network that the interpreter computes at once


def takes_samples(program: Program) -> bool:
    """Whether a program begins with a front end."""
    return program.operations[0].kind == "features"


def without_samples(program: Program) -> Program:
    """The network of a program that takes samples, alone."""
    first, *rest = program.operations
    tensors = {name: t for name, t in program.tensors.items() if name != program.input}
    return replace(program, input=first.output, tensors=tensors, operations=rest)


@dataclass(frozen=True)
class Settings:
    """How a listener decides. Times in seconds. Raises TinycourseError for what cannot be."""

    chunk: float = 0.02
    hop: float = 0.2  # between two runs of the network
    windows: int = 2  # that posteriors are averaged over
    threshold: float = 0.9  # of the mean posterior
    refractory: float = 1.0  # deaf after a detection
    deaf_to: tuple[str, ...] = ("silence", "unknown")  # classes that never fire

    def __post_init__(self):
        if not 0 <= self.threshold <= 1:
            raise TinycourseError(f"A threshold of {self.threshold:g} is no probability; choose one from 0 to 1.")
        if not (0 < self.chunk <= 60 and 0 < self.hop <= 60 and 0 <= self.refractory <= 60 and 1 <= self.windows <= 1000):
            raise TinycourseError("The times of a listener lie between 0 and 60 seconds, and it averages over 1 to 1000 windows.")


class Listener:
    """A program that takes samples (`integer_frontend.with_samples`), fed chunk by chunk. `step` changes it; `reset` forgets.

    Raises TinycourseError for a program that takes no samples, and for times that are not whole chunks and frames.
    """

    def __init__(self, program: Program, settings: Settings = Settings()):
        if not takes_samples(program):
            raise TinycourseError("A listener needs a program that takes samples; export the checkpoint with --samples.")
        self.program, self.alone, self.settings = program, without_samples(program), settings
        self.rate = rate = program.tensors[program.input].size  # samples a second: the program takes a second of them
        self.chunk = round(settings.chunk * rate)  # samples
        self.frontend, output = StreamingFrontend(program, self.chunk), program.tensors[program.output]
        self.history, self.stride = self.frontend.features.shape[0], round(settings.hop * rate) // self.frontend.hop  # frames
        whole = np.isclose([self.chunk, self.stride * self.frontend.hop], [settings.chunk * rate, settings.hop * rate])
        if not whole.all() or self.chunk < 1 or self.stride < 1:
            times = f"Chunks of {settings.chunk} s, judged every {settings.hop} s"
            raise TinycourseError(f"{times}, are not whole samples and frames; choose other times.")
        self.refractory = -int(-settings.refractory * rate // (self.stride * self.frontend.hop))  # in runs of the network, rounded up
        self.threshold = round(settings.threshold * 2**BITS)
        self.keywords = np.array([name not in settings.deaf_to for name in program.metadata["classes"]])
        if output.size != len(self.keywords) or not self.keywords.any():
            raise TinycourseError("A listener needs a class for each output, and one of them to fire.")
        self.exponential = np.rint(2.0**BITS * np.exp(-output.scale * np.arange(256))).astype(np.int16)
        self.reset()

    def reset(self) -> None:
        """As before the first chunk."""
        self.frontend.reset()
        self.ring = np.zeros((self.history, self.frontend.bands), np.int8)  # frame i is in row i % history
        self.frames, self.runs, self.deaf = 0, 0, 0  # frames and runs so far; runs that it stays deaf for
        self.recent = np.zeros((self.settings.windows, len(self.keywords)), np.int64)  # posteriors of run i in row i % windows
        self.scores = np.zeros(len(self.keywords), np.int16)  # their mean, units of 2**-14

    @property
    def newest(self) -> np.ndarray:
        """The newest second of features, int8 [history, bands], the oldest first; rows are 0 where that much was not heard yet."""
        return np.roll(self.ring, -self.frames, 0)

    def step(self, chunk: np.ndarray) -> tuple[int, int] | None:
        """One chunk int16 [chunk]: the class that fires, if one does, and its score, the mean posterior in units of 2**-14."""
        found = None
        for frame in self.frontend.take(chunk):
            self.ring[self.frames % self.history] = frame
            self.frames += 1
            if self.frames >= self.history and (self.frames - self.history) % self.stride == 0:
                heard = self.judge()
                found = found or heard  # the first of a chunk
        return found

    def judge(self) -> tuple[int, int] | None:
        """Run the network on the ring, its oldest frame first, and decide."""
        self.recent[self.runs % len(self.recent)] = self.softmax(self.network(self.newest[None]))[0]
        self.runs += 1
        mean = self.recent.sum(0) // min(self.runs, len(self.recent))
        self.scores = mean.astype(np.int16)
        word = int(np.where(self.keywords, mean, -1).argmax())
        if self.deaf or mean[word] < self.threshold:
            self.deaf = max(self.deaf - 1, 0)
            return None
        self.deaf = max(self.refractory - 1, 0)
        return word, int(mean[word])

    def network(self, maps: np.ndarray) -> np.ndarray:
        """Features int8 [N, history, bands] to int8 scores [N, classes]."""
        return self.alone.run(np.ascontiguousarray(maps)[..., None])

    def softmax(self, scores: np.ndarray) -> np.ndarray:
        """int8 scores [N, classes] to posteriors [N, classes], 14 bits after the point, rounded down."""
        powers = self.exponential[scores.max(1, keepdims=True).astype(int) - scores].astype(np.int64)
        return (powers << BITS) // powers.sum(1, keepdims=True)

    # ------------------------------------------------------------------------------------------ a recording as a whole

    def posteriors(self, samples: np.ndarray) -> np.ndarray:
        """The posteriors [N, classes] of every run on a recording int16 [S], its features computed at once."""
        maps = np.lib.stride_tricks.sliding_window_view(self.frontend.recording(samples), self.history, 0)[:: self.stride].transpose(
            0, 2, 1
        )
        return self.softmax(np.concatenate([self.network(maps[i : i + BATCH]) for i in range(0, len(maps), BATCH)]))

    def decide(self, posteriors: np.ndarray) -> list[tuple[int, int, int]]:
        """(run, class, score) of every detection in posteriors [N, classes]."""
        n, total = len(posteriors), np.concatenate([np.zeros_like(posteriors[:1]), posteriors.cumsum(0)])
        first = np.maximum(np.arange(1, n + 1) - self.settings.windows, 0)
        mean = (total[1:] - total[first]) // (np.arange(1, n + 1) - first)[:, None]
        words, found = np.where(self.keywords, mean, -1).argmax(1), []
        for i in (mean[np.arange(n), words] >= self.threshold).nonzero()[0].tolist():
            if not found or i - found[-1][0] >= self.refractory:
                found.append((i, int(words[i]), int(mean[i, words[i]])))
        return found

    def ready(self, run: int) -> int:
        """How many samples run `run` of the network waits for."""
        return (run * self.stride + self.history - 1) * self.frontend.hop - self.frontend.lead + self.frontend.size


def chunks(samples: np.ndarray, size: int) -> np.ndarray:
    """A recording [S] up to its last whole chunk: [N, size]."""
    return samples[: len(samples) // size * size].reshape(-1, size)


def between_pauses(samples: np.ndarray, rate: int) -> np.ndarray:
    """A clip int16 [S] with silence around it, so that all of it can be judged."""
    before, after = (np.zeros(round(seconds * rate), np.int16) for seconds in PAUSES)
    return np.concatenate([before, samples, after])


def spot(listening, samples: np.ndarray) -> list[tuple[int, int, int]]:
    """(chunk, class, score) of every detection in a recording int16 [S], up to its last whole chunk. `listening` is `Compiled`, or not."""
    listening.reset()
    found = [listening.step(chunk) for chunk in chunks(samples, listening.chunk)]
    return [(i, *one) for i, one in enumerate(found) if one]
