"""What holds for every kind of operation, of integers and of floats."""

import inspect

import pytest

from tinycourse.program.ops.base import OPS
from tinycourse.quantization.ops.base import NODES


@pytest.mark.parametrize("kind", [*OPS.values(), *NODES.values()], ids=lambda kind: f"{kind.__module__.split('.')[1]}-{kind.kind}")
def test_every_method_is_documented_where_it_is_first_defined(kind):
    members = inspect.getmembers(kind, lambda value: inspect.isroutine(value) or isinstance(value, property))
    assert [name for name, value in members if not name.startswith("_") and not inspect.getdoc(value)] == []
