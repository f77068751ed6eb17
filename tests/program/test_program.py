"""The interpreter of program/program.py against slow, obvious loops, and against torch where torch has the operation."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests import fuzz, slow_recurrent
from tests.slow_recurrent import scaled
from tinycourse.errors import TinycourseError
from tinycourse.program.fixed_point import fixed_point, requantize, shift_right
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.program import Program

KINDS = list(OPS)


# The slow specification: one number of the output at a time, from Python integers. `x` are the inputs of one clip.


def at(x, position, shape):
    """The number at `position`, where axes of length 1 are broadcast."""
    return int(x[tuple(0 if n == 1 else i for i, n in zip(position, shape))])


def slow_conv(op, x, ins, out, position):
    (y, z, o), p, w = position, op.parameters, op.arrays["weight"]
    (sh, sw), (top, left), (dh, dw) = p["stride"], p["padding"], p["dilation"]
    inputs, first = w.shape[3], o // (len(w) // p["groups"]) * w.shape[3]
    total = int(op.arrays["bias"][o])
    for i, j, c in itertools.product(range(w.shape[1]), range(w.shape[2]), range(inputs)):
        row, column = y * sh - top + i * dh, z * sw - left + j * dw
        if 0 <= row < ins[0].shape[0] and 0 <= column < ins[0].shape[1]:
            total += int(w[o, i, j, c]) * (int(x[0][row, column, first + c]) - ins[0].zero_point)
    return scaled(total, op.arrays["multiplier"][o], op.arrays["shift"][o]) + out.zero_point


def slow_linear(op, x, ins, out, position):
    *place, o = position
    numbers = x[0][tuple(place)].tolist()
    total = sum(int(w) * (v - ins[0].zero_point) for w, v in zip(op.arrays["weight"][o], numbers)) + int(op.arrays["bias"][o])
    return scaled(total, op.arrays["multiplier"][o], op.arrays["shift"][o]) + out.zero_point


def slow_scale(op, x, ins, out, position):
    a, c = op.arrays, position[-1]
    band = tuple(i * bands // size for i, bands, size in zip(position, a["bias"].shape, out.shape))
    total = (int(x[0][position]) - ins[0].zero_point) * int(a["multiplier"][band]) + int(a["bias"][band])
    return scaled(total, 1, a["shift"][c]) + out.zero_point


def slow_add(op, x, ins, out, position):
    c, arrays = position[-1], op.arrays
    a, b = (at(v, position, t.shape) - t.zero_point for v, t in zip(x, ins))
    total = a * int(arrays["multiplier_a"][c]) + b * int(arrays["multiplier_b"][c]) + int(arrays["bias"][c])
    return scaled(total, 1, arrays["shift"][c]) + out.zero_point


def slow_multiply(op, x, ins, out, position):
    a, b = (at(v, position, t.shape) - t.zero_point for v, t in zip(x, ins))
    return scaled(a * b, op.parameters["multiplier"], op.parameters["shift"]) + out.zero_point


def slow_max_pool(op, x, ins, out, position):
    (y, z, c), p = position, op.parameters
    rows = range(y * p["stride"][0] - p["padding"][0], y * p["stride"][0] - p["padding"][0] + p["kernel"][0])
    columns = range(z * p["stride"][1] - p["padding"][1], z * p["stride"][1] - p["padding"][1] + p["kernel"][1])
    (h, w, _) = ins[0].shape
    return max([-128, *(int(x[0][i, j, c]) for i in rows for j in columns if 0 <= i < h and 0 <= j < w)])


def slow_average_pool(op, x, ins, out, position):
    (y, z, c), p = (position if len(position) == 3 else (0, 0, *position)), op.parameters
    (kh, kw), (sh, sw) = p["kernel"], p["stride"]
    total = sum(int(x[0][y * sh + i, z * sw + j, c]) - ins[0].zero_point for i in range(kh) for j in range(kw))
    return scaled(total, p["multiplier"], p["shift"]) + out.zero_point


def slow_upsample(op, x, ins, out, position):
    (y, z, c), (fh, fw) = position, op.parameters["factor"]
    return int(x[0][y // fh, z // fw, c])


def slow_crop(op, x, ins, out, position):
    return int(x[0][tuple(i + s for i, s in zip(position, op.parameters["start"]))])


def slow_pad(op, x, ins, out, position):
    source = tuple(i - s for i, s in zip(position, op.parameters["start"]))
    return int(x[0][source]) if all(0 <= i < n for i, n in zip(source, ins[0].shape)) else ins[0].zero_point


def slow_shift(op, x, ins, out, position):
    y, z, c = position
    for channel, count, dy, dx in op.arrays["runs"].tolist():
        if c < count:
            source = (y + dy, z + dx, channel + c)
            return int(x[0][source]) if all(0 <= i < n for i, n in zip(source, ins[0].shape)) else ins[0].zero_point
        c -= count


def slow_lookup(op, x, ins, out, position):
    return int(op.arrays["table"][int(x[0][position]) + 128])


def slow_reshape(op, x, ins, out, position):
    index = 0
    for i, n in zip(position, out.shape):
        index = index * n + i
    return x[0].reshape(-1).tolist()[index]


SLOW = slow_recurrent.SLOW | {name.removeprefix("slow_"): f for name, f in list(globals().items()) if name.startswith("slow_")}


@pytest.mark.parametrize("drawn", fuzz.DRAW)
def test_interpreter_is_what_the_loops_say(drawn):
    for seed in range(list(fuzz.DRAW).index(drawn), 8 * len(fuzz.DRAW), len(fuzz.DRAW)):
        program = fuzz.random_program(seed, operations=2, largest=800)
        values = program.trace(fuzz.random_input(program, seed))
        for op in (one for one in program.operations if one.kind != "features"):  # its steps are in test_integer_frontend.py
            ins, out = [program.tensors[n] for n in op.inputs], program.tensors[op.output]
            low, high = op.parameters.get("clamp", out.limits)
            for clip in range(4):
                x = [values[n][clip] for n in op.inputs]
                slow = [SLOW[op.kind](op, x, ins, out, position) for position in np.ndindex(out.shape)]
                assert values[op.output][clip].reshape(-1).tolist() == [min(max(v, low), high) for v in slow], (op.kind, seed)
        last = program.operations[-1].kind
        assert last == drawn.split()[-1] and last in KINDS


def torch_program(kind, ins, out, parameters, arrays):
    tensors = {"x": Tensor("x", ins, 0.1, 3), "y": Tensor("y", out, 0.1, -4)}
    return Program("x", "y", tensors, [OPS[kind](("x",), "y", parameters, arrays)])


CONVS = [(1, (2, 1), (1, 1), (1, 2)), (2, (1, 1), (2, 1), (2, 1)), (6, (1, 2), (1, 2), (0, 2))]


@pytest.mark.parametrize("groups, stride, dilation, padding", CONVS)
def test_conv_equals_torch(groups, stride, dilation, padding):
    rng = np.random.default_rng(0)
    x, weight = rng.integers(-128, 128, (3, 11, 9, 6), np.int8), rng.integers(-127, 128, (12, 3, 3, 6 // groups), np.int8)
    bias = rng.integers(-5000, 5000, 12).astype(np.int32)
    multiplier, shift = fixed_point(rng.uniform(1e-4, 2e-3, 12))
    real = F.conv2d(
        torch.tensor(x).double().permute(0, 3, 1, 2) - 3,
        torch.tensor(weight).double().permute(0, 3, 1, 2),
        torch.tensor(bias).double(),
        stride,
        padding,
        dilation,
        groups,
    )
    real = real.permute(0, 2, 3, 1).numpy()
    expected = np.floor(real * multiplier / 2.0 ** shift.astype(float) + 0.5).clip(-128 + 4, 127 + 4) - 4  # exact: below 2**53
    parameters = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    arrays = dict(weight=weight, bias=bias, multiplier=multiplier, shift=shift)
    program = torch_program("conv", (11, 9, 6), real.shape[1:], parameters, arrays)
    assert (program.run(x) == expected).all()


def test_pools_equal_torch():
    x = np.random.default_rng(1).integers(-128, 128, (3, 10, 8, 5), np.int8)
    maps = torch.tensor(x).double().permute(0, 3, 1, 2)
    largest = F.max_pool2d(maps, (3, 2), (2, 2), (1, 1)).permute(0, 2, 3, 1).numpy()
    program = torch_program("max_pool", (10, 8, 5), largest.shape[1:], dict(kernel=(3, 2), stride=(2, 2), padding=(1, 1)), {})
    assert (program.run(x) == largest).all()
    mean = F.avg_pool2d(maps, (2, 4), (2, 3)).permute(0, 2, 3, 1).numpy()
    multiplier, shift = fixed_point(1 / 8)
    parameters = dict(kernel=(2, 4), stride=(2, 3), multiplier=int(multiplier), shift=int(shift))
    program = torch_program("average_pool", (10, 8, 5), mean.shape[1:], parameters, {})
    assert (program.run(x) == np.floor(mean - 3 + 0.5) - 4).all()  # mean - 3 is a multiple of 1/8: exact


def test_rounding_is_half_up():
    values = np.array([-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6])
    assert shift_right(values, np.int8(2)).tolist() == [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    rng = np.random.default_rng(2)
    accumulator, multiplier = rng.integers(-(2**31), 2**31, (2, 500))
    for shift in (1, 7, 31, 32, 33, 40, 62):
        expected = [scaled(a, m, shift) for a, m in zip(accumulator, multiplier)]
        assert requantize(accumulator, multiplier, np.int8(shift)).tolist() == expected


def test_fixed_point_is_within_half_a_unit_of_31_bits():
    factors = np.exp(np.random.default_rng(3).uniform(-15, 15, 2000))
    multiplier, shift = fixed_point(factors)
    assert (np.abs(multiplier / 2.0 ** shift.astype(float) / factors - 1) <= 2.0**-31).all()
    assert fixed_point(0.0)[0] == 0
    negative, shift = fixed_point(-factors)
    assert (negative < 0).all()


def test_reading_and_writing_real_numbers():
    program = fuzz.random_program(0)
    t = program.tensors[program.input]
    numbers = np.arange(-128, 128).astype(np.int8)
    real = (numbers.astype(float) - t.zero_point) * t.scale
    assert (program.quantize_input(real) == numbers).all()
    assert (program.quantize_input(np.array([1e6, -1e6])) == [127, -128]).all()
    out = program.tensors[program.output]
    assert np.allclose(program.dequantize_output(numbers), (numbers.astype(float) - out.zero_point) * out.scale)


def test_saved_programs_run_the_same(tmp_path):
    for seed in range(24):
        program = fuzz.random_program(seed)
        program.metadata = {"classes": ["yes", "no"], "labelled": "é"}
        program.save(tmp_path / "p.safetensors")
        loaded = Program.load(tmp_path / "p.safetensors")
        for name in ("input", "output", "tensors", "metadata"):
            assert getattr(loaded, name) == getattr(program, name)
        for a, b in zip(loaded.operations, program.operations):
            assert (a.kind, a.inputs, a.output, a.parameters, a.path) == (b.kind, b.inputs, b.output, b.parameters, b.path)
            assert all(a.arrays[k].dtype == v.dtype and (a.arrays[k] == v).all() for k, v in b.arrays.items())
        x = fuzz.random_input(program, seed)
        assert (loaded.run(x) == program.run(x)).all()


def test_files_that_are_not_programs_are_refused(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "p.safetensors"
    with pytest.raises(TinycourseError, match="no program at"):
        Program.load(path)
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(TinycourseError, match="not a tinycourse-program-2; make one with `tinycourse export`"):
        Program.load(path)
    fuzz.random_program(0).save(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TinycourseError, match="damaged"):
        Program.load(path)


def test_wrong_input_is_refused():
    program = fuzz.random_program(0)
    shape = program.tensors[program.input].shape
    with pytest.raises(TinycourseError, match="takes int8"):
        program.run(np.zeros((1, *shape), np.float32))
    with pytest.raises(TinycourseError, match="takes int8"):
        program.run(np.zeros(shape, np.int8))


def test_an_operation_that_this_version_does_not_know_is_named():
    program = fuzz.random_program(0)
    arrays, description = program.pack()
    kind = program.operations[0].kind
    with pytest.raises(TinycourseError, match="no operation 'softmax'; use one of "):
        Program.unpack(arrays, description.replace(f'"kind": "{kind}"', '"kind": "softmax"'))
