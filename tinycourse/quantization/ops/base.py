"""What every operation of a float network is."""

import re
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from torch import Tensor

from tinycourse.program.ops.base import OPS, Operation
from tinycourse.program.ops.base import Tensor as IntegerTensor

NODES: dict[str, type["Node"]] = {}  # every kind by its name; a class registers itself


@dataclass(eq=False)
class Node:
    """One float operation; each class documents its own parameters and arrays. `shape` is torch's without the batch: (C, H, W) or (C,)."""

    inputs: list["Node"]
    shape: tuple[int, ...]
    parameters: dict = field(default_factory=dict)
    arrays: dict[str, Tensor] = field(default_factory=dict)  # float64; the first axis is the output channel
    clamp: tuple[float, float] | None = None  # a fused ReLU, ReLU6 or Hardtanh
    path: str = ""  # the torch module it came from
    name: str = "input"

    kind: ClassVar[str] = ""  # the class's name in lower case

    def __init_subclass__(cls, abstract: bool = False) -> None:
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        if not abstract:
            NODES[cls.kind] = cls

    def run(self, *xs: Tensor) -> Tensor:
        """Input tensors [N, C, H, W] or [N, C] to the output tensor."""
        raise NotImplementedError

    def quantize(self, ins: list[IntegerTensor], out: IntegerTensor) -> tuple[dict, dict[str, np.ndarray]]:
        """Integer parameters and arrays of its twin, from the scales and zero points of its inputs and its output."""
        return {}, {}

    @property
    def integer(self) -> type[Operation]:
        """Its twin among the operations of a program."""
        return OPS[self.kind]

    @property
    def bits(self) -> int:
        """Of the integers that it gives."""
        return self.integer.bits[1]

    @property
    def keeps_scale(self) -> bool:
        """Whether it moves numbers about, which then stay what they are."""
        return self.integer.keeps_scale

    @property
    def can_clamp(self) -> bool:
        """Whether a ReLU behind it can be fused into it; what only moves numbers keeps their range."""
        return self.integer.can_clamp and not self.keeps_scale


class Input(Node):
    """What the network takes."""

    bits, keeps_scale, can_clamp = 8, False, False


class State(Input):
    """What a recurrent network remembers from one step to the next."""


def along_channels(values: Tensor, like: Tensor) -> Tensor:
    """[C] as [C, 1, 1] beside a map, in the type and on the device of `like`."""
    return values.to(like).reshape(-1, *[1] * (like.dim() - 2))
