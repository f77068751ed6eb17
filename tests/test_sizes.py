"""The library is read in small pieces."""

import ast
from pathlib import Path

import tinycourse

LIBRARY = Path(tinycourse.__file__).parent
FILES = {path.relative_to(LIBRARY).as_posix(): path.read_text(encoding="utf-8") for path in sorted(LIBRARY.rglob("*.py"))}


def test_no_file_is_longer_than_400_lines():
    lengths = {name: text.count("\n") for name, text in FILES.items()}
    assert lengths and {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_function_is_longer_than_60_lines():
    functions = [(name, n) for name, text in FILES.items() for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
    assert functions and [f"{name}: {n.name}" for name, n in functions if n.end_lineno - n.lineno >= 60] == []
