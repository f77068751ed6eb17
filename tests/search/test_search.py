"""The search: its space, costs, constraints, workers that die, and what comes out, on a few bundled words."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState

from benchmarks.explore import leave_one_out
from tests import zero_cost
from tinycourse import cli, models
from tinycourse.errors import TinycourseError
from tinycourse.export.network_package import NetworkPackage
from tinycourse.models import design as designs
from tinycourse.models.condenser import TINYSPEECH, TinySpeech
from tinycourse.models.design import TINYSPEECH_DESIGNS, Design, Designed
from tinycourse.plots import lesson04 as figures
from tinycourse.search import costs, explore, instruction_model, pareto, proxy, records, space, storage
from tinycourse.search.costs import PRESETS, Costs, Limits
from tinycourse.studies import lesson04 as study
from tinycourse.training import checkpoint, profiling

TINY = proxy.Proxy(data="tinywords", extra_unknown=(), training_clips=60, validation_clips=40, epochs=1, batch=16)
SETTINGS = explore.Settings(sampler="random", proxy=TINY)
PATIENCE = 600  # seconds: for a hang, not for a slow machine
COMMAND = "--data tinywords --extra-unknown --clips 60 --epochs 1 --sampler random --limits paper".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sounds")


@pytest.fixture(scope="module")
def sounds(folder):
    return proxy.sounds_of(TINY, folder)


def drawn(seed: int, limits: Limits = PRESETS["paper"]) -> Design:
    """A design from the space, small enough for the paper."""
    chance = random.Random(seed)
    while True:
        design = space.design_of(space.draw(chance))
        if max(limits.excess(costs.count(design)).values()) <= 0:
            return design


# ------------------------------------------------------------------------------------------------------- space


@pytest.mark.parametrize("name", TINYSPEECH)
def test_tinyspeech_is_a_point_of_the_space(name):
    torch.manual_seed(0)
    paper, ours = TinySpeech(TINYSPEECH[name], 12).eval(), Designed(TINYSPEECH_DESIGNS[name], 12).eval()
    ours.load_state_dict(paper.state_dict())
    x = torch.randn(3, 1, 101, 40)
    assert torch.equal(paper(x), ours(x))
    published = {"x": 10_923, "y": 6_104, "z": 2_712, "m": 4_729}[name]
    assert costs.count(TINYSPEECH_DESIGNS[name]).parameters == published
    assert costs.count(TINYSPEECH_DESIGNS[name]).multiply_adds == profiling.profile(paper, x[:1]).multiply_adds


def test_a_design_survives_json():
    design = drawn(0)
    assert Design.from_json(json.loads(json.dumps(design.to_json()))) == design
    flat = space.design_of(space.STARTS[-1])  # its stem and its second condensers span all bands, which files write as 0 of them
    assert (flat.stem_kernel, flat.far_pool) == ((3, None), (1, 1)) and flat.to_json()["stem_kernel"] == (3, 0)
    assert Design.from_json(json.loads(json.dumps(flat.to_json()))) == flat
    assert Design.from_json({"stem": 1, "blocks": [], "last": 1, "far_pool": [1, 0]}).far_pool == (1, None)
    with pytest.raises(TinycourseError, match="has no colour"):
        Design.from_json(design.to_json() | {"colour": "red"})


@pytest.mark.parametrize("wrong", [{"form": "sum"}, {"stem": 0}, {"blocks": (((5, 4), (4, 4)),)}, {"last_kind": "7x7"}])
def test_what_is_no_design_is_refused(wrong):
    with pytest.raises(TinycourseError):
        Designed(replace(TINYSPEECH_DESIGNS["m"], **wrong), 12)


def test_every_choice_changes_something():
    """Some point of the space differs in each choice: none is there for nothing."""
    chance = random.Random(3)
    for name, values in space.CHOICES.items():
        found = set()
        for _ in range(20):
            choices = space.draw(chance)
            found |= {len({str(space.design_of(choices | {name: value})) for value in values})}
        assert len(values) in found, name


def test_what_is_drawn_and_what_is_mutated_can_be_built():
    chance, x = random.Random(1), torch.randn(2, 1, 101, 40)
    for _ in range(12):
        design = space.design_of(space.draw(chance))
        changed = space.mutate(design, chance)
        assert changed != design
        assert Designed(changed, 10).eval()(x).shape == (2, 10)


def test_mutation_reaches_every_channel():
    chance, start = random.Random(0), TINYSPEECH_DESIGNS["m"]
    seen = {space.mutate(start, chance) for _ in range(600)}
    for i in range(len(start.blocks)):
        assert {d.blocks[i][0][1] != start.blocks[i][0][1] for d in seen if len(d.blocks) == 3} == {True, False}
        assert {d.blocks[i][1][1] != start.blocks[i][1][1] for d in seen if len(d.blocks) == 3} == {True, False}
    assert {d.stem for d in seen} > {start.stem} and {d.last for d in seen} > {start.last}


# ------------------------------------------------------------------------------------------------- costs and limits


def test_costs_are_those_of_the_exporter():
    design = TINYSPEECH_DESIGNS["m"]
    spent, report = costs.plan(design), NetworkPackage(costs.program_of(design)).described("cortex-m4")
    assert (spent.flash, spent.ram) == (report["flash"]["weight_bytes"], report["ram"]["arena_bytes"])


def test_limits():
    limits = Limits(parameters=1_000, ram=500)
    assert limits.excess(Costs(1_100, 5)) == {"parameters": pytest.approx(0.1)}  # RAM is not known yet
    assert limits.excess(Costs(1_100, 5, ram=0))["ram"] == -1.0  # known, and nothing
    assert limits.excess(Costs(500, 5, 1, 1_000)) == {"parameters": -0.5, "ram": 1.0}
    ladder = PRESETS["ladder"]
    for name, most in (("z", 2_700), ("m", 4_700), ("x", 10_800)):
        multiply_adds = costs.count(TINYSPEECH_DESIGNS[name]).multiply_adds
        assert ladder.excess(Costs(most, multiply_adds))["multiply_adds"] > 0  # no better than TinySpeech: not allowed
        assert ladder.excess(Costs(most, int(0.999 * multiply_adds)))["multiply_adds"] <= 0
    assert ladder.excess(Costs(10_801, 1))["parameters"] > 0


def test_a_design_that_exceeds_a_limit_is_never_trained(sounds, monkeypatch):
    monkeypatch.setattr(explore, "measure", lambda *_: pytest.fail("it was trained"))
    study = optuna.create_study(directions=["minimize"] * 2)
    trial, heavy = study.ask(), replace(TINYSPEECH_DESIGNS["x"], last=200)
    with pytest.raises(optuna.TrialPruned, match="parameters"):
        explore.judge(trial, heavy, SETTINGS, sounds)
    assert trial.user_attrs["exceeded"][0].startswith("parameters ")
    wide = replace(TINYSPEECH_DESIGNS["m"], stem_pool=(1, 1))  # 51 x 20 positions: fits a large chip only
    with pytest.raises(optuna.TrialPruned, match="ram"):
        explore.judge(study.ask(), wide, replace(SETTINGS, limits="cortex-m0plus"), sounds)


def test_least_squares_finds_the_prices():
    chance, prices = np.random.default_rng(0), {"add": [29.0, 19.0, 500.0], "linear": [2.0, 1.0, 38.0, 3.0]}
    work = [(kernel, chance.integers(1, 999, len(price)).tolist()) for kernel, price in prices.items() for _ in range(9)]
    rows = [(kernel, dict(enumerate(amounts)), int(np.dot(amounts, prices[kernel]))) for kernel, amounts in work]
    found = instruction_model.fit(rows)
    for kernel, price in prices.items():
        assert found[kernel] == pytest.approx(price)
    assert leave_one_out([rows[:13], rows[5:]]) == pytest.approx([0, 0], abs=1e-9)


def test_the_cost_model_foretells_what_it_has_not_seen():
    program = costs.program_of(drawn(99))
    counted = sum(row[2] for row in instruction_model.measure(program, "cortex-m4"))
    worst = max(map(abs, instruction_model.measured()["cortex-m4"]["errors"].values()))
    assert instruction_model.predict(program) == pytest.approx(counted, rel=1.5 * worst)


# ------------------------------------------------------------------------------------------------------- a candidate


def test_the_same_design_gives_the_same_error(sounds):
    found = [explore.measure(drawn(5), sounds, TINY) for _ in range(2)]
    assert found[0] == found[1]
    assert explore.measure(drawn(5), sounds, replace(TINY, seed=1)) != found[0]


def test_a_design_that_diverges_is_the_worst_and_the_study_goes_on(sounds, tmp_path):
    """Three candidates whose weights grow beyond all bounds: trained, counted, and written as JSON has it."""
    settings = replace(SETTINGS, limits="paper", proxy=replace(TINY, learning_rate=1e20))
    study = explore.live(settings, sounds, 3)
    done = [trial for trial in study.get_trials() if trial.state == TrialState.COMPLETE]
    assert len(done) >= 3 and all(trial.values[0] == trial.user_attrs["error"] == 1.0 for trial in done)
    found = records.record(study)
    records.write_record(found, tmp_path / "s.json.gz")
    assert {row["loss"] for row in records.trained_rows(records.read_record(tmp_path / "s.json.gz"))} == {None}
    assert records.growth([(row["error"], row["costs"]["parameters"]) for row in records.trained_rows(found)]) == [0.0] * 3
    assert explore.known(study, Design.from_json(done[0].user_attrs["design"])) == {"error": 1.0, "loss": None}


def test_sounds_are_computed_once(folder, sounds, monkeypatch):
    monkeypatch.setattr(proxy, "mel_energies", lambda *_: pytest.fail("they were computed again"))
    again = proxy.sounds_of(TINY, folder)
    assert torch.equal(again.energies["training", 7_600], sounds.energies["training", 7_600])
    assert again.classes == sounds.classes


def test_the_clips_are_spread_over_the_classes(sounds):
    assert set(sounds.labels["training"].bincount().tolist()) == {6}


@pytest.mark.parametrize("sign", zero_cost.SIGNS)
def test_a_sign_is_a_number_and_leaves_no_trace(sign):
    torch.manual_seed(0)
    x, labels = torch.randn(8, 1, 101, 40), torch.arange(8)
    network = Designed(TINYSPEECH_DESIGNS["m"], 10)
    before = {k: v.clone() for k, v in network.state_dict().items() if v.is_floating_point() and "running" not in k}
    first, second = zero_cost.SIGNS[sign](network, x, labels), zero_cost.SIGNS[sign](Designed(TINYSPEECH_DESIGNS["x"], 10), x, labels)
    assert np.isfinite([first, second]).all() and first != second
    assert all(torch.equal(network.state_dict()[k], v) for k, v in before.items())


# -------------------------------------------------------------------------------------------------------- comparing


def test_the_front_by_its_definition():
    points = np.random.default_rng(0).integers(0, 6, (60, 3))
    slow = [not any((q <= p).all() and (q < p).any() for q in points) for p in points]
    assert pareto.on_front(points).tolist() == slow
    assert pareto.on_front(np.array([[1, 1], [1, 1]])).tolist() == [True, True]


def test_hypervolume_by_counting_squares():
    chance = np.random.default_rng(1)
    for _ in range(5):
        points = chance.integers(0, 12, (8, 2))
        squares = sum(any(p[0] <= x and p[1] <= y for p in points) for x in range(10) for y in range(10))
        assert pareto.hypervolume(points, (10, 10)) == squares
    assert pareto.hypervolume(np.empty((0, 2)), (1, 1)) == 0


def test_net_score_and_ranks():
    assert pareto.net_score(100, 100, 100) == pytest.approx(40)
    assert pareto.ranks([5, 1, 5]).tolist() == [2.5, 1, 2.5]
    assert pareto.rank_correlation([1, 2, 3], [10, 20, 90]) == pytest.approx(1)
    assert pareto.rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


# ---------------------------------------------------------------------------------------------------------- studies


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def place(request, tmp_path):
    """Where a study may live. PostgreSQL where TINYCOURSE_POSTGRES has the URL of an empty database."""
    if request.param == "postgresql":
        if "TINYCOURSE_POSTGRES" not in os.environ:
            pytest.skip("no PostgreSQL: set TINYCOURSE_POSTGRES to the URL of an empty database")
        return os.environ["TINYCOURSE_POSTGRES"]
    return str(tmp_path / "study.journal") if request.param == "journal" else f"sqlite:///{tmp_path / 'study.db'}"


def test_a_study_remembers_what_it_is_about(place):
    explore.open_study("s", place, SETTINGS)
    assert explore.Settings.from_json(explore.open_study("s", place).user_attrs["settings"]) == SETTINGS
    explore.open_study("s", place, SETTINGS)
    with pytest.raises(TinycourseError, match="other proxy"):
        explore.open_study("s", place, replace(SETTINGS, proxy=replace(TINY, epochs=9)))
    with pytest.raises(TinycourseError, match="other objectives"):
        explore.open_study("s", place, replace(SETTINGS, objectives=("error",)))
    with pytest.raises(TinycourseError, match="no study 'other'"):
        explore.open_study("other", place)


def test_the_point_of_a_dead_worker_is_tried_again(place):
    study = explore.open_study("s", place, SETTINGS)
    gone, alive = study.ask(), study.ask()
    point = space.suggest(gone)
    gone.set_user_attr("worker", f"{explore.socket.gethostname()}:1:0.00")  # process 1 began at another time
    alive.set_user_attr("worker", explore.worker_id())
    assert explore.retry_lost(study) == 1
    assert explore.retry_lost(study) == 0
    again = explore.open_study("s", place).ask()  # anybody's next point
    assert space.suggest(again) == point
    assert again.user_attrs["retry_of"] == gone.number
    states = [t.state for t in study.get_trials()]
    assert states == [TrialState.FAIL, TrialState.RUNNING, TrialState.RUNNING]


@pytest.mark.parametrize("wrong", [{"sampler": "luck"}, {"limits": "none"}, {"objectives": ("beauty",)}, {"objectives": ()}])
def test_names_that_do_not_exist(wrong, tmp_path):
    with pytest.raises(TinycourseError, match="choose among"):
        explore.open_study("s", str(tmp_path / "j"), replace(SETTINGS, **wrong))


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": -1}, {"training_clips": 0}, {"validation_clips": 0}, {"training_clips": 5}])
def test_a_short_training_that_cannot_be(wrong, tmp_path):
    with pytest.raises(TinycourseError, match="at least 1|do not fill a batch of 16"):
        explore.open_study("s", str(tmp_path / "j"), replace(SETTINGS, proxy=replace(TINY, **wrong)))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_no_sampler_takes(seed, tmp_path):
    with pytest.raises(TinycourseError, match=f"seed {seed} is"):
        explore.open_study("s", str(tmp_path / "j"), replace(SETTINGS, seed=seed))


@pytest.mark.parametrize("target, workers, what", [(3, 0, "worker, not 0"), (3, -2, "worker, not -2"), (0, 1, "candidate to train, not 0")])
def test_a_study_without_workers_or_candidates(target, workers, what, tmp_path, folder):
    with pytest.raises(TinycourseError, match=f"at least one {what}"):
        explore.run("s", str(tmp_path / "j"), SETTINGS, target, workers, folder)


def test_too_few_clips_for_the_classes(tmp_path):
    with pytest.raises(TinycourseError, match="9 clips are too few for the 10 classes"):
        proxy.sounds_of(replace(TINY, training_clips=9), tmp_path)


# ------------------------------------------------------------------------------------------- killed, lost, interrupted


def test_a_point_whose_trial_was_lost_before_it_was_looked_at_is_put_back_whole(tmp_path):
    study = explore.open_study("s", str(tmp_path / "j"), SETTINGS)
    explore.put_in(study, space.STARTS[:1])
    gone = study.ask()
    gone.set_user_attr("worker", f"{explore.socket.gethostname()}:1:0.00")
    assert explore.retry_lost(study) == 1
    assert space.suggest(study.ask()) == space.STARTS[0]


def test_a_trial_without_a_worker_is_lost_after_a_moment(tmp_path, monkeypatch):
    """Its worker was killed, or its disk was full, before it could give its name."""
    study = explore.open_study("s", str(tmp_path / "j"), SETTINGS)
    space.suggest(study.ask())
    assert explore.retry_lost(study) == 0
    monkeypatch.setattr(explore, "MOMENT", -1)
    assert explore.retry_lost(study) == 1


def test_a_kill_between_the_end_of_a_trial_and_its_point_costs_nothing(tmp_path, monkeypatch, ctrl_c):
    study = explore.open_study("s", str(tmp_path / "j"), SETTINGS)
    gone = study.ask()
    point = space.suggest(gone)
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(explore, "put_back", lambda *_: signal.raise_signal(signal.SIGINT))
        explore.retry(study, study.get_trials()[gone.number])
    assert explore.retry_lost(study) == 0 and len(study.get_trials()) == 1
    monkeypatch.setattr(explore, "MOMENT", -1)
    for _ in range(2):
        explore.retry_lost(study)
    waiting = study.get_trials(states=(TrialState.WAITING,))
    assert [t.system_attrs["fixed_params"] for t in waiting] == [point]


MOMENTS = {  # of a run: what is called then
    "before the study is opened": (explore, "open_study"),
    "before points are put in": (explore, "put_in"),
    "before sounds are read": (proxy, "sounds_of"),
    "before the first worker": (explore, "supervise"),
    "while one starts": (explore.multiprocessing.context.SpawnProcess, "start"),
    "while all are stopped": (explore, "stop"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_is_kept_whenever_it_comes(moment, tmp_path, folder, sounds, monkeypatch, ctrl_c, capfd):
    """The terminal sends it to a worker, too, which has just begun and still imports what it needs. Then the study has all it asked for."""
    where, name = MOMENTS[moment]
    original, seen = getattr(where, name), []
    start = explore.multiprocessing.context.SpawnProcess.start

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return original(*arguments)

    def started(process):
        (interrupted if name == "start" else start)(process)
        os.kill(process.pid, signal.SIGINT)
        seen.append(process)

    monkeypatch.setattr(where, name, interrupted)
    monkeypatch.setattr(explore.multiprocessing.context.SpawnProcess, "start", started)
    monkeypatch.setattr(explore, "trained", lambda study: len(seen))
    with pytest.raises(KeyboardInterrupt):
        explore.run("s", str(tmp_path / "j"), SETTINGS, 1, 1, folder)
    assert "Traceback" not in capfd.readouterr().err
    assert len(seen) == (name in ("start", "stop")) and all(process.exitcode == 0 for process in seen)
    if name != "open_study":
        assert not explore.open_study("s", str(tmp_path / "j"), SETTINGS).get_trials()


def start(tmp_path, folder, trials: int, *more, workers: int = 1) -> subprocess.Popen:
    """The command line."""
    options = [
        "--study",
        "s",
        "--storage",
        str(tmp_path / "s.journal"),
        "--folder",
        str(folder),
        "--trials",
        str(trials),
        "--workers",
        str(workers),
    ]
    command = [sys.executable, "-m", "tinycourse.cli", "explore", *options, *COMMAND, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def busy(tmp_path, process) -> optuna.trial.FrozenTrial:
    """Wait for a trial that is being trained."""
    while process.poll() is None:
        if (tmp_path / "s.journal").is_file():
            for name in optuna.get_all_study_names(storage.open_storage(str(tmp_path / "s.journal"))):
                for trial in explore.open_study(name, str(tmp_path / "s.journal")).get_trials(states=(TrialState.RUNNING,)):
                    if trial.user_attrs.get("costs", {}).get("ram"):  # it has passed the door
                        return trial
        time.sleep(0.1)
    pytest.fail(process.communicate()[1])


def test_a_killed_worker_loses_nothing_and_a_stopped_study_resumes(tmp_path, folder, ctrl_c):
    process = start(tmp_path, folder, 3, workers=2)
    killed = busy(tmp_path, process)
    os.kill(int(killed.user_attrs["worker"].split(":")[1]), signal.SIGKILL)
    _, words = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, words
    trials = explore.open_study("s", str(tmp_path / "s.journal")).get_trials()
    again = [t for t in trials if t.user_attrs.get("retry_of") == killed.number]
    assert trials[killed.number].state == TrialState.FAIL
    assert [t.params or t.system_attrs["fixed_params"] for t in again] == [killed.params]  # trained, or queued if the others were quick

    process = start(tmp_path, folder, 20)
    busy(tmp_path, process)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "Traceback" not in words, words
    study = explore.open_study("s", str(tmp_path / "s.journal"))
    assert TrialState.RUNNING not in {t.state for t in study.get_trials()}

    target = explore.trained(study) + 1
    process = start(tmp_path, folder, target, "--json", "--export", str(tmp_path / "s.json.gz"))
    figures, words = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, words
    found = records.read_record(tmp_path / "s.json.gz")
    assert json.loads(figures)["trained"] == len(records.trained_rows(found)) >= target
    row = records.trained_rows(found)[0]
    heard = explore.Settings.from_json(found["settings"]).proxy
    assert explore.measure(Design.from_json(row["design"]), proxy.sounds_of(heard, folder), heard)["error"] == row["error"]


# ----------------------------------------------------------------------------------------------------------- record


def test_a_record_is_the_same_bytes_and_comes_back(tmp_path):
    found = {"study": "s", "settings": {}, "rows": [{"number": 0, "error": 0.5}]}
    for name in "ab":
        records.write_record(found, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert records.read_record(tmp_path / "a") == found
    content = (tmp_path / "a").read_bytes()
    for damaged in (content[:-9], content[:20] + b"!!" + content[22:], b"", b"hello"):
        (tmp_path / "c").write_bytes(damaged)
        with pytest.raises(TinycourseError, match="no exported study"):
            records.read_record(tmp_path / "c")
    with pytest.raises(TinycourseError, match="no exported study"):
        records.read_record(tmp_path / "d")


def test_a_record_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("before")
    with pytest.raises(TinycourseError, match="is a folder.*give another place"):
        records.write_record({}, tmp_path)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(TinycourseError, match="cannot be written"):
        records.write_record({}, tmp_path / "a")
    assert (tmp_path / "a").read_text() == "before" and list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_findings_need_no_optuna():
    seen = "import sys; from tinycourse.search import records as findings; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", seen]).returncode == 0


@pytest.fixture
def kept_folder(tmp_path, monkeypatch):
    """An empty folder for the user's data."""
    monkeypatch.setattr(designs, "kept_folder", lambda: tmp_path / "user" / "designs")
    return tmp_path / "user" / "designs"


