"""Matrix times vector on one thread: float, hybrid and integer, dense and in blocks of 8 outputs x 1 input, against torch's float.

    python benchmarks/sparse.py [--rounds 20] [--json FILE]

Every figure is a ratio to torch's float product in the same run. "again": the best of calls that follow each other, so that what fits
into a cache lies there. "first": the median of first calls after all the others ran, when the weights come from far away, as in a network
that is larger than the cache. Weights are random; the kernels take the same path for any.
"""

import argparse
import json
import platform
import time
import warnings
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tqdm.auto import tqdm

from tinycourse.host.products import FloatProduct, HybridProduct, IntegerProduct
from tinycourse.program.fixed_point import fixed_point
from tinycourse.pruning.masks import choose

SHAPES = {
    "8192 x 640": "all gates of a layer of the paper's encoder, input or recurrent (2048 units, projection 640)",
    "640 x 2048": "its projection",
    "2048 x 640": "one gate",
    "512 x 128": "all gates of a layer of our encoder of digits",
}
SPARSITIES = (0.5, 0.7, 0.8, 0.9)


def integer(weight: np.ndarray, sparse: bool, flags=()) -> IntegerProduct:
    """The weights in int8, and outputs rescaled to int16 with some plausible factor."""
    rows, step = len(weight), np.abs(weight).max() / 127
    multiplier, shift = fixed_point(np.full(rows, 0.01))
    q = np.rint(weight / step).astype(np.int8)
    return IntegerProduct(q, np.zeros(rows, np.int32), multiplier, shift, zero=3, sparse=sparse, flags=flags)


def contestants(rows: int, columns: int) -> dict:
    """(kind, sparsity) -> a call without arguments."""
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    x = torch.randn(columns, generator=torch.Generator().manual_seed(1))
    q = x.mul(40).round().clamp(-128, 127).to(torch.int8).numpy()
    linear = torch.nn.Sequential(torch.nn.Linear(columns, rows, bias=False))
    linear[0].weight.data = weight
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is on its way out; there is nothing else to compare with yet
        dynamic = torch.ao.quantization.quantize_dynamic(linear, dtype=torch.qint8)
    calls = {("torch float", 0.0): lambda: weight @ x, ("torch dynamic int8", 0.0): lambda: dynamic(x[None])}
    calls["numpy float", 0.0] = partial(np.matmul, weight.numpy(), x.numpy())
    for sparsity in (0.0, *SPARSITIES):
        pruned, sparse = (weight * choose({"w": weight}, (8, 1), sparsity)["w"]).numpy(), sparsity > 0
        calls["float", sparsity] = partial(FloatProduct(pruned, sparse), x.numpy())
        calls["hybrid", sparsity] = partial(HybridProduct(pruned, sparse), x.numpy())
        calls["integer", sparsity] = partial(integer(pruned, sparse), q)
        calls["integer, plain C", sparsity] = partial(integer(pruned, sparse, ("-DTN_PLAIN",)), q)
    return calls


@torch.no_grad()
def measure(calls: dict, rounds: int, again: int = 6) -> dict:
    """(kind, sparsity) -> {"again", "first", "microseconds"}, ratios to torch's float product."""
    first, best = {k: [] for k in calls}, {k: [] for k in calls}
    for _ in tqdm(range(rounds), leave=False):
        for key, call in calls.items():
            times = []
            for _ in range(1 + again):
                start = time.perf_counter()
                call()
                times.append(time.perf_counter() - start)
            first[key].append(times[0])
            best[key].append(min(times[1:]))
    unit = min(best["torch float", 0.0]), median(first["torch float", 0.0])
    return {
        key: {"again": min(best[key]) / unit[0], "first": median(first[key]) / unit[1], "microseconds": 1e6 * min(best[key])}
        for key in calls
    }


def table(results: dict, what: str) -> str:
    kinds = list(dict.fromkeys(kind for kind, _ in results))
    lines = [f"{what:22}" + "".join(f"{s:>8.0%}" for s in (0.0, *SPARSITIES))]
    for kind in kinds:
        cells = (results.get((kind, s)) for s in (0.0, *SPARSITIES))
        lines.append(f"{kind:22}" + "".join(f"{c[what]:8.3f}" if c else " " * 8 for c in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    a = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for shape, what in SHAPES.items():
        results = measure(contestants(*map(int, shape.split(" x "))), a.rounds)
        print(f"\n{shape}: {what}; torch's float product takes {results['torch float', 0.0]['microseconds']:.0f} microseconds")
        print(table(results, "again"), table(results, "first"), sep="\n")
        rows += [{"shape": shape, "kind": kind, "sparsity": s, **r} for (kind, s), r in results.items()]
    if a.json:
        machine = {"processor": platform.machine(), "vector": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__}
        a.json.write_text(json.dumps({"command": "python benchmarks/sparse.py", "machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
