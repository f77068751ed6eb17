"""Arenas to compare: where the tensors of a program lie if nobody plans, and if somebody does.

`codegen/planner.py` decides for the chip. Here are its steps one by one, so that one can see what each of them buys.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tinycourse.codegen import emitter, planner
from tinycourse.codegen.planner import Buffer
from tinycourse.program.program import Program

ORDERS: dict[str, Callable[[Buffer], tuple]] = {  # who may choose a place first
    "first come, first served": lambda b: (b.first, -b.bytes),
    "the longest lived first": lambda b: (b.first - b.last, -b.bytes),
    "the largest first": lambda b: (-b.bytes, b.first),
}


@dataclass(frozen=True)
class Layout:
    """Buffers and the offset of each, in bytes. `arena` is what they take, `lower_bound` the most that lives at any one step."""

    buffers: tuple[Buffer, ...]
    offsets: tuple[int, ...]

    @property
    def arena(self) -> int:
        """Bytes, whole words."""
        return planner.align(max(offset + b.bytes for offset, b in zip(self.offsets, self.buffers)))

    @property
    def lower_bound(self) -> int:
        """Bytes; no layout takes less."""
        return max(live(self.buffers))


def live(buffers: tuple[Buffer, ...]) -> list[int]:
    """Bytes that live at each step, from -1, before the first operation, on."""
    return [sum(b.bytes for b in buffers if b.first <= step <= b.last) for step in range(-1, 1 + max(b.last for b in buffers))]


def apart(program: Program) -> tuple[Buffer, ...]:
    """A buffer for each tensor: nothing overwrites its input. A reshape is the same bytes under another name, and has no buffer."""
    home, end = {name: name for name in (program.input, *program.state)}, len(program.operations)  # tensor -> whose bytes it has
    first, last = dict.fromkeys(home, -1), dict.fromkeys(home, -1)
    for i, op in enumerate(program.operations):
        last |= {home[name]: i for name in op.inputs}
        home[op.output] = home[op.inputs[0]] if op.alias else op.output
        first.setdefault(home[op.output], i)
        last[home[op.output]] = i
    last |= {home[name]: end for name in (program.output, *program.state, *program.state.values())}
    tensors = [Buffer((name,), program.tensors[name].bytes, first[name], last[name]) for name in first]
    return (*tensors, *scratch(program))


def overwritten(program: Program) -> tuple[Buffer, ...]:
    """The planner's buffers: element by element operations write over an input in its last use."""
    return (*planner.find_buffers(program), *scratch(program))


def scratch(program: Program) -> list[Buffer]:
    """What an operation needs while it runs, and nobody reads afterwards."""
    kernels, _ = emitter.translate(program)
    return [Buffer((), kernel.scratch, i, i) for i, kernel in enumerate(kernels) if kernel.scratch]


def side_by_side(buffers: tuple[Buffer, ...]) -> Layout:
    """No planning: every buffer has a place of its own."""
    offsets = [0]
    for b in buffers[:-1]:
        offsets.append(offsets[-1] + planner.align(b.bytes))
    return Layout(buffers, tuple(offsets))


def first_fit(buffers: tuple[Buffer, ...], order: str) -> Layout:
    """One after the other, in one of ORDERS, each at the lowest place where it meets nobody who lives at the same time."""
    everyone = range(len(buffers))
    neighbours = [[j for j in everyone if j != i and buffers[i].overlaps(buffers[j])] for i in everyone]
    offsets, _ = planner.place(sorted(everyone, key=lambda i: ORDERS[order](buffers[i])), list(buffers), neighbours)
    return Layout(buffers, tuple(offsets))


def searched(buffers: tuple[Buffer, ...]) -> Layout:
    """What the planner does for the chip: several orders, and a short search from the best of them."""
    offsets, _ = planner.pack(list(buffers), max(live(buffers)))
    return Layout(buffers, tuple(offsets))


def wider(buffers: tuple[Buffer, ...], times: int) -> tuple[Buffer, ...]:
    """The same buffers of larger numbers: 4 times for float32."""
    return tuple(replace(b, bytes=times * b.bytes) for b in buffers)
