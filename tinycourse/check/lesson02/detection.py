"""Checks of lesson 02: misses and false alarms."""

import torch
from torch import Tensor

from tinycourse.check.core import exercise, expect, expect_close


def slow_operating_point(
    score: Tensor, hop: float, spoken: list[tuple[float, float]], threshold: float, refractory: float, tolerance: float
) -> tuple[float, float]:
    """Share of words that were missed, and false alarms an hour: window by window."""
    fired, free = [], list(spoken)
    for i, value in enumerate(score.tolist()):
        time = 1 + i * hop
        if value >= threshold and (not fired or time - fired[-1] >= refractory):
            fired.append(time)
    alarms = 0
    for time in fired:
        claimed = [word for word in free if word[0] <= time <= word[1] + tolerance]
        if claimed:
            free.remove(claimed[0])
        else:
            alarms += 1
    seconds = 1 + (len(score) - 1) * hop
    return len(free) / len(spoken), alarms / (seconds / 3600)


def firing(score, hop, threshold, refractory, restart=False, above=False, longer=False):
    """What the wrong answers share: the instants of detections; `restart`, `above` and `longer` change a rule."""
    fired, last = [], -1e9
    for i, value in enumerate(score.tolist()):
        time, over = 1 + i * hop, value > threshold if above else value >= threshold
        if over and (time - last > refractory or (time - last == refractory and not longer)):
            fired.append(time)
            last = time
        elif over and restart:
            last = time
    return fired


def matching(fired, spoken, tolerance, again=False):
    """What the wrong answers share: (hits, words that were found, false alarms); with `again` a word may be claimed more than once."""
    hits, found, alarms = 0, set(), 0
    for time in fired:
        claimed = [w for w in spoken if w[0] <= time <= w[1] + tolerance and (again or w not in found)]
        found.update(claimed[:1])
        hits, alarms = hits + bool(claimed), alarms + (not claimed)
    return hits, len(found), alarms


def judged(score, hop, spoken, threshold, refractory, tolerance, again=False, **rules):
    """What the wrong answers share: (misses, alarms an hour) with a rule of `firing` or `matching` changed."""
    _, found, alarms = matching(firing(score, hop, threshold, refractory, **rules), spoken, tolerance, again)
    return 1 - found / len(spoken), alarms * 3600 / (1 + (len(score) - 1) * hop)


def every_window_counts(score, hop, spoken, threshold, refractory, tolerance):
    """One word keeps the score up for several windows: after a detection the device is deaf for `refractory` seconds."""
    return judged(score, hop, spoken, threshold, 0, tolerance)


def deafness_restarts(*given):
    """The deaf time counts from the last detection: a high score while the device is deaf does not make it longer."""
    return judged(*given, restart=True)


def deaf_too_long(*given):
    """The device fires again as soon as `refractory` seconds have passed: compare with >=, not with >."""
    return judged(*given, longer=True)


def strictly_above(*given):
    """A score equal to the threshold fires, too."""
    return judged(*given, above=True)


def found_twice(*given):
    """A word that was said once and detected twice is one hit and one false alarm: the device acted twice."""
    return judged(*given, again=True)


def no_tolerance(score, hop, spoken, threshold, refractory, tolerance):
    """A window that ends up to `tolerance` seconds after the word still has it in view: that is a hit."""
    return judged(score, hop, spoken, threshold, refractory, 0)


def share_of_detections(score, hop, spoken, threshold, refractory, tolerance):
    """The miss rate is a share of the words that were spoken, not of the detections."""
    fired = firing(score, hop, threshold, refractory)
    hits, _, _ = matching(fired, spoken, tolerance)
    return 1 - hits / len(fired), judged(score, hop, spoken, threshold, refractory, tolerance)[1]


def hits_instead_of_misses(*given):
    """This is the share that was found: asked for is the share that was missed."""
    misses, alarms = judged(*given)
    return 1 - misses, alarms


