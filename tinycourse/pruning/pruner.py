"""Gradual magnitude pruning: weights leave one by one while the network goes on learning, and may come back.

Between two steps of training the network holds w * mask, so whatever looks at it (a forward pass, an evaluation, a checkpoint) sees
the pruned network. For the step itself the optimiser gets w back, the weight with a value behind the mask too. Every few steps the
masks are drawn anew from those values: who has grown returns, who has shrunk goes (Zhu and Gupta 2017, arXiv 1710.01878).

Nothing is asked of the modules. Any parameter with outputs and inputs can be pruned: of a convolution, of `nn.LSTM`, of a cell of our own.
"""

import json
from dataclasses import asdict, replace

import torch
from torch import Tensor, nn

from tinycourse.divergence import must_be_finite
from tinycourse.errors import TinycourseError
from tinycourse.pruning.masks import SCOPES, choose, named, prunable
from tinycourse.pruning.schedule import PruneConfig


class Pruner:
    """Prunes a network while any optimiser trains it: `attach`, then train as always.

    `masks` (bool) and `dense` (the values that the optimiser sees) are by parameter name; `step` counts steps of the optimiser;
    `returned` counts weights that came back. Raises TinycourseError for a sparsity or a scope that does not exist.
    """

    def __init__(self, network: nn.Module, config: PruneConfig, steps: int):
        asked = (config.sparsity, *config.layers.values())
        if not all(0 <= s < 1 for s in asked) or config.scope not in SCOPES or not 0 <= config.start <= config.end <= 1:
            raise TinycourseError(f"Ask for sparsities of 0 to below 1, a scope of {', '.join(SCOPES)}, and 0 <= start <= end <= 1.")
        self.config, self.step, self.returned = config, 0, 0
        self.parameters = prunable(network, config.only)
        self.own = {name: s for pattern, s in config.layers.items() for name in named(pattern, self.parameters)}
        self.schedule = config.schedule(steps, config.sparsity)
        self.dense: dict[str, Tensor] = {}
        self.masks: dict[str, Tensor] = {}

    @property
    def settled(self) -> bool:
        """Whether the masks have reached the final sparsity, and stay."""
        return self.step >= self.schedule.end

    @property
    def settings(self) -> str:
        """All that has to be the same for a training to be resumed, as JSON."""
        return json.dumps(asdict(self.config) | asdict(self.schedule), sort_keys=True)

    def attach(self, optimizer) -> "Pruner":
        """Begin. From now on the network holds pruned weights, but for the moments in which this optimiser changes them."""
        optimizer = getattr(optimizer, "optimizer", optimizer)  # Fabric wraps it
        self.hooks = optimizer.register_step_pre_hook(self.before), optimizer.register_step_post_hook(self.after)
        self.dense = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.masks = {name: torch.ones_like(p, dtype=torch.bool) for name, p in self.parameters.items()}
        self.draw()
        return self

    def detach(self) -> None:
        """End. The weights stay as they are: plain, with zeros."""
        for hook in self.hooks:
            hook.remove()

    @torch.no_grad()
    def before(self, *_) -> None:
        """The gradient was taken where the network was, at w * mask. The optimiser moves w."""
        for name, p in self.parameters.items():
            p.copy_(self.dense[name])
            if p.grad is not None and not self.config.straight_through:
                p.grad.mul_(self.masks[name])

    @torch.no_grad()
    def after(self, *_) -> None:
        """Keep what the optimiser made of w, and put w * mask in its place."""
        self.step += 1
        for name, p in self.parameters.items():
            self.dense[name].copy_(p)
        self.draw()

    @torch.no_grad()
    def draw(self) -> None:
        """New masks if they are due; then the network gets w * mask."""
        if self.schedule.due(self.step):
            masks = self.wanted()
            self.returned += sum(int((masks[name] & ~self.masks[name]).sum()) for name in masks)
            self.masks = masks
        for name, p in self.parameters.items():
            p.copy_(self.dense[name] * self.masks[name])

    def wanted(self) -> dict[str, Tensor]:
        """Masks from the values of now, at the sparsity of now: exceptions by their own, the others as `scope` says.

        Raises Diverged where a value is not finite any more.
        """
        must_be_finite(f"Step {self.step}", self.dense)
        block, now = self.config.block, self.schedule.at(self.step)
        own = {name: replace(self.schedule, final=final).at(self.step) for name, final in self.own.items()}
        masks = choose({name: self.dense[name] for name in own}, block, own)
        others = {name: w for name, w in self.dense.items() if name not in own}
        return masks | (choose(others, block, now, self.config.scope) if others else {})

    def sparsities(self) -> dict[str, float]:
        """Share of zeros in each mask."""
        return {name: 1 - mask.float().mean().item() for name, mask in self.masks.items()}

    @property
    def sparsity(self) -> float:
        """Share of zeros in all masks together."""
        return 1 - sum(int(m.sum()) for m in self.masks.values()) / sum(m.numel() for m in self.masks.values())

    def record(self) -> dict:
        """What was asked for and what came of it, for a checkpoint's `info`."""
        kept = sum(int(mask.sum()) for mask in self.masks.values())
        reached = {"reached": self.sparsity, "by_weight": self.sparsities(), "kept": kept, "returned": self.returned}
        return asdict(self.config) | reached

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed training needs."""
        state = {f"dense.{k}": v for k, v in self.dense.items()} | {f"mask.{k}": v for k, v in self.masks.items()}
        return state | {"counts": torch.tensor([self.step, self.returned])}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from `state_dict`, after `attach`."""
        self.step, self.returned = state["counts"].tolist()
        for name in self.parameters:
            self.dense[name].copy_(state[f"dense.{name}"])
            self.masks[name] = state[f"mask.{name}"].to(self.dense[name].device)
