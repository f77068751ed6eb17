"""From a Program to C and to a chip: planner, code generator, compiler, emulator, packages.

The heart: random programs give the same bits in the interpreter, in C on this machine, in WebAssembly and on both Cortex-M.
"""

import errno
import json
import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import unicorn

from tests import fuzz, networks
from tests.compilers import STRICT, cpp_accepts, gcc_accepts
from tinycourse.codegen import emitter, planner
from tinycourse.codegen.kernel_files import KERNELS, kernel_files
from tinycourse.errors import TinycourseError
from tinycourse.export import package
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.program import Program
from tinycourse.targets import binaries, emulator, toolchain

COUNTS = {"host": 260, "wasm": 260, "cortex-m4": 72, "cortex-m0plus": 36}
TRAP = ["-fsanitize=undefined", "-fsanitize-trap=undefined"]


@pytest.fixture(scope="session")
def cases():
    """Random programs, four inputs for each and what the interpreter says to them."""
    programs = [fuzz.random_program(seed) for seed in range(max(COUNTS.values()))]
    inputs = [fuzz.random_input(p, seed) for seed, p in enumerate(programs)]
    return [(p, x, p.run(x)) for p, x in zip(programs, inputs)]


@pytest.fixture(scope="session")
def built(cases, tmp_path_factory):
    """The binary of the first COUNTS[target] cases, compiled when a test asks for it."""
    made = {}

    def get(target):
        if target not in made:
            folder = tmp_path_factory.mktemp(target)
            made[target] = fuzz.build([p for p, _, _ in cases[: COUNTS[target]]], target, folder, STRICT)
        return made[target]

    return get


