"""Lesson 02 measures: a training to be watched, judged after every epoch, and the receptive field of a trained network."""

from collections.abc import Iterator

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from tinycourse.data import Clips
from tinycourse.features.augmentation import AUGMENTATIONS, AugmentConfig
from tinycourse.training import classifiers, profiling
from tinycourse.training.checkpoint import Recogniser
from tinycourse.training.loop import Loop, evaluate


def last_map(network: nn.Module, x: Tensor) -> str:
    """The path of the module that gives the last map that still has a time axis, for input x [1, 1, frames, bands]."""
    return [row.path for row in profiling.layers(network, x) if len(row.shape) == 3 and row.shape[1] > 1][-1]


def seen(network: nn.Module, x: Tensor) -> Tensor:
    """How strongly the middle unit of the last map depends on every number of its input, for inputs x [B, 1, frames, bands].

    Returns [frames, bands]: sizes of the gradient, added over the inputs; exactly 0 outside of what the unit can see.
    """
    caught = []
    hook = network.eval().get_submodule(last_map(network, x[:1])).register_forward_hook(lambda module, inputs, out: caught.append(out))
    x = x.clone().requires_grad_()
    network(x)
    hook.remove()
    _, _, frames, bands = caught[0].shape
    (gradient,) = torch.autograd.grad(caught[0][:, :, frames // 2, bands // 2].sum(), x)
    return gradient.abs().sum((0, 1))


UNDISTURBED = AUGMENTATIONS["none"]


class EveryClip:
    """Batches for the plain loop: every clip once an epoch, in a new order, the last batch as large as is left."""

    def __init__(self, clips: classifiers.ClipBatches):
        self.clips, self.augment = clips, clips.augment(clips.config.seed)

    def steps(self, world: int = 1) -> int:
        """How many batches an epoch has."""
        return -(-len(self.clips.labels) // self.clips.config.batch)

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple]:
        """The batches of an epoch: features [B, 1, frames, bands] and labels [B]."""
        for chosen in torch.randperm(len(self.clips.labels)).split(self.clips.config.batch):
            x, labels, _ = self.clips.draw(chosen, self.augment)
            yield x, labels


def learn(
    name: str, practice: Clips, held_out: Clips, noise: Tensor, disturb: AugmentConfig, epochs: int, seed: int = 0
) -> tuple[Recogniser, list[dict]]:
    """Train the network `name` on `practice`; after every epoch a dict with `training` and `validation`, each (loss, accuracy).

    held_out is restricted to the classes of `practice`; noise [samples] is what background noise is cut from. Returns the recogniser
    as it is after the last epoch, whatever its accuracy, and the history. Raises Diverged where a number is not finite any more.
    """
    recogniser = classifiers.seeded(name, practice.classes, seed)
    front, network = recogniser.frontend, recogniser.network
    front.fit(practice.subset(range(0, len(practice), max(1, len(practice) // 300))).waveforms())
    parts = {"training": practice, "validation": held_out.restrict(practice.classes)[0]}
    energies = {part: classifiers.energies_of(front, clips.audio) for part, clips in parts.items()}  # [N, frames, mels]
    config = classifiers.TrainConfig(epochs=epochs, batch=32, learning_rate=0.01, seed=seed, augment=disturb)
    hiss = classifiers.energies_of(front, noise[None])[0]
    batches = EveryClip(classifiers.ClipBatches(front, energies["training"], practice.labels, hiss, config))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, epochs=epochs, steps_per_epoch=batches.steps())
    optimizer.register_step_post_hook(lambda *_: schedule.step())
    fabric = Fabric(accelerator="cpu", devices=1)

    def measure(number: int) -> dict:
        found = {part: evaluate(network, front, energies[part], clips.labels) for part, clips in parts.items()}
        return {part: (loss, float(right.double().mean())) for part, (loss, right) in found.items()}

    loop = Loop(fabric, *fabric.setup(network, optimizer), batches, lambda network, x, labels: F.cross_entropy(network(x), labels), epochs)
    history = loop.run(measure=measure, after=[lambda history, found: history[-1].update(found)])
    return recogniser.eval(), history
