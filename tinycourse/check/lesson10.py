"""Checks of lesson 10: a fair split, a threshold for so many false alarms an hour, what few alarms prove, and a board with limits."""

import math

import numpy as np

from tinycourse.check.core import CheckFailed, exercise, expect

# ---------------------------------------------------------------------------------------------------- a fair split


def until_its_share(speakers: list[str], share: float, order) -> list[bool]:
    """Whole speakers, by the key `order`, while testing has less than its share."""
    testing = set()
    for who in sorted(set(speakers), key=order):
        if sum(name in testing for name in speakers) >= share * len(speakers):
            break
        testing.add(who)
    return [name in testing for name in speakers]


def slow_fair_split(speakers: list[str], share: float) -> list[bool]:
    """Speakers by their number of recordings, then by name; each is added whole while testing has less than its share."""
    return until_its_share(speakers, share, order=lambda name: (speakers.count(name), name))


def by_recording(speakers, share):
    """Single recordings were set aside, so the same voice is in both parts: the test then asks for a voice that was practised on."""
    count = math.ceil(share * len(speakers))
    return [i >= len(speakers) - count for i in range(len(speakers))]


def share_of_speakers(speakers, share):
    """That is a share of the speakers. It is recordings that are counted: some people spoke more often than others."""
    order = sorted(set(speakers), key=lambda name: (speakers.count(name), name))
    testing = order[: math.ceil(share * len(order))]
    return [name in testing for name in speakers]


def loudest_mouths_first(speakers, share):
    """The speakers with most recordings were taken first. Training would miss those recordings most: begin with the fewest."""
    return until_its_share(speakers, share, order=lambda name: (-speakers.count(name), name))


def by_name_alone(speakers, share):
    """The speakers were taken in the order of their names; the number of their recordings comes first, the name decides among equals."""
    return until_its_share(speakers, share, order=str)


def stops_before(speakers, share):
    """Testing stayed below its share: the last speaker was left out because there were too many recordings with them. At least is asked."""
    testing = set()
    for who in sorted(set(speakers), key=lambda name: (speakers.count(name), name)):
        if sum(name in testing | {who} for name in speakers) > share * len(speakers):
            break
        testing.add(who)
    return [name in testing for name in speakers]


def sides_swapped(speakers, share):
    """True and False are swapped: True stands for testing."""
    return [not testing for testing in slow_fair_split(speakers, share)]


def some_speakers(random: np.random.Generator) -> tuple[list[str], float]:
    """Names of 8 speakers with 2 to 20 recordings each, two of them equally many, in a mixed order; names do not sort by number."""
    names = [f"{'aeiou'[i % 5]}{'nmklrst'[i % 7]}{i}" for i in random.permutation(40)[:8]]
    counts = [11, 3, int(random.integers(16, 21)), 3, 8, 2, 14, 5]
    everyone = [name for name, count in zip(sorted(names), counts) for _ in range(count)]
    return [everyone[i] for i in random.permutation(len(everyone))], float(random.choice([0.15, 0.2, 0.25]))


@exercise(
    reference=slow_fair_split,
    wrong=[by_recording, share_of_speakers, loudest_mouths_first, by_name_alone, stops_before, sides_swapped],
)
def fair_split(candidate, random):
    """fair_split(speakers, share) -> list of bool. Exact."""
    for _ in range(4):
        speakers, share = some_speakers(random)
        counts = {name: speakers.count(name) for name in sorted(set(speakers))}
        said = f"{len(speakers)} recordings by {counts}, share = {share}"
        got, right = candidate(list(speakers), share), slow_fair_split(speakers, share)
        whole = isinstance(got, list) and len(got) == len(speakers) and all(isinstance(x, bool | np.bool_) for x in got)
        expect(whole, said, f"a list of {len(speakers)} times True or False", f"{got!r:.60}")
        torn = sorted({name for name in counts if len({bool(t) for t, s in zip(got, speakers) if s == name}) > 1})
        expect(not torn, said, "no speaker in both parts", f"{', '.join(torn)} in both")
        chosen, wanted = (sorted({s for t, s in zip(parts, speakers) if t}) for parts in (got, right))
        expect(chosen == wanted, said, f"testing: {', '.join(wanted)}", f"testing: {', '.join(chosen) or 'nobody'}")


