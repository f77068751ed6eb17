"""A listener that never stops: chunk by chunk it hears what the recording as a whole says, and C hears what Python does."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.compilers import gcc_accepts
from tinycourse.codegen import spotter_writer
from tinycourse.codegen.frontend_writer import buffers
from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.errors import TinycourseError
from tinycourse.export import package
from tinycourse.export.network_package import Runner
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.program import keyword_spotter
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.keyword_spotter import Listener, Settings, without_samples
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.program import Program
from tinycourse.program.streaming_frontend import StreamingFrontend
from tinycourse.quantization.integer_frontend import frontend_program, with_samples
from tinycourse.spotting import detector
from tinycourse.targets import binaries

RATE = 1600  # a tenth of the real one: the same code in a tenth of the time
SHAPES = {
    "centred": FrontendConfig("log-mel", RATE, 100, 16, 128, 6, 6, high=700.0),
    "hop of a chunk, windows within": FrontendConfig("log-mel", RATE, 64, 32, 64, 4, 4, high=700.0, centred=False),
    "hop beyond a chunk": FrontendConfig("mfcc", RATE, 128, 64, 128, 6, 4, high=700.0),
    "odd window": FrontendConfig("log-mel", RATE, 63, 32, 64, 4, 4, high=700.0),
}
SETTINGS = {
    "centred": Settings(hop=0.1, windows=3, threshold=0.4, refractory=0.5),
    "hop of a chunk, windows within": Settings(hop=0.02, windows=1, threshold=0.3, refractory=0.05),
    "hop beyond a chunk": Settings(hop=0.2, windows=2, threshold=0.4, refractory=0.0),
    "odd window": Settings(hop=0.02, windows=1, threshold=0.3, refractory=0.05),
}


def sound(seconds: float) -> np.ndarray:
    """Noise whose colour and loudness wander: int16 [samples]."""
    rng, t = np.random.default_rng(0), np.arange(int(seconds * RATE)) / RATE
    x = np.sin(2 * np.pi * (300 + 200 * np.sin(4 * t)) * t) + rng.normal(0, 0.3, len(t))
    return np.rint(8000 * np.sin(2.3 * t) ** 4 * x).astype(np.int16)


def hearing(name: str) -> Listener:
    """Ears, a linear layer with random weights, four classes."""
    rng, front = np.random.default_rng(1), Frontend(SHAPES[name])
    front.fit(torch.from_numpy(sound(4)).unfold(0, RATE, RATE) / 32768)
    shape = (*front.config.shape[1:], 1)
    weight = rng.integers(-127, 128, (4, int(np.prod(shape))), np.int8)
    multiplier, shift = fixed_point(np.full(4, 0.3 / weight[0].size ** 0.5 / 30))
    arrays = dict(weight=weight, bias=np.zeros(4, np.int32), multiplier=multiplier, shift=shift)
    tensors = [Tensor("x", shape, 0.03, 5), Tensor("flat", (weight[0].size,), 0.03, 5), Tensor("y", (4,), 0.1, 0)]
    operations = [OPS["reshape"](("x",), "flat"), OPS["linear"](("flat",), "y", {}, arrays)]
    names = {"classes": ["silence", "yes", "unknown", "no"]}
    program = with_samples(Program("x", "y", {t.name: t for t in tensors}, operations, names), front)
    return Listener(program, SETTINGS[name])


@pytest.mark.parametrize("name", SHAPES)
def test_a_stream_equals_the_recording(name):
    listening, x = hearing(name), sound(6)
    posteriors = listening.posteriors(x)
    whole = listening.decide(posteriors)
    assert len(whole) >= 2 and {word for _, word, _ in whole} <= {1, 3}  # silence and unknown never fire
    assert [((listening.ready(run) - 1) // listening.chunk, *found) for run, *found in whole] == keyword_spotter.spot(listening, x)


@pytest.mark.parametrize("name", SHAPES)
def test_decisions_are_those_of_the_float_definitions(name):
    listening, x = hearing(name), sound(6)
    s, posteriors = listening.settings, listening.posteriors(x)
    classes = tuple(listening.program.metadata["classes"])
    real = torch.from_numpy(posteriors / 2**keyword_spotter.BITS)
    assert ((real.sum(1) <= 1) & (real.sum(1) > 1 - posteriors.shape[1] / 2**keyword_spotter.BITS)).all()
    score, words = detector.best_keyword(detector.smooth(real, s.windows), classes)
    expected = detector.detect(score, words, s.threshold, s.hop, s.refractory)
    found = listening.decide(posteriors)
    assert [classes[word] for _, word, _ in found] == [d.word for d in expected]
    np.testing.assert_allclose([1 + run * s.hop for run, _, _ in found], [d.time for d in expected])


@pytest.mark.parametrize("centred", [True, False])
def test_samples_never_outgrow_their_buffer(centred):
    for window in range(1, 33):
        front = Frontend(FrontendConfig("log-mel", RATE, window, window, 64, 4, 4, high=700.0, centred=centred))
        program = frontend_program(front, Tensor("x", (1, 4, 1), 0.03, 5))
        for chunk in range(1, 40):
            frontend, most = StreamingFrontend(program, chunk), 0
            for _ in range(2 + 2 * window // chunk):
                count = len(frontend.kept) + chunk  # as tc_ears_hear has it
                most = max(most, count + frontend.lead * (not frontend.begun and count > frontend.lead))
                frontend.take(np.zeros(chunk, np.int16))
            assert most <= buffers(frontend)["kept"][1] <= most + window


def test_softmax_in_integers():
    listening = hearing("centred")
    scores = np.random.default_rng(0).integers(-128, 128, (1000, 4)).astype(np.int8)
    expected = torch.from_numpy(0.1 * scores).softmax(1).numpy()
    # a power is off by half a step, of a sum of at least 2**14 of them; the quotient is rounded down
    assert np.abs(listening.softmax(scores) / 2**keyword_spotter.BITS - expected).max() <= (0.5 + 2 * 0.5 + 1) / 2**keyword_spotter.BITS


@pytest.mark.parametrize("target", ["host", "wasm", "cortex-m4", "cortex-m0plus"])
def test_c_hears_what_python_does(target, tmp_path):
    for i, name in enumerate(SHAPES):
        listening, x = hearing(name), sound(3)
        (folder := tmp_path / str(i)).mkdir()
        model = spotter_writer.build(listening, target, folder)
        for _ in range(2):  # a reset forgets everything
            model.reset()
            listening.reset()
            for chunk in x.reshape(-1, listening.chunk):
                assert model.step(chunk) == listening.step(chunk)
                if listening.runs:
                    np.testing.assert_array_equal(model.newest, listening.newest)
                    np.testing.assert_array_equal(model.scores, listening.scores)


def test_a_module_is_compiled_once_and_its_instances_do_not_share_what_they_hear():
    listening, x = hearing("centred"), sound(3)
    module = spotter_writer.webassembly(listening)
    assert spotter_writer.webassembly(hearing("centred")) is module
    one, other = (Compiled(listening, binaries.WebAssembly(module)) for _ in range(2))
    found, other_found = [], []
    for chunk, silence in zip(x.reshape(-1, listening.chunk), np.zeros_like(x).reshape(-1, listening.chunk)):  # by turns
        found.append(one.step(chunk))
        other_found.append(other.step(silence))
    listening.reset()
    assert found == [listening.step(chunk) for chunk in x.reshape(-1, listening.chunk)] and found != other_found


# ------------------------------------------------------------------------------------------------------- packages


@pytest.mark.parametrize("target, dsp", [("host", False), ("wasm", False), ("cortex-m0plus", False), ("cortex-m4", True)])
def test_an_exported_listener_hears_the_same_when_loaded(target, dsp, tmp_path):
    listening, x = hearing("centred"), sound(3)
    report = package.export(listening, target, tmp_path / "m", dsp)
    assert report == json.loads((tmp_path / "m" / "report.json").read_text()) and report["kernels"] == ("dsp" if dsp else "plain")
    compiled = package.load(tmp_path / "m")
    assert compiled.listener.settings == listening.settings
    assert keyword_spotter.spot(compiled, x) == keyword_spotter.spot(listening, x) != []
    network, rest = report["parts"].values()
    assert network["calls_per_second"] == 10 and rest["calls_per_second"] == 50
    assert report["multiply_adds"] == 10 * network["multiply_adds"] == 10 * 4 * listening.ring.size
    assert report["flash"]["weight_bytes"] == network["weight_bytes"] + rest["weight_bytes"]
    held = listening.ring.size + 2 * (listening.frontend.size + listening.chunk)  # features, samples
    assert held < report["ram"]["buffer_bytes"] < held + 2_000
    readme = (tmp_path / "m" / "README.md").read_text()
    assert "reaches 0.4" in readme and f"{report['ram']['buffer_bytes']:,}" in readme
    if target.startswith("cortex"):
        flash, ram = report["flash"], report["ram"]
        assert flash["total_bytes"] >= flash["code_bytes"] + flash["weight_bytes"]
        assert 0 <= ram["total_bytes"] - ram["arena_bytes"] - ram["buffer_bytes"] - ram["stack_bytes"] < 64  # its counters
        spent = sum(part["calls_per_second"] * part["instructions"] for part in (network, rest))
        assert spent == pytest.approx(report["instructions"], abs=50) and network["instructions"] < report["worst_chunk"]
        assert compiled.worst <= compiled.instructions < 3 * 1.2 * report["instructions"]
    else:
        assert report["instructions"] is compiled.instructions is report["ram"]["total_bytes"] is None


def test_a_listener_that_differs_is_not_exported(tmp_path, monkeypatch):
    monkeypatch.setattr(Compiled, "step", lambda self, chunk: (1, 1))
    with pytest.raises(TinycourseError, match="differs from the interpreter in chunk 0"):
        package.export(hearing("centred"), "host", tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_package_says_what_it_holds(tmp_path):
    listening = hearing("centred")
    package.export(listening, "wasm", tmp_path / "listener")
    package.export(listening.program, "wasm", tmp_path / "network")
    assert isinstance(package.load(tmp_path / "listener"), Compiled)
    assert isinstance(package.load(tmp_path / "network"), Runner)


def test_mistakes():
    for settings in ({"threshold": -0.1}, {"threshold": 1.01}, {"threshold": float("nan")}):
        with pytest.raises(TinycourseError, match="choose one from 0 to 1"):
            Settings(**settings)
    for settings in ({"hop": 0}, {"hop": float("nan")}, {"refractory": -1}, {"windows": 0}, {"chunk": float("inf")}):
        with pytest.raises(TinycourseError, match="between 0 and 60 seconds"):
            Settings(**settings)
    program = hearing("centred").program
    for settings in (Settings(chunk=0.0001), Settings(hop=0.001), Settings(hop=0.105)):
        with pytest.raises(TinycourseError, match="not whole samples"):
            Listener(program, settings)
    with pytest.raises(TinycourseError, match="takes samples"):
        Listener(without_samples(program))
    with pytest.raises(TinycourseError, match="needs a class for each output"):
        Listener(dataclasses.replace(program, metadata={"classes": ["silence"]}))


def test_gcc_compiles_the_sources_too(tmp_path):
    gcc_accepts(spotter_writer.generate(hearing("centred")), tmp_path)
