"""Gradual magnitude pruning: weights leave one by one while the network goes on learning, and may come back.

Between two steps of training the network holds w * mask, so whatever looks at it (a forward pass, an evaluation, a checkpoint) sees
the pruned network. For the step itself the optimiser gets w back, the weight with a value behind the mask too. Every few steps the
masks are drawn anew from those values: who has grown returns, who has shrunk goes (Zhu and Gupta 2017, arXiv 1710.01878).

Nothing is asked of the modules. Any parameter with outputs and inputs can be pruned: of a convolution, of `nn.LSTM`, of a cell of our own.
"""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinycourse import sequence_training, training
from tinycourse.errors import TinycourseError
from tinycourse.sparse import Block, grid

MEASURED = Path(__file__).parent / "measured" / "pruning.json"  # written by benchmarks/pruning.py
TRANSDUCERS = MEASURED.with_name("pruning_rnnt.json")  # written by benchmarks/pruning_rnnt.py
ON_CHIP = MEASURED.with_name("pruned.json")  # written by benchmarks/checkpoints.py
SCOPES = ("layer", "lamp", "global")


@dataclass(frozen=True)
class Schedule:
    """Sparsity over the steps of a training: s_f + (s_i - s_f) (1 - (t - start) / (end - start))**power (arXiv 1710.01878, eq. 1).

    Fast at first, while there is much to spare, and slower and slower. Masks are drawn at `start`, every `every` steps and at `end`; then
    they stay. With start = end all go at once: one-shot pruning.
    """

    start: int
    end: int
    final: float
    initial: float = 0.0
    every: int = 10
    power: int = 3

    def at(self, step: int) -> float:
        """The sparsity wanted at a step; 0 before the start."""
        if step < self.start:
            return 0.0
        left = 1 - min(1.0, (step - self.start) / max(1, self.end - self.start)) if step < self.end else 0.0
        return self.final + (self.initial - self.final) * left**self.power

    def due(self, step: int) -> bool:
        """Whether masks are drawn at this step."""
        return self.start <= step <= self.end and ((step - self.start) % self.every == 0 or step == self.end)


@dataclass(frozen=True)
class PruneConfig:
    """What to prune, how far, and when. Times are shares of the whole training."""

    sparsity: float = 0.7
    block: Block = (8, 1)  # outputs x inputs
    scope: str = "layer"  # each weight as sparse as the other; or one budget for all, shared out by "lamp" or by "global" magnitude
    only: tuple[str, ...] = ()  # patterns of parameter names (default: what the network calls `prunable`, or all that have inputs)
    layers: dict[str, float] = field(default_factory=dict)  # exceptions: pattern -> sparsity of its own; 0 leaves it dense
    start: float = 0.0
    end: float = 0.6
    every: int = 10  # steps
    straight_through: bool = True  # weights behind the mask get the gradient of their place; without, only weight decay moves them

    def schedule(self, steps: int, final: float) -> Schedule:
        """For a weight that shall end at sparsity `final` in a training of so many steps."""
        return Schedule(round(self.start * steps), round(self.end * steps), final, every=self.every)


# ---------------------------------------------------------------------------------------------- which blocks


def magnitudes(weight: Tensor, block: Block) -> Tensor:
    """Mean |w| of every block: [blocks down, blocks across]. A block at the edge counts the weights that it has."""
    matrix = weight.detach().abs().flatten(1)  # [outputs, inputs]
    return F.avg_pool2d(matrix[None, None], block, ceil_mode=True)[0, 0]


def sizes(shape: tuple[int, ...], block: Block) -> Tensor:
    """Weights in every block: [blocks down, blocks across]; all the same, but at the edge."""
    down, across = grid(shape, block)
    rows = torch.full((down,), block[0])
    columns = torch.full((across,), block[1])
    rows[-1] -= down * block[0] - shape[0]
    columns[-1] -= across * block[1] - shape[1:].numel()
    return rows[:, None] * columns


def largest(scores: Tensor, size: Tensor, sparsity: float) -> Tensor:
    """Which blocks stay, bool like `scores`: the smallest go, as long as no more than this share of the weights goes with them."""
    order = scores.flatten().argsort(stable=True)
    goes = size.flatten()[order].cumsum(0) <= sparsity * int(size.sum()) + 1e-6
    keep = torch.ones_like(order, dtype=torch.bool)
    keep[order[goes]] = False
    return keep.view(scores.shape)


def lamp(scores: Tensor, size: Tensor) -> Tensor:
    """Energy of a block over that of all blocks of its matrix that are not smaller (Lee et al. 2021, arXiv 2010.07611).

    Comparable between matrices. The largest block of each scores 1, so no matrix is emptied before all are.
    """
    energy = scores.square().double() * size
    order = energy.flatten().argsort(stable=True)
    ordered = energy.flatten()[order] + 1e-30  # a matrix of zeros has no energy to divide by
    shares = torch.empty_like(ordered)
    shares[order] = ordered / ordered.flip(0).cumsum(0).flip(0)
    return shares.view(scores.shape)


def spread(blocks: Tensor, shape: tuple[int, ...], block: Block) -> Tensor:
    """One number per block [down, across] to one per weight, of the weight's shape."""
    wide = blocks.repeat_interleave(block[0], 0).repeat_interleave(block[1], 1)
    return wide[: shape[0], : math.prod(shape[1:])].reshape(shape)


