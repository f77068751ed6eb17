"""The shipped networks on real recordings: what they reach, and that everything that runs them agrees on every bit."""

import numpy as np
import pytest
import torch

from tinycourse import checkpoint, data, deploy, metrics
from tinycourse.mcu import package

NAME = "tinyspeech-m-3x3"


@pytest.fixture(scope="module")
def source(real_data):
    return data.open_dataset("speech-commands", classes=10)


@pytest.fixture(scope="module")
def testing(source):
    return source.clips("testing")


@pytest.fixture(scope="module")
def recogniser():
    return checkpoint.load(NAME)


@pytest.fixture(scope="module")
def program(recogniser, source):
    return deploy.program_of(recogniser, source.clips("validation").audio[::4])


@pytest.fixture(scope="module")
def expected(program, testing):
    """Inputs and the interpreter's outputs for 1,000 clips spread over all classes."""
    chosen = torch.linspace(0, len(testing) - 1, 1_000).long()
    x = deploy.inputs(program, testing.audio[chosen])
    return x, np.concatenate([program.run(x[i : i + 50]) for i in range(0, len(x), 50)])


def test_accuracy_is_what_the_checkpoint_says(recogniser, testing):
    result = metrics.report(checkpoint.in_batches(recogniser, testing.audio), testing.labels, recogniser.classes)
    claimed = recogniser.info["testing"]
    assert result.count == claimed["count"]
    assert abs(result.accuracy - claimed["accuracy"]) < 2.5 / result.count  # two close calls may fall the other way elsewhere
    assert result.accuracy >= 0.85


def test_int8_costs_at_most_a_point(recogniser, program, testing):
    integer = metrics.report(deploy.integer_logits(program, testing.audio), testing.labels, recogniser.classes)
    assert integer.accuracy >= recogniser.info["testing"]["accuracy"] - 0.01


@pytest.mark.parametrize("target, count", [("host", 1_000), ("wasm", 1_000), ("cortex-m4", 100)])
def test_bit_for_bit(program, expected, target, count, tmp_path):
    x, y = expected
    package.export(program, target, tmp_path / target)
    step = len(x) // count
    np.testing.assert_array_equal(package.load(tmp_path / target).run(x[::step]), y[::step])
    assert len(x[::step]) >= count