# --------------------------------------------------------------------------------------------------- a threshold


def slow_threshold_for(spoken: np.ndarray, others: np.ndarray, hours: float, allowed: float) -> tuple[float, float]:
    """Try every score as a threshold, from the lowest; one above all scores comes last."""
    for threshold in [*sorted({*spoken.tolist(), *others.tolist()}), math.inf]:
        if sum(score >= threshold for score in others) / hours <= allowed:
            return threshold, sum(score < threshold for score in spoken) / len(spoken)
    raise AssertionError("infinity has no alarms")


def hours_forgotten(spoken, others, hours, allowed):
    """The alarms of the whole recording were compared with the number that is allowed in one hour: divide by its hours."""
    return slow_threshold_for(spoken, others, 1.0, allowed)


def share_of_alarms(spoken, others, hours, allowed):
    """That is a share of the other sounds. A device does not know how many there are: false alarms are counted by the hour."""
    return slow_threshold_for(spoken, others, float(len(others)), allowed / 10)


def above_only(spoken, others, hours, allowed):
    """A score that equals the threshold fires, too."""
    for threshold in [*sorted({*spoken.tolist(), *others.tolist()}), math.inf]:
        if sum(score > threshold for score in others) / hours <= allowed:
            return threshold, sum(score <= threshold for score in spoken) / len(spoken)
    raise AssertionError


def fewest_mistakes(spoken, others, hours, allowed):
    """This makes misses and false alarms together fewest. But somebody said how many alarms are allowed; then only misses count."""
    tried = [*sorted({*spoken.tolist(), *others.tolist()}), math.inf]
    best = min(tried, key=lambda t: (spoken < t).sum() + (others >= t).sum())
    return best, float((spoken < best).mean())


def no_alarm_at_all(spoken, others, hours, allowed):
    """The threshold lies above every other sound. A few alarms are allowed, and each that is not used costs wake words."""
    return slow_threshold_for(spoken, others, hours, 0.0)


def hits_not_misses(spoken, others, hours, allowed):
    """The second number is the share of wake words that fire; asked for is the share that is missed."""
    threshold, missed = slow_threshold_for(spoken, others, hours, allowed)
    return threshold, 1 - missed


@exercise(
    reference=slow_threshold_for,
    wrong=[hours_forgotten, share_of_alarms, above_only, fewest_mistakes, no_alarm_at_all, hits_not_misses],
)
def threshold_for(candidate, random):
    """threshold_for(spoken [N], others [M], hours, allowed) -> (threshold, misses). Comparisons and one division: exact."""
    for case in ("a few minutes", "some hours", "alarms by the dozen"):
        hours = {"a few minutes": 0.25, "some hours": 8.0, "alarms by the dozen": 3.0}[case]
        others = np.round(random.beta(2, 3, 120), 3) * 0.99
        spoken = np.round(random.beta(7, 2, 60), 3)
        allowed = {"a few minutes": 16.0, "some hours": 1.5, "alarms by the dozen": 7.0}[case]
        said = f"{case}: {len(spoken)} wake words, {len(others)} other sounds in {hours} hours, {allowed} alarms an hour allowed"
        got, right = candidate(spoken, others, hours, allowed), slow_threshold_for(spoken, others, hours, allowed)
        if not isinstance(got, tuple) or len(got) != 2:
            raise CheckFailed(said, "(threshold, share of wake words that are missed)", f"{got!r:.60}", "Two numbers are asked for.")
        fires = (others >= got[0]).sum() / hours
        expect(fires <= allowed, said, f"at most {allowed} alarms an hour", f"{fires:g} at the threshold {got[0]:g}")
        expect(got[0] == right[0], said, f"threshold {right[0]:g}, the lowest score that will do", f"{got[0]:g}")
        expect(abs(got[1] - right[1]) < 1e-9, said, f"{right[1]:.4f} missed", f"{got[1]:.4f}")


