"""What a design costs, known without training it, and what a chip or a paper allows."""

from dataclasses import asdict, dataclass

import torch

from tinycourse.codegen import emitter
from tinycourse.models.design import Design, Designed
from tinycourse.program.program import Program
from tinycourse.quantization.post_training import calibrate, quantize_graph
from tinycourse.quantization.tracing import trace
from tinycourse.search import instruction_model
from tinycourse.training import profiling

CLASSES = 12  # of the papers' tables, for which `tinycourse profile` counts too


@dataclass(frozen=True)
class Costs:
    """Weights and multiply-adds for one clip; bytes of constants in flash and of the planned arena in RAM; instructions on a Cortex-M4,
    predicted. None where nobody asked."""

    parameters: int
    multiply_adds: int
    flash: int | None = None
    ram: int | None = None
    instructions: int | None = None


def count(design: Design) -> Costs:
    """Weights and multiply-adds: a tenth of a second."""
    p = profiling.profile(Designed(design, CLASSES), torch.zeros(1, *design.frontend.shape), "weights")
    return Costs(p.parameters, p.multiply_adds)


def program_of(design: Design) -> Program:
    """The integer program of a design with weights of no meaning: a second. Raises UnsupportedOperation where there is none."""
    shape = design.frontend.shape
    graph = trace(Designed(design, CLASSES).eval(), shape)
    return quantize_graph(graph, calibrate(graph, torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)), "min-max"))


def plan(design: Design) -> Costs:
    """All costs: flash and RAM by the exporter's own planner, instructions by the cost model."""
    cheap, program = count(design), program_of(design)
    kernels, memory = emitter.translate(program)
    flash = sum(kernel.constant_bytes for kernel in kernels)
    return Costs(cheap.parameters, cheap.multiply_adds, flash, memory.arena, instruction_model.predict(program))


def by_part(design: Design) -> list[dict]:
    """`parameters` and `multiply_adds` of stem, condensers, last convolution and classifier, a dict with the name `layer` for each."""
    network, rows = Designed(design, CLASSES), {}
    for layer in profiling.layers(network, torch.zeros(1, *design.frontend.shape)):
        if layer.kind in ("Conv2d", "Linear"):
            path = layer.path.split(".")
            name = f"block {path[1]}, {path[2]}" if path[0] == "blocks" else "last" if path[0] == "before" else path[0]
            row = rows.setdefault(name, {"layer": name, "parameters": 0, "multiply_adds": 0})
            row["parameters"] += network.get_submodule(layer.path).weight.numel()
            row["multiply_adds"] += layer.multiply_adds
    return list(rows.values())


@dataclass(frozen=True)
class Limits:
    """What is allowed: at most `parameters` and `multiply_adds`, or, where there are `rungs` ((parameters, multiply-adds), ...),
    no more multiply-adds than the first rung whose parameters suffice. `flash` and `ram` in bytes; `accuracy` is of the result."""

    parameters: int | None = None
    multiply_adds: int | None = None
    flash: int | None = None
    ram: int | None = None
    instructions: int | None = None
    rungs: tuple[tuple[int, int], ...] = ()
    accuracy: float = 0.0

    def excess(self, costs: Costs) -> dict[str, float]:
        """By how much costs exceed each limit, as a share of it: positive where they do, for those that are known."""
        limits = {name: getattr(self, name) for name, cost in asdict(costs).items() if cost is not None}
        if self.rungs:
            rung = next((r for r in self.rungs if costs.parameters <= r[0]), self.rungs[-1])
            limits |= {"parameters": self.rungs[-1][0], "multiply_adds": rung[1]}
        return {name: getattr(costs, name) / limit - 1 for name, limit in limits.items() if limit is not None}


CODE = 24 * 1024  # bytes of flash that are left to kernels, their parameters and start-up code: more than any network took
STACK = 2 * 1024
PRESETS = {
    "paper": Limits(parameters=15_000, accuracy=0.9),  # TinySpeech, section 3.1
    "ladder": Limits(rungs=((2_700, 449_957), (4_700, 998_219), (10_800, 1_878_571)), flash=256 * 1024 - CODE, ram=32 * 1024 - STACK),
    "cortex-m0plus": Limits(flash=256 * 1024 - CODE, ram=32 * 1024 - STACK),  # 256 KB of flash and 32 KB of RAM
    "cortex-m4": Limits(flash=1024 * 1024 - CODE, ram=256 * 1024 - STACK),  # 1 MB and 256 KB
}
