"""Where a training step goes: augmentation, features, network. Run by hand: python benchmarks/training_step.py [MODEL]

Each part is a ratio to the whole step measured in the same run; the median of 20 steps. The Fourier transform is paid once a
training, not once a step: a line says what its share would be if it were spread over the epochs of the default recipe.

The second table has other ways to write the parts of a condenser that move more memory than they compute: forward and backward
on TinySpeech-M's maps, each as a ratio to the one that the network uses.
"""

import statistics
import sys
import time

import torch
from torch.nn import functional as F

from tinycourse.data import TASKS
from tinycourse.features.augmentation import Augment
from tinycourse.training import classifiers

CLIPS = 11_664  # of the ten-class task
name = sys.argv[1] if len(sys.argv) > 1 else "tinyspeech-m"
config = classifiers.TrainConfig()
recogniser = classifiers.seeded(name, TASKS["10"], 0).train()
front, network = recogniser.frontend, recogniser.network.to(memory_format=torch.channels_last)  # as `classifiers.fit` does
optimizer = torch.optim.AdamW(network.parameters())
audio = torch.randint(-3_000, 3_000, (config.batch, 16_000), dtype=torch.int16)
energies = classifiers.energies_of(front, audio)
augment = Augment(config.augment, front.config.hop, classifiers.energies_of(front, torch.randn(1, 16_000 * 60) / 100)[0].float(), 0)
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


def forward_and_backward(work, x: torch.Tensor, repeats: int = 50) -> float:
    """Median microseconds of work(x) and of its gradient."""
    x, taken = x.contiguous(memory_format=torch.channels_last).requires_grad_(), []
    for _ in range(repeats):
        x.grad, start = None, time.perf_counter()
        y = work(x)
        y.backward(torch.ones_like(y))
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


weight = torch.randn(18, 1, 1, 1, requires_grad=True)
v, near, far = (torch.randn(64, *shape) for shape in ((9, 26, 10), (9, 13, 10), (9, 26, 1)))  # V, and K of both condensers
WAYS = {
    "grouped 1x1, 18 x 13 x 10": (torch.randn(64, 18, 13, 10), {
        "x * weight": lambda x: x * weight[:, 0],
        "conv2d(groups=18)": lambda x: F.conv2d(x, weight, groups=18),
    }),
    "pooling (2, 1) of 9 x 26 x 10": (v, {
        "max_pool2d": lambda x: F.max_pool2d(x, (2, 1), ceil_mode=True),
        "maximum of slices": lambda x: torch.maximum(x[:, :, ::2], x[:, :, 1::2]),
        "unflatten, amax": lambda x: x.unflatten(2, (13, 2)).amax(3),
    }),
    "pooling (1, 10) of 9 x 26 x 10": (v, {
        "max_pool2d": lambda x: F.max_pool2d(x, (1, 10)),
        "amax": lambda x: x.amax(3, keepdim=True),
        "mean": lambda x: x.mean(3, keepdim=True),
    }),
    "unpooling (2, 1) of 9 x 13 x 10": (near, {
        "interpolate": lambda x: F.interpolate(x, scale_factor=(2, 1)),
        "repeat_interleave": lambda x: x.repeat_interleave(2, 2),
        "expand, flatten": lambda x: x[:, :, :, None].expand(-1, -1, -1, 2, -1).flatten(2, 3),
    }),
    "unpooling (1, 10) of 9 x 26 x 1, added to V": (far, {
        "interpolate": lambda x: v + F.interpolate(x, scale_factor=(1, 10)),
        "broadcasting": lambda x: v + x,
    }),
}  # fmt: skip
for part, (x, ways) in WAYS.items():
    taken = {way: forward_and_backward(work, x) for way, work in ways.items()}
    chosen = next(iter(taken.values()))
    print(f"\n{part}\n" + "\n".join(f"  {way:20} {value / chosen:5.2f}" for way, value in taken.items()))
