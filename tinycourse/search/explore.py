"""Machine-driven design: a study asks for designs, throws out what does not fit, trains the rest a little, and learns what to ask next.

Optuna keeps the study and chooses the next point. Any number of processes, on one machine or many, share it through its storage
(`storage.py`). What is ours: the space (`space.py`), the costs (`costs.py`), the short training (`proxy.py`), and that nothing is
lost when a worker is killed: its point is tried again.
"""

import contextlib
import io
import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import optuna
import platformdirs
import psutil
import torch
from lightning_fabric import Fabric
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from tqdm.auto import tqdm

from tinycourse.divergence import Diverged
from tinycourse.errors import TinycourseError
from tinycourse.models.design import Design, Designed, as_tuple
from tinycourse.quantization.tracing import UnsupportedOperation
from tinycourse.search import proxy, space
from tinycourse.search.costs import PRESETS, count, plan
from tinycourse.search.interrupts import Interrupts, listen, passed_on
from tinycourse.search.proxy import Proxy, Sounds
from tinycourse.search.storage import open_storage, reached

OBJECTIVES = ("error", "parameters", "multiply_adds", "flash", "ram", "instructions")
SAMPLERS = {  # by a seed of which numpy takes 32 bits
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed % 2**32),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(population_size=20, seed=seed % 2**32),
    "tpe": lambda seed: optuna.samplers.TPESampler(n_startup_trials=30, multivariate=True, constant_liar=True, seed=seed % 2**32),
}
LEASE = 1_800  # seconds after which a trial of another machine counts as lost
MOMENT = 60  # seconds: for what follows at once, such as a trial's beginning and the name of its worker, if nobody is killed in between
DONE, LOST, RUNNING = TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING


@dataclass(frozen=True)
class Settings:
    """What a study is about; stored in it, and the same for everybody who works on it."""

    sampler: str = "tpe"
    objectives: tuple[str, ...] = ("error", "parameters")
    limits: str = "ladder"  # one of costs.PRESETS
    seed: int = 0
    proxy: Proxy = field(default_factory=Proxy)

    def check(self) -> None:
        """Raises TinycourseError for names that do not exist, and numbers that cannot be meant."""
        for name, chosen, known in (
            ("objective", self.objectives, OBJECTIVES),
            ("sampler", (self.sampler,), SAMPLERS),
            ("set of limits", (self.limits,), PRESETS),
        ):
            if wrong := [c for c in chosen if c not in known]:
                raise TinycourseError(f"There is no {name} called {wrong[0]!r}; choose among {', '.join(known)}.")
        if not self.objectives:
            raise TinycourseError(f"A study needs an objective; choose among {', '.join(OBJECTIVES)}.")
        if not 0 <= self.seed < 2**32:
            raise TinycourseError(f"The seed {self.seed} is too large or below 0; choose one from 0 to {2**32 - 1:,}.")
        self.proxy.check()

    def to_json(self) -> dict:
        """Lists, words and numbers only, as a storage gives them back."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, data: dict) -> "Settings":
        """What `to_json` gave, and a study or its record keeps."""
        heard = Proxy(**{name: as_tuple(value) for name, value in data["proxy"].items()})
        return cls(**{name: as_tuple(value) for name, value in data.items()} | {"proxy": heard})


# ------------------------------------------------------------------------------------------------------- the study


def open_study(name: str, place: str, settings: Settings | None = None) -> optuna.Study:
    """A study by name; it is made if there are settings. Raises TinycourseError if it does not exist, or has other settings."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(place)
    if settings is None:
        try:
            return optuna.load_study(study_name=name, storage=storage)
        except KeyError:
            known = ", ".join(optuna.get_all_study_names(storage)) or "none"
            raise TinycourseError(f"There is no study {name!r} in {place} (there: {known}); `tinycourse explore` makes one.") from None
    settings.check()
    directions = ["minimize"] * len(settings.objectives)
    study = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    told = settings.to_json()
    if (stored := study.user_attrs.get("settings")) is None:
        study.set_user_attr("settings", told)
    elif stored != told:
        differ = ", ".join(sorted(k for k in told if told[k] != stored.get(k)))
        raise TinycourseError(f"The study {name!r} has other {differ}; resume it with the same options or choose another name.")
    return study


def put_in(study: optuna.Study, points: tuple[dict, ...]) -> None:
    """Queue points of the space, each marked as put in by hand; those that were put in before are left out."""
    before = [t.system_attrs.get("fixed_params") for t in study.get_trials(deepcopy=False)]
    for point in points:
        if point not in before:
            study.enqueue_trial(point, user_attrs={"by": "hand"})


# ---------------------------------------------------------------------------------------------------- one candidate


