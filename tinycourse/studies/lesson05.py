"""Lesson 05 measures: alignments and how often they pass a node, emission latency, and a speaker held out of training."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tinycourse.data import sentences
from tinycourse.divergence import must_be_finite
from tinycourse.features.audio import RATE
from tinycourse.studies import tables
from tinycourse.training import transducers
from tinycourse.training.checkpoint import Recogniser
from tinycourse.transducer.alignments import step_scores
from tinycourse.transducer.decoding import Greedy
from tinycourse.transducer.loss import alignments, reference_alpha, reference_beta, rnnt_loss
from tinycourse.transducer.vocabulary import Vocabulary


class Spoken(NamedTuple):
    """One utterance, and when each of its words begins and ends."""

    audio: Tensor  # float32 [samples]
    words: tuple[tuple[float, float, str], ...]  # begin and end in seconds, word


def join(parts: Sequence[tuple[str, np.ndarray]], gap: float = 0.2) -> Spoken:
    """Words and their samples one after the other, `gap` seconds of silence before, between and behind them."""
    silence = np.zeros(round(gap * RATE), np.float32)
    pieces, words, at = [silence], [], len(silence)
    for word, samples in parts:
        words.append((at / RATE, (at + len(samples)) / RATE, word))
        pieces += [samples, silence]
        at += len(samples) + len(silence)
    return Spoken(torch.from_numpy(np.concatenate(pieces)), tuple(words))


def draw(recordings: dict[str, list[tuple[str, np.ndarray]]], count: int, longest: int, seed: int = 0) -> list[Spoken]:
    """`count` utterances of two to `longest` words, each of one speaker: recordings are words and samples by speaker.

    White noise lies over them, 25 decibels softer: between words nothing is ever quite silent.
    """
    chance, made = np.random.RandomState(seed), []
    for _ in range(count):
        own = recordings[sorted(recordings)[chance.randint(len(recordings))]]
        spoken = join([own[chance.randint(len(own))] for _ in range(chance.randint(2, longest + 1))])
        hiss = torch.from_numpy(chance.standard_normal(len(spoken.audio)).astype(np.float32))
        made.append(spoken._replace(audio=spoken.audio + hiss * spoken.audio.square().mean().sqrt() * 10 ** (-25 / 20)))
    return made


def frame_seconds(recogniser: Recogniser) -> float:
    """Seconds from one frame of a transducer's encoder to the next."""
    config = recogniser.network.config
    return recogniser.frontend.config.hop / RATE * config.hop * config.reduction


@torch.no_grad()
def encode(recogniser: Recogniser, audio: Tensor) -> tuple[Tensor, Tensor]:
    """Audio [samples] as features [frames, bands] and as what the encoder makes of them, [1, T, outputs]."""
    features = recogniser.eval().frontend(audio[None])  # [1, 1, frames, bands]
    return features[0, 0], recogniser.network.encoder(features[:, 0])[0]


def delays(recogniser: Recogniser, utterances: Sequence[Spoken]) -> dict[str, list[float]]:
    """Seconds from the end of each word to its label, by word, in all utterances that greedy search gets right.

    A label counts as written when its encoder frame is complete: what it needs of the sound must have been heard by then.
    """
    vocabulary, step, found = Vocabulary(recogniser.classes), frame_seconds(recogniser), {}
    for spoken in utterances:
        search = Greedy(recogniser.network).push(encode(recogniser, spoken.audio)[1])
        if vocabulary.decode(search.labels[0]) == " ".join(word for *_, word in spoken.words):
            for (_, end, word), frame in zip(spoken.words, search.frames[0]):
                found.setdefault(word, []).append((frame + 1) * step - end)
    return found


class Followed(NamedTuple):
    """Greedy search on one utterance, as `figures.decoding` draws it."""

    mel: Tensor  # features [frames, bands]
    seconds: float  # up to the end of the last frame of the encoder
    blank: list[float]  # probability of blank whenever a frame of the encoder was left
    steps: list[tuple[float, int]]  # time and labels said, at every node of its way
    said: list[tuple[float, str]]  # when which word was written
    text: str


