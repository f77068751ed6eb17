"""Which kernel files a model needs: all that it calls, by itself or through others, and no more."""

from collections import defaultdict

import pytest

from tinycourse.codegen.kernel_files import KERNELS, RUNTIME, homes_of_functions, kernel_files, kernels_of
from tinycourse.targets import toolchain

ALWAYS = {RUNTIME, "kernels.h", "fixed_point.h", "fixed_point.c"}
NEEDED = {  # for a function: (plain, with DSP instructions), beside ALWAYS
    "tc_tanh8": ({"recurrent.c", "curves.c", "sparse.c", "products.h"}, {"recurrent.c", "curves.c", "sparse.c", "products.h"}),
    "tc_scale": ({"elementwise.c"}, {"elementwise.c"}),
    "tc_conv": (
        {"conv.c", "gather.h", "linear.c", "products.h"},
        {"dsp_products.c", "dsp.h", "conv.c", "gather.h", "linear.c", "products.h"},
    ),
    "tc_listen": ({"listener.c", "ears.c", "frontend.c"}, {"listener.c", "ears.c", "frontend.c"}),
}


def caller(*functions: str) -> dict[str, str]:
    """C that takes the address of functions of the kernels."""
    table = ", ".join(f"(any){function}" for function in functions)
    text = f"static const any table[] = {{{table}}};\nany model_run(int i);\nany model_run(int i) {{ return table[i]; }}\n"
    return {"model.c": f'#include "kernels.h"\ntypedef void (*any)(void);\n{text}'}


@pytest.mark.parametrize("dsp", [False, True])
@pytest.mark.parametrize("function", NEEDED)
def test_a_model_takes_the_files_that_it_calls(function, dsp):
    files = kernels_of(caller(function), dsp)
    assert files.keys() == ALWAYS | NEEDED[function][dsp]
    assert f"#define TC_DSP {int(dsp)}" in files["kernels.h"]


def test_a_comment_calls_nothing():
    assert kernels_of({"model.c": '#include "kernels.h" /* tc_conv() */\n'}).keys() == ALWAYS


def test_every_function_is_found_where_it_is_defined():
    found = {*homes_of_functions(dsp=True).values(), *homes_of_functions(dsp=False).values()}
    assert found == {p.name for p in KERNELS.glob("*.c")} - {RUNTIME}
    assert homes_of_functions(dsp=True)["tc_lookup"] == "dsp_maps.c"


@pytest.mark.parametrize("dsp", [False, True])
def test_what_was_left_out_is_not_missed(dsp, tmp_path):
    """The linker for a chip finds all that any function calls. Functions with the same files are linked together."""
    groups = defaultdict(list)
    for function in homes_of_functions(dsp):
        groups[frozenset(kernels_of(caller(function), dsp))].append(function)
    assert len(groups) > 10
    for file, text in kernel_files(dsp).items():
        (tmp_path / file).write_text(text)
    for files, functions in groups.items():
        (tmp_path / "model.c").write_text(caller(*functions)["model.c"])
        sources = [tmp_path / file for file in sorted(files) if file.endswith(".c")]
        toolchain.build(sources, "cortex-m4", tmp_path / "model.elf", ["model_run"], ["-Wno-cast-function-type"])
