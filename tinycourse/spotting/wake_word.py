"""From a few recordings to a device that listens: a trained network learns new words, a threshold is chosen, the whole bill is counted."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tinycourse.codegen import spotter_writer
from tinycourse.errors import TinycourseError
from tinycourse.export import spotter_package
from tinycourse.features.audio import to_int16
from tinycourse.program import keyword_spotter as listening
from tinycourse.spotting import operating_curves
from tinycourse.spotting.detector import Recording
from tinycourse.spotting.operating_curves import Detection, Operating
from tinycourse.training import checkpoint
from tinycourse.training.checkpoint import Recogniser

THRESHOLDS = (*np.linspace(0.3, 0.9, 13), *(1 - np.geomspace(0.08, 0.0005, 15)))


def adopt(name: str, classes: tuple[str, ...], seed: int = 0) -> Recogniser:
    """A trained recogniser that is to learn other words: its weights, but for the classifier, which is new."""
    old = checkpoint.load(name)
    torch.manual_seed(seed)
    new = Recogniser(old.name, classes, old.frontend.config)
    classifier = list(new.network.named_parameters())[-1][0].rpartition(".")[0]
    kept = {key: value for key, value in old.state_dict().items() if not key.startswith(f"network.{classifier}.")}
    new.load_state_dict(kept, strict=False)
    return new


def posteriors(listener: listening.Listener, recording: Recording) -> np.ndarray:
    """What the integer network says along a recording: [N, classes], one row every `hop` seconds."""
    return listener.posteriors(to_int16(recording.audio.numpy()))


def detections(listener: listening.Listener, said: np.ndarray, threshold: float) -> list[Detection]:
    """What the chip would have reported at another threshold, from posteriors [N, classes]."""
    other = listening.Listener(listener.program, replace(listener.settings, threshold=threshold))
    classes = other.program.metadata["classes"]
    return [Detection(classes[word], other.ready(run) / other.rate, score / 2**listening.BITS) for run, word, score in other.decide(said)]


def trade_off(listener: listening.Listener, said: np.ndarray, recording: Recording) -> list[Operating]:
    """Misses and false alarms an hour of a recording, for every threshold of THRESHOLDS."""
    return operating_curves.trade_off(lambda t: detections(listener, said, t), recording.spoken, recording.hours, list(THRESHOLDS))


def choose(curve: list[Operating], allowed: float) -> Operating:
    """The point that misses least among those with at most `allowed` false alarms an hour; of equals the highest threshold.

    Raises TinycourseError where none has so few.
    """
    quiet = [point for point in curve if point.false_alarms <= allowed]
    if not quiet:
        raise TinycourseError(f"No threshold has {allowed:g} false alarms an hour or fewer: train on more other words, or allow more.")
    return min(quiet, key=lambda point: (point.misses, -point.threshold))


def at_most(alarms: int, hours: float, confidence: float = 0.95) -> float:
    """The rate (an hour) that `alarms` in so many `hours` speak against: were it higher, so few would come with probability below
    1 - confidence. Alarms are counted as a Poisson process; the limit is found by bisection."""

    def so_few(mean: float) -> float:
        return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(alarms + 1))

    low, high = 1e-9, 10.0 * (alarms + 2)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if so_few(middle) > 1 - confidence else (low, middle)
    return high / hours


def on_chip(listener: listening.Listener, samples: np.ndarray, target: str, folder: str | Path) -> dict:
    """Build the listener for an emulated chip, let it hear int16 samples [S], more than a second, and compare it with the reference.

    Returns bytes of `flash` and `ram` (of which `stack`), all of it counted; `instructions` a second, from the second second on;
    `worst`, those of the dearest chunk; `heard`, (chunk, word, score) of each detection. Raises TinycourseError where chip and
    reference differ.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cost_report = spotter_package.compare(spotter_writer.build(listener, target, folder), samples)
    classes = listener.program.metadata["classes"]
    return cost_report | {"heard": [(i, classes[word], score / 2**listening.BITS) for i, word, score in cost_report["heard"]]}