@torch.no_grad()
def follow(recogniser: Recogniser, spoken: Spoken) -> Followed:
    """Greedy search on an utterance, written down step by step."""
    mel, heard = encode(recogniser, spoken.audio)
    search, vocabulary, step = Greedy(recogniser.network).push(heard), Vocabulary(recogniser.classes), frame_seconds(recogniser)
    labels, frames = search.labels[0], search.frames[0]
    shares = recogniser.network.lattice(heard, torch.tensor([labels], dtype=torch.int64))[0].softmax(-1)  # [T, U + 1, labels]
    before = [sum(frame < t for frame in frames) for t in range(len(shares) + 1)]  # labels said in earlier frames
    blank = [float(shares[t, before[t + 1], 0]) for t in range(len(shares))]
    steps = [(t * step, u) for t, u in enumerate(before)] + [((frame + 1) * step, u) for u, frame in enumerate(frames)]
    said = [((frame + 1) * step, vocabulary.decode([label])) for frame, label in zip(frames, labels)]
    return Followed(mel, len(shares) * step, blank, sorted(steps), said, vocabulary.decode(labels))


MEASURED = tables.MEASURED / "voices.json"  # written by benchmarks/voices.py
WAYS = {  # to train: how much tempo and voice are changed, and whose strings join in
    "the recipe of the course": ({}, ()),
    "tempo and voice changed": ({"tempo": 0.15, "voice": 0.12}, ()),
    "synthetic voices beside": ({}, ("tinywords",)),
    "both": ({"tempo": 0.15, "voice": 0.12}, ("tinywords",)),
}


def train(way: str, speaker: str, epochs: int, seed: int = 0) -> dict:
    """Train without a speaker, one of `WAYS`, and say what came out: a row of voices.json. With "" nobody is kept out."""
    changes, extra = WAYS[way]
    config = transducers.recipe("connected-digits", epochs=epochs, seed=seed)
    config = replace(config, disturb=replace(config.disturb, **changes))
    task = sentences.ConnectedDigits(hold_out=speaker, extra=extra)
    recogniser = transducers.recogniser_for("rnnt-digits", Vocabulary.of(task.texts(), task.tokens), seed)
    transducers.fit(recogniser, task, config)
    found = {
        "validation": recogniser.info["validation"]["word_error_rate"],
        "testing": transducers.evaluate(recogniser, task.speech("testing")).rate,
    }
    return {"way": way, "speaker": speaker, "seed": seed, "epochs": epochs} | found


def measured() -> list[dict]:
    """The rows that benchmarks/voices.py wrote."""
    return tables.read(MEASURED)["rows"]


def table(rows: Sequence[dict]) -> str:
    """Wrong digits of every speaker who was kept out, by way of training, and of the others' takes in validation."""
    speakers = sorted({row["speaker"] for row in rows})
    lines = [f"{'kept out:':28}" + "".join(f"{speaker or 'nobody':>10}" for speaker in speakers) + f"{'mean':>8}{'the others':>12}"]
    for way in WAYS:
        own = {row["speaker"]: row for row in rows if row["way"] == way}
        if own:
            cells = [f"{own[speaker]['testing']:10.1%}" if speaker in own else " " * 10 for speaker in speakers]
            heard = mean(row["validation"] for row in own.values())
            lines.append(f"{way:28}{''.join(cells)}{mean(row['testing'] for row in own.values()):8.1%}{heard:12.1%}")
    return "\n".join(lines)


class Lattice(NamedTuple):
    """The lattice of one utterance."""

    log_probs: Tensor  # [T, U + 1, V]
    target: Tensor  # [U]
    words: tuple[str, ...]  # the labels in words
    mel: Tensor | None = None  # what was heard [frames, bands]
    blank: int = 0


def count(frames: int, labels: int) -> int:
    """How many alignments there are: the last step is a blank, the labels stand anywhere among the others."""
    return math.comb(frames - 1 + labels, labels)


