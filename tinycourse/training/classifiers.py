"""Training of classifiers, on CPU, GPU and several of them: seeded, and resumed to the same bits after it was killed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tinycourse.data import Clips
from tinycourse.data.fingerprint import fingerprint
from tinycourse.divergence import must_be_finite
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import to_int16
from tinycourse.features.augmentation import Augment, AugmentConfig
from tinycourse.features.frontend import Frontend
from tinycourse.training.checkpoint import Recogniser, as_float, in_batches, load, path_of
from tinycourse.training.loop import Loop, groups, warm_cosine
from tinycourse.training.loop import evaluate as evaluate_energies
from tinycourse.training.metrics import Report, report
from tinycourse.training.resume import Keeper


@dataclass(frozen=True)
class TrainConfig:
    """The recipe. The learning rate climbs for `warmup` of all steps and falls to zero along a cosine."""

    epochs: int = 50
    batch: int = 64
    learning_rate: float = 0.02
    warmup: float = 0.15
    weight_decay: float = 0.001
    label_smoothing: float = 0.0
    teacher: str = ""  # checkpoint whose answers are learned too (Hinton et al. 2015, arXiv 1503.02531)
    distillation: float = 0.7  # share of the loss that the teacher decides
    temperature: float = 2.0  # by which the answers of both are softened
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` of `steps`."""
        return warm_cosine(self.learning_rate, step, steps, self.warmup * steps)


def seeded(name: str, classes: tuple[str, ...], seed: int) -> Recogniser:
    """A fresh recogniser whose first weights depend on the seed alone."""
    torch.manual_seed(seed)
    return Recogniser(name, classes)


def noise_of(source) -> Tensor:
    """All noise that a data set of words offers for training, one long recording [samples]."""
    return torch.cat([torch.from_numpy(n) for n in source.noise("training")])


def evaluate(recogniser: Recogniser, clips: Clips) -> Report:
    """Accuracy and confusion of a recogniser on clips. Raises Diverged where an answer is no number."""
    recogniser.eval()
    logits = in_batches(recogniser, clips.audio)
    must_be_finite(recogniser.name, {"an answer": logits})
    return report(logits, clips.labels, recogniser.classes)


@dataclass(frozen=True)
class ClipBatches:
    """Batches of clips, given by their mel energies [N, frames, mels] and labels [N], disturbed anew in every epoch.

    `noise` [frames, mels] is what background noise is cut from; `teacher_logits` [N, classes] are a teacher's logits. Raises
    TinycourseError where the clips do not fill a batch, or a batch is smaller than the number of processes.
    """

    frontend: Frontend
    energies: Tensor
    labels: Tensor
    noise: Tensor
    config: TrainConfig
    teacher_logits: Tensor | None = None

    def steps(self, world: int = 1) -> int:
        """How many batches an epoch has; clips that fill no batch are left out."""
        size, clips = self.config.batch, len(self.labels)
        if clips < size:
            raise TinycourseError(f"{clips} clips do not fill one batch of {size}; ask for a smaller batch or more clips.")
        if size < world:
            raise TinycourseError(f"A batch of {size} clips cannot be shared by {world} processes; ask for a larger batch.")
        return clips // size

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple]:
        """The batches of an epoch, all from its own seed, see `draw`."""
        seed = self.config.seed * 100_003 + number
        torch.manual_seed(seed)
        augment, whole = self.augment(seed * 64 + rank), self.steps(world) * self.config.batch
        for chosen in torch.randperm(len(self.labels))[:whole].view(-1, self.config.batch)[:, rank::world]:
            yield self.draw(chosen, augment)

    def augment(self, seed: int) -> Augment:
        """What disturbs clips."""
        return Augment(self.config.augment, self.frontend.config.hop, self.noise.float(), seed)

    @torch.no_grad()
    def draw(self, chosen: Tensor, augment: Augment) -> tuple[Tensor, Tensor, Tensor | None]:
        """The batch of `chosen` clips [B]: features [B, 1, frames, bands], labels [B], and a teacher's logits [B, classes] or None."""
        x = augment.features(self.frontend.finish(augment.energies(self.energies[chosen].float())))
        return x, self.labels[chosen].to(x.device), None if self.teacher_logits is None else self.teacher_logits[chosen].to(x.device)


