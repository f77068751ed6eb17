"""Training of transducers: the loop of loop.py on sentences. Seeded, in the same checkpoints, resumed to the same bits."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from tinycourse.data.fingerprint import fingerprint
from tinycourse.data.sentences import Disturbance, Example, Speech
from tinycourse.divergence import must_be_finite
from tinycourse.errors import TinycourseError
from tinycourse.features.augmentation import spec_augment
from tinycourse.features.frontend import Frontend
from tinycourse.models.rnnt import BLANK, Transducer
from tinycourse.training.checkpoint import Recogniser, as_float
from tinycourse.training.loop import Loop, groups, warm_cosine
from tinycourse.training.resume import Keeper
from tinycourse.transducer.decoding import Beam, Greedy, Limits
from tinycourse.transducer.loss import rnnt_loss
from tinycourse.transducer.vocabulary import Errors, Vocabulary, errors

POOL = 8  # batches that are sorted by length together, so that little is padded


@dataclass(frozen=True)
class SequenceConfig:
    """The recipe. The learning rate climbs for `warmup` steps and falls to zero along a cosine."""

    epochs: int = 30
    batch: int = 32
    learning_rate: float = 0.002
    warmup: int = 50
    weight_decay: float = 0.001
    clip: float = 5.0  # norm of the gradient
    ctc: float = 0.0  # weight of the CTC loss of the encoder: it finds the words before the prediction network learns them by heart
    curriculum: int = 0  # epochs in which examples are short at first, and grow: alignments of one word are easy to find
    time: int = 15  # frames blanked at most, twice an utterance
    bands: int = 5  # bands blanked at most, twice
    validate: int = 1  # epochs between two looks at the validation recordings
    rarer_blank: tuple[float, ...] = ()  # by how much blank is made less likely in the end: what suits validation best, of 0 and these
    seed: int = 0
    disturb: Disturbance = field(default_factory=Disturbance)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` of `steps`."""
        return warm_cosine(self.learning_rate, step, steps, self.warmup)


SPEAKERS = Disturbance(tempo=0.15, voice=0.12, tilt=12)  # more of them than were recorded: sixty read AN4

RECIPES = {
    "connected-digits": SequenceConfig(
        epochs=40, ctc=0.3, curriculum=3, time=5, bands=3, disturb=Disturbance(tempo=0.1, voice=0.04, noise=1.0, tilt=12, again=0.25)
    ),
    "an4": SequenceConfig(
        epochs=200, ctc=0.5, curriculum=15, time=25, bands=6, validate=5, learning_rate=0.0015, weight_decay=0.01, disturb=SPEAKERS,
        rarer_blank=(0.5, 1.0, 1.5, 2.0),
    ),
    "librispeech": SequenceConfig(epochs=60, batch=16, ctc=0.3, curriculum=15, time=25, bands=6, learning_rate=0.001, disturb=SPEAKERS),
}  # fmt: skip


