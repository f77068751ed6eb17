"""Ranges that travel in checkpoints: the same integers with and without data, for the weights and the graph that they belong to."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.recordings import tone, write
from tinycourse import cli, data
from tinycourse.data import sentences
from tinycourse.errors import TinycourseError
from tinycourse.export import deploy, network_package, onnx_form
from tinycourse.models import TRANSDUCERS
from tinycourse.program.program import Program
from tinycourse.program.transducer import TransducerProgram
from tinycourse.quantization import calibration
from tinycourse.training import checkpoint, transducers

WORDS, SENTENCES = "found-337", "rnnt-digits-sparse"


def same(one: Program | TransducerProgram, other: Program | TransducerProgram) -> bool:
    """Whether two programs are equal in every integer and every scale."""
    if isinstance(one, TransducerProgram):
        return one.programs.keys() == other.programs.keys() and all(same(one.programs[k], other.programs[k]) for k in one.programs)
    (arrays, text), (others, said) = one.pack(), other.pack()
    return text == said and arrays.keys() == others.keys() and all(np.array_equal(arrays[k], others[k]) for k in arrays)


@pytest.fixture(scope="module")
def clips():
    """Clips of words [24, 16000]."""
    return data.open_dataset("tinywords", classes=10).clips("testing", 24).audio


@pytest.fixture(scope="module")
def strings():
    """Three strings of digits."""
    return sentences.open_task("connected-digits", source="tinywords").speech("testing").audio[:3]


@pytest.mark.parametrize("name", [WORDS, SENTENCES])
def test_ranges_give_the_integers_that_their_recordings_gave(name, clips, strings, tmp_path):
    recogniser, audio = checkpoint.load(name), clips if name == WORDS else strings
    make = deploy.program_of if name == WORDS else deploy.transducer_program_of
    recogniser.calibration = calibration.measure(recogniser, audio, "tinywords", "min-max")
    checkpoint.save(recogniser, tmp_path / "m.safetensors")
    loaded = checkpoint.load(tmp_path / "m.safetensors")
    assert loaded.calibration.observer == "min-max" and loaded.calibration.count == len(audio)
    assert same(make(loaded, observer="min-max"), make(recogniser, audio, "min-max"))


@pytest.mark.parametrize("name", checkpoint.all_shipped())
def test_shipped_ranges_belong_to_shipped_weights(name):
    recogniser = checkpoint.load(name)
    assert calibration.fits(recogniser)
    expected = (recogniser.info["data"], 100 if recogniser.name in TRANSDUCERS else 500)
    assert (recogniser.calibration.data, recogniser.calibration.count) == expected


@pytest.mark.parametrize("name", [WORDS, "tinyspeech-m", "bc-resnet-0.625"])
def test_labels_do_not_depend_on_numbers_or_names_of_classes(name):
    recogniser = checkpoint.load(name)
    graph = calibration.graph_of(recogniser)
    labels = list(calibration.labels_of(graph, recogniser).values())
    assert len(set(labels)) == len(graph.nodes) and not any(type(recogniser.network).__name__ in label for label in labels)
    for number, node in enumerate(graph.nodes[1:]):
        node.name = f"{node.kind}_{number + 100}"
    assert list(calibration.labels_of(graph, recogniser).values()) == labels


@pytest.fixture
def few(clips, data_root, monkeypatch):
    """Nothing but tinywords is there, and ranges are measured on eight of its clips."""
    monkeypatch.setattr(deploy, "calibration_audio", lambda recogniser, name: clips[:8])


def test_ranges_hold_for_their_weights_and_observer_only(few):
    recogniser = checkpoint.load(WORDS)
    found = recogniser.calibration
    deploy.calibrate(recogniser)
    assert recogniser.calibration is found
    deploy.calibrate(recogniser, observer="min-max")
    assert recogniser.calibration.observer == "min-max" and recogniser.calibration.count == 8
    recogniser.calibration = found
    deploy.calibrate(recogniser, "tinywords")
    assert recogniser.calibration.data == "tinywords" and recogniser.calibration.ranges != found.ranges
    recogniser.calibration = found
    recogniser.frontend.mean += 0.1
    assert not calibration.fits(recogniser)
    recogniser.calibration = None
    assert not calibration.fits(recogniser)


@pytest.mark.parametrize("name, part", [(WORDS, "network"), (SENTENCES, "joint"), (SENTENCES, "back")])
def test_ranges_of_another_graph_are_refused(name, part):
    recogniser = checkpoint.load(name)
    make = deploy.program_of if name == WORDS else deploy.transducer_program_of
    ranges = recogniser.calibration.ranges
    first, *rest = sorted(ranges[part])
    for other in ({k: ranges[part][k] for k in rest}, ranges[part] | {"elsewhere.conv": (0.0, 1.0)}):
        recogniser.calibration = replace(recogniser.calibration, ranges=ranges | {part: other})
        with pytest.raises(TinycourseError, match=f"those of another graph.*{part} ({first}|elsewhere.conv)"):
            make(recogniser)


def test_the_verb_measures_anew(capsys, few, tmp_path):
    out = tmp_path / "m.safetensors"
    assert cli.main(["calibrate", WORDS, "--out", str(out), "--observer", "percentile", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    loaded = checkpoint.load(out)
    assert figures["ranges"] == loaded.calibration.ranges and calibration.fits(loaded, "percentile")
    assert (figures["data"], figures["count"]) == ("tinywords", 8)
    assert cli.main(["calibrate", WORDS, "--out", str(tmp_path / "m.pt")]) == 1


def test_some_clips_are_evenly_spread():
    words = data.open_dataset("tinywords", classes=10)
    all_of_them, some = words.clips("testing"), words.clips("testing", 40)
    step = len(all_of_them) // 40
    assert torch.equal(some.audio, all_of_them.audio[::step][:40]) and torch.equal(some.labels, all_of_them.labels[::step][:40])
    assert some.paths == all_of_them.paths[::step][:40] and len(words.clips("testing", 10**6)) == len(all_of_them)


# ------------------------------------------------------------------------------------------ without any data


@pytest.mark.parametrize("name", checkpoint.all_shipped())
def test_every_shipped_name_is_exported_without_data(name, capsys, data_root, tmp_path):
    assert cli.main(["export", name, "--target", "host", "--out", str(tmp_path / "out"), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["metadata"]["model"] == checkpoint.load(name).name and "calibrating" not in said.err
    write(tmp_path / "word.wav", tone(440))
    assert cli.main(["run", str(tmp_path / "out"), str(tmp_path / "word.wav")]) == 0
    if name not in checkpoint.shipped("transducers") and importlib.util.find_spec("onnx"):
        onnx_form.to_onnx(Program.load(tmp_path / "out" / "program.safetensors"))


FORMS = [
    (WORDS, "plain", ["--listen"]),
    (WORDS, "arduino", []),
    (WORDS, "zephyr", ["--samples"]),
    (SENTENCES, "plain", ["--samples"]),
    (SENTENCES, "arduino", []),
    ("rnnt-an4", "zephyr", []),
]


@pytest.mark.parametrize("name, form, options", FORMS)
def test_every_form_is_exported_without_data(name, form, options, capsys, data_root, tmp_path):
    assert cli.main(["export", name, "--as", form, "--out", str(tmp_path / "out"), *options]) == 0
    said = capsys.readouterr()
    places = [said.err.index(stage) for stage in ("reading the checkpoint", "compiling for cortex-m4", "running on cortex-m4")]
    assert places == sorted(places) and "calibrating" not in said.err and (tmp_path / "out" / "report.json").is_file()


def test_onnx_is_exported_without_data(data_root, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'tinycourse[onnx]'")
    assert cli.main(["export", WORDS, "--as", "onnx", "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("name", [WORDS, "rnnt-an4"])
def test_quantized_without_data(name, capsys, data_root, tmp_path):
    assert cli.main(["quantize", name, "--out", str(tmp_path / "i.safetensors")]) == 0
    assert "signal to noise" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------ evaluations in C


@pytest.mark.parametrize("samples", [False, True])
def test_an_evaluation_in_c_is_that_of_the_interpreter(samples, clips, monkeypatch):
    monkeypatch.setattr(network_package, "PART", 7)
    program = deploy.program_of(checkpoint.load(WORDS), samples=samples)
    expected = deploy.integer_logits(program, clips)
    assert torch.equal(deploy.compiled_logits(program, clips), expected)
    x = deploy.inputs(program, clips)
    np.testing.assert_array_equal(network_package.run_on_host(program, x, threads=3), program.run(x))


@pytest.mark.parametrize("samples", [False, True])
def test_transcripts_in_c_are_those_of_the_interpreter(samples, strings):
    recogniser = checkpoint.load(SENTENCES)
    texts = deploy.compiled_texts(deploy.transducer_program_of(recogniser, samples=samples), strings)
    assert texts == transducers.transcribe(deploy.in_integers(recogniser, samples), strings) and any(texts)


def test_c_that_differs_is_not_believed(clips, monkeypatch):
    program, run = deploy.program_of(checkpoint.load(WORDS)), network_package.Runner.run
    monkeypatch.setattr(network_package.Runner, "run", lambda self, x: run(self, x) ^ 1)
    with pytest.raises(TinycourseError, match="differs from the interpreter"):
        deploy.compiled_logits(program, clips)
