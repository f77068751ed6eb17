"""Lesson 09: layouts obey their rules, own C runs on the chip, pictures and the widget show what they are given."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest

from tests import fuzz
from tests.drawn import texts
from tinycourse.codegen import emitter
from tinycourse.codegen.planner import Buffer
from tinycourse.errors import TinycourseError
from tinycourse.plots import lesson09 as figures
from tinycourse.studies import lesson09 as study
from tinycourse.studies.lesson09 import Layout
from tinycourse.targets import inline_c
from tinycourse.widgets.lesson09 import NOBODY, PLANNER, ArenaExplorer

pytestmark = pytest.mark.usefixtures("closed")

DOT = "int32_t dot(const int8_t *x, const int8_t *w) { int32_t s = 0; for (int32_t i = 0; i < N; i++) s += x[i] * w[i]; return s; }"
PROGRAMS = [fuzz.random_program(seed) for seed in range(12)]


def buffers() -> tuple[Buffer, ...]:
    """x becomes a, a becomes b under a skip, and scratch in the middle."""
    return Buffer(("x",), 8, -1, 0), Buffer(("a", "c"), 12, 0, 3), Buffer(("b",), 6, 1, 2), Buffer((), 4, 1, 1)


# --------------------------------------------------------------------------------------------- layouts


def every_layout(program):
    for made in (study.apart(program), study.overwritten(program)):
        yield study.side_by_side(made)
        yield study.searched(made)
        yield from (study.first_fit(made, order) for order in study.ORDERS)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_no_two_buffers_that_live_together_overlap_in_any_layout(program):
    for layout in every_layout(program):
        placed = list(zip(layout.buffers, layout.offsets, strict=True))
        for i, (b, at) in enumerate(placed):
            assert at % 4 == 0 and at + b.bytes <= layout.arena
            assert all(at + b.bytes <= other or other + o.bytes <= at for o, other in placed[:i] if b.overlaps(o))
        assert layout.arena >= layout.lower_bound


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_last_layout_is_the_one_that_the_chip_gets(program):
    planned = emitter.translate(program)[1]
    layout = study.searched(study.overwritten(program))
    assert (layout.arena, layout.lower_bound) == (planned.arena, planned.lower_bound)
    assert sorted(layout.buffers, key=str) == sorted(planned.buffers, key=str)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_apart_has_every_tensor_once_from_its_writer_to_its_last_reader(program):
    made = [b for b in study.apart(program) if b.tensors]
    reshaped = {op.output for op in program.operations if op.kind == "reshape"}
    assert sorted(n for b in made for n in b.tensors) == sorted(
        {program.input, *program.state, *(op.output for op in program.operations)} - reshaped
    )
    for i, op in enumerate(program.operations):
        for name in {*op.inputs, op.output} - reshaped:
            (own_buffer,) = (b for b in made if name in b.tensors)
            assert own_buffer.first <= i <= own_buffer.last and own_buffer.bytes == program.tensors[name].bytes


def test_bytes_by_step_and_side_by_side():
    assert study.live(buffers()) == [8, 20, 22, 18, 12]
    layout = study.side_by_side(buffers())
    assert layout.offsets == (0, 8, 20, 28) and layout.arena == 32 and layout.lower_bound == 22
    assert study.live(study.wider(buffers(), 4)) == [32, 80, 88, 72, 48]


# ----------------------------------------------------------------------------------------------- own C


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0plus"])
def test_own_c_computes_on_the_chip_and_is_counted(target):
    x, w = np.random.default_rng(0).integers(-128, 128, (2, 32), np.int8)
    result, few = inline_c.run(DOT, x, w, target)
    assert result == x.astype(int) @ w.astype(int)
    result, many = inline_c.run(DOT, np.tile(x, 4), np.tile(w, 4), target)
    assert result == 4 * (x.astype(int) @ w.astype(int))
    assert 2 * few < many < 4 * few  # what is done once does not grow


def test_a_product_of_64_bits_is_one_instruction_on_an_m4_and_a_call_on_an_m0plus():
    wide = DOT.replace("x[i] * w[i]", "(int32_t)(((int64_t)x[i] * 16777259 * w[i] + (INT64_C(1) << 33)) >> 34)")
    x, w = np.random.default_rng(0).integers(-128, 128, (2, 32), np.int8)
    results = {target: inline_c.run(wide, x, w, target) for target in ("cortex-m4", "cortex-m0plus")}
    assert results["cortex-m4"][0] == results["cortex-m0plus"][0]
    assert results["cortex-m4"][0] == sum(int(a) * 16777259 * int(b) + 2**33 >> 34 for a, b in zip(x, w, strict=True))
    assert results["cortex-m4"][1] < results["cortex-m0plus"][1] / 2


def test_assembly_has_the_loop_with_its_loads_and_its_product():
    listing = inline_c.assembly(DOT, 64, "cortex-m4")
    loop = inline_c.loop(listing)
    assert listing[0] == "dot:" and set(loop) < set(listing)
    assert sum("\tldrsb" in line for line in loop) == 2 and loop[0].endswith(":") and "\tb" in loop[-1]
    assert inline_c.loop(["dot:", "\tbx\tlr"]) == []


def test_what_own_c_cannot_be_is_said():
    x = np.zeros(8, np.int8)
    with pytest.raises(TinycourseError, match="your C"):
        inline_c.run(DOT.replace("return s", "return t"), x, x, "cortex-m4")
    with pytest.raises(TinycourseError, match="two int8 vectors of one length"):
        inline_c.run(DOT, x, np.zeros(4, np.int8), "cortex-m4")
    with pytest.raises(TinycourseError, match="touched address"):
        inline_c.run(DOT.replace("w[i]", "w[i + 0x10000000]"), x, x, "cortex-m4")


def test_excerpts_end_at_their_own_brace():
    source = "int f(void);\nint f(void)\n{\n    if (1) {\n    }\n}\nint g(void) { return 1; }\n"
    assert inline_c.excerpt(source, "int f") == "int f(void)\n{\n    if (1) {\n    }\n}"
    assert inline_c.excerpt(source, "int g") == "int g(void) { return 1; }"
    with pytest.raises(TinycourseError, match="no 'int h'"):
        inline_c.excerpt(source, "int h")


# ------------------------------------------------------------------------------------------------ pictures


def test_lifetimes_have_a_bar_for_each_buffer_and_mark_the_peak():
    top, bottom = figures.lifetimes(buffers(), study.live(buffers()), ["conv", "add", "conv", "mean"]).axes
    assert [(round(p.get_x() + 0.45), round(p.get_width() + 0.1)) for p in top.patches] == [(-1, 2), (0, 4), (1, 2), (1, 1)]
    assert [p.get_height() for p in bottom.patches] == [8, 20, 22, 18, 12]
    assert [bool(p.get_hatch()) for p in bottom.patches] == [False, False, True, False, False]
    assert {"x", "a +1", "scratch", "given", "22"} <= set(texts(top.figure))


def test_an_arena_has_a_box_for_each_buffer_and_outlines_what_lives():
    layout = study.side_by_side(buffers())
    figure = figures.arena({"one": layout, "two": study.searched(buffers())}, now=2)
    boxes = figure.axes[0].patches
    assert [b.get_y() for b in boxes] == [0, 8, 20, 28] and [b.get_height() for b in boxes] == [8, 12, 6, 4]
    assert [b.get_linewidth() > 1 for b in boxes] == [False, True, True, False]
    assert figure.axes[0].lines[0].get_ydata()[0] == 22 and "one: 32 bytes" in texts(figure)


def test_bars_and_marks_are_those_given():
    ways = {"a": {"code": 1024, "weights": 2048}, "b": {"weights": 512}}
    assert {"3.0", "0.5", "code"} <= set(texts(figures.memory(ways, 4096, "a chip")))
    counts = {"M4": {"conv": 3000, "add": 9000}, "M0+": {"conv": 4000, "add": 9000}}
    figure = figures.by_kernel(counts)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["add", "conv"]
    assert [p.get_width() for p in figure.axes[0].patches] == [9, 3, 9, 4]
    assert [p.get_width() for p in figures.variants({"M4: one": 5.0, "M0+: one": 8.0}).axes[0].patches] == [5.0, 8.0]
    rows = [{"kernel": "conv", "multiply_adds": 100, "instructions": 300}, {"kernel": "add", "multiply_adds": 0, "instructions": 50}]
    conv, add = figures.layers(rows).axes[0].lines[:2]
    assert list(conv.get_xdata()) == [100] and add.get_xdata()[0] < 50
    points = {"conv": (np.array([9.0, 81.0]), np.array([0.1, 0.3]))}
    marks, line, ceiling = figures.roofline(points, {"conv": (2.0, 50.0)}).axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), line.get_xdata() / (2 * line.get_xdata() + 50))
    assert list(marks.get_ydata()) == [0.1, 0.3] and ceiling.get_ydata()[0] == 0.5


# ------------------------------------------------------------------------------------------------ widget


def explorer() -> ArenaExplorer:
    return ArenaExplorer({"first": PROGRAMS[0], "second": PROGRAMS[3]})


def test_the_widget_plans_as_its_controls_say():
    made = explorer()
    assert made.planned_arena.arena == emitter.translate(PROGRAMS[0])[1].arena
    made.order.value, made.over.value, made.bytes.value = NOBODY, False, 4
    assert made.planned_arena == study.side_by_side(study.wider(study.apart(PROGRAMS[0]), 4))
    made.name.value, made.order.value, made.bytes.value = "second", "the largest first", 1
    assert made.planned_arena == study.first_fit(study.apart(PROGRAMS[3]), "the largest first")
    assert f"{made.planned_arena.arena:,} bytes" in made.words.value and made.step.max == len(PROGRAMS[3].operations)


def test_the_widget_says_what_lives_at_the_step():
    made = explorer()
    made.step.value = -1
    assert "the input is given" in made.words.value and figures.name_of(made.planned_arena.buffers[0]) in made.words.value
    made.step.value = 0
    assert PROGRAMS[0].operations[0].kind in made.words.value


@pytest.mark.parametrize("control, value", [("name", "second"), ("order", NOBODY), ("bytes", 4), ("step", 1)])
def test_every_control_changes_the_picture(control, value):
    made = explorer()
    assert made.order.value == PLANNER and isinstance(made.planned_arena, Layout)
    before = bytes(made.picture.value)
    getattr(made, control).value = value
    assert before.startswith(b"\x89PNG") and bytes(made.picture.value) != before


def test_a_stream_has_a_bar_for_each_run_and_says_what_was_said():
    figure = figures.stream([40_000, 500_000, 40_000], [(1, "three")], {"front end": 40_000}, seconds=0.01, budget=800_000)
    *bars, word = figure.axes[0].patches
    assert [bar.get_height() for bar in (*bars, word)] == [40, 500, 40, 500] and word.get_hatch() and not bars[1].get_hatch()
    assert word.get_center()[0] == pytest.approx(bars[1].get_center()[0]) == pytest.approx(0.02)
    assert {"three", "front end\n40", "800: all that there is time for between two runs"} <= set(texts(figure))
