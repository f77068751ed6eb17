"""The stack that a program can need, by analysis: never less than a run used, and refused where it has no bound."""

import pytest

pytest.importorskip("unicorn")

from tests import fuzz, networks
from tinycourse.errors import TinycourseError
from tinycourse.export import package
from tinycourse.export.network_package import NetworkPackage
from tinycourse.targets import emulator, stack, toolchain

CHIPS = "cortex-m4", "cortex-m0plus"
SOURCE = """#include <stdint.h>
#define ALONE __attribute__((noinline))
volatile int8_t which;
static int8_t memory[16];
int8_t *model_input(void) { return memory; }
int8_t *model_output(void) { return memory; }
ALONE int small(void) { volatile int8_t room[100]; room[which] = 1; return room[0]; }
ALONE int large(void) { volatile int8_t room[5000]; room[which] = 2; return room[0]; }
ALONE int last(void) { which = 1; return large(); } /* a jump, not a call */
BEFORE
void model_run(void) { memory[0] = (int8_t)(BODY); }
"""


def built(folder, target, body, before=""):
    source = folder / "model.c"
    source.write_text(SOURCE.replace("BODY", body).replace("BEFORE", before))
    return toolchain.build([source], target, folder / "model.elf", ["model_run", "model_input", "model_output"])


@pytest.mark.parametrize("target", CHIPS)
@pytest.mark.parametrize("body, least", [("1", 0), ("small()", 100), ("small() + large()", 5000), ("last() + small()", 5000)])
def test_the_deepest_path_counts(target, body, least, tmp_path):
    chip = emulator.Chip(built(tmp_path, target, body))
    chip.run(bytes(16), 16)
    assert least <= chip.stack_bound() <= least + 60
    assert chip.stack <= chip.stack_bound() <= chip.stack + 16 + least  # a room is not filled


@pytest.mark.parametrize("target", CHIPS)
def test_a_path_that_no_run_took_counts_too(target, tmp_path):
    chip = emulator.Chip(built(tmp_path, target, "which > 7 ? large() : small()"))
    chip.run(bytes(16), 16)
    assert chip.stack < 200 and chip.stack_bound() > 5000


NO_BOUND = {
    "again calls itself": ("again(3)", "ALONE int again(int n) { volatile int8_t r[9]; return n > r[0] ? again(n - 1) + r[1] : 0; }"),
    "a calls itself|b calls itself": (
        "a(3)",
        "int b(int n);\nALONE int a(int n) { return n ? b(n - 1) + which : 0; }\nALONE int b(int n) { return n ? a(n - 1) * which : 0; }",
    ),
    "through calls through a pointer": ("through()", "int (*volatile aim)(void);\nALONE int through(void) { return aim(); }"),
    "model_run calls through a pointer": ("way() + 1", "int (*volatile way)(void);"),
}


@pytest.mark.parametrize("sentence", NO_BOUND)
def test_no_bound(sentence, tmp_path):
    elf = built(tmp_path, "cortex-m4", *NO_BOUND[sentence])
    with pytest.raises(TinycourseError, match=sentence):
        stack.bound(elf, "model_run")


def test_a_pointer_whose_aims_are_known(tmp_path):
    elf = built(tmp_path, "cortex-m4", "(which ? way : large)() + small()", "int (*volatile way)(void);")
    near, far = (stack.bound(elf, "model_run", names) for names in (["small"], ["small", "large"]))
    assert 100 <= near < 200 and 5000 <= far < 5100


@pytest.mark.parametrize("target", CHIPS)
def test_no_random_network_uses_more(target, tmp_path):
    programs = [fuzz.random_program(seed) for seed in range(12)]
    elf = fuzz.build(programs, target, tmp_path)
    for i, program in enumerate(programs):
        chip = emulator.Chip(elf, f"case{i}")
        chip.run(fuzz.random_input(program, i)[0].tobytes(), program.tensors[program.output].bytes)
        assert 0 < chip.stack <= chip.stack_bound() < 2000


@pytest.mark.parametrize("dsp", [False, True])
def test_the_report_has_the_bound(dsp, tmp_path):
    report = package.export(networks.program("tinyspeech"), "cortex-m4", tmp_path / "m", dsp)
    runner = package.load(tmp_path / "m")
    runner.run(NetworkPackage(runner.program).noise()[None])
    assert runner.binary.stack <= report["ram"]["stack_bytes"] == runner.binary.stack_bound() < runner.binary.stack + 200