def judge(trial: optuna.Trial, design: Design, settings: Settings, sounds: Sounds, fabric: Fabric | None = None) -> list[float]:
    """Costs first, then a short training: the values of the objectives. Raises optuna.TrialPruned for what exceeds a limit or diverges.

    The trial keeps everything that was found out on the way: design, costs, error, loss, seconds (of computing), and what was exceeded.
    """
    limits = PRESETS[settings.limits]
    trial.set_user_attr("design", design.to_json())
    for cost in (count, plan):  # the quick one first
        try:
            costs = cost(design)
        except UnsupportedOperation as error:
            trial.set_user_attr("exceeded", ["operations that can be exported"])
            raise optuna.TrialPruned(str(error)) from None
        excess = limits.excess(costs)
        if max(excess.values(), default=0) > 0:
            break
    trial.set_user_attr("costs", asdict(costs))
    for name, by in excess.items():
        trial.set_constraint(name, by)
    if exceeded := [f"{name} {getattr(costs, name):,}" for name, by in excess.items() if by > 0]:
        trial.set_user_attr("exceeded", exceeded)
        raise optuna.TrialPruned(", ".join(exceeded))
    start = time.process_time()
    found = known(trial.study, design) or measure(design, sounds, settings.proxy, fabric)
    for name, value in (found | {"seconds": round(time.process_time() - start, 1)}).items():
        trial.set_user_attr(name, value)
    return [found["error"] if name == "error" else getattr(costs, name) for name in settings.objectives]


def known(study: optuna.Study, design: Design) -> dict | None:
    """What `measure` gave when the same design was trained before, if it was: guided samplers come back to what was good."""
    for trial in study.get_trials(deepcopy=False, states=(DONE,)):
        if Design.from_json(trial.user_attrs["design"]) == design:
            return {name: trial.user_attrs[name] for name in ("error", "loss")}
    return None


def measure(design: Design, sounds: Sounds, how: Proxy, fabric: Fabric | None = None) -> dict:
    """`error` and `loss` of a design after a short training. The same design gives the same numbers.

    One whose training diverges gets everything wrong: it is the worst there is, and has no loss.
    """
    torch.manual_seed(how.seed)
    network = Designed(design, len(sounds.classes))
    try:
        return proxy.train(network, design.high, sounds, how.recipe, fabric)
    except Diverged:
        return {"error": 1.0, "loss": None}


def cache() -> Path:
    """Where lessons keep the sounds of their small studies: in the user's cache."""
    return Path(platformdirs.user_cache_dir("tinycourse"), "sounds")


# -------------------------------------------------------------------------------------------------------- workers


def worker_id() -> str:
    """This process: machine, number, when it began."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def lost(trial: FrozenTrial) -> bool:
    """Whether nobody works on a running trial any more. Of another machine we know only since when."""
    host, pid, began = trial.user_attrs.get("worker", "::").split(":")
    if host == socket.gethostname():
        try:
            return f"{psutil.Process(int(pid)).create_time():.2f}" != began
        except psutil.NoSuchProcess:
            return True
    return since(trial.datetime_start) > (LEASE if host else MOMENT)


def since(moment: datetime) -> float:
    """Seconds that have passed."""
    return (datetime.now() - moment).total_seconds()


def retry_lost(study: optuna.Study) -> int:
    """Queue the points of lost trials again; returns how many there were."""
    trials = study.get_trials(deepcopy=False)
    again = {t.user_attrs.get("retry_of") for t in trials}
    for trial in trials:  # those of which somebody was killed within `retry`
        if trial.state == LOST and trial.number not in again and since(trial.datetime_complete) > MOMENT:
            put_back(study, trial)
    gone = [t for t in trials if t.state == RUNNING and lost(t)]
    return sum(retry(study, trial) for trial in gone)


def retry(study: optuna.Study, trial: FrozenTrial) -> bool:
    """End a trial and queue its point again, unless somebody else does: of many, one can end it. Says whether it was us."""
    try:
        study.tell(trial.number, state=LOST)
    except (ValueError, UpdateFinishedTrialError):
        return False
    put_back(study, trial)
    return True


def put_back(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue the point of a trial, or as much of it as was chosen."""
    if point := trial.params | trial.system_attrs.get("fixed_params", {}):
        study.enqueue_trial(point, user_attrs={"retry_of": trial.number})


def trained(study: optuna.Study) -> int:
    """How many candidates have been trained; a design that was proposed twice counts once."""
    return len({json.dumps(trial.user_attrs["design"]) for trial in study.get_trials(deepcopy=False, states=(DONE,))})


def step(study: optuna.Study, settings: Settings, sounds: Sounds, fabric: Fabric | None = None, stoppable=contextlib.nullcontext) -> None:
    """Ask, judge, tell. Where Ctrl-C comes while a candidate is judged, which is `stoppable`, its point is queued again."""
    trial = study.ask()
    trial.set_user_attr("worker", worker_id())
    try:
        with stoppable():
            values = judge(trial, space.design_of(space.suggest(trial)), settings, sounds, fabric)
        study.tell(trial, values)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except KeyboardInterrupt:
        retry(study, study.get_trials(deepcopy=False)[trial.number])
        raise


