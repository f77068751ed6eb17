"""CONTRIBUTING's recipe for an operation, followed with torch.maximum on a copy of the library: five files, and all others ask the class.

tests/toy/ has the three files that are new, in their folders; what changes in two more is below.
"""

import filecmp
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tinycourse

ROOT, TOY, LIBRARY = Path(__file__).parents[1], Path(__file__).parent / "toy", Path(tinycourse.__file__).parent
NEW = "program/ops/maximum.py", "quantization/ops/maximum.py", "codegen/kernels/maximum.c"
STRUCT = """typedef struct {
    int32_t zero_point, multiplier, shift;
} tc_side;

typedef struct {
    tc_shape output;
    tc_stride stride_a, stride_b;
    tc_side side_a, side_b;
    tc_activation activation;
} tc_maximum_params;

"""
PROTOTYPE = "void tc_maximum(const tc_maximum_params *p, const int8_t *a, const int8_t *b, int8_t *output);\n"
LOWER = '''def lower_maximum(call, x, other):
    """Of two maps or two vectors."""
    return call.node("maximum", x, other)


'''
CHANGED = {  # file: {what is there: what takes its place}
    "codegen/kernels/kernels.h": {
        "typedef struct {\n    tc_window window;\n    int32_t multiplier, shift; /* average": STRUCT + r"\g<0>",
        "void tc_max_pool\\(": PROTOTYPE + r"\g<0>",
    },
    "quantization/lowering.py": {
        "def lower_max_pool2d": LOWER + r"\g<0>",
        "PAIRS = frozenset\\(ARITHMETIC\\)": 'PAIRS = frozenset([*ARITHMETIC, "maximum"])',
        '    "conv1d": lower_conv1d,\n': r'\g<0>    "maximum": lower_maximum,\n',
    },
}


def patch(copy: Path) -> None:
    """Add the operation to a copy of the library."""
    for file in NEW:
        shutil.copy(TOY / file, copy / file)
    for file, places in CHANGED.items():
        text = (copy / file).read_text(encoding="utf-8")
        for there, instead in places.items():
            text, count = re.subn(there.replace("/*", "/\\*").replace("{", "\\{"), instead, text)
            assert count == 1, f"{there!r} stands {count} times in {file}"
        (copy / file).write_text(text, encoding="utf-8")


def touched(copy: Path) -> set[str]:
    """The files of a copy that differ from the library's."""
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return {name for name in files if not ((LIBRARY / name).is_file() and filecmp.cmp(LIBRARY / name, copy / name, shallow=False))}


def test_an_operation_of_ones_own_runs_everywhere(tmp_path):
    shutil.copytree(LIBRARY, tmp_path / "tinycourse", ignore=shutil.ignore_patterns("checkpoints", "static", "measured"))
    patch(tmp_path / "tinycourse")
    assert touched(tmp_path / "tinycourse") == {*NEW, *CHANGED} and len({*NEW, *CHANGED}) == 5
    (tmp_path / "built").mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, str(TOY / "run.py"), str(tmp_path / "built")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_recipe_names_every_file():
    """And those of the example, which are the same but for the name of the operation."""
    (recipe,) = re.findall(r"^- \*\*An operation\*\*.*?(?=^- \*\*)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M | re.S)
    for file in (*NEW, *CHANGED):
        assert f"`tinycourse/{file.replace('maximum', 'NAME')}`" in recipe
