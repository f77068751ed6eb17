"""Checks of lesson 04: a search by regularised evolution."""

import zlib
from operator import itemgetter
from random import Random

import optuna

from tinycourse.check.core import UNIT64, exercise, expect, expect_close

# Designs are lineages here: a founder is (number,), a child its parent's design and one number more.


def found(random):
    """A founder."""
    return (random.randrange(10**6),)


def change(design, random):
    """A child."""
    return (*design, random.randrange(10**6))


def price(design):
    """A number in 0 .. 1 that looks random and is always the same."""
    return zlib.crc32(repr(design).encode()) / 2**32


def slow_evolve(open_study, draw, mutate, judge, population, sample, trials, seed, choose=min, forget="oldest", of="alive", told=True):
    """Regularised evolution: the best of a few has a child, the oldest dies. With other options it is a wrong answer."""
    random, study, alive, everybody = Random(seed), open_study(), [], []
    for i in range(trials):
        if i < population or of == "nobody":
            design = draw(random)
        else:
            there = alive if of == "alive" else everybody
            design = mutate(choose(random.sample(there, sample), key=itemgetter(0))[1], random)
        trial, value = study.ask(), judge(design)
        trial.set_user_attr("design", design)
        if told:
            study.tell(trial, value)
        alive.append((value, design))
        everybody.append((value, design))
        if len(alive) > population:
            alive.remove(alive[0] if forget == "oldest" else max(alive, key=itemgetter(0)))
    return [(t.value, t.user_attrs["design"]) for t in study.trials]


def worst_dies(*a):
    """The worst member dies instead of the oldest: a lucky measurement then lives forever, which is what ageing prevents."""
    return slow_evolve(*a, forget="worst")


def worst_has_children(*a):
    """The largest value of the sample was chosen as parent: the values are errors, the smallest is best."""
    return slow_evolve(*a, choose=max)


def first_has_children(*a):
    """The parent is a member drawn at random: it has to be the best one of the sample."""
    return slow_evolve(*a, choose=lambda those, key: those[0])


def from_everybody(*a):
    """The sample was drawn from all designs so far: only the youngest `population` of them are alive."""
    return slow_evolve(*a, of="everybody")


def never_mutates(*a):
    """Every design was drawn anew, which is random search: after the founders each one is a mutated parent."""
    return slow_evolve(*a, of="nobody")


def never_tells(*a):
    """Trials were asked for and their values never told: study.tell(trial, value)."""
    return slow_evolve(*a, told=False)


def too_many(open_study, draw, mutate, judge, population, sample, trials, seed):
    """The founders count as trials, too: there are `trials` designs in all."""
    return slow_evolve(open_study, draw, mutate, judge, population, sample, trials + population, seed)


@exercise(
    reference=slow_evolve,
    wrong=[worst_dies, worst_has_children, first_has_children, from_everybody, never_mutates, never_tells, too_many],
)
def evolve(candidate, random):
    """evolve(open_study, draw, mutate, judge, population, sample, trials, seed) -> [(value, design), ...].

    What is asserted follows from the definition for every draw: who may be a parent, and who must be.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    studies = []

    def open_study():
        studies.append(optuna.create_study())
        return studies[-1]

    population = int(random.integers(5, 8))
    cases = {"a sample of all who are alive": population, "a sample of two": 2}
    for case, sample in cases.items():
        trials = 8 * population
        seed = int(random.integers(2**31))
        said = f"{case}: population {population}, {trials} trials, seed {seed}"
        studies.clear()
        got = candidate(open_study, found, change, price, population, sample, trials, seed)
        expect(len(studies) == 1, said, "one study opened", f"{len(studies)}")
        finished = [t for t in studies[0].trials if t.state == optuna.trial.TrialState.COMPLETE]
        expect(len(finished) == trials, said, f"{trials} trials told", f"{len(finished)}")
        judge_lineages(said, finished, population, sample)
        told = [(t.value, tuple(t.user_attrs["design"])) for t in finished]
        cause = "Return value and design of every trial, in the order of the trials."
        expect([(v, tuple(d)) for v, d in got] == told, said, "(value, design) of every trial", "something else", cause)


def judge_lineages(said: str, trials: list, population: int, sample: int) -> None:
    """Every child's parent has to be alive, and as good as the sample demands."""
    cause = 'Keep every design with its trial: trial.set_user_attr("design", design).'
    expect(all("design" in t.user_attrs for t in trials), said, "a design in every trial", "none", cause)
    designs = [tuple(t.user_attrs["design"]) for t in trials]
    for i, (design, trial) in enumerate(zip(designs, trials)):
        case = f"{said}, trial {i}"
        expect_close(trial.value, price(design), UNIT64, f"{case}: the value told")
        founder = len(design) == 1
        expect(founder == (i < population), case, "a founder" if i < population else "a child", "a founder" if founder else "a child")
        if founder:
            continue
        alive = sorted(designs[i - population : i], key=price)
        place = alive.index(design[:-1]) if design[:-1] in alive else None
        words = "nobody who is alive" if place is None else f"number {place + 1} by value"
        wanted = f"a parent among the best {population - sample + 1} of {population}"
        expect(place is not None and place <= population - sample, case, wanted, words)
