"""What each open choice of TinySpeech brings: variants of TinySpeech-M that differ from ours in one thing, and their training."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from tinycourse import profiling, training
from tinycourse.checkpoint import as_float
from tinycourse.data import Clips
from tinycourse.divergence import must_be_finite
from tinycourse.frontend import Frontend, FrontendConfig
from tinycourse.models.condenser import FORMS, TINYSPEECH, AttentionCondenser, TinySpeech, TinySpeechConfig

MEASURED = Path(__file__).parent / "measured" / "condenser.json"  # written by benchmarks/condenser.py
TRIED = MEASURED.with_name("condenser_tried.json")  # one seed each, on the way to what is shipped
M, LOG_MEL, MFCC = TINYSPEECH["m"], FrontendConfig(kind="log-mel"), FrontendConfig()
EXAMPLES = 2_000  # clips that a front end's mean and deviation are measured on


def condensers(network: nn.Module) -> list[AttentionCondenser]:
    """Those of a network, in order."""
    return [m for m in network.modules() if isinstance(m, AttentionCondenser)]


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
    config: TinySpeechConfig = M
    frontend: FrontendConfig = LOG_MEL
    change: Callable[[nn.Module], None] = lambda network: None

    def build(self, classes: int) -> TinySpeech:
        network = TinySpeech(self.config, classes)
        self.change(network)
        return network


STRAIGHT = {"bands": (0,), "frames": (0,)}
VARIANTS = {
    "ours": Variant("none"),
    "straight: nobody looks aside": Variant("grouped", replace(M, **STRAIGHT)),
    "aside in time only": Variant("grouped", replace(M, bands=(0,))),
    "aside to the nearest only": Variant("grouped", replace(M, bands=(1,), frames=(1,))),
    "straight, grouped 3x3": Variant("grouped", replace(M, kernel=3, **STRAIGHT)),
    "F: gate, S V sig(A) + V": Variant("form of F", replace(M, form="gate")),
    "F: gated, S V sig(A) + A": Variant("form of F", replace(M, form="gated add")),
    "S: one number": Variant("S", change=one_scale),
    "S = 1, fixed": Variant("S", change=fix_scale(1)),
    "S = 0, fixed: V' = A": Variant("S", change=fix_scale(0)),
    "V repeated, not filled with 0": Variant("how V meets A", change=tile),
    "ReLU behind every condenser": Variant("activations", change=relu_behind),
    "ReLU behind the last convolution": Variant("activations", replace(M, activation="relu")),
    "no batch norm": Variant("batch norm", change=without_norm),
    "pools 2x2 everywhere": Variant("pools", replace(M, pools=((2, 2), (2, 2)))),
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


def hear(splits: dict[str, Clips], noise: Tensor) -> Sounds:
    """Mel energies of clips by split, "training" among them, computed once for all variants. `noise` [samples] is one long recording.

    The energies serve log-mel and MFCC alike: they part ways only behind the mel bands.
    """
    front, audio = Frontend(LOG_MEL), splits["training"].audio
    return Sounds(
        energies={split: training.energies_of(front, clips.audio) for split, clips in splits.items()},
        labels={split: clips.labels for split, clips in splits.items()},
        noise=training.energies_of(front, noise[None])[0],
        examples=as_float(audio[:: max(1, len(audio) // EXAMPLES)]),
        classes=splits["training"].classes,
    )


def run(name: str, sounds: Sounds, config: training.TrainConfig) -> dict:
    """Train a variant and test it on every split but "training". Returns a row of the table: costs, accuracies, last loss.

    Raises Diverged where a number is not finite any more.
    """
    variant, fabric = VARIANTS[name], Fabric(accelerator="cpu", devices=1)
    front = Frontend(variant.frontend).fit(sounds.examples)
    torch.manual_seed(config.seed)
    network = variant.build(len(sounds.classes))
    optimizer = torch.optim.AdamW(training.groups(network, config.weight_decay))
    trained, optimizer = fabric.setup(network, optimizer)
    heard = sounds.energies["training"], sounds.noise, sounds.labels["training"]
    for epoch in range(config.epochs):
        loss = training.train_epoch(fabric, trained, front, optimizer, *heard, None, config, epoch)
    cost = profiling.profile(network, torch.zeros(1, 1, *sounds.noise[:101].shape), "weights")
    row = {"variant": name, "seed": config.seed, "weights": cost.parameters, "multiply_adds": cost.multiply_adds, "loss": round(loss, 4)}
    tests = [split for split in sounds.energies if split != "training"]
    return row | {split: round(accuracy(network, front, sounds.energies[split], sounds.labels[split]), 4) for split in tests}


@torch.no_grad()
def accuracy(network: nn.Module, front: Frontend, energies: Tensor, labels: Tensor) -> float:
    """Share of clips, given by their mel energies [N, frames, mels], that the network gets right."""
    network.eval()
    logits = torch.cat([network(front.finish(part.float())) for part in energies.split(250)])
    must_be_finite("The variant", {"an answer": logits})
    return float((logits.argmax(1) == labels).float().mean())


def read(path: Path) -> dict:
    """What was measured: `command`, `data`, `epochs`, ... and `rows`; no rows where nothing has been measured."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"rows": []}


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
