"""The shipped networks on real recordings: what they reach, and that everything that runs them agrees on every bit."""

import numpy as np
import pytest
import torch

from tinycourse import data
from tinycourse.codegen import spotter_writer
from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.export import deploy, package
from tinycourse.program import keyword_spotter
from tinycourse.program.keyword_spotter import Listener, Settings
from tinycourse.targets import binaries
from tinycourse.training import checkpoint, metrics

THOROUGH = "tinyspeech-m"  # the network of lesson 00 is compared on a thousand clips, the others on fewer
CLIPS = {"host": (1_000, 100), "wasm": (1_000, 100), "cortex-m4": (100, 2)}


@pytest.fixture(scope="module")
def source(real_data):
    return data.open_dataset("speech-commands", classes=10)


@pytest.fixture(scope="module")
def testing(source):
    return source.clips("testing")


@pytest.fixture(scope="module", params=sorted(checkpoint.shipped()))
def recogniser(request):
    return checkpoint.load(request.param)


@pytest.fixture(scope="module")
def program(recogniser, source):
    return deploy.program_of(recogniser, source.clips("validation").audio[::4])


@pytest.fixture(scope="module")
def on_host(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    package.export(program, "host", folder)
    return package.load(folder)


def test_accuracy_is_what_the_checkpoint_says(recogniser, testing):
    result = metrics.report(checkpoint.in_batches(recogniser, testing.audio), testing.labels, recogniser.classes)
    claimed = recogniser.info["testing"]
    assert result.count == claimed["count"]
    assert abs(result.accuracy - claimed["accuracy"]) < 2.5 / result.count  # two close calls may fall the other way elsewhere
    assert result.accuracy >= (0.75 if recogniser.name == "trad-fpool13" else 0.85)  # stopped early: an epoch of it is minutes


def test_int8_costs_at_most_a_point(recogniser, program, on_host, testing):
    logits = program.dequantize_output(on_host.run(deploy.inputs(program, testing.audio)))
    integer = metrics.report(torch.from_numpy(logits), testing.labels, recogniser.classes)
    assert integer.accuracy >= recogniser.info["testing"]["accuracy"] - 0.01


@pytest.mark.parametrize("target", CLIPS)
def test_bit_for_bit(recogniser, program, on_host, testing, target, tmp_path):
    count = CLIPS[target][recogniser.name != THOROUGH]
    x = deploy.inputs(program, testing.audio[torch.linspace(0, len(testing) - 1, count).long()])  # spread over all classes
    expected = np.concatenate([program.run(x[i : i + 50]) for i in range(0, len(x), 50)])
    if target != "host":
        package.export(program, target, tmp_path)
    runner = on_host if target == "host" else package.load(tmp_path)
    np.testing.assert_array_equal(runner.run(x), expected)


def test_the_listener_in_webassembly_hears_what_the_interpreter_hears(source, testing):
    program = deploy.program_of(checkpoint.load(THOROUGH), source.clips("validation").audio[::20], samples=True)
    listening = Listener(program, Settings(threshold=0.7))
    compiled = Compiled(listening, binaries.WebAssembly(spotter_writer.webassembly(listening)))
    samples = testing.audio[:: len(testing) // 36].flatten().numpy()  # three dozen clips, one behind the other
    for chunk in samples.reshape(-1, listening.chunk):
        assert compiled.step(chunk) == listening.step(chunk)
        if listening.runs and listening.frames % listening.stride < 2:
            np.testing.assert_array_equal(compiled.newest, listening.newest)
            np.testing.assert_array_equal(compiled.scores, listening.scores)
    whole = listening.decide(listening.posteriors(samples))
    assert len(whole) >= 12
    assert [((listening.ready(run) - 1) // listening.chunk, *found) for run, *found in whole] == keyword_spotter.spot(compiled, samples)