def fit(
    recogniser: Recogniser,
    training: Clips,
    validation: Clips,
    noise: Tensor,
    config: TrainConfig,
    out: Path | None = None,
    resume: bool = False,
    fabric: Fabric | None = None,
    pruner=None,
    files: dict[str, Path] | None = None,
) -> list[dict]:
    """Train in place; the history holds one dict an epoch (epoch, loss, rate, validation accuracy).

    After every epoch `out` gets the best weights so far (before the first, what is there stays) and `out`.state all that `resume` needs
    to go on, as if nothing had happened: every epoch draws from its own seed, so a resumed run ends on the same bits.
    `noise` [samples] is what background noise is cut from. Afterwards the recogniser holds the best weights.
    With a `pruner.Pruner`, only epochs that end at its final sparsity can be the best, and every epoch says its sparsity.

    `info["fingerprints"]` says what the weights come from: data, teacher, and other `files` such as the checkpoint that it starts
    from. What is resumed must have the same. Raises Diverged where a number is not finite any more; recogniser and `out` then hold
    weights from before.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    torch.manual_seed(config.seed)
    front, network = recogniser.frontend, recogniser.network
    front.fit(as_float(training.audio[:: max(1, len(training) // 2000)]))
    recogniser.to(fabric.device)
    network.to(memory_format=torch.channels_last)  # pooling and convolutions of few channels are faster so, by a quarter
    teacher_logits = answers(config.teacher, recogniser, training) if config.teacher else None
    batches = ClipBatches(
        front, energies_of(front, training.audio), training.labels, energies_of(front, noise[None])[0], config, teacher_logits
    )
    held_out = energies_of(front, validation.audio, torch.float32)
    files = (files or {}) | ({"teacher": path_of(config.teacher)} if config.teacher else {})
    recogniser.info["fingerprints"] = fingerprints(training, validation, noise, files)
    loop = loop_for(network, batches, config, fabric)
    if pruner:
        pruner.attach(loop.optimizer)

    def measure(number: int) -> dict:
        _, right = evaluate_energies(network, front, held_out, validation.labels, recogniser.name)
        return {"accuracy": float(right.float().mean()), "count": len(validation)}

    keeper = Keeper(recogniser, loop.optimizer, config, out, pruner, fabric.is_global_zero)
    history = loop.run(keeper.begin(resume), measure, [keeper])
    recogniser.load_state_dict(keeper.best)
    recogniser.cpu().to(memory_format=torch.contiguous_format).eval()
    return history


def loop_for(network: nn.Module, batches: ClipBatches, config: TrainConfig, fabric: Fabric | None = None, fused: bool = False) -> Loop:
    """The loop that trains a network on the device of `fabric` by a recipe; `fused` is that of torch's AdamW."""
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    optimizer = torch.optim.AdamW(groups(network, config.weight_decay), fused=fused or None)
    network, optimizer = fabric.setup(network, optimizer)
    return Loop(fabric, network, optimizer, batches, partial(batch_loss, config), config.epochs, config.rate)


def fingerprints(training: Clips, validation: Clips, noise: Tensor, files: dict[str, Path]) -> dict[str, str]:
    """What a recogniser of words is trained and chosen on; `noise` [samples] as 16-bit integers."""
    data = {"training data": training.fingerprint(), "validation data": validation.fingerprint()}
    return data | {"noise": fingerprint(to_int16(noise.numpy()))} | {name: fingerprint(path) for name, path in files.items()}


def energies_of(frontend: Frontend, audio: Tensor, kind: torch.dtype = torch.bfloat16) -> Tensor:
    """Mel energies of many clips [N, samples]: [N, frames, mels], computed once a training, kept in half the memory."""
    parts = tqdm(audio.split(250), desc="mel energies", leave=False)
    with torch.no_grad():
        return torch.cat([frontend.energies(as_float(part).to(frontend.mean.device)).to(kind) for part in parts])


def answers(teacher: str, student: Recogniser, clips: Clips) -> Tensor:
    """A teacher's logits for undisturbed clips: [N, classes]. Raises TinycourseError if it knows other classes than its pupil."""
    recogniser = load(teacher)
    if recogniser.classes != student.classes:
        raise TinycourseError(f"{teacher} knows other classes ({', '.join(recogniser.classes)}); choose a teacher of the same task.")
    return in_batches(recogniser, clips.audio)


def loss_of(logits: Tensor, labels: Tensor, teacher_logits: Tensor | None, config: TrainConfig) -> Tensor:
    """Cross-entropy with the labels [B], and with a teacher's logits [B, classes] where there are any."""
    loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    if teacher_logits is None:
        return loss
    t, share = config.temperature, config.distillation
    soft = F.kl_div(F.log_softmax(logits / t, 1), F.softmax(teacher_logits / t, 1), reduction="batchmean")
    return (1 - share) * loss + share * t * t * soft  # t * t: gradients as large as those of the labels


def batch_loss(config: TrainConfig, network: nn.Module, x: Tensor, labels: Tensor, teacher_logits: Tensor | None) -> Tensor:
    """`loss_of` for a batch of `ClipBatches`."""
    return loss_of(network(x), labels, teacher_logits, config)
