"""Lesson 03 measures: the ablation of TinySpeech's open choices, the steps of a condenser, and the paper's parameter counts.

Which network does figure 2 of the paper (arXiv 2008.04245) draw? Every reading of it is counted by formula.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean

import torch
from torch import Tensor, nn

from tinycourse.data import Clips
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.models.condenser import TINYSPEECH, AttentionCondenser, TinySpeechConfig, looks
from tinycourse.models.design import FORMS, TINYSPEECH_DESIGNS, Design, Designed, SearchedCondenser, Window
from tinycourse.studies import published_results, tables
from tinycourse.studies.tables import read  # noqa: F401
from tinycourse.training import classifiers, profiling
from tinycourse.training.checkpoint import as_float
from tinycourse.training.loop import evaluate

MEASURED = tables.MEASURED / "condenser.json"  # written by benchmarks/condenser.py
TRIED = MEASURED.with_name("condenser_tried.json")  # one seed each, on the way to what is shipped
M = replace(TINYSPEECH_DESIGNS["m"], far_pool=(1, 10))  # pools by the operation of TinySpeech, so trainings are the same to the bit
LOG_MEL, MFCC = FrontendConfig(kind="log-mel"), FrontendConfig()
EXAMPLES = 2_000  # clips that a front end's mean and deviation are measured on


Condenser = AttentionCondenser | SearchedCondenser


def condensers(network: nn.Module) -> list[Condenser]:
    """Those of a network, in order."""
    return [m for m in network.modules() if isinstance(m, Condenser)]


def look(bands: tuple[int, ...], frames: tuple[int, ...]) -> Callable[[nn.Module], None]:
    """Copies look so far up and down in the first condenser of a block, so far back and ahead in the second one."""

    def change(network):
        for block in network.blocks:
            block.first.offsets, block.second.offsets = looks(bands, frames)

    return change


def fix_scale(value: float) -> Callable[[nn.Module], None]:
    """S is a constant instead of a learned number for each channel."""

    def change(network):
        for condenser in condensers(network):
            condenser.scale.requires_grad_(False).fill_(value)

    return change


def one_scale(network: nn.Module) -> None:
    """S is a single learned number for each condenser."""
    for condenser in condensers(network):
        condenser.scale = nn.Parameter(torch.ones(1, 1, 1))


def relu_behind(network: nn.Module) -> None:
    """Every condenser ends in a ReLU."""
    for condenser in condensers(network):
        condenser.norm = nn.Sequential(condenser.norm, nn.ReLU())


def tile(network: nn.Module) -> None:
    """Where V has fewer channels than A it is repeated instead of being filled up with zeros."""

    def select(width):
        return lambda v, a, s: FORMS["add"](v[:, torch.arange(a.shape[1]) % width], a, s)

    for condenser in condensers(network):
        condenser.select = select(condenser.grouped.in_channels // 2)


def without_norm(network: nn.Module) -> None:
    """No batch norm anywhere: the paper's M has none."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, nn.Identity())


@dataclass(frozen=True)
class Variant:
    """TinySpeech-M with one thing different. `choice` is what the paper leaves open."""

    choice: str
    design: Design = M
    frontend: FrontendConfig = LOG_MEL
    change: Callable[[nn.Module], None] = lambda network: None

    def build(self, classes: int) -> Designed:
        """The network with untrained weights."""
        network = Designed(self.design, classes)
        self.change(network)
        return network


STRAIGHT = look(bands=(0,), frames=(0,))
VARIANTS = {
    "ours": Variant("none"),
    "straight: nobody looks aside": Variant("grouped", change=STRAIGHT),
    "aside in time only": Variant("grouped", change=look(bands=(0,), frames=(1, 2, 4))),
    "aside to the nearest only": Variant("grouped", change=look(bands=(1,), frames=(1,))),
    "straight, grouped 3x3": Variant("grouped", replace(M, near_kernel=(3, 3), far_kernel=(3, 3)), change=STRAIGHT),
    "F: gate, S V sig(A) + V": Variant("form of F", replace(M, form="gate")),
    "F: gated, S V sig(A) + A": Variant("form of F", replace(M, form="gated add")),
    "S: one number": Variant("S", change=one_scale),
    "S = 1, fixed": Variant("S", change=fix_scale(1)),
    "S = 0, fixed: V' = A": Variant("S", change=fix_scale(0)),
    "V repeated, not filled with 0": Variant("how V meets A", change=tile),
    "ReLU behind every condenser": Variant("activations", change=relu_behind),
    "ReLU behind the last convolution": Variant("activations", replace(M, activation="relu")),
    "no batch norm": Variant("batch norm", change=without_norm),
    "pools 2x2 everywhere": Variant("pools", replace(M, near_pool=(2, 2), far_pool=(2, 2))),
    "twice as many frames": Variant("stem", replace(M, stem_pool=(1, 2))),
    "MFCC": Variant("front end", frontend=MFCC),
}


