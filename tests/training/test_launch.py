"""Processes that a launcher starts: one network, one file, the same bits as by --devices; and variables that cannot be."""

import json
import os
import subprocess
import sys

import pytest
from lightning_fabric.plugins.environments.lightning import find_free_network_port

from tinycourse import cli
from tinycourse.errors import TinycourseError
from tinycourse.training import checkpoint, launch

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
TOLD = """
import sys
from tinycourse import cli
from tinycourse.training import classifiers
from tinycourse.data.fingerprint import fingerprint

fit = classifiers.fit

def told(recogniser, *given, **options):
    history = fit(recogniser, *given, **options)
    print("weights", fingerprint(list(recogniser.state_dict().values())), file=sys.stderr, flush=True)
    return history

classifiers.fit = told
sys.exit(cli.main())
"""


@pytest.fixture
def start(small_speech_commands, tmp_path):
    """A function that starts `tinycourse train` for one epoch with other variables and options; each process says its weights."""
    script = tmp_path / "told.py"
    script.write_text(TOLD)
    train = ["train", "tinyspeech-m", "--data", "speech-commands", "--epochs", "1", "--batch", "15", "--json"]

    def started(out: str, *options, **variables) -> subprocess.Popen:
        command = [sys.executable, str(script), *train, "--out", str(tmp_path / out), *options]
        return subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return started


def finish(process: subprocess.Popen) -> tuple[str, list[str]]:
    """Standard output, and the weights that processes said."""
    out, words = process.communicate(timeout=600)
    assert process.returncode == 0, words
    return out, [line.split()[1] for line in words.splitlines() if line.startswith("weights ")]


def test_two_processes_of_a_launcher_train_one_network(start, tmp_path):
    """The first alone writes and reports; both end with the same weights, those of `--devices 2`. Batches of 15 are shared as 8 and 7."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port())}
    both = [start(f"{rank}.safetensors", RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in (0, 1)]
    (figures, first), (nothing, second) = map(finish, both)
    assert len(first) == len(second) == 1 and first == second
    assert not nothing and json.loads(figures)["checkpoint"] == str(tmp_path / "0.safetensors")
    assert not (tmp_path / "1.safetensors").exists()
    _, weights = finish(start("alone.safetensors", "--devices", "2"))
    assert weights == first + second
    kept = [checkpoint.read(tmp_path / f"{name}.safetensors", checkpoint.FORMAT)[0] for name in ("alone", "0")]
    assert all((kept[0][name] == x).all() for name, x in kept[1].items())


@pytest.fixture
def variables(monkeypatch):
    """A function that sets a launcher's variables, and no others."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def given(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return given


FULL = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "node-0", "MASTER_PORT": "29500"}


@pytest.mark.parametrize(
    "more, here", [({}, 1), ({"LOCAL_RANK": "1"}, 2), ({"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, 2), ({"LOCAL_WORLD_SIZE": "4"}, 4)]
)
def test_how_many_processes_there_are(variables, more, here):
    variables(**FULL | more)
    assert launch.launched() == (4, here)


WRONG = [
    ({"RANK": "4"}, "RANK 4, LOCAL_RANK 0 and WORLD_SIZE 4 do not fit"),
    ({"RANK": "-1"}, "do not fit"),
    ({"WORLD_SIZE": "many"}, "is no number .*'many'.*as torchrun does"),
    ({"MASTER_ADDR": ""}, "MASTER_ADDR or MASTER_PORT is not: set all four"),
    ({"MASTER_PORT": "0"}, "MASTER_ADDR or MASTER_PORT is not"),
    ({"MASTER_PORT": "http"}, "is no number"),
]


@pytest.mark.parametrize("wrong, sentence", WRONG)
def test_variables_that_cannot_be(variables, wrong, sentence):
    variables(**FULL | wrong)
    with pytest.raises(TinycourseError, match=sentence):
        launch.fabric_for(1)


def test_a_launcher_and_devices_that_contradict_each_other(variables, tmp_path, capsys):
    variables(**FULL)
    train = ["train", "tinyspeech-m", "--data", "tinywords", "--out", str(tmp_path / "m.safetensors"), "--devices", "2"]
    assert cli.main(train) == 1
    assert capsys.readouterr().err == "tinycourse: A launcher has started 4 processes (WORLD_SIZE), not 2: leave --devices out.\n"


def test_without_a_launcher_or_with_one_process_nothing_is_distributed(variables):
    alone = launch.fabric_for(1, "cpu")
    variables(RANK="0", WORLD_SIZE="1")
    single = launch.fabric_for(1, "cpu")
    assert (alone.world_size, single.world_size) == (1, 1) and alone.is_global_zero and single.is_global_zero
