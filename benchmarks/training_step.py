"""Where a training step goes: augmentation, features, network. Run by hand: python benchmarks/training_step.py [MODEL]

Each part is a ratio to the whole step measured in the same run; the median of 20 steps. The Fourier transform is paid once a
training, not once a step: the last line says what its share would be if it were spread over the epochs of the default recipe.
"""

import statistics
import sys
import time

import torch
from torch.nn import functional as F

from tinycourse import training
from tinycourse.augmentation import Augment
from tinycourse.data import TASKS

CLIPS = 11_664  # of the ten-class task
name = sys.argv[1] if len(sys.argv) > 1 else "tinyspeech-m"
config = training.TrainConfig()
recogniser = training.seeded(name, TASKS["10"], 0).train()
front, network = recogniser.frontend, recogniser.network
optimizer = torch.optim.AdamW(network.parameters())
audio = torch.randint(-3_000, 3_000, (config.batch, 16_000), dtype=torch.int16)
energies = training.energies_of(front, audio)
augment = Augment(config.augment, front.config.hop, training.energies_of(front, torch.randn(1, 16_000 * 60) / 100)[0].float(), 0)
labels = torch.randint(0, 10, (config.batch,))
seconds = {"augmentation": [], "features": [], "SpecAugment": [], "network": [], "(energies, once)": []}


def timed(part: str, work, x):
    start = time.perf_counter()
    result = work(x)
    seconds[part].append(time.perf_counter() - start)
    return result


def update(x):
    optimizer.zero_grad()
    F.cross_entropy(network(x), labels).backward()
    optimizer.step()


for _ in range(20):
    with torch.no_grad():
        timed("(energies, once)", front.energies, audio.float() / 32768)
        x = timed("augmentation", augment.energies, energies.float())
        x = timed("features", front.finish, x)
        x = timed("SpecAugment", augment.features, x)
    timed("network", update, x)

medians = {part: statistics.median(values) for part, values in seconds.items()}
once = medians.pop("(energies, once)") / config.epochs
step = sum(medians.values())
print(f"{name}, batch {config.batch}, {torch.get_num_threads()} threads: {step * 1000:.0f} ms a step, "
      f"{CLIPS / config.batch * step:.0f} s for an epoch of the ten-class task")  # fmt: skip
for part, value in medians.items():
    print(f"{part:18} {value / step:5.1%}")
print(f"{'mel energies':18} {once / step:5.1%} of a step, spread over {config.epochs} epochs")
