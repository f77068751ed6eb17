"""Own C on the chip: a function of two vectors, its assembly, and the instructions that it takes; and parts of C to be read."""

import re
import tempfile
from pathlib import Path

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.targets import toolchain
from tinycourse.targets.emulator import Chip

RUNTIME = Path(__file__).parents[1] / "codegen" / "kernels" / "runtime.c"  # products of 64 bits, where the core has none
AROUND = """#include <stdint.h>
#if defined(__ARM_FEATURE_DSP)
#include <arm_acle.h>
#endif
#define N {n}
#define ALONE __attribute__((noinline))
static union {{ int8_t bytes[2 * N]; int32_t aligned; }} given;
static int32_t result;
ALONE int32_t dot(const int8_t *x, const int8_t *w);
void *own_input(void);
void *own_output(void);
void own_run(void);
void *own_input(void) {{ return &given; }}
void *own_output(void) {{ return &result; }}
void own_run(void) {{ result = dot(given.bytes, given.bytes + N); }}
#line 1 "your C"
{code}
"""


def run(code: str, x: np.ndarray, w: np.ndarray, target: str) -> tuple[int, int]:
    """(result, instructions) of `int32_t dot(const int8_t *x, const int8_t *w)` on an emulated chip.

    `code` is C that defines it; N is the length of x and w, int8 [N]. Counted are the call and the return, too. Raises TinycourseError
    with the compiler's first error, or where the program touches memory that is not there.
    """
    if x.dtype != np.int8 or x.shape != w.shape or w.dtype != np.int8:
        raise TinycourseError(f"dot takes two int8 vectors of one length, not {x.dtype} {list(x.shape)} and {w.dtype} {list(w.shape)}.")
    with tempfile.TemporaryDirectory() as folder:
        source, elf = Path(folder, "own.c"), Path(folder, "own.elf")
        source.write_text(AROUND.format(n=len(x), code=code))
        toolchain.build([source, RUNTIME], target, elf, ["own_run", "own_input", "own_output"])
        chip = Chip(elf, "own")
        result = chip.run(x.tobytes() + w.tobytes(), 4)
    return int(np.frombuffer(result, np.int32)[0]), chip.instructions


def assembly(code: str, n: int, target: str) -> list[str]:
    """The instructions that the compiler makes of `dot` for vectors of `n`, with its labels, one a line."""
    with tempfile.TemporaryDirectory() as folder:
        source, listing = Path(folder, "own.c"), Path(folder, "own.s")
        source.write_text(AROUND.format(n=n, code=code))
        options = [o for o in toolchain.TARGETS[target] if not o.startswith("-Wl")]
        options.append("-Wno-unused-command-line-argument")  # the driver adds a -c, and -S does not need it
        toolchain.compile_c([*toolchain.WARNINGS, *toolchain.BARE, *options, "-S", str(source), "-o", str(listing)])
        lines = [line.split("@")[0].rstrip() for line in listing.read_text().splitlines()]
    start = lines.index("dot:")
    body = lines[start : next(i for i in range(start, len(lines)) if lines[i].startswith(".Lfunc_end"))]
    return [line for line in body if re.match(r"\t[a-z]|\.L\w+:|dot:", line)]


def loop(listing: list[str]) -> list[str]:
    """The innermost loop of an `assembly` listing: from a label to the branch that goes back to it; the shortest, if there are several."""
    loops = []
    for i, line in enumerate(listing):
        branch = re.match(r"\t(?:b|cb)\w*(?:\.[nw])?\t(?:\w+, )?(\.L\w+)$", line)
        if branch and f"{branch[1]}:" in listing[:i]:
            loops.append(listing[listing.index(f"{branch[1]}:") : i + 1])
    return min(loops, key=len, default=[])


def excerpt(source: str, begin: str) -> str:
    """The function, struct or constant of a C source whose first line contains `begin`, to the brace that closes it.

    Raises TinycourseError where there is none."""
    lines = source.splitlines()
    start = next((i for i, line in enumerate(lines) if begin in line and not line.rstrip().endswith(");")), None)
    if start is None:
        raise TinycourseError(f"There is no {begin!r} in this C source; choose something that begins a function or a constant.")
    depth = 0
    for end in range(start, len(lines)):
        depth += lines[end].count("{") - lines[end].count("}")
        if depth == 0 and "}" in lines[end]:
            break
    return "\n".join(lines[start : end + 1])