@dataclass(frozen=True)
class Sounds:
    """Clips as mel energies [N, frames, mels] and labels [N] by split, noise [frames, mels], and `examples` [N, samples]."""

    energies: dict[str, Tensor]
    labels: dict[str, Tensor]
    noise: Tensor
    examples: Tensor
    classes: tuple[str, ...]


def mel_energies(splits: dict[str, Clips], noise: Tensor) -> Sounds:
    """Mel energies of clips by split, "training" among them, computed once for all variants. `noise` [samples] is one long recording.

    The energies serve log-mel and MFCC alike: they part ways only behind the mel bands.
    """
    front, audio = Frontend(LOG_MEL), splits["training"].audio
    return Sounds(
        energies={split: classifiers.energies_of(front, clips.audio) for split, clips in splits.items()},
        labels={split: clips.labels for split, clips in splits.items()},
        noise=classifiers.energies_of(front, noise[None])[0],
        examples=as_float(audio[:: max(1, len(audio) // EXAMPLES)]),
        classes=splits["training"].classes,
    )


def run(name: str, sounds: Sounds, config: classifiers.TrainConfig) -> dict:
    """Train a variant and test it on every split but "training". Returns a row of the table: costs, accuracies, last loss.

    Raises Diverged where a number is not finite any more.
    """
    variant = VARIANTS[name]
    front = Frontend(variant.frontend).fit(sounds.examples)
    torch.manual_seed(config.seed)
    network = variant.build(len(sounds.classes))
    batches = classifiers.ClipBatches(front, sounds.energies["training"], sounds.labels["training"], sounds.noise, config)
    loss = classifiers.loop_for(network, batches, config).run()[-1]["loss"]
    cost = profiling.profile(network, torch.zeros(1, 1, *sounds.noise[:101].shape), "weights")
    row = {"variant": name, "seed": config.seed, "weights": cost.parameters, "multiply_adds": cost.multiply_adds, "loss": round(loss, 4)}
    for split in (split for split in sounds.energies if split != "training"):
        _, right = evaluate(network, front, sounds.energies[split], sounds.labels[split], "The variant")
        row[split] = round(float(right.float().mean()), 4)
    return row


def by_variant(rows: list[dict], split: str = "validation") -> dict[str, list[float]]:
    """Accuracies by variant, one for each seed, in the order of VARIANTS."""
    table = {name: [row[split] for row in rows if row["variant"] == name] for name in VARIANTS}
    return {name: values for name, values in table.items() if values}


def verdict(values: list[float], base: list[float]) -> str:
    """ "better" or "worse" where no seed of the one reaches a seed of the other, else ""."""
    return "better" if min(values) > max(base) else "worse" if max(values) < min(base) else ""


def table(rows: list[dict]) -> str:
    """A line for each variant: weights, mean, lowest and highest validation accuracy, points from the first one, testing, verdict."""
    accuracies, tested = by_variant(rows), by_variant(rows, "testing")
    weights = {row["variant"]: row["weights"] for row in rows}
    base = next(iter(accuracies.values()), [])
    lines = [f"{'':34}weights    mean   lowest to highest   points   testing"]
    for name, values in accuracies.items():
        points = 100 * (mean(values) - mean(base))
        spread = f"{min(values):.1%} to {max(values):.1%}"
        numbers = f"{weights[name]:7,}{mean(values):8.1%}{spread:>20}{points:+9.1f}{mean(tested[name]):10.1%}"
        lines.append(f"{name:34}{numbers}   {verdict(values, base)}".rstrip())
    return "\n".join(lines)


def diary(groups: list[dict]) -> str:
    """What was tried on the way, as in TRIED: a line for each row, validation and, where it was measured, testing accuracy."""
    lines = []
    for group in groups:
        lines.append(f"{group['about'] + ', ' + str(group['epochs']) + ' epochs, one seed':76}validation   testing")
        for row in group["rows"]:
            testing = f"{row['testing']:10.1%}" if row["testing"] else ""
            lines.append(f"   {row['what']:73}{row['validation']:10.1%}{testing}")
        lines.append("")
    return "\n".join(lines)


@torch.no_grad()
def dissect(condenser: Condenser, v: Tensor, pool: Window | None = None, strength: float = 1) -> dict[str, Tensor]:
    """The maps between the steps of a condenser that is given V [B, C, H, W]: V, Q, K, A, V', in order.

    `pool` replaces its window, and its S is taken `strength` times: 0 shows the limit S -> 0.
    """
    varied = copy.deepcopy(condenser)
    varied.pool = pool or condenser.pool
    varied.scale *= strength
    return dict(varied.steps(v))


@torch.no_grad()
def given(network: nn.Module, part: nn.Module, x: Tensor) -> Tensor:
    """What `part` of a network is given when the network is given x."""
    seen = []
    hook = part.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        network(x)
    finally:
        hook.remove()
    return seen[0]


def reach(layers: nn.Module, shape: tuple[int, int, int], place: tuple[int, int], trials: int = 128) -> Tensor:
    """Which positions of its input one output of `layers` depends on: a map [H, W], the mean size of the gradient.

    shape: [C, H, W] of the input; place: row and column of the output. Random inputs, as a maximum looks at one value at a time.
    """
    x = torch.randn(trials, *shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = layers(x)[:, :, place[0], place[1]]  # [trials, C']
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))  # or batch norm's channels may cancel out
    (y * weights).sum().backward()
    return x.grad.abs().mean((0, 1))


CLASSES = 12  # of the paper
POSITIONS = 51 * 20  # of a map of 101 x 40 behind a stem that takes every second frame and band


PUBLISHED = {row.name[-1]: row for row in published_results.PUBLISHED if row.name.startswith("tinyspeech-")}  # by letter: x, y, z, m


@dataclass(frozen=True)
class Reading:
    """One way to read the figure. The first of each pair is False (or 1)."""

    kernel: int  # of the grouped convolution: 1 or 3
    halves: bool  # grouped into two halves; else into one group for each channel
    bias: bool  # every convolution and the classifier have one
    norm: bool  # scale and bias of the drawn batch norms are counted; M has none
    expand_back: bool  # behind the expansion, a 1x1 convolution back to the channels of V


READINGS = [Reading(*choices) for choices in product((1, 3), (False, True), (False, True), (False, True), (False, True))]


def count(config: TinySpeechConfig, reading: Reading, norm: bool = True, classes: int = CLASSES) -> int:
    """Parameters of a network of the figure. `norm` says whether the figure draws batch norm in it."""
    channels, total = config.stem, 9 * config.stem + reading.bias * config.stem
    for a, b in (pair for block in config.blocks for pair in block):
        total += a * reading.kernel**2 * (channels // 2 if reading.halves else 1)  # grouped
        total += a * b + reading.bias * (a + b)  # pointwise
        total += reading.expand_back * (b + reading.bias) * channels
        channels = channels if reading.expand_back else b
        total += 2 * channels * (reading.norm and norm)
    return total + 9 * channels * config.last + config.last * classes + reading.bias * (config.last + classes)


def counts(reading: Reading) -> dict[str, int]:
    """Parameters of X, Y, Z and M by their letters."""
    return {letter: count(TINYSPEECH[letter], reading, norm=letter != "m") for letter in PUBLISHED}


def misses(reading: Reading) -> dict[str, float]:
    """How far each count is from the published one, as a share of that: 0.01 is one hundredth too many."""
    return {letter: parameters / PUBLISHED[letter].parameters - 1 for letter, parameters in counts(reading).items()}


def worst(reading: Reading) -> float:
    """The largest of the four misses, whatever its sign."""
    return max(abs(miss) for miss in misses(reading).values())