# ------------------------------------------------------------------------------------------------ what few alarms prove


def poisson(count: int, mean: float) -> float:
    """The probability of at most so many events where `mean` are expected: e^-mean (1 + mean + mean^2/2 + ...)."""
    term = total = math.exp(-mean)
    for k in range(1, count + 1):
        term *= mean / k
        total += term
    return total


def slow_at_most(alarms: int, hours: float) -> float:
    """Halve the interval in which the probability crosses 1/20, until it is as narrow as numbers are."""
    low, high = 0.0, 50.0 + 10 * alarms
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if poisson(alarms, middle) > 0.05 else (low, middle)
    return high / hours


def rate_itself(alarms, hours):
    """That is the rate that was seen. With no alarm it would be zero for any recording, even one of a second."""
    return alarms / hours


def rule_of_three(alarms, hours):
    """Three, divided by the hours, is right where there was no alarm. With alarms the limit is higher."""
    return -math.log(0.05) / hours


def three_more(alarms, hours):
    """Three more than `alarms` is right for no alarm alone: the more alarms, the wider the uncertainty about their number."""
    return (alarms - math.log(0.05)) / hours


def normal(alarms, hours):
    """The bell curve with deviation sqrt(alarms) knows no uncertainty where there was no alarm, and is too narrow for few."""
    return (alarms + 1.645 * math.sqrt(alarms)) / hours


def fewer_only(alarms, hours):
    """The probability of fewer than `alarms` was used. That number itself belongs to it: at most so many."""
    return slow_at_most(alarms - 1, hours) if alarms else 0.0


def whole_recording(alarms, hours):
    """This is the limit for the whole recording: divide it by its hours."""
    return slow_at_most(alarms, 1.0)


@exercise(
    reference=slow_at_most,
    wrong=[rate_itself, rule_of_three, three_more, normal, fewer_only, whole_recording],
)
def at_most(candidate, random):
    """at_most(alarms, hours) -> alarms an hour. A thousandth of the limit is precise enough: bisection reaches it in twenty steps."""
    for alarms in (int(random.integers(2, 6)), 0, 1, int(random.integers(7, 30))):
        hours = round(float(random.uniform(0.2, 0.9)) if alarms < 4 else float(random.uniform(2, 24)), 2)
        said = f"{alarms} alarms in {hours} hours"
        got, right = candidate(alarms, hours), slow_at_most(alarms, hours)
        expect(isinstance(got, int | float | np.floating), said, "a number", type(got).__name__)
        mean = got * hours
        sure = (
            f"with {got:.4g} an hour, {alarms} or fewer have probability {poisson(alarms, mean):.4f}" if 0 <= mean < 700 else f"{got:.4g}"
        )
        expect(abs(got - right) <= 1e-3 * right, said, f"{right:.4g} an hour, for probability 0.05", sure)


# -------------------------------------------------------------------------------------------------------- the board

ROOM = {"ram": 32_000, "alarms": 1.0}


def beats(one: dict, other: dict) -> bool:
    """Nowhere worse, somewhere better: error, flash and RAM are all to be small."""
    pairs = [(one[key], other[key]) for key in ("error", "flash", "ram")]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def fits(entry: dict, limits: dict) -> bool:
    """Whether an entry keeps every limit; a limit may be reached."""
    return all(entry[key] <= limit for key, limit in limits.items())


def slow_winners(entries: list[dict], limits: dict[str, int]) -> list[str]:
    """Compare everybody within the limits with everybody within the limits."""
    inside = [e for e in entries if fits(e, limits)]
    return sorted(e["name"] for e in inside if not any(beats(other, e) for other in inside))


