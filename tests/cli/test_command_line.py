"""The command line as a contract: what goes where, exit statuses, and one clear sentence for each mistake."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch

from tests.recordings import tone, write
from tinycourse import cli, data
from tinycourse.cli import trainings
from tinycourse.cli.command_line import VERBS
from tinycourse.cli.options import Group, Verb
from tinycourse.features.audio import read_audio, to_int16
from tinycourse.program.keyword_spotter import BITS, Listener, Settings, spot
from tinycourse.program.program import Program
from tinycourse.quantization import calibration
from tinycourse.training import checkpoint, classifiers, resume

NAME = "tinyspeech-m"


def call(capsys, *arguments) -> tuple[int, str, str]:
    """Exit status, standard output, standard error of `tinycourse *arguments`."""
    status = cli.main([str(a) for a in arguments])
    return status, *capsys.readouterr()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A checkpoint that nobody trained: enough for everything that does not ask how good it is."""
    path = tmp_path_factory.mktemp("small") / "m.safetensors"
    recogniser = classifiers.seeded("tinyspeech-m", ("silence", "unknown", "yes", "no", "up", "down", "left", "right", "stop", "go"), 0)
    recogniser.info = {"data": "tinywords"}
    checkpoint.save(recogniser.eval(), path)
    return path


@pytest.fixture(scope="module")
def exported(small, tmp_path_factory):
    """The small checkpoint on every target."""
    folder = tmp_path_factory.mktemp("exported")
    for target in ("host", "cortex-m4", "wasm"):
        assert cli.main(["export", str(small), "--target", target, "--out", str(folder / target)]) == 0
    return folder


def test_every_verb_of_every_group_is_collected():
    files = sorted(Path(cli.__file__).parent.glob("*_commands.py"))
    modules = [importlib.import_module(f"tinycourse.cli.{path.stem}") for path in files]
    made = [value for module in modules for value in vars(module).values() if isinstance(value, Verb | Group)]
    assert len(made) == len(VERBS) == len({verb.name for verb in VERBS}) and all(verb in VERBS for verb in made)


def test_models_and_profile(capsys):
    status, out, _ = call(capsys, "models", "--json")
    assert status == 0 and {"tinyspeech-x", "tinyspeech-y", "tinyspeech-z", "tinyspeech-m"} <= json.loads(out).keys()
    status, out, _ = call(capsys, "profile", "tinyspeech-m", "--json")
    figures = json.loads(out)
    assert status == 0 and figures["model"] == "tinyspeech-m" and figures["parameters"] == 4729
    assert figures.keys() >= {"stored_parameters", "multiply_adds", "counter", "activation_bytes"}


def test_checkpoints_say_how_they_were_made(capsys):
    status, out, _ = call(capsys, "checkpoints", "--json")
    assert status == 0 and json.loads(out)[NAME]["command"].startswith(f"tinycourse train {NAME} --data speech-commands")


def test_data_list(capsys):
    status, out, _ = call(capsys, "data", "list", "--json")
    names = {row["name"] for row in json.loads(out)["data_sets"]}
    assert status == 0 and {"tinywords", "speech-commands", "spoken-digits", "an4", "librispeech"} <= names


def test_train_resume_evaluate(capsys, small_speech_commands, tmp_path):
    out = tmp_path / "m.safetensors"
    train = ("train", "tinyspeech-m", "--data", "speech-commands", "--out", out, "--epochs", "2", "--json")
    status, text, _ = call(capsys, *train)
    figures = json.loads(text)
    assert status == 0 and figures["checkpoint"] == str(out) and len(figures["history"]) == 2
    assert not resume.state_file(out).exists()
    info = checkpoint.load(out).info
    assert info["testing"] == figures["testing"] and info["seed"] == 0 and info["epochs"] == 2
    status, text, _ = call(capsys, "evaluate", out, "--data", "speech-commands", "--json")
    assert status == 0 and json.loads(text)["accuracy"] == figures["testing"]["accuracy"]
    assert calibration.fits(checkpoint.load(out)) and checkpoint.load(out).calibration.data == "speech-commands"
    status, _, said = call(capsys, "evaluate", out, "--data", "speech-commands", "--int8")
    assert status == 0 and "calibrating" not in said
    status, _, error = call(capsys, *train, "--resume")
    assert status == 1 and "nothing to resume" in error


def test_another_task_on_another_data_set(capsys, real_set, tmp_path):
    real_set("spoken-digits")
    out = tmp_path / "digits.safetensors"
    status, _, _ = call(capsys, "train", "tinyspeech-m", "--data", "spoken-digits", "--out", out, "--epochs", "1")
    assert status == 0 and checkpoint.load(out).classes == data.DIGITS
    status, text, _ = call(capsys, "evaluate", out, "--data", "tinywords", "--int8", "--json")
    assert status == 0 and set(json.loads(text)["per_class"]) == set(data.DIGITS)


