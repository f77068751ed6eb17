"""A recogniser that never stops: an endless recording made of clips, posteriors along it, and what a device would act on.

Posteriors are smoothed over a few windows, and the best word fires where it reaches a threshold; then the detector is deaf for a
while, so that one word is one detection (after Chen, Parada & Heigold 2014, "Small-footprint keyword spotting using deep neural
networks", section 2.3).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tinycourse.data import RATE, SILENCE, UNKNOWN, Clips
from tinycourse.errors import TinycourseError
from tinycourse.spotting.operating_curves import Detection, Spoken
from tinycourse.training.checkpoint import Recogniser, in_batches

LEVEL_SECONDS = 8  # between two levels that background noise glides between
FADE = RATE // 50  # samples that a clip fades in and out over


@dataclass
class Recording:
    """Minutes of sound, `audio` float32 [samples], and the words in it in order: those to detect, and `others` to ignore."""

    audio: Tensor
    spoken: list[Spoken]
    others: list[Spoken]

    @property
    def hours(self) -> float:
        """How long it is."""
        return len(self.audio) / RATE / 3600


def compose(
    words: Clips,
    keywords: tuple[str, ...],
    noise: list[np.ndarray],
    seconds: int,
    share: float = 0.3,
    pauses: tuple[float, float] = (0.2, 2.5),
    snr: tuple[float, float] = (5.0, 30.0),
    seed: int = 0,
) -> Recording:
    """Words spoken one after the other over background noise; the same arguments give the same samples.

    words: clips labelled by the word that is spoken. A `share` of them are keywords, drawn evenly, the rest any other word; a pause
    between `pauses` seconds stands before each. noise: recordings [samples], played round and round, all at once; the level of each
    glides at random between snr[0] and snr[1] decibels below the words. Raises TinycourseError if either kind of word is missing.
    """
    chance = np.random.RandomState(seed)  # its numbers never change between versions
    by_word = {name: (words.labels == i).nonzero().flatten().numpy() for i, name in enumerate(words.classes)}
    groups = [[name for name in by_word if len(by_word[name]) and (name in keywords) == key] for key in (False, True)]
    if not all(groups):
        raise TinycourseError("A recording needs clips of keywords and of other words; give words of both kinds.")
    audio, placed, at = np.zeros(seconds * RATE, np.float32), ([], []), 0.0
    ramp = np.minimum(1, np.minimum(np.arange(RATE), np.arange(RATE)[::-1]) / FADE)
    while (at := at + chance.uniform(*pauses)) + 1 <= seconds:
        key = int(chance.random_sample() < share)
        word = groups[key][chance.randint(len(groups[key]))]
        clip = words.audio[by_word[word][chance.randint(len(by_word[word]))]].numpy() / 32768
        start = int(at * RATE)
        audio[start : start + RATE] += (clip * ramp).astype(np.float32)
        placed[key].append(Spoken(word, at, at + 1))
        at += 1
    power = np.square(audio).sum() / (RATE * max(1, len(placed[0]) + len(placed[1])))  # of the words, while they are spoken
    for recording in noise:
        levels = -chance.uniform(*snr, seconds // LEVEL_SECONDS + 2)  # decibels, LEVEL_SECONDS apart
        loudness = np.sqrt(power / np.square(recording).mean())
        for second in range(seconds):  # one after the other: an hour of intermediate results would not fit into memory
            samples = np.arange(second * RATE, (second + 1) * RATE)
            level = np.interp(samples / RATE, np.arange(len(levels)) * LEVEL_SECONDS, levels)
            audio[samples] += (recording[samples % len(recording)] * loudness * 10 ** (level / 20)).astype(np.float32)
    return Recording(torch.from_numpy(audio), placed[1], placed[0])


def listen(recogniser: Recogniser, audio: Tensor, hop: float = 0.2) -> Tensor:
    """Slide windows of one second over audio [samples], one every `hop` seconds: posteriors [N, classes], float64.

    Window i is complete, and can be judged, at 1 + i * hop seconds. Raises TinycourseError for less than a second of audio.
    """
    if len(audio) < RATE:
        raise TinycourseError(f"{len(audio)} samples are less than one window; give at least {RATE}.")
    return in_batches(recogniser.eval(), audio.unfold(0, RATE, round(hop * RATE))).double().softmax(1)


def smooth(posteriors: Tensor, windows: int) -> Tensor:
    """Mean over this window and those before, `windows` in all, fewer at the beginning: [N, classes] -> the same."""
    total = torch.cat([torch.zeros_like(posteriors[:1]), posteriors.cumsum(0)])  # [N + 1, classes]
    i = torch.arange(1, len(total))
    first = (i - windows).clamp(min=0)
    return (total[i] - total[first]) / (i - first)[:, None]


def best_keyword(posteriors: Tensor, classes: tuple[str, ...]) -> tuple[Tensor, list[str]]:
    """Of every window the highest posterior among the keywords, [N], and which word that is; silence and unknown never fire."""
    keywords = [i for i, name in enumerate(classes) if name not in (SILENCE, UNKNOWN)]
    score, place = posteriors[:, keywords].max(1)
    return score, [classes[keywords[i]] for i in place.tolist()]


def answers(recogniser: Recogniser, words: Clips) -> tuple[Tensor, Tensor]:
    """Single clips, labelled by the word that is spoken: the score of the best keyword, and whether that is the word, each [N]."""
    score, best = best_keyword(in_batches(recogniser, words.audio).double().softmax(1), recogniser.classes)
    return score, torch.tensor([words.classes[label] == word for label, word in zip(words.labels.tolist(), best)])


def detect(score: Tensor, words: list[str], threshold: float, hop: float = 0.2, refractory: float = 1.0) -> list[Detection]:
    """Fire where score [N] reaches the threshold, then be deaf until `refractory` seconds have passed; words [N] says what fires."""
    detections = []
    for i in (score >= threshold).nonzero().flatten().tolist():
        time = 1 + i * hop
        if not detections or time - detections[-1].time >= refractory - 1e-9:
            detections.append(Detection(words[i], time, float(score[i])))
    return detections