@pytest.fixture
def found():
    """A study with a trained trial, 7, another, 9, and one that was not trained, 8."""
    trained = [{"number": n, "error": 0.1, "design": drawn(n).to_json()} for n in (7, 9)]
    return {"study": "s", "settings": {"sampler": "tpe"}, "rows": [*trained, {"number": 8, "exceeded": ["parameters 1"]}]}


def test_a_design_that_is_kept_becomes_a_model_of_the_users(kept_folder, found, capsys):
    package = designs.FOUND.read_bytes()
    assert records.keep(found, 7, "my-network") == records.keep(found, 7, "my-network") == kept_folder / "my-network.json"
    assert models.build("my-network", 10).design == drawn(7) and models.frontend("my-network") == drawn(7).frontend
    assert cli.main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["my-network"] == "found by machine, trial 7 of the study s (tpe)"
    assert cli.main(["profile", "my-network", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == costs.count(drawn(7)).parameters
    assert designs.FOUND.read_bytes() == package and "my-network" not in models.MODELS
    with pytest.raises(TinycourseError, match="my-network is another design already"):
        records.keep(found, 9, "my-network")
    assert designs.kept("my-network")[0] == drawn(7)
    with pytest.raises(TinycourseError, match="Trial 8"):
        records.keep(found, 8, "never")
    assert designs.kept_names() == ["my-network"]


@pytest.mark.parametrize("name", ["tinyspeech-m", "rnnt-digits", "rnnt-digits-sparse", "found-325"])
def test_the_names_of_the_course_are_not_given_away(name, kept_folder, found):
    with pytest.raises(TinycourseError, match=f"{name} is a network of the course"):
        records.keep(found, 7, name)
    assert not kept_folder.exists()


@pytest.mark.parametrize("name", ["a/b", "größe", "", "-a", "A", "a.b", "../a", "a b", "a_b", "a\n", "٣"])
def test_what_cannot_be_a_name(name, kept_folder, found):
    with pytest.raises(TinycourseError, match="cannot name a model"):
        records.keep(found, 7, name)
    assert not kept_folder.exists()


@pytest.mark.parametrize("pair, words", [("zero x", "'zero' is no trial"), ("² x", "is no trial"), ("3 a/b", "'a/b' cannot name a model")])
def test_what_cannot_be_kept_is_said_before_the_search(pair, words, tmp_path, capsys):
    storage_file = tmp_path / "j"
    assert cli.main(["explore", "--study", "s", "--storage", str(storage_file), "--keep", *pair.split()]) == 1
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not storage_file.exists()


def test_a_search_needs_a_study(tmp_path, capsys):
    assert cli.main(["explore", "--storage", str(tmp_path / "j")]) == 1
    assert "--study NAME" in capsys.readouterr().err


def test_a_damaged_design_is_named_and_harms_no_other(kept_folder, found):
    records.keep(found, 7, "mine")
    for damaged in ("", "[]", "{}", '{"about": "x", "design": {"colour": 1}}'):
        (kept_folder / "mine.json").write_text(damaged)
        with pytest.raises(TinycourseError, match=r"mine\.json holds no design; delete it"):
            models.entry("mine")
    assert models.entry("tinyspeech-m")


def test_found_designs_are_models():
    for name, (design, _) in designs.found().items():
        network = models.build(name, 12)
        assert network.design == design
        assert profiling.profile(network, torch.zeros(1, 1, 101, 40)).parameters == costs.count(design).parameters
        assert max(PRESETS["ladder"].excess(costs.plan(design)).values()) <= 0


def test_the_shipped_study():
    found = records.read_record(study.STUDY)
    trained = records.trained_rows(found)
    assert len(trained) >= 300 and explore.Settings.from_json(found["settings"]).proxy.data == "speech-commands"
    limits = PRESETS[found["settings"]["limits"]]
    for row in found["rows"]:
        assert ("error" in row) == (max(limits.excess(Costs(**row["costs"])).values()) <= 0)
        assert json.loads(json.dumps(Design.from_json(row["design"]).to_json())) == row["design"]
    for row in trained[:3]:
        design = space.design_of(row["choices"])
        assert design == Design.from_json(row["design"]) and costs.count(design).parameters == row["costs"]["parameters"]


@pytest.mark.parametrize("name", designs.found())
def test_a_shipped_design_comes_from_the_study_and_is_measured(name):
    design, _ = designs.found()[name]
    rows = records.trained_rows(records.read_record(study.STUDY))
    assert design in [Design.from_json(row["design"]) for row in rows] and name in checkpoint.shipped()
    seeds = [row for row in study.read(study.FINAL)["rows"] if row["name"] == name]
    rival = next(most for most in PRESETS["ladder"].rungs if seeds[0]["parameters"] <= most[0])
    assert len(seeds) >= 3 and seeds[0]["multiply_adds"] <= rival[1]


# ----------------------------------------------------------------------------------------------- pictures, widget


def rows(n: int) -> list[dict]:
    """Rows of a record, with errors and choices drawn at random, and one that was turned away."""
    chance, made = random.Random(0), [{"number": 0, "choices": {}, "design": {}, "costs": asdict(Costs(99_999, 9)), "exceeded": ["x"]}]
    while len(made) < n + 1:
        choices = space.draw(chance)
        design = space.design_of(choices)
        spent = asdict(Costs(chance.randint(1_000, 9_000), chance.randint(10**5, 10**6)))
        row = {"number": len(made), "choices": choices, "design": design.to_json(), "costs": spent, "error": chance.random(), "seconds": 1}
        made.append(row)
    return made


def test_the_widget_opens_what_is_chosen():
    from tinycourse.widgets.lesson04 import SearchExplorer

    made = rows(6)
    explorer = SearchExplorer(made)
    assert explorer.row in records.front(made)
    explorer.count.value = 1
    assert explorer.row == made[1] and len(explorer.choice.options) == 1
    explorer.count.value = 6
    before = explorer.picture.value
    explorer.choice.value = explorer.choice.options[-1][1]
    assert explorer.row["error"] == max(r["error"] for r in made[1:] if r not in records.front(made))
    assert explorer.picture.value != before and f"{explorer.row['costs']['parameters']:,}" in explorer.words.value


def test_pictures():
    made = rows(12)
    points = np.array([(row["error"], row["costs"]["parameters"]) for row in made[1:]])
    best = pareto.on_front(points)
    drawn_figures = [
        figures.space(space.CHOICES, made[1]["choices"]),
        figures.cloud(made, PRESETS["ladder"].rungs, {"M": (4_729, 998_300)}),
        figures.front(points, best, {"M": (0.5, 4_729)}),
        figures.area(points[best], records.REFERENCE),
        figures.growth({"random": [[0.1, 0.2], [0.2, 0.3]], "tpe": [[0.1, 0.4], [0.2, 0.5]]}),
        figures.effects(records.effects(made, least=1), 0.5),
        figures.foretelling([0.2, 0.3], [0.1, 0.2], {"short training": 1.0, "snip": -0.5}),
        figures.rivals({"found": {"a": (2_000, 0.9)}, "TinySpeech": {"m": (4_729, 0.92)}, "BC-ResNet": {}}),
        figures.prices({"a": 10**6, "b": 2 * 10**6}, {"a": 0.01, "b": -0.02}, {"a": 10**5, "b": 10**5}),
    ]
    assert all(figure.axes for figure in drawn_figures)
    plt.close("all")


def test_the_legend_of_a_front_covers_no_point():
    figure = figures.front([(0.54, 6_500), (0.38, 3_600), (0.3, 5_200)], [False, True, True], {"found": (0.04, 4_000)})
    figure.canvas.draw()
    ax = figure.axes[0]
    box = ax.get_legend().get_window_extent()
    assert not any(box.contains(*xy) for line in ax.lines for xy in ax.transData.transform(line.get_xydata()))
    plt.close(figure)


def test_effects_are_means_of_the_trained():
    seen = ((4_000, 0.4), (4_000, 0.6), (7_600, 0.2))
    made = [{"choices": {"high": h, "skip": True}, "design": {"stem": i}, "error": e} for i, (h, e) in enumerate(seen)]
    turned_away = {"choices": {"high": 7_600, "skip": True}, "exceeded": ["ram 1"]}
    assert records.effects([*made, turned_away], least=1) == {"high": {7_600: 0.2, 4_000: 0.5}}
    assert records.effects(made, least=2) == {}


def test_a_design_is_trained_once(sounds, monkeypatch):
    study = explore.live(SETTINGS, sounds, 1)
    first = study.get_trials()[-1]
    study.enqueue_trial(first.params)
    monkeypatch.setattr(explore, "measure", None)
    explore.step(study, SETTINGS, sounds)
    assert study.get_trials()[-1].values == first.values and explore.trained(study) == 1
    assert [row["number"] for row in records.trained_rows(records.record(study))] == [first.number]


def test_growth_never_falls():
    points = np.random.default_rng(0).uniform((0, 0), records.REFERENCE, (30, 2))
    grown = records.growth(points)
    assert grown == sorted(grown) and 0 <= grown[0] and grown[-1] < 1