def limits_forgotten(entries, limits):
    """An entry beyond a limit cannot win: it does not fit the chip, or nobody would want to live with it."""
    return sorted(e["name"] for e in entries if not any(beats(other, e) for other in entries))


def outsiders_beat(entries, limits):
    """Entries beyond a limit were taken off the list of winners, but had beaten others before: take them out first."""
    return sorted(e["name"] for e in entries if fits(e, limits) and not any(beats(other, e) for other in entries))


def strictly_everywhere(entries, limits):
    """An entry that is equal in one thing and worse in another is beaten, too: nowhere worse and somewhere better is enough."""
    inside, keys = [e for e in entries if fits(e, limits)], ("error", "flash", "ram")
    return sorted(e["name"] for e in inside if not any(all(o[k] < e[k] for k in keys) for o in inside))


def twins_out(entries, limits):
    """Two entries with the same numbers do not beat each other: somewhere one has to be better. Both stay."""
    inside, keys = [e for e in entries if fits(e, limits)], ("error", "flash", "ram")
    return sorted(e["name"] for e in inside if not any(o is not e and all(o[k] <= e[k] for k in keys) for o in inside))


def one_winner(entries, limits):
    """That is the most accurate one. Others that are smaller are not beaten by it."""
    inside = [e for e in entries if fits(e, limits)]
    return [min(inside, key=lambda e: e["error"])["name"]]


def limit_excluded(entries, limits):
    """An entry that just reaches a limit keeps it: at most so much is allowed."""
    return slow_winners(entries, {key: limit - 0.01 for key, limit in limits.items()})


def some_entries(random: np.random.Generator) -> list[dict]:
    """A board with everything that can be mistaken; names are drawn."""
    x = lambda low, high: int(random.integers(low, high))  # noqa: E731
    base, small = x(30_000, 34_000), x(15_000, 18_000)
    rows = [  # error, flash, RAM, alarms
        (0.05, base, 20_000, 0.4),  # on the front
        (0.05, base, 20_000, 0.6),  # its twin: too
        (0.05, base + 500, 20_000, 0.2),  # equal in two things, worse in one: beaten
        (0.03, 60_000, 32_000, 0.5),  # just reaches a limit, most accurate of those within
        (0.01, base - 200, 19_000, 2.5),  # fires too often, and nearly all others would be beaten by it
        (0.09, small, 12_000, 1.0),  # small, and just reaches a limit
        (0.10, small + 2_000, 9_000, 0.9),  # the smallest in RAM
        (0.12, small + 3_000, 14_000, 0.1),  # beaten
        (0.04, base + 2_000, 32_000 - x(1, 40), 0.3),
        (0.008, 61_000, 32_000 + x(1, 900), 0.3),  # needs too much RAM
    ]
    names = [f"team {i}" for i in random.permutation(90)[: len(rows)] + 10]
    made = [dict(zip(("name", "error", "flash", "ram", "alarms"), (name, *row))) for name, row in zip(names, rows)]
    return [made[i] for i in random.permutation(len(made))]


@exercise(
    reference=slow_winners,
    wrong=[limits_forgotten, outsiders_beat, strictly_everywhere, twins_out, one_winner, limit_excluded],
)
def winners(candidate, random):
    """winners(entries, limits) -> names, sorted. Exact."""
    for _ in range(3):
        entries = some_entries(random)
        said = "\n".join(f"{e['name']}: error {e['error']:.3f}, flash {e['flash']}, RAM {e['ram']}, alarms {e['alarms']}" for e in entries)
        got, right = candidate(entries, ROOM), slow_winners(entries, ROOM)
        names = {e["name"] for e in entries}
        expect(isinstance(got, list) and set(got) <= names, said, "a list of names", f"{got!r:.60}")
        expect(got == right, f"limits {ROOM}\n{said}", ", ".join(right), ", ".join(got) or "nobody")
