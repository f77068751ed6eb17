# ruff: noqa: F811
"""Transducers in integers: saved with their vocabulary, compared with float layer by layer, and the verbs that do both."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors import safe_open

from tests.data.test_sentences import digits, small_task  # noqa: F401
from tests.quantization.test_recurrent_layers import transducer
from tinycourse import cli
from tinycourse.errors import TinycourseError
from tinycourse.program.transducer import PARTS
from tinycourse.quantization import integer_transducer
from tinycourse.quantization.integer_transducer import error_report, integer_recogniser, quantize_transducer
from tinycourse.quantization.post_training import signal_to_noise
from tinycourse.quantization.recurrent_layers import run_steps
from tinycourse.training import checkpoint, transducers
from tinycourse.transducer.decoding import Limits
from tinycourse.transducer.vocabulary import Vocabulary

NOISE = [torch.randn(n, generator=torch.Generator().manual_seed(n)) / 10 for n in (8_000, 14_000, 11_000)]


@pytest.fixture(scope="module")
def recogniser():
    """Nobody trained it, but it says something."""
    made = transducers.recogniser_for("rnnt-digits-ln-cifg-sru", Vocabulary.of(["ONE", "TWO", "THREE"], "characters"), 0)
    made.network.joint.output.weight.data *= 20
    made.info = {"command": "none"}
    return made.eval()


def test_a_saved_one_says_the_same(recogniser, tmp_path):
    integers, path = integer_recogniser(recogniser, NOISE), tmp_path / "integers.safetensors"
    integer_transducer.save(integers, path)
    loaded, limits = integer_transducer.load(path), Limits(blank_penalty=3.0)
    said = [transducers.transcribe(one, NOISE, limits) for one in (integers, loaded)]
    assert said[0] == said[1] and any(said[0])
    assert (loaded.name, loaded.classes, loaded.info) == (recogniser.name, recogniser.classes, recogniser.info)
    with safe_open(path, framework="np") as f:
        kinds = {key: f.get_tensor(key).dtype for key in f.keys()}
    assert all(np.issubdtype(kind, np.integer) for key, kind in kinds.items() if not key.startswith("frontend."))
    assert path.stat().st_size < 1.2 * integers.network.weight_bytes  # what is not weights is little


def test_files_of_another_kind_are_refused(recogniser, tmp_path):
    checkpoint.save(recogniser, tmp_path / "float.safetensors")
    with pytest.raises(TinycourseError, match="not a tinycourse-integers-1"):
        integer_transducer.load(tmp_path / "float.safetensors")
    integer_transducer.save(integer_recogniser(recogniser, NOISE), tmp_path / "integers.safetensors")
    with pytest.raises(TinycourseError, match="not a tinycourse-checkpoint-1"):
        checkpoint.load(tmp_path / "integers.safetensors")


def test_the_report_sees_what_the_network_gives():
    network, features = transducer("cifg", "ln-sru"), list(torch.randn(4, 60, 6)) + [torch.randn(40, 6), torch.randn(4, 6)]
    integers = quantize_transducer(network, features)
    rows = error_report(network, integers, features)
    assert {(row["part"], row["tensor"]) for row in rows} == {
        (part, name) for part in PARTS for name in integers.programs[part].tensors if name not in integers.programs[part].state
    }
    with torch.no_grad():
        expected, heard = (torch.cat([one.encoder(x[None])[0][0] for x in features]) for one in (network, integers))
    snr = signal_to_noise(expected.numpy(), integers.programs["back"].dequantize_output(heard.numpy()))
    assert [row["snr"] for row in rows if row["part"] == "back"][-1] == pytest.approx(snr, abs=0.01)
    assert rows[-1]["tensor"] == "logits" and rows[-1]["snr"] > 20
    with pytest.raises(TinycourseError, match="at least one recording"):
        error_report(network, integers, [torch.randn(2, 6)])


def test_an_error_shows_in_its_part_and_in_those_behind_it():
    network, features = transducer(), list(torch.randn(4, 60, 6))
    integers = quantize_transducer(network, features)
    good = error_report(network, integers, features)
    integers.programs["front"].operations[0].arrays["weight"][:] //= 2
    bad = error_report(network, integers, features)
    for row, worse in zip(good, bad, strict=True):
        if row["part"] == "prediction" or (row["part"], row["tensor"]) == ("front", "input"):
            assert worse == row
        else:
            assert worse["snr"] < row["snr"] - 10, row


def test_the_report_begins_every_recording_anew():
    network, features = transducer("lstm", "sru"), list(torch.randn(2, 40, 6))
    integers = quantize_transducer(network, features)
    rows = {(row["part"], row["tensor"]): row["snr"] for row in error_report(network, integers, features)}
    assert rows["prediction", "input"] == math.inf  # labels are integers
    program, x = integers.programs["front"], torch.stack(integer_transducer.stacked(network.config, features))
    y, _ = run_steps(program, program.quantize_input(x))
    with torch.no_grad():
        expected, _ = network.encoder.layers[0](x)
    assert rows["front", program.output] == pytest.approx(signal_to_noise(expected.numpy(), program.dequantize_output(y)), abs=0.01)


def test_the_verbs(small_task, tmp_path, capsys):
    path, out = tmp_path / "d.safetensors", tmp_path / "i.safetensors"
    recogniser = transducers.recogniser_for("rnnt-digits-cifg-sru", Vocabulary.of(small_task.texts(), "words"), 0)
    recogniser.info = {"data": "connected-digits"}
    checkpoint.save(recogniser, path)
    assert cli.main(["evaluate", str(path), "--data", "connected-digits", "--int8", "--json"]) == 0
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert figures["int8"] and figures["count"] == figures["float"]["count"] == 12 and "calibrating on 12" in said.err
    assert figures["word_error_rate"] == pytest.approx(figures["float"]["word_error_rate"], abs=0.3)
    assert cli.main(["evaluate", str(path), "--data", "connected-digits", "--samples", "--json"]) == 0
    heard = json.loads(capsys.readouterr().out)
    assert heard["samples"] and heard["int8"] and heard["float"] == figures["float"] and not figures["samples"]
    assert heard["word_error_rate"] == pytest.approx(figures["word_error_rate"], abs=0.3)
    assert cli.main(["evaluate", str(path), "--data", "connected-digits", "--int8", "--calibrate", "an5"]) == 1
    assert cli.main(["quantize", str(path), "--out", str(out), "--observer", "min-max", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["weight_bytes"] == integer_transducer.load(out).network.weight_bytes
    assert {row["part"] for row in figures["report"]} == set(PARTS)
    assert cli.main(["quantize", str(path), "--out", str(tmp_path / "i.bin")]) == 1


def test_the_verb_for_words(small_speech_commands, tmp_path, capsys):
    out = tmp_path / "i.safetensors"
    assert cli.main(["quantize", "tinyspeech-m", "--out", str(out), "--calibrate", "speech-commands"]) == 0
    assert "signal to noise" in capsys.readouterr().out and out.stat().st_size < 40_000