def small_program(seed=1) -> Program:
    """A stem, a depthwise and a pointwise convolution under a skip, a global mean and a classifier."""
    rng = np.random.default_rng(seed)
    s = fuzz.Sketch(rng, (12, 8, 1))

    def conv(x, shape, kernel, stride=1, groups=1):
        weight = rng.integers(-127, 128, (shape[2], kernel, kernel, s.shape(x)[2] // groups), np.int8)
        multiplier, shift = fixed_point(rng.uniform(0.3, 1, shape[2]) * 60 / (5000 * weight[0].size ** 0.5))
        parameters = dict(stride=(stride, stride), padding=(kernel // 2, kernel // 2), dilation=(1, 1), groups=groups)
        arrays = dict(weight=weight, bias=np.zeros(shape[2], np.int32), multiplier=multiplier, shift=shift)
        return s.add("conv", (x,), shape, parameters, arrays, zero_point=3)

    stem = conv("x", (6, 4, 6), 3, stride=2)
    branch = conv(conv(stem, (6, 4, 6), 3, groups=6), (6, 4, 6), 1)
    half = np.full(6, 2**14, np.int16)
    arrays = dict(multiplier_a=half, multiplier_b=half, bias=np.zeros(6, np.int32), shift=np.full(6, 15, np.int8))
    total = s.add("add", (stem, branch), (6, 4, 6), {}, arrays, zero_point=0)
    multiplier, shift = fixed_point(1 / 24)
    pool = dict(kernel=(6, 4), stride=(1, 1), multiplier=int(multiplier), shift=int(shift))
    mean = s.add("average_pool", (total,), (6,), pool, zero_point=0)
    multiplier, shift = fixed_point(np.full(4, 0.01))
    weight = rng.integers(-127, 128, (4, 6), np.int8)
    arrays = dict(weight=weight, bias=np.zeros(4, np.int32), multiplier=multiplier, shift=shift)
    logits = s.add("linear", (mean,), (4,), {}, arrays)
    return Program("x", logits, s.tensors, s.operations, {"classes": ["a", "b", "c", "d"]})


def one(kind, parameters=None, arrays=None, ins=(4, 4, 2), out=(4, 4, 2)) -> Program:
    tensors = {"x": Tensor("x", ins, 0.1, 0), "y": Tensor("y", out, 0.1, 0)}
    return Program("x", "y", tensors, [OPS[kind](("x",), "y", parameters or {}, arrays or {}, "net.layer")])


# ---------------------------------------------------------------------------------------------------- bit for bit


def test_the_cases_reach_everything(cases):
    kinds = Counter(op.kind for p, _, _ in cases for op in p.operations)
    paths = Counter(k.path for p, _, _ in cases for k in emitter.translate(p)[0])
    assert all(kinds[k] >= 25 for k in OPS)
    assert all(paths[k] >= 20 for k in ("conv", "depthwise", "pointwise", "linear", "sparse linear16"))
    assert paths["sparse_linear"] >= 10
    assert sum(len(np.unique(y)) > 3 for _, _, y in cases) > len(cases) / 2  # and most do not end in a constant


@pytest.mark.parametrize("target", COUNTS)
def test_c_equals_the_interpreter(target, cases, built):
    binary = built(target)
    for i, (_, x, y) in enumerate(cases[: COUNTS[target]]):
        model = binaries.open_binary(target, binary, f"case{i}")
        for _ in range(2):  # a second run finds the arena as the first one left it
            for clip, expected in zip(x, y):
                assert model.run(clip.tobytes(), expected.nbytes) == expected.tobytes(), f"seed {i}"


def test_the_dsp_kernels_equal_the_interpreter(cases, tmp_path):
    """On the chip, whose DSP instructions they are made of; test_no_undefined_behaviour has them on this machine, written out in C."""
    some = cases[: COUNTS["cortex-m4"]]
    binary = fuzz.build([p for p, _, _ in some], "cortex-m4", tmp_path, STRICT, dsp=True)
    for i, (_, x, y) in enumerate(some):
        model = binaries.open_binary("cortex-m4", binary, f"case{i}", count=False)
        assert all(model.run(clip.tobytes(), expected.nbytes) == expected.tobytes() for clip, expected in zip(x, y)), f"seed {i}"


def test_the_dsp_kernels_take_fewer_instructions_and_more_scratch(tmp_path):
    plain, fast = (package.export(small_program(), "cortex-m4", tmp_path / str(dsp), dsp) for dsp in (False, True))
    assert (plain["kernels"], fast["kernels"]) == ("plain", "dsp")
    assert fast["instructions"] < plain["instructions"]
    assert fast["layers"][0]["live_bytes"] - plain["layers"][0]["live_bytes"] == 4 * (9 + 1) + 2 * 9 - 9  # 9 taps: 8 in fours and one


NETWORKS = [("host", networks.ALL, False), ("wasm", networks.ALL, False), *(("cortex-m4", networks.NETWORKS, dsp) for dsp in (False, True))]


@pytest.mark.parametrize("target, names, dsp", NETWORKS)
def test_c_equals_the_interpreter_for_networks_from_torch(target, names, dsp, tmp_path):
    programs = {name: networks.program(name) for name in names}
    binary = fuzz.build(list(programs.values()), target, tmp_path, dsp=dsp)
    for i, (name, program) in enumerate(programs.items()):
        model, x = binaries.open_binary(target, binary, f"case{i}"), fuzz.random_input(program, i)
        for clip, expected in zip(x, program.run(x)):
            assert model.run(clip.tobytes(), expected.nbytes) == expected.tobytes(), name


RUN_CASES = """
import sys
from pathlib import Path
from tests import fuzz
from tinycourse.targets import binaries
for i in range(int(sys.argv[2])):
    program = fuzz.random_program(i)
    x = fuzz.random_input(program, i)
    model = binaries.Library(Path(sys.argv[1]), f"case{i}")
    for clip, expected in zip(x, program.run(x)):
        assert model.run(clip.tobytes(), expected.nbytes) == expected.tobytes(), i
"""


@pytest.mark.parametrize("dsp", [False, True])
def test_no_undefined_behaviour(dsp, cases, tmp_path):
    """Cases again, compiled so that undefined behaviour stops the process; one that has it shows that it does."""
    count = COUNTS["host"] // 2
    binary = fuzz.build([p for p, _, _ in cases[:count]], "host", tmp_path, TRAP, dsp)
    assert subprocess.run([sys.executable, "-c", RUN_CASES, binary, str(count)], timeout=600).returncode == 0
    (tmp_path / "bad.c").write_text("int twice(int x);\nint twice(int x) { return x * 2; }\n")
    bad = toolchain.build([tmp_path / "bad.c"], "host", tmp_path / f"bad-{toolchain.LIBRARY}", flags=TRAP)
    call = f"import ctypes; print(ctypes.CDLL(r'{bad}').twice(2**30))"
    assert subprocess.run([sys.executable, "-c", call], capture_output=True).returncode != 0


@pytest.mark.parametrize("dsp", [False, True])
def test_gcc_compiles_the_sources_too(dsp, tmp_path):
    gcc_accepts(emitter.generate(small_program(), dsp=dsp) | kernel_files(dsp), tmp_path)


@pytest.mark.parametrize("target", ["host", "cortex-m4", "cortex-m0plus"])
def test_headers_are_c_plus_plus_too(target, tmp_path):
    dsp = target != "cortex-m0plus"
    binaries.save_texts(tmp_path, emitter.generate(small_program(), dsp=dsp) | kernel_files(dsp))
    flags = [flag for flag in toolchain.TARGETS[target] if not flag.startswith(("-Wl", "-shared"))]
    cpp_accepts(sorted(tmp_path.glob("*.h")), tmp_path, ["-ffreestanding", *flags])


@pytest.mark.parametrize("options", [["-O2"], ["-O3", "-ffreestanding"]])
def test_gcc_leaves_the_loops_of_the_runtime_loops(options, tmp_path):
    """It knows copying and filling when it sees them, and would call the function that it is compiling."""
    listing = tmp_path / "runtime.s"
    try:
        subprocess.run(["gcc", *options, "-S", str(KERNELS / "runtime.c"), "-o", str(listing)], check=True)
    except FileNotFoundError:
        pytest.skip("gcc is not installed")
    for name in ("memcpy", "memmove", "memset"):
        begin, end = (re.search(pattern, listing.read_text(), re.M) for pattern in (rf"^_?{name}:", rf"^\s*\.size\s+{name},"))
        body = listing.read_text()[begin.end() : end.start()]
        assert not re.search(rf"^\s+\w+\s+_?{name}\b", body, re.M), body


# -------------------------------------------------------------------------------------------------------- planner


def walk(program: Program, plan: planner.Plan, scratch: dict[int, int]) -> None:
    """Run a program on labels instead of numbers: every byte of the arena remembers which number of which tensor it holds.

    An operation must find all of its inputs. In place it reads a number before it overwrites it; any other kind must not
    write over its own inputs or scratch.
    """
    arena = np.full((plan.arena, 2), -1)
    names = {name: i for i, name in enumerate(program.tensors)}

    def place(name):
        start = plan.offsets[name]
        return slice(start, start + program.tensors[name].bytes)

    def store(name, label):
        arena[place(name)] = np.stack([np.full(program.tensors[name].bytes, label), np.arange(program.tensors[name].bytes)], 1)

    def holds(name, label):
        return (arena[place(name), 0] == label).all() and (arena[place(name), 1] == np.arange(program.tensors[name].bytes)).all()

    labels = {name: names[name] for name in (program.input, *program.state)}
    for name, label in labels.items():
        store(name, label)
    for i, op in enumerate(program.operations):
        assert all(holds(n, labels[n]) for n in op.inputs), f"operation {i} finds an input overwritten"
        if op.kind == "reshape":
            assert plan.offsets[op.output] == plan.offsets[op.inputs[0]]
            labels[op.output] = labels[op.inputs[0]]  # the same bytes
            continue
        if i in scratch:
            arena[plan.offsets[i] : plan.offsets[i] + scratch[i]] = -1
            assert all(holds(n, labels[n]) for n in op.inputs), f"the scratch of operation {i} lies in its input"
        labels[op.output] = names[op.output]
        store(op.output, labels[op.output])
        if not op.in_place:
            assert all(holds(n, labels[n]) for n in op.inputs), f"operation {i} overwrites its input"
        else:
            clobbered = [n for n in op.inputs if not holds(n, labels[n])]
            assert all(program.tensors[n].shape == program.tensors[op.output].shape for n in clobbered)
            assert all(plan.offsets[n] == plan.offsets[op.output] for n in clobbered)
        if i in scratch:
            arena[plan.offsets[i] : plan.offsets[i] + scratch[i]] = -1
            assert holds(op.output, labels[op.output]), f"the scratch of operation {i} lies in its output"
    assert holds(program.output, labels[program.output])
    for state, after in program.state.items():  # what a state becomes is copied to it, and no copy destroys another
        assert holds(after, labels[after])
        assert state == after or plan.offsets[after] == plan.offsets[state] or not holds(state, labels[after])
        arena[place(state)] = arena[place(after)]
    assert all(holds(state, labels[after]) for state, after in program.state.items())


def test_no_tensor_is_overwritten_while_it_is_needed():
    shared = 0
    for seed in range(300):
        program = fuzz.random_program(seed, operations=10)
        kernels, plan = emitter.translate(program)
        walk(program, plan, {i: k.scratch for i, k in enumerate(kernels) if k.scratch})
        assert plan.arena >= plan.lower_bound == max(plan.live)
        assert all(offset % planner.ALIGNMENT == 0 for offset in plan.offsets.values())
        shared += sum(len(b.tensors) > 1 for b in plan.buffers)
    assert shared > 300  # in place and aliases do happen


def test_no_state_is_overwritten():
    in_place = 0
    for seed in range(100):
        program = fuzz.random_recurrent_program(seed)
        _, plan = emitter.translate(program)
        walk(program, plan, {})
        in_place += sum(plan.offsets[state] == plan.offsets[after] for state, after in program.state.items())
    assert in_place > 100


def test_walking_finds_a_bad_plan():
    program = small_program()
    kernels, plan = emitter.translate(program)
    scratch = {i: k.scratch for i, k in enumerate(kernels) if k.scratch}
    stem = program.operations[0].output
    for moved in ({program.operations[1].output: plan.offsets[stem]}, {0: plan.offsets[program.input]}):
        bad = planner.Plan(plan.offsets | moved, plan.arena, plan.lower_bound, plan.live, plan.buffers)
        with pytest.raises(AssertionError):
            walk(program, bad, scratch)


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_arenas_are_within_5_percent_of_the_lower_bound(network):
    _, plan = emitter.translate(networks.program(network))
    assert plan.lower_bound <= plan.arena <= 1.05 * plan.lower_bound + planner.ALIGNMENT


def test_the_lower_bound_by_hand():
    """x 32 -> conv 32 (reads x, kept for the skip) -> lookup in place -> add: at most two maps and the scratch live."""
    table = {"table": np.arange(-128, 128).astype(np.int8)}
    multiplier, shift = fixed_point(np.full(2, 0.5))
    arrays = dict(weight=np.ones((2, 3, 3, 2), np.int8), bias=np.zeros(2, np.int32), multiplier=multiplier, shift=shift)
    conv = OPS["conv"](("x",), "a", dict(stride=(1, 1), padding=(1, 1), dilation=(1, 1), groups=1), arrays)
    half = np.full(2, 2**14, np.int16)
    pair = dict(multiplier_a=half, multiplier_b=half, bias=np.zeros(2, np.int32), shift=np.full(2, 15, np.int8))
    operations = [conv, OPS["lookup"](("a",), "b", {}, table), OPS["add"](("x", "b"), "y", {}, pair)]
    program = Program("x", "y", {n: Tensor(n, (4, 4, 2), 0.1, 0) for n in "xaby"}, operations)
    _, plan = emitter.translate(program)
    assert plan.live == (32 + 32 + 18, 64, 64)
    assert (plan.lower_bound, plan.arena) == (82, 84)
    assert plan.offsets["a"] == plan.offsets["b"] and plan.offsets["y"] == plan.offsets["x"]


# -------------------------------------------------------------------------------------------------- code generator


def test_generated_sources_are_readable_and_repeatable():
    program = small_program()
    sources = emitter.generate(program, "keyword")
    assert sources == emitter.generate(small_program(), "keyword")
    text = sources["keyword.c"]
    assert "/* 1: depthwise layers.1" in text and "t0 [6, 4, 6] -> t1 [6, 4, 6]" in text
    assert "KEYWORD_ARENA_BYTES" in sources["keyword.h"] and "keyword_run(void)" in sources["keyword.h"]
    assert all("Apache-2.0" in s for s in sources.values())
    assert max(len(line) for line in text.splitlines()) <= 160
    first = program.operations[0].arrays
    folded = first["bias"] - program.tensors["x"].zero_point * first["weight"].astype(int).sum((1, 2, 3))
    assert f"keyword_0_bias[6] = {{\n    {', '.join(map(str, folded))},\n}};" in text


def conv_arrays(**changed):
    arrays = dict(weight=np.ones((2, 1, 1, 2), np.int8), bias=np.zeros(2, np.int32), multiplier=np.full(2, 2**30, np.int32))
    return arrays | {"shift": np.full(2, 33, np.int8)} | changed


CONV = dict(stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1)
REFUSED = {
    "may overflow 32 bits; make the layer": one("conv", CONV, conv_arrays(bias=np.full(2, 2**31 - 1, np.int32))),
    "between 1 and 62": one("conv", CONV, conv_arrays(shift=np.full(2, 63, np.int8))),
    "cannot clamp": one("upsample", {"factor": (1, 1), "clamp": (0, 127)}),
    "comes out as \\[4, 4, 2\\], not \\[4, 4, 3\\]": one("conv", CONV, conv_arrays(), out=(4, 4, 3)),
    "comes out as \\[1, 4, 2\\]": one("crop", {"start": (3, 0, 0)}),
    "does not fit together": one("reshape", out=(5,)),
    "may overflow 32 bits; give it": one(
        "scale", {}, dict(multiplier=np.ones((1, 1, 2), np.int16), bias=np.full((1, 1, 2), 2**30), shift=np.full(2, 31))
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_the_kernels_cannot_compute_is_refused(message):
    with pytest.raises(TinycourseError, match=message):
        emitter.generate(REFUSED[message])


def test_two_writers_of_one_tensor_are_refused():
    program = small_program()
    program.operations.append(program.operations[-1])
    with pytest.raises(TinycourseError, match="tensor of its own"):
        emitter.generate(program)


@pytest.mark.parametrize("name", ["2fast", "a-b", "", "conv"])
def test_names_that_c_cannot_take_are_refused(name):
    with pytest.raises(TinycourseError, match="no name for C"):
        emitter.generate(small_program(), name)


# ------------------------------------------------------------------------------------------------------- toolchain


def test_compiler_errors_name_the_first_error(tmp_path):
    (tmp_path / "a.c").write_text("int f(void);\nint f(void) { return missing; }\n")
    with pytest.raises(TinycourseError, match=r"a\.c:2:22: error: .*missing"):
        toolchain.build([tmp_path / "a.c"], "host", tmp_path / "a.so")


def test_a_missing_compiler_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(toolchain, "available", lambda: False)
    with pytest.raises(TinycourseError, match="pip install ziglang"):
        package.export(small_program(), "host", tmp_path / "m")


def test_the_compilers_cache_needs_no_writable_home(monkeypatch, tmp_path):
    (tmp_path / "home").write_text("a file, where the cache folder cannot be made")
    monkeypatch.setattr(toolchain, "user_cache_path", lambda name: tmp_path / "home" / name)
    for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert all("tinycourse-zig" in folder for folder in toolchain.cache_variables().values())
    monkeypatch.setenv("ZIG_LOCAL_CACHE_DIR", "mine")
    assert toolchain.cache_variables()["ZIG_LOCAL_CACHE_DIR"] == os.path.abspath("mine")  # in whatever folder the compiler runs


def test_a_source_is_compiled_once_for_all_folders(monkeypatch, tmp_path):
    """The compiler finds by name and text what it made in another folder: it is asked for both in the same words."""
    asked, compile_c = [], toolchain.compile_c
    monkeypatch.setattr(toolchain, "compile_c", lambda *arguments: asked.append(arguments) or compile_c(*arguments))
    for name in ("one", "two"):
        binaries.compiled({"a.c": "int f(void);\nint f(void) { return 1; }\n"}, "host", (tmp_path / name), [])
    assert [[word for word in words if word.endswith(".c")] for words, _ in asked] == [["a.c"]] * 2
    assert [folder for _, folder in asked] == [tmp_path / "one", tmp_path / "two"]


# -------------------------------------------------------------------------------------------------------- emulator


def slow_count(chip: emulator.Chip, x: bytes) -> int:
    """Instructions of a run, one Python call for each. One that its IT block skips is not reported by unicorn: all of a block are
    counted where it begins."""
    code = np.frombuffer(chip.engine.mem_read(emulator.FLASH, chip.exit - emulator.FLASH), np.uint16)
    total, block = 0, set()

    def step(engine, address, size, data):
        nonlocal total, block
        if address in block:
            return
        total += 1
        half_word = int(code[(address - emulator.FLASH) // 2])
        mask = half_word & 0xF
        if half_word >> 8 == 0xBF and mask:
            count = 4 - ((mask & -mask).bit_length() - 1)
            places = [address + 2]
            for _ in range(count):
                places.append(places[-1] + (4 if code[(places[-1] - emulator.FLASH) // 2] >= 0xE800 else 2))
            block, total = set(places[:count]), total + count

    chip.write("input", x)
    hook = chip.engine.hook_add(unicorn.UC_HOOK_CODE, step)
    chip.call("run")
    chip.engine.hook_del(hook)
    return total


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0plus"])
def test_instructions_are_counted_exactly(target, cases, built):
    skipped = 0
    for i in range(0, 24, 2):
        _, x, y = cases[i]
        chip = emulator.Chip(built(target), f"case{i}")
        chip.run(x[0].tobytes(), y[0].size)
        other = emulator.Chip(built(target), f"case{i}", count=False)
        assert chip.instructions == slow_count(other, x[0].tobytes()) > 0, i
        skipped += chip.instructions
        assert 0 < chip.instructions - sum(chip.layers.values()) < 10 + 4 * len(chip.layers)  # what case_run itself executes
        assert not other.instructions and not other.layers
    assert skipped > 10_000


def test_a_layer_costs_the_same_alone_and_among_others(tmp_path):
    whole = small_program()
    x = fuzz.random_input(whole, 0)[:1]
    values = whole.trace(x)
    parts = [
        Program(op.inputs[0], op.output, {n: whole.tensors[n] for n in (*op.inputs, op.output)}, [op])
        for op in whole.operations
        if len(op.inputs) == 1
    ]
    binary = fuzz.build([whole, *parts], "cortex-m4", tmp_path)
    chip = emulator.Chip(binary, "case0")
    chip.run(x.tobytes(), 4)
    for i, part in enumerate(parts, start=1):
        alone = emulator.Chip(binary, f"case{i}")
        assert alone.run(values[part.input].tobytes(), part.tensors[part.output].bytes) == values[part.output].tobytes()
        among = chip.layers[whole.operations.index(part.operations[0])]
        assert abs(alone.layers[0] - among) <= 4  # an address may take one instruction more or less


CHIP = """
#include <stdint.h>
int8_t *model_input(void);
const int8_t *model_output(void);
void model_run(void);
static int8_t memory[16];
static volatile int zero;
int8_t *model_input(void) { return memory; }
const int8_t *model_output(void) { return memory; }
static __attribute__((noinline)) int deep(int n)
{
    volatile int8_t room[1000];
    room[n % 1000] = (int8_t)n;
    return n > 0 ? deep(n - 1) + room[0] : zero;
}
static __attribute__((noinline)) void model_layer_0(void) { memory[0] = (int8_t)deep(zero + ZERO); }
static __attribute__((noinline)) void model_layer_1(void) { ONE; }
void model_run(void) { model_layer_0(); model_layer_1(); }
"""


@pytest.fixture
def chip(tmp_path):
    def make(zero="0", one="zero = 0", count=True):
        source = tmp_path / "model.c"
        source.write_text(CHIP.replace("ZERO", zero).replace("ONE", one))
        exports = ["model_run", "model_input", "model_output"]
        return emulator.Chip(toolchain.build([source], "cortex-m4", tmp_path / "model.elf", exports), count=count)

    return make


def test_stack_is_measured(chip):
    one_frame, three_frames = chip(), chip("2")
    one_frame.run(bytes(16), 16), three_frames.run(bytes(16), 16)
    assert 1000 <= one_frame.stack < 1100
    assert 3000 <= three_frames.stack < 3200 and three_frames.stack > one_frame.stack + 2000


FAULTS = {
    "touched address 0x40000010 at instruction 0x0800.*layer 1": ("0", "*(volatile int *)0x40000010 = 1"),
    "touched address 0x08000000 .*layer 1": ("0", "*(volatile int *)0x08000000 = 1"),  # flash cannot be written
    "the stack is full.*layer 0": ("100", "zero = 0"),
    "0x60000000.*layer 1": ("0", "((void (*)(void))0x60000001)()"),  # a jump to where no code is
}


@pytest.mark.parametrize("message", FAULTS)
def test_faults_say_where(chip, message):
    broken = chip(*FAULTS[message])
    with pytest.raises(TinycourseError, match=message):
        broken.run(bytes(16), 16)


def test_files_that_are_no_chip_program_are_refused(tmp_path, built):
    with pytest.raises(TinycourseError, match="is missing or is not"):
        emulator.Chip(tmp_path / "none.elf")
    (tmp_path / "text.elf").write_text("text")
    with pytest.raises(TinycourseError, match="is missing or is not"):
        emulator.Chip(tmp_path / "text.elf")
    with pytest.raises(TinycourseError, match="no model 'other'"):
        emulator.Chip(built("cortex-m4"), "other")


# -------------------------------------------------------------------------------------------------------- packages


@pytest.mark.parametrize("target", toolchain.TARGETS)
def test_an_export_runs_when_loaded_again(target, tmp_path):
    program = small_program()
    report = package.export(program, target, tmp_path / "deep" / "m")
    runner = package.load(tmp_path / "deep" / "m")
    x = np.concatenate([fuzz.random_input(program, i) for i in range(3)])
    assert (runner.run(x) == program.run(x)).all()
    assert runner.run(x[:0]).shape == (0, 4)
    assert package.checked(tmp_path / "deep" / "m") == json.loads((tmp_path / "deep" / "m" / "report.json").read_text()) == report
    assert runner.program.metadata == program.metadata == report["metadata"]
    assert report["multiply_adds"] == 24 * 6 * 9 + 24 * 6 * 9 + 24 * 36 + 24 == sum(r["multiply_adds"] for r in report["layers"])
    assert [r["kernel"] for r in report["layers"]] == ["conv", "depthwise", "pointwise", "add", "average_pool", "linear"]
    assert report["layers"][0]["shape"] == [6, 4, 6] and report["layers"][0]["weight_bytes"] == 54 + 6 * 9
    assert report["ram"]["lower_bound_bytes"] == max(r["live_bytes"] for r in report["layers"])
    readme = (tmp_path / "deep" / "m" / "README.md").read_text()
    assert target in readme and f"{report['ram']['arena_bytes']:,}" in readme
    with pytest.raises(TinycourseError, match="takes int8"):
        runner.run(x.astype(np.int16))
    if target.startswith("cortex"):
        assert runner.instructions == sum(runner.layers.values()) + (runner.instructions - sum(runner.layers.values())) > 10_000
        assert report["instructions"] > sum(r["instructions"] for r in report["layers"]) > 0.99 * report["instructions"]
        assert 50 < report["ram"]["stack_bytes"] < 1000
        assert report["ram"]["total_bytes"] == report["ram"]["stack_bytes"] + report["ram"]["arena_bytes"]
        assert report["flash"]["total_bytes"] >= report["flash"]["code_bytes"] + report["flash"]["weight_bytes"]
    else:
        assert runner.instructions is None


def test_unknown_targets_are_refused(tmp_path):
    with pytest.raises(TinycourseError, match="no target 'avr'; choose one of host, cortex-m4, cortex-m0plus, wasm"):
        package.export(small_program(), "avr", tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_nothing_and_harms_nothing(tmp_path, monkeypatch):
    def full(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    package.export(small_program(), "host", tmp_path / "old")
    before = {p.name: p.read_bytes() for p in (tmp_path / "old").iterdir()}
    monkeypatch.setattr(Program, "save", full)
    for name in ("old", "new"):
        with pytest.raises(TinycourseError, match="No space left"):
            package.export(small_program(), "host", tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "old").iterdir()} == before


def test_an_export_replaces_an_earlier_one_but_nothing_else(tmp_path):
    package.export(small_program(), "wasm", tmp_path / "m")
    package.export(small_program(2), "host", tmp_path / "m")
    assert package.load(tmp_path / "m").target == "host" and not (tmp_path / "m" / "model.wasm").exists()
    (tmp_path / "m" / "recognise").write_text("built here by hand")
    with pytest.raises(TinycourseError, match="recognise is not what tinycourse wrote there; give a new folder"):
        package.export(small_program(), "host", tmp_path / "m")
    assert package.load(tmp_path / "m").target == "host" and (tmp_path / "m" / "recognise").is_file()


def test_a_program_that_differs_from_its_binary_is_not_exported(tmp_path, monkeypatch):
    monkeypatch.setattr(binaries.Library, "run", lambda self, x, size: bytes(size))
    with pytest.raises(TinycourseError, match="differs from the interpreter"):
        package.export(small_program(), "host", tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_damaged_folders_are_refused(tmp_path):
    with pytest.raises(TinycourseError, match="no exported model"):
        package.load(tmp_path / "none")
    package.export(small_program(), "cortex-m4", tmp_path / "m")
    for name in ("model.elf", "program.safetensors"):
        whole = (tmp_path / "m" / name).read_bytes()
        (tmp_path / "m" / name).write_bytes(whole[:-1] + b"x")
        with pytest.raises(TinycourseError, match="is damaged"):
            package.load(tmp_path / "m")
        (tmp_path / "m" / name).unlink()
        with pytest.raises(TinycourseError, match="is damaged"):
            package.load(tmp_path / "m")
        (tmp_path / "m" / name).write_bytes(whole)
    assert package.load(tmp_path / "m").target == "cortex-m4"
    for text in ("{", "[]", '{"format": "other"}'):
        (tmp_path / "m" / "report.json").write_text(text)
        with pytest.raises(TinycourseError, match="is damaged"):
            package.load(tmp_path / "m")


def test_a_library_of_another_machine_is_refused(tmp_path):
    report = package.export(small_program(), "host", tmp_path / "m")
    (tmp_path / "m" / "report.json").write_text(json.dumps(report | {"machine": "plan9 mips"}))
    with pytest.raises(TinycourseError, match="built for plan9 mips"):
        package.load(tmp_path / "m")
