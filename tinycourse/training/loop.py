"""The one loop of all trainings: a batch, how wrong the network is, a small step; and after every epoch, what it can do by now."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tinycourse.divergence import must_be_finite, or_as_before
from tinycourse.features.frontend import Frontend
from tinycourse.training.launch import agree


class Batches(Protocol):
    """What a network is trained on. Each of `world` processes takes its share of every batch, that of `rank`."""

    def steps(self, world: int) -> int:
        """How many batches an epoch has."""

    def epoch(self, number: int, rank: int, world: int) -> Iterator[tuple]:
        """The batches of an epoch, each as `Loop.loss` takes it; the same seed and number give the same ones."""


@dataclass(frozen=True)
class Loop:
    """One training: `network` and `optimizer` as `fabric.setup` gives them, and `loss`, which is given the network and a batch.

    `rate` is the learning rate at a step of so many, None leaves it to the optimizer; `clip` bounds the norm of the gradient.
    """

    fabric: Fabric
    network: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches
    loss: Callable[..., Tensor]
    epochs: int
    rate: Callable[[int, int], float] | None = None
    clip: float | None = None

    def run(
        self,
        history: list[dict] | None = None,
        measure: Callable[[int], dict] = lambda number: {},
        after: Sequence[Callable[[list[dict], dict], None]] = (),
    ) -> list[dict]:
        """Train for the epochs that `history` has not seen yet; it gets one dict for each (epoch, loss, rate) and is returned.

        `measure(number)` is called after every epoch, then each of `after` with the history and what was measured. Raises Diverged where
        a number is not finite any more; the network then has the weights from before that epoch.
        """
        history = [] if history is None else history
        for number in range(len(history), self.epochs):
            with or_as_before(self.network):
                loss, found = self.epoch(number), measure(number)
            history.append({"epoch": number + 1, "loss": loss, "rate": self.optimizer.param_groups[0]["lr"]})
            for callback in after:
                callback(history, found)
        return history

    def epoch(self, number: int) -> float:
        """One pass over the batches; the mean loss, of all devices. Raises Diverged if it or a weight is not finite any more."""
        rank, world, steps = self.fabric.global_rank, self.fabric.world_size, self.batches.steps(self.fabric.world_size)
        self.network.train()
        total = torch.zeros((), device=self.fabric.device)
        drawn = self.batches.epoch(number, rank, world)
        bar = tqdm(drawn, total=steps, desc=f"epoch {number + 1}/{self.epochs}", leave=False, disable=rank > 0)
        for step, batch in enumerate(bar, number * steps):
            if self.rate:
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate(step, self.epochs * steps)
            total += self.step(batch)
        agree(self.fabric, self.network)
        mean = float(self.fabric.all_reduce(total)) / steps
        must_be_finite(f"Epoch {number + 1}", {"the loss": mean} | self.network.state_dict())
        return mean

    def step(self, batch: tuple) -> Tensor:
        """Meet one batch; the mean loss of its examples."""
        loss = self.loss(self.network, *batch)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)  # which way is uphill for every weight?
        if self.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()  # a small step the other way
        return loss.detach()


def groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay is for whatever has more than one axis; biases and batch norm go without."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def warm_cosine(peak: float, step: int, steps: int, warmup: float) -> float:
    """A learning rate that climbs to `peak` for `warmup` steps and falls to zero at `steps` along a cosine."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@torch.no_grad()
def evaluate(network: nn.Module, frontend: Frontend, energies: Tensor, labels: Tensor, who: str = "The network") -> tuple[float, Tensor]:
    """Mean loss on clips, given by their mel energies [N, frames, mels], and which of them [N] are recognised, on the CPU.

    Raises Diverged, about `who`, where an answer is not finite.
    """
    network.eval()
    answers = torch.cat([network(frontend.finish(part.float())) for part in energies.split(250)]).cpu()  # [N, classes]
    must_be_finite(who, {"an answer": answers})
    return float(F.cross_entropy(answers, labels)), answers.argmax(1) == labels