def windows_as_seconds(score, hop, spoken, threshold, refractory, tolerance):
    """A window comes every `hop` seconds, so N windows are not N seconds: the recording lasts 1 + (N - 1) * hop."""
    misses, alarms = alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance)
    return misses, alarms * 3600 / len(score)


def first_window_forgotten(score, hop, spoken, threshold, refractory, tolerance):
    """The first window alone lasts a second: N windows last 1 + (N - 1) * hop seconds, not N * hop."""
    misses, alarms = alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance)
    return misses, alarms * 3600 / (len(score) * hop)


def alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance):
    """This is the number of false alarms: divide by the hours that the recording lasts."""
    _, found, alarms = matching(firing(score, hop, threshold, refractory), spoken, tolerance)
    return 1 - found / len(spoken), float(alarms)


def per_window(score, hop, spoken, threshold, refractory, tolerance):
    """False alarms for each window depend on how often the device looks, which means nothing to its owner: count them by the hour."""
    misses, alarms = alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance)
    return misses, alarms / len(score)


SLOT = 28  # windows that each event of a trial has for itself


@exercise(
    reference=slow_operating_point,
    wrong=[
        every_window_counts,
        deafness_restarts,
        deaf_too_long,
        strictly_above,
        found_twice,
        no_tolerance,
        share_of_detections,
        hits_instead_of_misses,
        windows_as_seconds,
        first_window_forgotten,
        alarms_not_per_hour,
        per_window,
    ],
)
def operating_point(candidate, random):
    """operating_point(score float32 [N], hop, spoken [(start, end), ...], threshold, refractory, tolerance) -> (misses, alarms an hour).

    All instants are drawn so that no comparison of times is close; `hop` and `refractory` are sums of powers of two, and exact.
    Bound: two or three divisions of float64, 1e-12 of the result.
    """
    hop, refractory, tolerance = 0.25, float(random.choice([1.0, 1.25])), float(random.choice([0.4, 0.5]))
    deaf = round(refractory / hop)  # windows
    threshold = float(random.integers(6, 13)) / 16
    events = {  # windows that reach the threshold, counted from the slot's own; a word that begins and ends so many seconds from there
        "a word, found at once": ([0, 1, 2], (-0.6, 0.4)),
        "a word that nobody heard": ([], (-0.6, 0.4)),
        "two false alarms": ([0, deaf], None),
        "a word, found twice": ([0, deaf], (-0.1, 0.9)),
        "a false alarm that does not end": (list(range(deaf + 2)), None),
        "a word, found after its end": ([0], (-1.2, -0.2)),
        "a word, found too late": ([0, 1], (-1.65, -0.65)),
        "a word that just reaches the threshold": (["equal"], (-0.6, 0.4)),
    }
    for case, kinds in (*((kind, [kind]) for kind in events), ("all of these, one after the other", list(events) * 2)):
        kinds = [*kinds, "a word, found at once"]
        random.shuffle(kinds)
        score = threshold * random.uniform(0, 0.95, SLOT * len(kinds) + int(random.integers(10)))
        spoken = []
        for i, kind in enumerate(kinds):
            at, (windows, word) = SLOT * i + 10, events[kind]
            for k in windows:
                score[at if k == "equal" else at + k] = threshold if k == "equal" else random.uniform(threshold + 0.02, 1)
            spoken += [(1 + at * hop + word[0], 1 + at * hop + word[1])] if word else []
        score = torch.tensor(score, dtype=torch.float32)
        got = candidate(score, hop, spoken, threshold, refractory, tolerance)
        said = f"{case}: {len(spoken)} words, refractory = {refractory}, tolerance = {tolerance}, {len(score)} windows"
        pair = isinstance(got, tuple) and len(got) == 2 and all(isinstance(v, float | int) for v in got)
        expect(pair, said, "a tuple of two numbers", f"{got!r:.80}")
        expected = slow_operating_point(score, hop, spoken, threshold, refractory, tolerance)
        for name, one, other in zip(("misses", "false alarms an hour"), got, expected):
            expect_close(one, other, 1e-12 * max(1.0, other), f"{said}; {name}")
