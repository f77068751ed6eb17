"""What a network costs: parameters, multiply-adds and activation memory, for any module, by running it once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

MULTIPLY_ADDS = "multiply-adds: those of convolutions and matrix products for one clip, not of pooling, batch norm or activations"


@dataclass
class Layer:
    """What one module does itself, its children left out."""

    path: str  # as in `network.get_submodule(path)`
    kind: str
    shape: tuple[int, ...]  # of its output, without the batch
    parameters: int  # those that training changes
    multiply_adds: int
    activation_bytes: int  # its inputs and its output together


@dataclass
class Profile:
    """Costs of one inference on one input."""

    parameters: int  # as `counter` says
    stored_parameters: int  # every number in the state
    multiply_adds: int
    activation_bytes: int  # inputs and output of the hungriest layer
    layers: dict[str, int]  # multiply-adds by module path
    counter: str


def weights(network: nn.Module) -> int:
    """Weights of convolutions and fully connected layers, which gives the TinySpeech paper's counts (figure 2)."""
    layers = (m for m in network.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear))
    return sum(m.weight.numel() for m in layers)


def trainable(network: nn.Module) -> int:
    """Every number that training changes, as most papers count."""
    return sum(p.numel() for p in network.parameters())


def variables(network: nn.Module) -> int:
    """Trainable numbers and the running means and variances of batch norm: the variables of a TensorFlow graph."""
    return trainable(network) + sum(b.numel() for b in network.buffers() if b.is_floating_point())


COUNTS = {  # how to count parameters, and that in words
    "weights": (weights, "weights of convolutions and fully connected layers, no biases, batch norm folded away"),
    "trainable": (trainable, "all that training changes, with biases and batch norm"),
    "variables": (variables, "all that training changes, and batch norm's running statistics"),
}


@torch.no_grad()
def layers(network: nn.Module, x: Tensor) -> list[Layer]:
    """Run the network once on x [1, ...], in evaluation mode: a row for each module that computes or holds parameters.

    In the order in which they finish. They add up to the network's trainable parameters and to all its multiply-adds.
    """
    paths = {module: path for path, module in network.eval().named_modules()}
    rows, stack = {}, []  # path -> row; for each module that is running: operations before it began, and those of its children

    def enter(module, inputs):
        stack.append([counter.get_total_flops(), 0])

    def leave(module, inputs, output):
        before, below = stack.pop()
        operations = counter.get_total_flops() - before
        if stack:
            stack[-1][1] += operations
        own = (operations - below) // 2  # torch counts a multiply-add as two operations
        parameters = sum(p.numel() for p in module.parameters(recurse=False))
        outputs = output if isinstance(output, tuple) else (output,)
        memory = sum(t.nbytes for t in (*inputs, *outputs) if isinstance(t, Tensor))
        if parameters or own or not list(module.children()):
            path = paths[module]
            earlier = rows[path].multiply_adds if path in rows else 0  # a module may run more than once
            rows[path] = Layer(path, type(module).__name__, tuple(outputs[0].shape[1:]), parameters, earlier + own, memory)

    hooks = [hook for m in paths for hook in (m.register_forward_pre_hook(enter), m.register_forward_hook(leave))]
    try:
        with FlopCounterMode(display=False) as counter:
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return list(rows.values())


def profile(network: nn.Module, x: Tensor, count: str | None = None) -> Profile:
    """Run the network once on x [1, ...] and add up. `count` is one of COUNTS; by default what the network's own paper does."""
    count, words = COUNTS[count or getattr(network, "count", "trainable")]
    rows = layers(network, x)
    return Profile(
        parameters=count(network),
        stored_parameters=sum(t.numel() for t in network.state_dict().values()),
        multiply_adds=sum(row.multiply_adds for row in rows),
        activation_bytes=max(row.activation_bytes for row in rows),
        layers={row.path: row.multiply_adds for row in rows if row.multiply_adds},
        counter=f"parameters: {words}; {MULTIPLY_ADDS}",
    )