def test_a_recipe_is_the_verbs_own():
    a = cli.parser().parse_args("train tinyspeech-m --data tinywords --out m.safetensors --learning-rate 0.01".split())
    assert (a.epochs, a.batch) == (None, None)
    assert trainings.as_asked(classifiers.TrainConfig(), a) == classifiers.TrainConfig(learning_rate=0.01)


def test_start_and_teacher(capsys, small_speech_commands, small, tmp_path):
    out = tmp_path / "more.safetensors"
    train = ("train", "tinyspeech-m", "--data", "speech-commands", "--out", out, "--epochs", "1")
    assert call(capsys, *train, "--start", small, "--teacher", small, "--learning-rate", "1e-9", "--augment", "mild")[0] == 0
    before, after = (checkpoint.load(path).network.stem.weight for path in (small, out))
    torch.testing.assert_close(before, after)  # it began there, and hardly moved
    status, _, error = call(capsys, *train, "--start", "tinyspeech-z")
    assert status == 1 and "not tinyspeech-m" in error


@pytest.fixture
def unfinished(monkeypatch, capsys):
    """A function that trains by the command line, and is stopped behind the last epoch: what --resume needs stays."""

    def stopped(*arguments):
        with monkeypatch.context() as patched:
            patched.setattr(trainings.Training, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            assert call(capsys, *arguments)[0] == 130

    return stopped


def test_resume_asks_for_the_same_checkpoints_and_data(capsys, small_speech_commands, small, tmp_path, unfinished):
    out, other = tmp_path / "m.safetensors", tmp_path / "other.safetensors"
    checkpoint.save(classifiers.seeded("tinyspeech-m", checkpoint.load(small).classes, 1), other)
    train = ("train", "tinyspeech-m", "--data", "speech-commands", "--out", out, "--epochs", "1", "--start")
    unfinished(*train, small)
    status, _, error = call(capsys, *train, other, "--resume")
    assert status == 1 and "differs in start: resume with the same, or train without --resume." in error and error.count("\n") == 1
    status, _, error = call(capsys, *train, small, "--resume", "--teacher", other)
    assert status == 1 and "differs in teacher" in error
    prune = ("--data", "speech-commands", "--out", tmp_path / "p.safetensors", "--epochs", "1", "--block", "1x1")
    unfinished("prune", small, *prune)
    status, _, error = call(capsys, "prune", other, *prune, "--resume")
    assert status == 1 and "differs in checkpoint" in error
    assert call(capsys, "prune", small, *prune, "--resume")[0] == 0
    write(small_speech_commands / "yes" / "00000007_nohash_0.wav", tone(440))
    status, _, error = call(capsys, *train, small, "--resume")
    assert status == 1 and "differs in training data" in error
    call(capsys, *train, small)
    assert checkpoint.load(out).info["fingerprints"].keys() == {"training data", "validation data", "testing data", "noise", "start"}


def test_a_training_that_diverges_is_no_success(capsys, small_speech_commands, tmp_path):
    train = "train", "tinyspeech-m", "--data", "speech-commands", "--out", (out := tmp_path / "m.safetensors"), "--json"
    assert call(capsys, *train, "--epochs", "1")[0] == 0
    before = out.read_bytes()
    status, figures, error = call(capsys, *train, "--learning-rate", "1e20")
    assert status == 1 and not figures and error.splitlines()[-1].endswith("the training has diverged, try a smaller learning rate.")
    assert "Traceback" not in error and out.read_bytes() == before  # no weights that are no numbers, and nothing lost


def test_two_devices_train_one_network(small_speech_commands, tmp_path):
    """Two processes on the CPU share every batch; the first of them writes the checkpoint."""
    out = tmp_path / "m.safetensors"
    train = [sys.executable, "-m", "tinycourse.cli", "train", "tinyspeech-m", "--data", "speech-commands", "--out", out]
    done = subprocess.run([*train, "--epochs", "1", "--devices", "2", "--json"], capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["testing"] == checkpoint.load(out).info["testing"]


def test_evaluate_leaves_out_what_the_model_does_not_know(capsys, data_root, small):
    folder = data_root / "SpeechCommands" / "speech_commands_test_set_v0.02"
    for name in ("_silence_", "_unknown_", "yes", "on", "off"):
        for i in range(3):
            write(folder / name / f"{i}.wav", tone(300 + i))
    arguments = ("evaluate", small, "--data", "speech-commands-test", "--json")
    status, out, error = call(capsys, *arguments)
    figures = json.loads(out)
    assert status == 0 and figures["count"] == 9 and figures["left_out"] == {"on": 3, "off": 3} and "left out" in error
    status, out, _ = call(capsys, *arguments, "--int8")
    assert status == 0 and json.loads(out)["count"] == 9


def test_evaluate_bundled(capsys, small):
    status, out, _ = call(capsys, "evaluate", small, "--data", "tinywords", "--json")
    figures = json.loads(out)
    assert status == 0 and figures["count"] == sum(map(sum, figures["confusion"])) > 100


def test_run_says_the_same_everywhere(capsys, exported, tmp_path):
    write(tmp_path / "word.wav", tone(440))
    answers = {}
    for target in ("host", "cortex-m4", "wasm"):
        status, out, _ = call(capsys, "run", exported / target, tmp_path / "word.wav", "--json")
        (answers[target],) = json.loads(out)["results"]
        assert status == 0
    instructions = answers["cortex-m4"].pop("instructions")
    assert 500_000 < instructions < 50_000_000
    assert answers["host"].pop("instructions") is None and answers["wasm"].pop("instructions") is None
    assert answers["host"] == answers["wasm"] == answers["cortex-m4"]
    assert answers["host"]["label"] == max(answers["host"]["scores"], key=answers["host"]["scores"].get)


def test_a_chip_that_takes_samples(capsys, small, exported, tmp_path):
    write(tmp_path / "word.wav", tone(440))
    folder = tmp_path / "ears"
    status, out, _ = call(capsys, "export", small, "--target", "cortex-m4", "--out", folder, "--samples", "--json")
    report = json.loads(out)
    assert status == 0 and report["input"] == {"shape": [16000], "type": "int16", "scale": 2.0**-15, "zero_point": 0}
    assert 1_000_000 < report["layers"][0]["instructions"] < 6_000_000  # the front end of one second
    answers = []
    for one in (folder, exported / "cortex-m4"):
        status, out, _ = call(capsys, "run", one, tmp_path / "word.wav", "--json")
        answers.append(json.loads(out)["results"][0])
    scores = [list(a["scores"].values()) for a in answers]
    assert status == 0 and scores[0] == pytest.approx(scores[1], abs=0.1)
    assert answers[0]["instructions"] - answers[1]["instructions"] > 1_000_000


def test_a_listener_hears_what_the_interpreter_hears(capsys, small, tmp_path):
    sound = torch.cat([torch.from_numpy(tone(pitch)) for pitch in (220, 440, 880)])
    write(tmp_path / "words.wav", sound.numpy())
    options = ("--listen", "--threshold", 0.1, "--hop", 0.1, "--windows", 3, "--refractory", 0.5, "--json")
    answers = {}
    for target in ("host", "cortex-m4"):
        status, out, _ = call(capsys, "export", small, "--target", target, "--out", tmp_path / target, *options)
        report = json.loads(out)
        assert status == 0 and report["kind"] == "listener" and report["metadata"]["listener"]["refractory"] == 0.5
        status, out, _ = call(capsys, "run", tmp_path / target, tmp_path / "words.wav", "--json")
        (answers[target],) = json.loads(out)["results"]
    assert answers["host"].pop("instructions") is None
    assert answers["cortex-m4"].pop("instructions") == pytest.approx(3 * report["instructions"], rel=0.4)  # none in the first second
    program = Program.load(tmp_path / "host" / "program.safetensors")
    reference = Listener(program, Settings(threshold=0.1, hop=0.1, windows=3, refractory=0.5))
    found = [
        {"time": 0.02 * (i + 1), "word": program.metadata["classes"][word], "score": score / 2**BITS}
        for i, word, score in spot(reference, to_int16(read_audio(tmp_path / "words.wav")))
    ]
    assert answers["host"] == answers["cortex-m4"] and answers["host"]["seconds"] == 3
    assert len(found) >= 2 and answers["host"]["detections"] == [one | {"time": pytest.approx(one["time"])} for one in found]
    status, out, _ = call(capsys, "run", tmp_path / "host", tmp_path / "words.wav")
    assert status == 0 and f"{found[0]['word']} at {found[0]['time']:.2f} s" in out
    write(tmp_path / "short.wav", tone(440)[:8_000])
    status, out, error = call(capsys, "run", tmp_path / "host", tmp_path / "short.wav")
    assert status == 1 and out == "" and "short.wav is over before" in error


def test_export_reports_sizes(capsys, small, tmp_path):
    status, out, _ = call(capsys, "export", small, "--target", "cortex-m4", "--out", tmp_path / "m", "--json")
    report = json.loads(out)
    assert status == 0 and report["target"] == "cortex-m4" and (tmp_path / "m" / "model.c").is_file()
    assert 4_000 < report["flash"]["weight_bytes"] < 30_000 and 0 < report["ram"]["arena_bytes"] < 64_000
    assert sum(layer["weight_bytes"] for layer in report["layers"]) == report["flash"]["weight_bytes"]
    status, out, _ = call(capsys, "export", small, "--target", "cortex-m4", "--out", tmp_path / "m")
    assert status == 0 and "blocks.0.first.grouped" in out and f"{report['instructions']:,} instructions" in out
    code, constants = (int(line.split()[-2].replace(",", "")) for line in out.splitlines()[:2])
    assert code + constants == report["flash"]["total_bytes"]


def test_other_rates_and_channels_are_accepted(capsys, exported, tmp_path):
    stereo = torch.from_numpy(tone(440, rate=44_100))[:, None].repeat(1, 2).numpy()
    soundfile.write(tmp_path / "word.wav", stereo, 44_100)
    status, out, _ = call(capsys, "run", exported / "host", tmp_path / "word.wav", "--json")
    assert status == 0 and json.loads(out)["results"][0]["label"]


@pytest.mark.parametrize(
    "content, words",
    [(None, "is not there"), (b"", "damaged"), (b"RIFF nonsense", "damaged"), ("short", "less than 10 ms")],
)
def test_bad_recordings_are_named(capsys, exported, tmp_path, content, words):
    path = tmp_path / "word.wav"
    if content == "short":
        write(path, tone(440)[:100])
    elif content is not None:
        path.write_bytes(content)
    status, out, error = call(capsys, "run", exported / "host", path)
    assert status == 1 and out == "" and str(path) in error and words in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("evaluate", "nowhere.safetensors", "--data", "tinywords"), "There is no checkpoint"),
        (("profile", "resnet-50"), "no model called 'resnet-50'"),
        (("train", "tinyspeech-m", "--data", "tinywords", "--out", "m.pth"), "ending"),
        (("train", "tinyspeech-m", "--data", "mnist", "--out", "m.safetensors"), "mnist"),
        (("train", "tinyspeech-m", "--data", "an4", "--out", "m.safetensors"), "an4 holds sentences, not single words"),
        (("train", "nosuch", "--data", "tinywords", "--out", "m.safetensors"), "no model called 'nosuch'"),
        (("train", "rnnt-digits", "--data", "nosuch", "--out", "m.safetensors"), "A transducer cannot learn from 'nosuch'"),
        (("train", "rnnt-digits", "--data", "tinywords", "--out", "m.safetensors"), "'tinywords': choose one of connected-digits"),
        (("train", "rnnt-an4", "--data", "an4", "--extra", "tinywords", "--out", "m.safetensors"), "There are no sentences in 'tinywords'"),
        (("train", "rnnt-an4", "--data", "an4", "--hold-out", "ann", "--out", "m.safetensors"), "an4 has no hold out"),
        (("prune", NAME, "--data", "librispeech", "--out", "m.safetensors"), "librispeech holds sentences"),
        (("prune", "rnnt-digits", "--data", "an4", "--source", "tinywords", "--out", "m.safetensors"), "an4 has no source"),
        (("evaluate", NAME, "--data", "an4"), "an4 holds sentences"),
        (("evaluate", "rnnt-digits", "--data", "mnist"), "'mnist'"),
        (("quantize", NAME, "--calibrate", "an4", "--out", "m.safetensors"), "an4 holds sentences"),
        (("run", "nowhere", "word.wav"), "nowhere"),
        (("export", NAME, "--target", "z80", "--out", "x"), "z80"),
        (("export", NAME, "--target", "host", "--as", "onnx", "--out", "x"), "leave out --target"),
        (("export", "rnnt-digits", "--as", "onnx", "--out", "x"), "no ONNX form of rnnt-digits"),
        (("export", "rnnt-digits", "--target", "host", "--out", "x", "--listen"), "leave out --listen and --kernels"),
        (("export", "rnnt-digits", "--target", "host", "--out", "x", "--kernels", "dsp"), "leave out --listen and --kernels"),
        (("export", NAME, "--as", "onnx", "--listen", "--out", "x"), "leave out --target, --samples, --listen and --kernels"),
        (("export", NAME, "--threshold", "0.5", "--out", "x"), "Only a keyword spotter takes --threshold; add --listen"),
        (("export", NAME, "--listen", "--threshold", "90", "--out", "x"), "choose a number from 0 to 1, not '90'"),
    ],
)
def test_mistakes_get_one_sentence(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    status, out, error = call(capsys, *arguments)
    last = error.strip().splitlines()[-1]
    assert status == 1 and out == "" and words in last and last.startswith("tinycourse: ") and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_serve_opens_the_first_notebook(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda command: called.append(command) or 7)
    assert cli.main(["serve", "--", "--no-browser"]) == 7
    ((*_, module, notebook, option),) = called
    assert module == "jupyterlab" and Path(notebook).is_file() and Path(notebook).name.startswith("00_") and option == "--no-browser"
