"""When is a word said, and when is it written? Strings of words whose places are known, and how a transducer keeps up with them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tinycourse.audio import RATE
from tinycourse.checkpoint import Recogniser
from tinycourse.decoding import Greedy
from tinycourse.words import Vocabulary


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
        made.append(hissing(join([own[chance.randint(len(own))] for _ in range(chance.randint(2, longest + 1))]), chance))
    return made


def twins(recordings: dict[str, list[tuple[str, np.ndarray]]], gap: float = 0.1, seed: int = 0) -> list[Spoken]:
    """Every word said twice by every speaker, in two recordings of it where there are two, `gap` seconds apart."""
    chance, made = np.random.RandomState(seed), []
    for _, own in sorted(recordings.items()):
        for word in sorted({word for word, _ in own}):
            same = [one for one in own if one[0] == word]
            made.append(hissing(join([same[0], same[-1]], gap), chance))
    return made


def hissing(spoken: Spoken, chance: np.random.RandomState, snr: float = 25.0) -> Spoken:
    """The same with white noise over it, `snr` decibels softer."""
    hiss = torch.from_numpy(chance.standard_normal(len(spoken.audio)).astype(np.float32))
    return spoken._replace(audio=spoken.audio + hiss * spoken.audio.square().mean().sqrt() * 10 ** (-snr / 20))


def frame_seconds(recogniser: Recogniser) -> float:
    """Seconds from one frame of a transducer's encoder to the next."""
    config = recogniser.network.config
    return recogniser.frontend.config.hop / RATE * config.hop * config.reduction


@torch.no_grad()
def hear(recogniser: Recogniser, audio: Tensor) -> tuple[Tensor, Tensor]:
    """Audio [samples] as features [frames, bands] and as what the encoder makes of them, [1, T, outputs]."""
    features = recogniser.eval().frontend(audio[None])  # [1, 1, frames, bands]
    return features[0, 0], recogniser.network.encoder(features[:, 0])[0]


def delays(recogniser: Recogniser, utterances: Sequence[Spoken]) -> dict[str, list[float]]:
    """Seconds from the end of each word to its label, by word, in all utterances that greedy search gets right.

    A label counts as written when its encoder frame is complete: what it needs of the sound must have been heard by then.
    """
    vocabulary, step, found = Vocabulary(recogniser.classes), frame_seconds(recogniser), {}
    for spoken in utterances:
        search = Greedy(recogniser.network).push(hear(recogniser, spoken.audio)[1])
        if vocabulary.decode(search.labels[0]) == " ".join(word for *_, word in spoken.words):
            for (_, end, word), frame in zip(spoken.words, search.frames[0]):
                found.setdefault(word, []).append((frame + 1) * step - end)
    return found


class Followed(NamedTuple):
    """Greedy search on one utterance, as `plots_transducer.decoding` draws it."""

    mel: Tensor  # features [frames, bands]
    seconds: float  # up to the end of the last frame of the encoder
    blank: list[float]  # probability of blank whenever a frame of the encoder was left
    steps: list[tuple[float, int]]  # time and labels said, at every node of its way
    said: list[tuple[float, str]]  # when which word was written
    text: str


@torch.no_grad()
def follow(recogniser: Recogniser, spoken: Spoken) -> Followed:
    """Greedy search on an utterance, written down step by step."""
    mel, heard = hear(recogniser, spoken.audio)
    search, vocabulary, step = Greedy(recogniser.network).push(heard), Vocabulary(recogniser.classes), frame_seconds(recogniser)
    labels, frames = search.labels[0], search.frames[0]
    shares = recogniser.network.lattice(heard, torch.tensor([labels], dtype=torch.int64))[0].softmax(-1)  # [T, U + 1, labels]
    before = [sum(frame < t for frame in frames) for t in range(len(shares) + 1)]  # labels said in earlier frames
    blank = [float(shares[t, before[t + 1], 0]) for t in range(len(shares))]
    steps = [(t * step, u) for t, u in enumerate(before)] + [((frame + 1) * step, u) for u, frame in enumerate(frames)]
    said = [((frame + 1) * step, vocabulary.decode([label])) for frame, label in zip(frames, labels)]
    return Followed(mel, len(shares) * step, blank, sorted(steps), said, vocabulary.decode(labels))
