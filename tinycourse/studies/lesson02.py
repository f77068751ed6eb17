"""Lesson 02 measures: a training to be watched, judged after every epoch, and the receptive field of a trained network."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tinycourse.data import Clips
from tinycourse.divergence import must_be_finite
from tinycourse.features.augmentation import AUGMENTATIONS, Augment, AugmentConfig
from tinycourse.training import classifiers, profiling
from tinycourse.training.checkpoint import Recogniser


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


def one_pass(network: nn.Module, hear, labels: Tensor, optimizer, schedule, batch: int = 32) -> None:
    """Meet every clip once, in a new order; `hear(clips)` gives the features of some clips, disturbed anew each time."""
    network.train()
    for clips in torch.randperm(len(labels)).split(batch):
        answer = network(hear(clips))  # [batch, classes]
        loss = F.cross_entropy(answer, labels[clips])
        optimizer.zero_grad()
        loss.backward()  # which way is uphill for every weight?
        optimizer.step()  # a small step the other way
        schedule.step()


@torch.no_grad()
def judge(network: nn.Module, x: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy on features x [N, 1, frames, bands]."""
    network.eval()
    answers = torch.cat([network(part) for part in x.split(250)])
    return float(F.cross_entropy(answers, labels)), float((answers.argmax(1) == labels).double().mean())


def learn(
    name: str, practice: Clips, held_out: Clips, noise: Tensor, disturb: AugmentConfig, epochs: int, seed: int = 0
) -> tuple[Recogniser, list[dict]]:
    """Train the network `name` on `practice`; after every epoch a dict of `training` and `validation`, each (loss, accuracy).

    held_out is restricted to the classes of `practice`; noise [samples] is what background noise is cut from. Returns the recogniser
    as it is after the last epoch, whatever its accuracy, and the history. Raises Diverged where a number is not finite any more.
    """
    recogniser = classifiers.seeded(name, practice.classes, seed)
    ear, network = recogniser.frontend, recogniser.network
    ear.fit(practice.subset(range(0, len(practice), max(1, len(practice) // 300))).waveforms())
    parts = {"training": practice, "validation": held_out.restrict(practice.classes)[0]}
    heard = {part: classifiers.energies_of(ear, clips.audio).float() for part, clips in parts.items()}  # [N, frames, mels]
    augment = Augment(disturb, ear.config.hop, classifiers.energies_of(ear, noise[None])[0].float(), seed)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, epochs=epochs, steps_per_epoch=-(-len(practice) // 32))

    def hear(chosen: Tensor) -> Tensor:
        return augment.features(ear.finish(augment.energies(heard["training"][chosen])))

    history = []
    for epoch in tqdm(range(epochs), desc=name, leave=False):
        one_pass(network, hear, practice.labels, optimizer, schedule)
        history.append({part: judge(network, ear.finish(heard[part]), clips.labels) for part, clips in parts.items()})
        losses = {f"the loss in {part}": loss for part, (loss, _) in history[-1].items()}
        must_be_finite(f"Epoch {epoch + 1}", losses | network.state_dict())
    return recogniser.eval(), history
