"""A short training that tells good designs from bad ones: little data, few epochs, one core, the same answer every time.

The Fourier transform is paid once for a whole study: a `Proxy` says what is heard, `mel_energies` computes its mel energies, `train` uses
them.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from tinycourse import data
from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.training import classifiers
from tinycourse.training.checkpoint import read, write_whole
from tinycourse.training.loop import evaluate

FORMAT = "tinycourse-sounds-1"
EDGES = (4_000, 7_600)  # Hz: upper edges of the mel bank that a design may choose from


@dataclass(frozen=True)
class Proxy:
    """What is heard, and for how long. `training_clips` and `validation_clips` are spread evenly over the classes."""

    data: str = "speech-commands"
    classes: str = "10"
    extra_unknown: tuple[str, ...] = ("librispeech", "an4")
    training_clips: int = 2_500
    validation_clips: int = 2_500
    epochs: int = 3
    batch: int = 32
    learning_rate: float = 0.02
    seed: int = 0

    def check(self) -> None:
        """Raises TinycourseError for numbers that no training can have."""
        counts = ("training_clips", "validation_clips", "epochs", "batch")
        if missing := [name for name in counts if getattr(self, name) < 1]:
            raise TinycourseError(f"{missing[0]} is {getattr(self, missing[0])}: a short training needs at least 1.")
        if self.training_clips < self.batch:
            raise TinycourseError(f"{self.training_clips} training clips do not fill a batch of {self.batch}; ask for more clips.")

    @property
    def recipe(self) -> classifiers.TrainConfig:
        """As `tinycourse train`, but shorter."""
        return classifiers.TrainConfig(epochs=self.epochs, batch=self.batch, learning_rate=self.learning_rate, seed=self.seed)


class Few(data.Words):
    """A data set of words cut down to about `count` clips of a split, as many of each class as the others."""

    def __init__(self, source: data.Words, count: int, seed: int):
        self.source, self.name, self.classes, self.count, self.seed = source, source.name, source.classes, count, seed

    def select(self, split: str) -> dict[str, list[data.Cut]]:
        """So many of each class, drawn by hash. Raises TinycourseError where that is less than one."""
        each = self.count // len(self.classes)
        if not each:
            raise TinycourseError(f"{self.count} clips are too few for the {len(self.classes)} classes of {self.name}; ask for more.")
        return {name: data.draw(cuts, each, f"few {self.seed}") for name, cuts in self.source.select(split).items()}

    def load(self, cut: data.Cut):
        """As the whole data set does."""
        return self.source.load(cut)


@dataclass(frozen=True)
class Sounds:
    """Clips as mel energies [N, frames, mels] by split and upper edge, and labels [N] by split; noise [frames, mels] by upper edge.

    `levels` [2, mels] by upper edge are mean and deviation of the log-mel features of training.
    """

    energies: dict[tuple[str, int], Tensor]
    labels: dict[str, Tensor]
    noise: dict[int, Tensor]
    levels: dict[int, Tensor]
    classes: tuple[str, ...]

    def frontend(self, high: int) -> Frontend:
        """The front end with this upper edge, its mean and deviation set."""
        front = Frontend(FrontendConfig(kind="log-mel", high=float(high)))
        front.mean.copy_(self.levels[high][0])
        front.deviation.copy_(self.levels[high][1])
        return front

    def to(self, device: torch.device) -> "Sounds":
        """The same on another device."""

        def moved(tensors):
            return {key: tensor.to(device) for key, tensor in tensors.items()}

        return Sounds(moved(self.energies), self.labels, moved(self.noise), moved(self.levels), self.classes)


def mel_energies(splits: dict[str, data.Clips], noise: Tensor) -> Sounds:
    """Mel energies of clips by split ("training", "validation") and of `noise` [samples], one long recording."""
    energies, hiss, levels = {}, {}, {}
    for high in EDGES:
        front = Frontend(FrontendConfig(kind="log-mel", high=float(high)))
        for split, clips in splits.items():
            energies[split, high] = classifiers.energies_of(front, clips.audio)
        hiss[high] = classifiers.energies_of(front, noise[None])[0]
        features = front.compress(energies["training", high].float())[0].flatten(0, 1)  # [N * frames, mels]
        levels[high] = torch.stack([features.mean(0), features.std(0)])
    return Sounds(energies, {split: clips.labels for split, clips in splits.items()}, hiss, levels, splits["training"].classes)


def sounds_of(proxy: Proxy, folder: Path) -> Sounds:
    """What a proxy hears; computed once in a folder, and read from there afterwards."""
    inputs = {name: value for name, value in asdict(proxy).items() if name not in ("epochs", "batch", "learning_rate")}
    path = Path(folder, f"sounds-{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]}.safetensors")
    if not path.is_file():
        source = data.open_words(proxy.data, classes=proxy.classes, extra_unknown=proxy.extra_unknown)
        counts = {"training": proxy.training_clips, "validation": proxy.validation_clips}
        splits = {split: Few(source, count, proxy.seed).clips(split) for split, count in counts.items()}
        store(mel_energies(splits, classifiers.noise_of(source)), path)
    return load(path)


def store(sounds: Sounds, path: Path) -> None:
    """One safetensors file."""
    tensors = {f"energies.{split}.{high}": x for (split, high), x in sounds.energies.items()}
    tensors |= {f"labels.{split}": x for split, x in sounds.labels.items()}
    tensors |= {f"noise.{high}": x for high, x in sounds.noise.items()} | {f"levels.{high}": x for high, x in sounds.levels.items()}
    write_whole(path, tensors, {"format": FORMAT, "classes": json.dumps(sounds.classes)})


def load(path: Path) -> Sounds:
    """What `store` wrote. Raises TinycourseError for any other file."""
    tensors, header = read(path, FORMAT)
    parts = {"energies": {}, "labels": {}, "noise": {}, "levels": {}}
    for name, tensor in tensors.items():
        part, *key = name.split(".")
        key = [int(k) if k.isdigit() else k for k in key]
        parts[part][tuple(key) if len(key) > 1 else key[0]] = tensor
    return Sounds(**parts, classes=tuple(json.loads(header["classes"])))


def train(network: nn.Module, high: int, sounds: Sounds, recipe: classifiers.TrainConfig, fabric: Fabric | None = None) -> dict:
    """Train a fresh network in place; `error` on validation and the mean `loss` of the last epoch. `sounds` lie on fabric's device.

    Raises Diverged where a number is not finite any more.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    front = sounds.frontend(high).to(fabric.device)
    network.to(fabric.device, memory_format=torch.channels_last)
    batches = classifiers.ClipBatches(front, sounds.energies["training", high], sounds.labels["training"], sounds.noise[high], recipe)
    history = classifiers.loop_for(network, batches, recipe, fabric, fused=True).run()
    _, right = evaluate(network, front, sounds.energies["validation", high], sounds.labels["validation"], "The proxy")
    return {"error": float((~right).double().mean()), "loss": history[-1]["loss"]}