def work(name: str, place: str, folder: str, target: int, index: int, parent: int) -> None:
    """One worker process: step by step, until `target` candidates are trained, its parent is gone, or Ctrl-C comes."""
    interrupts = listen()
    torch.set_num_threads(1)
    try:
        with contextlib.redirect_stderr(io.StringIO()), reached(place):  # bars of several would overwrite each other
            keep_working(name, place, Path(folder), target, index, parent, interrupts)
    except KeyboardInterrupt:
        pass
    except TinycourseError as error:
        sys.exit(f"tinycourse: {error}")


def keep_working(name: str, place: str, folder: Path, target: int, index: int, parent: int, interrupts: Interrupts) -> None:
    """What `work` does; Ctrl-C stops the reading of sounds and the judging of candidates, and waits for the end of all else."""
    with interrupts.raised():
        study = open_study(name, place)
        settings = Settings.from_json(study.user_attrs["settings"])
        seed = settings.seed * 1_000_003 + 1_009 * len(study.get_trials(deepcopy=False)) + index
        study.sampler = SAMPLERS[settings.sampler](seed % 2**32)
        gpus = torch.cuda.device_count()
        fabric = Fabric(accelerator="cuda", devices=[index % gpus]) if gpus else Fabric(accelerator="cpu", devices=1)
        sounds = proxy.sounds_of(settings.proxy, folder).to(fabric.device)
    while not interrupts.came and os.getppid() == parent:
        if trained(study) + len(study.get_trials(deepcopy=False, states=(RUNNING,))) >= target:
            break
        step(study, settings, sounds, fabric, interrupts.raised)


def live(settings: Settings, sounds: Sounds, target: int, sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    """A small study in this process and its memory, until `target` candidates are trained."""
    settings.check()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = sampler or SAMPLERS[settings.sampler](settings.seed)
    study = optuna.create_study(directions=["minimize"] * len(settings.objectives), sampler=sampler, study_name="live")
    study.set_user_attr("settings", settings.to_json())
    with tqdm(total=target, desc="candidates", leave=False) as bar:
        while (count := trained(study)) < target:
            bar.update(count - bar.n)
            step(study, settings, sounds)
    return study


def run(name: str, place: str, settings: Settings, target: int, workers: int, folder: Path, points: tuple = ()) -> optuna.Study:
    """Work on a study with `workers` processes until `target` candidates are trained in all; resumes where it stands.

    `folder` keeps the sounds, `points` are put in by hand. A worker that dies is replaced and its point tried again. Ctrl-C ends it
    cleanly, whenever it comes. Raises TinycourseError for numbers below 1, where a worker fails, and where the storage goes away.
    """
    for what, number in (("worker", workers), ("candidate to train", target)):
        if number < 1:
            raise TinycourseError(f"A study needs at least one {what}, not {number}.")
    with Interrupts() as interrupts, reached(place):
        with interrupts.raised():
            study = open_study(name, place, settings)
            put_in(study, points)
            proxy.sounds_of(settings.proxy, folder)
        processes = {}
        try:
            supervise(study, place, folder, target, workers, processes, interrupts)
        finally:
            stop(list(processes.values()))
            retry_lost(study)
    return study


def supervise(study: optuna.Study, place: str, folder: Path, target: int, workers: int, processes: dict, interrupts: Interrupts) -> None:
    """Keep `workers` processes at work, and show how far they are, until `target` candidates are trained or Ctrl-C comes."""
    context = multiprocessing.get_context("spawn")
    with tqdm(total=target, initial=min(target, trained(study)), desc=study.study_name, unit=" candidates") as bar:
        while (count := trained(study)) < target and not interrupts.came:
            bar.update(count - bar.n)
            bar.set_postfix_str(summary(study))
            retry_lost(study)
            if any(process.exitcode and process.exitcode > 0 for process in processes.values()):
                raise TinycourseError("A worker failed; what it said stands above.")  # a killed one has a negative exit code
            for index in range(min(workers, target - count)):
                if index not in processes or not processes[index].is_alive():
                    arguments = (study.study_name, place, str(folder), target, index, os.getpid())
                    process = context.Process(target=work, args=arguments, daemon=True)
                    with one_thread(), passed_on():
                        process.start()
                    processes[index] = process
            time.sleep(0.5)
        bar.set_postfix_str(summary(study))  # the last candidates count, too
        bar.update(min(target, count) - bar.n)


@contextlib.contextmanager
def one_thread():
    """Processes that are started meanwhile compute with one thread each."""
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if threads:
            os.environ["OMP_NUM_THREADS"] = threads


def stop(processes: list) -> None:
    """Ask processes to end as Ctrl-C does, and wait until they have; those that do not within a minute are killed."""
    for process in processes:
        if process.is_alive():
            os.kill(process.pid, signal.SIGINT)
    patience = time.monotonic() + 60
    for process in processes:
        process.join(max(0, patience - time.monotonic()))
        process.kill()
        process.join()


def summary(study: optuna.Study) -> str:
    """How many were rejected, and the best error so far."""
    trials = study.get_trials(deepcopy=False)
    rejected = sum(t.state == TrialState.PRUNED for t in trials)
    best = min((t.user_attrs["error"] for t in trials if t.state == DONE), default=1.0)
    return f"{rejected} rejected untrained, least error {best:.1%}"