def choose(weights: dict[str, Tensor], block: Block, sparsity: float | dict[str, float], scope: str = "layer") -> dict[str, Tensor]:
    """Masks, bool like the weights: True stays. `sparsity` is for every weight, or for each by name; it is one budget for all in the
    scopes "lamp" and "global"."""
    scores = {name: magnitudes(w, block) for name, w in weights.items()}
    size = {name: sizes(w.shape, block) for name, w in weights.items()}
    if scope == "layer":
        wanted = sparsity if isinstance(sparsity, dict) else dict.fromkeys(weights, sparsity)
        keep = {name: largest(scores[name], size[name], wanted[name]) for name in weights}
    else:
        compared = {name: lamp(scores[name], size[name]) if scope == "lamp" else scores[name] for name in weights}
        together = largest(*(torch.cat([part[name].flatten() for name in weights]) for part in (compared, size)), sparsity)
        pieces = together.split([size[name].numel() for name in weights])
        keep = {name: piece.view(size[name].shape) for name, piece in zip(weights, pieces)}
    return {name: spread(keep[name], w.shape, block) for name, w in weights.items()}


def prunable(network: nn.Module, only: tuple[str, ...] = ()) -> dict[str, nn.Parameter]:
    """Parameters that can be pruned, by name: at least two outputs and two inputs, no embedding, and a name that fits a pattern.

    Raises TinycourseError where a pattern fits none.
    """
    embeddings = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
    matrices = {
        name: p
        for name, p in network.named_parameters()
        if p.ndim > 1 and len(p) > 1 and p[0].numel() > 1 and id(p) not in embeddings
    }  # fmt: skip
    patterns = only or getattr(network, "prunable", ("*",))
    for pattern in patterns:
        named(pattern, matrices)
    return {name: p for name, p in matrices.items() if any(fnmatch(name, pattern) for pattern in patterns)}


def named(pattern: str, names) -> list[str]:
    """The names that fit a pattern. Raises TinycourseError where there is none."""
    found = [name for name in names if fnmatch(name, pattern)]
    if not found:
        raise TinycourseError(f"No weight is called {pattern!r}; those that can be pruned are {', '.join(names)}.")
    return found


# -------------------------------------------------------------------------------------------- while training


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
        """Masks from the values of now, at the sparsity of now: exceptions by their own, the others as `scope` says."""
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


# ------------------------------------------------------------------------------------------------ recognisers


def prune(
    recogniser, clips, validation, noise: Tensor, config: training.TrainConfig, pruning: PruneConfig, out: Path | None = None, **options
) -> tuple[list[dict], Pruner]:
    """Train a keyword recogniser on while it is pruned; see `training.fit` for the arguments and `options` (resume, fabric).

    Afterwards it holds the best of those epochs that ended at the final sparsity, as plain weights with zeros. `info["pruning"]` says what
    was done. Returns the history, with the sparsity of each epoch, and the pruner.
    """
    pruner = Pruner(recogniser.network, pruning, config.epochs * (len(clips) // config.batch))
    history = training.fit(recogniser, clips, validation, noise, config, out, pruner=pruner, **options)
    recogniser.info["pruning"] = pruner.record()
    return history, pruner


def retraining(data: str, **given) -> sequence_training.SequenceConfig:
    """The recipe of a task for a transducer that can do it already: half as long, half as fast, nothing easy first; or as given."""
    whole = sequence_training.recipe(data)
    half = {"epochs": whole.epochs // 2, "learning_rate": whole.learning_rate / 2}
    return replace(sequence_training.recipe(data, **half | {k: v for k, v in given.items() if v}), curriculum=0)


def prune_transducer(
    recogniser, task, config: sequence_training.SequenceConfig, pruning: PruneConfig, out: Path | None = None, supply=None, **options
) -> tuple[list[dict], Pruner]:
    """The same for a recogniser of sentences, on a task of sequences.py; see `sequence_training.fit`."""
    supply = supply or task.training(recogniser.frontend)
    pruner = Pruner(recogniser.network, pruning, config.epochs * (len(supply) // config.batch))
    history = sequence_training.fit(recogniser, task, config, out, pruner=pruner, supply=supply, **options)
    recogniser.info["pruning"] = pruner.record()
    return history, pruner


def measured(path: Path = MEASURED) -> dict:
    """What MEASURED, TRANSDUCERS or ON_CHIP holds: `command` and `rows`."""
    return json.loads(path.read_text(encoding="utf-8"))


def table(rows: list[dict]) -> str:
    """Measured rows of one file, means over their seeds: error and its spread, as integers too where that was measured, weights, bytes.

    Weights are those that are left: of the whole network where a row counts its `parameters`, else of the matrices that were pruned.
    """
    groups, integers = {}, "int8" in rows[0]
    for row in rows:
        groups.setdefault((row["model"], row["way"], row["asked"]), []).append(row)
    head = f"{'lowest to highest':>20}{'int8' * integers:>8}{'weights':>9}{'float32':>11}{'int8':>9}  bytes"
    lines = [f"{'model':22}{'way':24}{'gone':>5}{'error':>8}{head}"]
    for (model, way, asked), same in groups.items():
        errors, sizes = [row["error"] for row in same], [mean(row["bytes"][form] for row in same) for form in ("float32", "int8")]
        left = mean(row["parameters" if "parameters" in row else "nonzero"] for row in same)
        as_integers = f"{mean(row['int8'] for row in same):8.2%}" if integers else " " * 8
        spread = f"{min(errors):.2%} to {max(errors):.2%}"
        counts = f"{left:9,.0f}{sizes[0]:11,.0f}{sizes[1]:9,.0f}"
        lines.append(f"{model:22}{way:24}{asked:5.0%}{mean(errors):8.2%}{spread:>20}{as_integers}{counts}")
    return "\n".join(lines)
