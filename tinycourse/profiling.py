"""What a network costs: parameters, multiply-adds and activation memory, for any module, by running it once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

COUNTER = "multiply-adds of convolutions and fully connected layers for one clip; pooling, batch norm and activations not counted"


@dataclass
class Profile:
    """Costs of one inference on one input."""

    parameters: int  # weights of convolutions and fully connected layers: no biases, batch norm folded away
    stored_parameters: int  # every number in the state
    multiply_adds: int
    activation_bytes: int  # inputs and output of the hungriest layer, 4 bytes a value
    layers: dict[str, int]  # multiply-adds by module path

    counter: str = COUNTER


def weights(network: nn.Module) -> int:
    """Weights of convolutions and fully connected layers, which gives the TinySpeech paper's counts (figure 2)."""
    layers = (m for m in network.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear))
    return sum(m.weight.numel() for m in layers)


@torch.no_grad()
def profile(network: nn.Module, x: Tensor) -> Profile:
    """Run the network once on x [1, ...] and count."""
    network.eval()
    sizes = []  # bytes of each layer's inputs and output

    def measure(module, inputs, output):
        sizes.append(sum(t.numel() * 4 for t in (*inputs, output) if isinstance(t, Tensor)))

    leaves = [m for m in network.modules() if not list(m.children())]
    hooks = [m.register_forward_hook(measure) for m in leaves]
    with FlopCounterMode(display=False) as counter:
        network(x)
    for hook in hooks:
        hook.remove()
    names = {f"{type(network).__name__}.{name}": name for name, m in network.named_modules() if m in leaves}
    layers = {names[k]: sum(v.values()) // 2 for k, v in counter.get_flop_counts().items() if k in names}
    return Profile(
        parameters=weights(network),
        stored_parameters=sum(t.numel() for t in network.state_dict().values()),
        multiply_adds=counter.get_total_flops() // 2,  # the library counts a multiply-add as two operations
        activation_bytes=max(sizes),
        layers={k: v for k, v in layers.items() if v},
    )