def occupancy(log_probs: Tensor, target: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """How probable it is that an alignment comes by each node [T, U + 1], and takes each step [T, U + 1, 2], blank and label.

    log_probs [T, U + 1, V], target [U]. Where no step leads on, that of a label above all, there is 0.
    """
    alpha, beta = reference_alpha(log_probs, target, blank), reference_beta(log_probs, target, blank)
    visited = (alpha + beta - beta[0, 0]).exp()
    steps = visited.new_zeros(*visited.shape, 2)
    says = log_probs[:, torch.arange(len(target)), target]  # [T, U]
    steps[:, :-1, 1] = (alpha[:, :-1] + says + beta[:, 1:] - beta[0, 0]).exp()
    steps[..., 0] = visited - steps[..., 1]  # who comes by and says nothing takes the blank
    return visited, steps.clamp(min=0)


def losses_knowing_nothing(frames: int, labels: int, words: int, blank: Tensor) -> Tensor:
    """Loss of a transducer that hears nothing: at every node it gives blank the same probability, and the words the rest, evenly.

    blank: probabilities [N] -> [N]. `words` without blank.
    """
    return -(math.log(count(frames, labels)) + frames * blank.log() + labels * ((1 - blank) / words).log())


# ------------------------------------------------------------------------------------------------- free tables


def collapse(symbols: Sequence[int], blank: int) -> tuple[int, ...]:
    """What CTC reads off a row of symbols: one of each run of equal ones, and no blanks."""
    return tuple(symbol for symbol, _ in itertools.groupby(symbols) if symbol != blank)


def best_ctc(targets: Sequence[tuple[int, ...]], frames: int, words: int, blank: int, steps: int = 60) -> dict[tuple, float]:
    """The best that CTC can do for one sound that means each target equally often: transcripts and their probabilities.

    No network limits it: the `words` scores of every frame (blank among them) are free, and trained from a seeded start.
    """
    table = torch.randn(frames, words, generator=torch.Generator().manual_seed(0)).mul_(0.1).requires_grad_()

    def loss() -> Tensor:
        log_probs = table.log_softmax(-1)[:, None].expand(-1, len(targets), -1)  # [T, targets, V]
        lengths = torch.tensor([len(target) for target in targets])
        return F.ctc_loss(log_probs, torch.tensor(sum(targets, ())), torch.full_like(lengths, frames), lengths, blank, "none").mean()

    descend(table, loss, steps)
    share, found = table.detach().softmax(-1), {}
    for symbols in itertools.product(range(words), repeat=frames):
        said = collapse(symbols, blank)
        found[said] = found.get(said, 0.0) + float(share[torch.arange(frames), torch.tensor(symbols)].prod())
    return found


def best_transducer(targets: Sequence[tuple[int, ...]], frames: int, words: int, blank: int, steps: int = 60) -> dict[tuple, float]:
    """The same for a transducer whose scores depend on the frame and on the word before, free too. Targets are of one length.

    Returned are all transcripts of that length.
    """
    table = torch.randn(frames, words, words, generator=torch.Generator().manual_seed(0)).mul_(0.1).requires_grad_()

    def losses(said: Sequence[tuple[int, ...]]) -> Tensor:
        labels = torch.tensor(said)  # [targets, U]
        before = F.pad(labels, (1, 0), value=blank)  # blank stands for: nothing has been said yet
        logits = table[:, before].transpose(0, 1)  # [targets, T, U + 1, V]
        b, u = labels.shape
        return rnnt_loss(logits, labels, torch.full((b,), frames), torch.full((b,), u), blank, reduction="none")

    descend(table, lambda: losses(targets).mean(), steps)
    others = [word for word in range(words) if word != blank]
    transcripts = list(itertools.product(others, repeat=len(targets[0])))
    return dict(zip(transcripts, losses(transcripts).neg().exp().tolist()))


def descend(table: Tensor, loss, steps: int) -> None:
    """Move `table` downhill on loss(), in place. Raises Diverged where no alignment is possible."""
    optimizer = torch.optim.Adam([table], lr=0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        now = loss()
        must_be_finite("Best scores", {"the loss": now}, "the targets do not fit into the frames, give more frames or shorter ones")
        now.backward()
        optimizer.step()


def ranked(log_probs: Tensor, target: Tensor, blank: int) -> list[tuple[tuple[str, ...], float]]:
    """Every alignment with its probability, the most probable first: for lattices that are small enough to list."""
    frames, labels = log_probs.shape[0], len(target)
    scored = [(a, float(step_scores(log_probs, target, blank, a).sum().exp())) for a in alignments(frames, labels)]
    return sorted(scored, key=lambda pair: -pair[1])