class Lesson(nn.Module):
    """The loss of a batch, in a module so that several devices can share the work.

    The transducer's, and beside it CTC's of what the joint network makes of the encoder alone, with nothing expected: it needs no
    weights of its own.
    """

    def __init__(self, network: Transducer, ctc: float):
        super().__init__()
        self.network, self.ctc = network, ctc

    def forward(self, x: Tensor, frames: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
        """Features [B, 1, T, bands] of `frames` [B], labels [B, U] of `counts` [B] -> the mean loss of an utterance."""
        network = self.network
        encoder_out, _ = network.encoder(x[:, 0])
        frames = network.encoder.lengths(frames)
        losses = rnnt_loss(network.lattice(encoder_out, labels), labels, frames, counts, blank=BLANK, reduction="none")
        loss = losses.where(frames > 0, 0.0).mean()  # what is too short for one output has no alignment
        if self.ctc:
            alone = network.joint(network.joint.heard(encoder_out), torch.zeros((), device=x.device)).log_softmax(-1)  # [B, T', labels]
            spelled = F.ctc_loss(alone.transpose(0, 1), labels, frames, counts, BLANK, reduction="none", zero_infinity=True)
            loss = loss + self.ctc * spelled.mean()
        return loss


def recogniser_for(name: str, vocabulary: Vocabulary, seed: int) -> Recogniser:
    """A fresh recogniser whose first weights depend on the seed alone."""
    torch.manual_seed(seed)
    return Recogniser(name, vocabulary.pieces)


def load_encoder(recogniser: Recogniser, trained: Recogniser) -> None:
    """Give a recogniser the encoder of one that was trained to write something else. The rest stays as it is."""
    for source, part in (
        (trained.network.encoder, recogniser.network.encoder),
        (trained.network.joint.heard, recogniser.network.joint.heard),
    ):
        part.load_state_dict(source.state_dict())


def batches(examples, size: int, vocabulary: Vocabulary, chance: np.random.RandomState):
    """Examples in batches of similar length, in random order: lists of (mel energies, labels). What fills no batch is left."""
    while pool := [(energies, vocabulary.encode(text)) for energies, text in islice(examples, POOL * size)]:
        pool.sort(key=lambda example: len(example[0]))
        groups = [pool[i : i + size] for i in range(0, len(pool) // size * size, size)]
        yield from (groups[i] for i in chance.permutation(len(groups)))


def collate(batch: list[tuple[Tensor, list[int]]], frontend: Frontend) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Padded: features [B, 1, T, bands], frames [B], labels [B, U], counts [B], on the device of the front end."""
    device = frontend.mean.device
    frames, counts = (torch.tensor([len(example[i]) for example in batch], device=device) for i in (0, 1))
    x = frontend.finish(pad_sequence([energies for energies, _ in batch], batch_first=True).to(device))
    labels = pad_sequence([torch.tensor(labels, dtype=torch.int64) for _, labels in batch], batch_first=True).to(device)
    return x, frames, labels, counts


@dataclass(frozen=True)
class SentenceBatches:
    """Batches of sentences drawn from a `supply` (data/sentences.py), as `Lesson` takes them, disturbed anew in every epoch.

    Each of several processes draws examples of its own, a share of every batch. Raises TinycourseError where they do not fill a batch.
    """

    frontend: Frontend
    supply: object
    vocabulary: Vocabulary
    config: SequenceConfig

    def share(self, world: int) -> int:
        """Examples of a batch that one of `world` processes draws."""
        return max(1, self.config.batch // world)

    def steps(self, world: int = 1) -> int:
        """How many batches an epoch has."""
        if steps := len(self.supply) // (self.share(world) * world):
            return steps
        raise TinycourseError(f"{len(self.supply)} utterances do not fill one batch of {self.config.batch}; ask for a smaller batch.")

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple]:
        """The batches of an epoch, all from its own seed; see `collate`."""
        config, seed = self.config, (self.config.seed * 100_003 + number) * 64 + rank
        torch.manual_seed(seed)
        chance, generator = np.random.RandomState(seed % 2**32), torch.Generator().manual_seed(seed)
        grown = min(1.0, (number + 1) / (config.curriculum + 1))
        examples = self.supply.epoch(config.disturb, chance, grown)
        for batch in islice(batches(examples, self.share(world), self.vocabulary, chance), self.steps(world)):
            yield self.blanked(batch, generator)

    @torch.no_grad()
    def blanked(self, batch: list[tuple[Tensor, list[int]]], generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A batch put together, some of its frames and bands blanked."""
        x, *rest = collate(batch, self.frontend)
        for _ in range(2):
            x = spec_augment(x, self.config.time, self.config.bands, generator)
        return x, *rest


def measure(frontend: Frontend, examples: list[Example]) -> None:
    """Set the front end's mean and deviation to those of the louder half of the examples' frames.

    Silence is so much softer than speech that with it the deviation would say how much silence there is, and speech would be left
    with hardly any.
    """
    x = torch.cat([frontend.compress(energies[None].float())[0][0] for energies, _ in examples])
    level = x.mean(1)
    x = x[level >= level.median()]
    frontend.mean.copy_(x.mean(0))
    frontend.deviation.copy_(x.std(0))


def fit(
    recogniser: Recogniser,
    task,
    config: SequenceConfig,
    out: Path | None = None,
    resume: bool = False,
    fabric: Fabric | None = None,
    pruner=None,
    supply=None,
    files: dict[str, Path] | None = None,
) -> list[dict]:
    """Train in place on a task of data/sentences.py; one dict an epoch: epoch, loss, rate, and word_error_rate where it was measured.

    `out`, `resume`, the seed, a `pruner.Pruner` and `files` work as in training.fit; `supply` is what `task.training` gives, where it is
    there already. Afterwards the recogniser holds the weights that were best on validation.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    vocabulary, network = Vocabulary(recogniser.classes), recogniser.network
    supply, validation = supply or task.training(recogniser.frontend), task.speech("validation")
    recogniser.info["fingerprints"] = {"training data": supply.fingerprint, "validation data": validation.fingerprint()}
    recogniser.info["fingerprints"] |= {name: fingerprint(path) for name, path in (files or {}).items()}
    if not recogniser.frontend.mean.any():  # it may have been trained before
        measure(recogniser.frontend, list(islice(supply.epoch(config.disturb, np.random.RandomState(config.seed)), 500)))
    recogniser.to(fabric.device)
    lesson, optimizer = fabric.setup(Lesson(network, config.ctc), torch.optim.AdamW(groups(network, config.weight_decay)))
    if pruner:
        pruner.attach(optimizer)
    batches = SentenceBatches(recogniser.frontend, supply, vocabulary, config)
    loop = Loop(fabric, lesson, optimizer, batches, lambda lesson, *batch: lesson(*batch), config.epochs, config.rate, config.clip)

    def judge(number: int) -> dict:
        due = (number + 1) % config.validate == 0 or number + 1 == config.epochs
        return evaluate(recogniser, validation).as_dict() if due else {}

    keeper = Keeper(recogniser, optimizer, config, out, pruner, fabric.is_global_zero)
    history = loop.run(keeper.begin(resume), judge, [keeper, tell] if out and fabric.is_global_zero else [keeper])
    recogniser.load_state_dict(keeper.best)
    recogniser.cpu().eval()
    if config.rarer_blank:
        recogniser.info["rarer_blank"] = balance(recogniser, validation, config.rarer_blank)
    return history


def tell(history: list[dict], _) -> None:
    """An epoch is over: its figures, to the person."""
    tqdm.write(", ".join(f"{k} {v:.4g}" for k, v in history[-1].items()), file=sys.stderr)


def balance(recogniser: Recogniser, speech: Speech, offsets: tuple[float, ...]) -> float:
    """Take from the logit of blank the one of 0 and `offsets` with which fewest words of `speech` are wrong, and return it.

    Where a network is unsure, as on new voices, blank is the safe guess: it loses more words than it invents.
    """
    rates = {offset: evaluate(recogniser, speech, Limits(blank_penalty=offset)).rate for offset in (0.0, *offsets)}
    best = min(rates, key=rates.get)
    recogniser.network.joint.output.bias.data[BLANK] -= best
    return best


# ------------------------------------------------------------------------------------------------------ in use


@torch.no_grad()
def transcribe(recogniser: Recogniser, audio: list[Tensor], limits: Limits | None = None, beam: bool = False, batch: int = 50) -> list[str]:
    """What is said in recordings, int16 or float [samples] each: one transcript for each, by greedy or beam search."""
    recogniser.eval()
    network, vocabulary, texts = recogniser.network, Vocabulary(recogniser.classes), {}
    order = sorted(range(len(audio)), key=lambda i: len(audio[i]))  # together with others of its length, little is padded
    for start in tqdm(range(0, len(order), batch), desc="transcribing", delay=2, leave=False):
        part = order[start : start + batch]
        device = recogniser.frontend.mean.device
        features = [recogniser.frontend(as_float(audio[i])[None].to(device))[0, 0] for i in part]  # [T, bands] each
        encoder_out, _ = network.encoder(pad_sequence(features, batch_first=True))
        must_be_finite(recogniser.name, {"an output of the encoder": encoder_out})
        frames = network.encoder.lengths(torch.tensor([len(x) for x in features]))
        if beam:
            labels = [Beam(network, limits).push(one[:n]).best()[0].labels for one, n in zip(encoder_out, frames)]
        else:
            labels = Greedy(network, len(part), limits).push(encoder_out, frames).labels
        texts |= {i: vocabulary.decode(one) for i, one in zip(part, labels)}
    return [texts[i] for i in range(len(audio))]


def evaluate(recogniser: Recogniser, speech: Speech, limits: Limits | None = None, beam: bool = False) -> Errors:
    """Word errors of a recogniser on recordings; on digits a word is a digit."""
    written = transcribe(recogniser, speech.audio, limits, beam)
    return errors(speech.texts, written)


def recipe(data: str, **given) -> SequenceConfig:
    """The recipe of a task with those of its settings that were given; `batch`, `epochs` and the like, None keeps them.

    Raises TinycourseError for a task without one.
    """
    if data not in RECIPES:
        raise TinycourseError(f"A transducer cannot learn from {data!r}: choose one of {', '.join(RECIPES)}.")
    return replace(RECIPES[data], **{k: v for k, v in given.items() if v is not None})
