"""Where a training step goes: augmentation, features, network. Run by hand: python benchmarks/training_step.py [MODEL]

Each part is a ratio to the whole step measured in the same run; the median of 20 steps.
"""

import statistics
import sys
import time

import torch
from torch.nn import functional as F

from tinycourse import training
from tinycourse.data import TASKS
from tinycourse.frontend import Augment

name = sys.argv[1] if len(sys.argv) > 1 else "tinyspeech-m"
config = training.TrainConfig()
recogniser = training.seeded(name, TASKS["10"], 0).train()
optimizer = torch.optim.AdamW(recogniser.network.parameters())
augment = Augment(config.augment, torch.randn(16_000 * 60) / 100, 0)
clips = torch.randint(-3_000, 3_000, (config.batch, 16_000), dtype=torch.int16)
labels = torch.randint(0, 10, (config.batch,))
seconds = {"augment audio": [], "features": [], "augment features": [], "network": []}


def timed(part: str, work, x):
    start = time.perf_counter()
    result = work(x)
    seconds[part].append(time.perf_counter() - start)
    return result


def update(x):
    optimizer.zero_grad()
    F.cross_entropy(recogniser.network(x), labels).backward()
    optimizer.step()


for _ in range(20):
    with torch.no_grad():
        x = timed("augment audio", augment.audio, clips.float() / 32768)
        x = timed("features", recogniser.frontend, x)
        x = timed("augment features", augment.features, x)
    timed("network", update, x)

medians = {part: statistics.median(values) for part, values in seconds.items()}
step = sum(medians.values())
print(f"{name}, batch {config.batch}, {torch.get_num_threads()} threads: {step * 1000:.0f} ms a step, "
      f"{11_664 / config.batch * step:.0f} s for an epoch of the ten-class task")  # fmt: skip
for part, value in medians.items():
    print(f"{part:18} {value / step:5.1%}")
