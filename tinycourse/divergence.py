"""Trainings that diverge: their numbers have grown beyond all bounds, and no further step brings them back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tinycourse.errors import TinycourseError

ADVICE = "the training has diverged, try a smaller learning rate"


class Diverged(TinycourseError):
    """A loss, a weight or an answer of a network is infinite, or no number at all."""


def must_be_finite(where: str, numbers: dict[str, Tensor | float], advice: str = ADVICE) -> None:
    """Raises Diverged unless all numbers are finite: losses, answers, or the `state_dict` of a network. `where` begins the sentence."""
    for name, x in numbers.items():
        if not torch.as_tensor(x).isfinite().all():
            raise Diverged(f"{where}: {name} is infinite or not a number; {advice}.")


@contextmanager
def or_as_before(network: nn.Module) -> Iterator[None]:
    """For a part of a training: where it diverges, the network gets back the weights that it had before."""
    before = {name: x.detach().clone() for name, x in network.state_dict().items()}
    try:
        yield
    except Diverged:
        network.load_state_dict(before)
        raise
