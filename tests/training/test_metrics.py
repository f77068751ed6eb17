"""Who is right, who is missed, who cries wolf: counted on cases that a reader can count, and against the exercise's slow rules."""

import numpy as np
import pytest
import torch

from tinycourse import check
from tinycourse.spotting import detector, operating_curves
from tinycourse.spotting.operating_curves import Detection, Spoken
from tinycourse.training import metrics

TWO = [Spoken("yes", 1.0, 2.0), Spoken("no", 5.0, 6.0)]


def test_report_counts_rows_and_columns():
    logits = torch.eye(3)[[0, 1, 1, 1]]
    report = metrics.report(logits, torch.tensor([0, 1, 0, 0]), ("a", "b", "c"))
    assert report.confusion.tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]
    assert report.accuracy == 0.5 and report.count == 4
    assert report.per_class == {"a": pytest.approx(1 / 3), "b": 1.0}  # nobody said c


@pytest.mark.parametrize(
    "said, hits",
    [
        ([("yes", 1.5)], 1),
        ([("yes", 2.5)], 1),  # as late as the tolerance allows
        ([("yes", 2.51)], 0),
        ([("yes", 0.9)], 0),  # before the word
        ([("no", 1.5)], 0),  # another word
        ([("yes", 1.2), ("yes", 2.3)], 1),  # twice: the second is a false alarm
        ([("yes", 1.5), ("no", 5.5)], 2),
    ],
)
def test_judge(said, hits):
    detections = [Detection(word, time, 0.9) for word, time in said]
    right, alarms = operating_curves.judge(detections, TWO)
    assert len(right) == hits and len(alarms) == len(said) - hits
    assert sorted(right + alarms) == sorted(detections)


def test_a_word_said_twice_wants_two_detections():
    spoken = [Spoken("go", 0.0, 1.0), Spoken("go", 1.2, 2.2)]
    hits, alarms = operating_curves.judge([Detection("go", 1.0, 1.0), Detection("go", 2.0, 1.0)], spoken)
    assert len(hits) == 2 and not alarms


def test_trade_off_and_the_exercise_agree():
    """On random scores of one word, the library gives what the slow reference of the exercise gives, at every threshold."""
    random = np.random.default_rng(0)
    score = torch.tensor(random.random(4_000) ** 3)
    spoken = [Spoken("yes", start + 0.1, start + 1.1) for start in np.arange(2, 980, 7.5)]
    hours = (1 + 0.25 * (len(score) - 1)) / 3600
    thresholds = [0.2, 0.5, 0.9, 0.99]
    points = operating_curves.trade_off(lambda t: detector.detect(score, ["yes"] * len(score), t, 0.25), spoken, hours, thresholds)
    said = [(s.start, s.end) for s in spoken]
    for threshold, point in zip(thresholds, points):
        misses, alarms = check.lesson02.operating_point.reference(score, 0.25, said, threshold, 1.0, 0.5)
        assert point.threshold == threshold
        assert (point.misses, point.false_alarms) == pytest.approx((misses, alarms))
    assert points[0].misses < points[-1].misses and points[0].false_alarms > points[-1].false_alarms


def test_acceptance():
    keywords, right = torch.tensor([0.9, 0.8, 0.3]), torch.tensor([True, False, True])
    others, fired = operating_curves.acceptance(keywords, right, torch.tensor([0.5, 0.1]), torch.tensor([0.0, 0.5, 0.85]))
    assert others.tolist() == [1.0, 0.5, 0.0]
    assert fired.tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3])
