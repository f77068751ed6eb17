"""Misses against false alarms: what a detector reports on a stream, held against what was said."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Spoken(NamedTuple):
    """A word that was said between two instants, in seconds."""

    word: str
    start: float
    end: float


class Detection(NamedTuple):
    """A word that a device believes it heard, the instant at which it said so, in seconds, and its score."""

    word: str
    time: float
    score: float


class Operating(NamedTuple):
    """What one threshold gives: the share of spoken words that was missed, 0 to 1, and false alarms in an hour."""

    threshold: float
    misses: float
    false_alarms: float


def judge(detections: list[Detection], spoken: list[Spoken], tolerance: float = 0.5) -> tuple[list[Detection], list[Detection]]:
    """Hits and false alarms among detections, in order.

    A detection is a hit if its word was spoken, the word had begun and ended at most `tolerance` seconds ago, and no detection
    before has claimed that word; everything else is a false alarm: also the right word said twice.
    """
    hits, alarms, open_words = [], [], list(spoken)
    for d in detections:
        said = next((s for s in open_words if s.word == d.word and s.start <= d.time <= s.end + tolerance), None)
        if said:
            open_words.remove(said)
        (hits if said else alarms).append(d)
    return hits, alarms


def trade_off(
    detect: Callable[[float], list[Detection]], spoken: list[Spoken], hours: float, thresholds: list[float], tolerance: float = 0.5
) -> list[Operating]:
    """Misses against false alarms of a stream of `hours`, for every threshold: the detection-error trade-off (Martin et al. 1997).

    `detect` gives the detections at a threshold.
    """
    points = []
    for threshold in thresholds:
        hits, alarms = judge(detect(threshold), spoken, tolerance)
        points.append(Operating(threshold, 1 - len(hits) / len(spoken), len(alarms) / hours))
    return points


def acceptance(keywords: Tensor, right: Tensor, others: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Who fires at every threshold [T]: the share of `others` [M] whose score reaches it, and of `keywords` [N] that are `right` [N].

    Returns both shares, each [T], in the order of the thresholds.
    """
    fires = [(scores >= thresholds[:, None]) for scores in (others, keywords)]  # [T, M], [T, N]
    return fires[0].double().mean(1), (fires[1] & right).double().mean(1)
