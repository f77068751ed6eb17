"""Whether every listener hears the same: python benchmarks/live.py [--clips 1000] [--chips 3]   (minutes; the emulated chips take longest)

Real test clips, each with silence around it, go chunk by chunk through the interpreter, and through its C on this machine, as
WebAssembly, and on the two emulated Cortex-M (`--chips` of the clips). Compared after every chunk: what was said and its score; ten
times a clip also the features of the last second and the score of every class.
"""

import argparse
import collections
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from tinycourse import data
from tinycourse.codegen import spotter_writer
from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.export import deploy
from tinycourse.program import keyword_spotter
from tinycourse.program.keyword_spotter import Listener, Settings
from tinycourse.training import checkpoint

TARGETS = ("host", "wasm", "cortex-m4", "cortex-m0plus")


def trace(listening: Listener | Compiled, samples: np.ndarray) -> list[bytes]:
    """All that can be seen of a listener while it hears int16 [S]."""
    listening.reset()
    seen, chunks = [], keyword_spotter.chunks(samples, listening.chunk)
    for i, chunk in enumerate(chunks):
        seen.append(str(listening.step(chunk)).encode())
        if i * listening.chunk >= 1.1 * data.RATE and i % (len(chunks) // 10) == 0:  # the first second of features is complete
            seen += [listening.newest.tobytes(), listening.scores.tobytes()]
    return seen


arguments = argparse.ArgumentParser()
arguments.add_argument("--model", default="tinyspeech-m")
arguments.add_argument("--clips", type=int, default=1_000)
arguments.add_argument("--chips", type=int, default=3)
a = arguments.parse_args()

torch.set_num_threads(1)
recogniser = checkpoint.load(a.model)
source = data.open_for(recogniser.classes, "speech-commands")
clips = source.clips("testing")
clips = clips.subset(torch.randperm(len(clips), generator=torch.Generator().manual_seed(0))[: a.clips])
program = deploy.program_of(recogniser, source.clips("validation").audio[::4], samples=True)
listening = Listener(program, Settings(threshold=0.7))

with tempfile.TemporaryDirectory() as folder:
    built = {}
    for target in TARGETS:
        (place := Path(folder, target)).mkdir()
        options = {"count": False} if target.startswith("cortex") else {}
        built[target] = spotter_writer.build(listening, target, place, **options)
    heard, differ, seconds = collections.Counter(), collections.Counter(), collections.Counter()
    said = 0
    for i, audio in enumerate(tqdm(clips.audio, desc="clips")):
        samples = keyword_spotter.between_pauses(audio.numpy(), data.RATE)
        truth = trace(listening, samples)
        said += any(int(np.frombuffer(found, np.int16)[0]) >= 0 for found in truth if len(found) == 4)
        for target, compiled in built.items():
            if i < a.chips or not target.startswith("cortex"):
                start = time.perf_counter()
                differ[target] += trace(compiled, samples) != truth
                seconds[target] += time.perf_counter() - start
                heard[target] += 1

print(f"{a.model}, {len(clips)} clips of speech-commands testing; a word was said in {said}")
print(f"{'target':16}{'clips':>8}{'different':>12}{'ms a second of sound':>24}")
for target, count in heard.items():
    length = count * len(samples) / data.RATE
    print(f"{target:16}{count:8,}{differ[target]:12,}{1000 * seconds[target] / length:24.1f}")
