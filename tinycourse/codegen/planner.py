"""Where each tensor lies in memory: a static arena, planned offline.

Every tensor lives from the operation that writes it to the last one that reads it. Two tensors that never live at the
same time may share bytes. Finding the smallest arena is bin packing in two dimensions (NP-hard); "largest first, at the
lowest free offset" (Pisarchyk and Lee 2020, arXiv 2001.03288) comes close, and a short seeded search over the order
closes most of what is left.
"""

from dataclasses import dataclass
from random import Random

from tinycourse.program.program import Program

ALIGNMENT = 4  # bytes; lets a kernel load four int8 in one word
TRIES, RESTARTS = 300, 6


@dataclass(frozen=True)
class Buffer:
    """Bytes that live from step `first` to step `last`, both included. Step i is operation i; the input exists before step 0."""

    tensors: tuple[str, ...]  # all of them start at the buffer's offset: the tensor itself, its reshapes, what overwrites it
    bytes: int
    first: int
    last: int

    def overlaps(self, other: "Buffer") -> bool:
        """Whether both are alive at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Plan:
    """`offsets` of every tensor and of the scratch of operation i under the key i; sizes in bytes.

    `lower_bound` is the most that lives at any one step: no arrangement of these buffers can be smaller.
    `live` has the bytes that live at each step.
    """

    offsets: dict[str | int, int]
    arena: int
    lower_bound: int
    live: tuple[int, ...]
    buffers: tuple[Buffer, ...]


def plan(program: Program, scratch: dict[int, int] | None = None) -> Plan:
    """Plan the arena of a program. `scratch` gives bytes that an operation needs while it runs, by its index."""
    buffers = find_buffers(program)
    keys = [b.tensors for b in buffers]
    for step, size in (scratch or {}).items():
        buffers.append(Buffer((), size, step, step))
        keys.append((step,))
    steps = range(len(program.operations))
    live = tuple(sum(b.bytes for b in buffers if b.first <= i <= b.last) for i in steps)
    lower_bound = max(live, default=max(b.bytes for b in buffers))
    places, arena = pack(buffers, lower_bound)
    offsets = {key: place for group, place in zip(keys, places) for key in group}
    return Plan(offsets, arena, lower_bound, live, tuple(buffers))


def find_buffers(program: Program) -> list[Buffer]:
    """Tensors that share their bytes: reshapes, and element-by-element operations that overwrite an input in its last use.

    A state lives all the time: from call to call it must stay. Where its successor can lie in its place nothing has to be copied.
    """
    last = {name: -1 for name in (program.input, *program.state)} | {op.output: i for i, op in enumerate(program.operations)}
    for i, op in enumerate(program.operations):
        last |= dict.fromkeys(op.inputs, i)
    last |= dict.fromkeys([program.output, *program.state.values()], len(program.operations))

    groups = {name: [name] for name in (program.input, *program.state)}  # tensor -> those in its buffer, one list for each buffer
    first = dict.fromkeys(groups, -1)
    for i, op in enumerate(program.operations):
        target = next((n for n in op.inputs if may_share(program, op, n, i, groups, last)), None)
        group = groups[target] if target else []
        group.append(op.output)
        groups[op.output] = group
        first[op.output] = i
    last |= dict.fromkeys(program.state, len(program.operations))
    unique = list({id(g): g for g in groups.values()}.values())
    sizes = [max(program.tensors[n].bytes for n in g) for g in unique]
    return [Buffer(tuple(g), size, min(first[n] for n in g), max(last[n] for n in g)) for g, size in zip(unique, sizes)]


def may_share(program: Program, op, name: str, step: int, groups: dict, last: dict) -> bool:
    """Whether the operation's output may lie where its input `name` lies."""
    if op.alias:
        return True
    shape = program.tensors[op.output].shape
    neighbours = [n for n in op.inputs if n != name and groups[n] is groups[name]]
    return (
        op.in_place
        and program.tensors[name].shape == shape
        and all(last[n] <= step and program.state.get(n, op.output) == op.output for n in groups[name])
        and all(program.tensors[n].shape == shape for n in neighbours)  # a broadcast alias is read more than once
    )


def pack(buffers: list[Buffer], lower_bound: int) -> tuple[list[int], int]:
    """Offsets of the buffers and the size of the arena: the best of several orders of "lowest free offset"."""
    indices = range(len(buffers))
    neighbours = [[j for j in indices if j != i and buffers[i].overlaps(buffers[j])] for i in indices]
    orders = [
        sorted(indices, key=lambda i: (-buffers[i].bytes, buffers[i].first)),
        sorted(indices, key=lambda i: (buffers[i].first - buffers[i].last, -buffers[i].bytes)),
        sorted(indices, key=lambda i: -buffers[i].bytes * (buffers[i].last - buffers[i].first + 1)),
    ]
    starts = [place(order, buffers, neighbours) + (order,) for order in orders]
    best = climb(min(starts, key=lambda found: found[1]), 1, align(lower_bound), buffers, neighbours)
    for moves in range(1, RESTARTS + 1):  # stuck far above the bound: begin again, in larger and larger steps
        if best[1] <= 1.05 * lower_bound:
            break
        best = min(best, climb(starts[0], moves, align(lower_bound), buffers, neighbours), key=lambda found: found[1])
    return best[0], best[1]


def climb(best: tuple, moves: int, enough: int, buffers: list[Buffer], neighbours: list[list[int]]) -> tuple[list[int], int, list[int]]:
    """(offsets, arena, order) after a short seeded search from another such: `moves` buffers change places at each try."""
    random = Random(moves - 1)
    for _ in range(TRIES):
        if best[1] <= enough:
            break
        order = list(best[2])
        for _ in range(moves):
            i, j = random.randrange(len(order)), random.randrange(len(order))
            order.insert(i, order.pop(j))
        offsets, arena = place(order, buffers, neighbours)
        if arena <= best[1]:
            best = offsets, arena, order
    return best


def place(order: list[int], buffers: list[Buffer], neighbours: list[list[int]]) -> tuple[list[int], int]:
    """Put each buffer, in this order, at the lowest offset where it meets no other that lives at the same time."""
    offsets = [-1] * len(buffers)
    for i in order:
        offset = 0
        for start, end in sorted((offsets[j], offsets[j] + buffers[j].bytes) for j in neighbours[i] if offsets[j] >= 0):
            if offset + buffers[i].bytes <= start:
                break
            offset = max(offset, align(end))
        offsets[i] = offset
    return offsets, align(max(offset + b.bytes for offset, b in zip(offsets, buffers)))


def align(size: int) -> int:
    """Round up to a multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT
