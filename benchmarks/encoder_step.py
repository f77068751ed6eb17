"""One streaming step of the paper's encoder, 8 LSTM layers of 2,048 units projected to 640: python benchmarks/encoder_step.py

A frame goes through all layers on one thread: float, hybrid, integer, and integer with 50, 80 and 90 % of the gates' 8x1 blocks pruned.
Every figure is a ratio to torch's own float LSTM with projection in the same run: medians of --rounds calls, each behind all the others,
so that weights come from memory as they do in a network larger than the cache. "plain C" does without the instructions of one maker.
Weights are random: one layer, copied to eight places in memory. Before anything is timed, a layer of each kind is compared with its
reference: integers on every bit.
"""

import argparse
import time
from statistics import median

import numpy as np
import torch
from tqdm.auto import tqdm

from tinycourse.host.layers import FloatLayer, HybridLayer, IntegerLayers
from tinycourse.models.cells import CellConfig, Recurrent
from tinycourse.pruning.masks import choose
from tinycourse.quantization.dynamic import HybridRecurrent
from tinycourse.quantization.recurrent_layers import quantize_layers, run_steps

LAYERS, UNITS, WIDTH = 8, 2048, 640


def layer(kind: str, sparsity: float, norm: bool) -> Recurrent:
    """A random layer whose gates are pruned in 8x1 blocks."""
    torch.manual_seed(0)
    made = Recurrent(WIDTH, CellConfig(kind, UNITS, WIDTH, norm)).eval()
    for weight in [w for w in (made.weight_input, made.weight_recurrent) if w is not None]:
        weight.data *= choose({"w": weight.data}, (8, 1), sparsity)["w"]
    return made


def checked(one: Recurrent, x: torch.Tensor, kind: str) -> list:
    """Eight layers of one kind, after a comparison of the first with its reference."""
    if kind.startswith("integer"):
        program, _ = quantize_layers([one], [x[0]])
        flags, q = (("-DTN_PLAIN",) if "plain" in kind else ()), program.quantize_input(x.numpy())
        layers = [IntegerLayers(program, flags) for _ in range(LAYERS)]
        assert np.array_equal(np.stack([layers[0](frame) for frame in q[0]]), run_steps(program, q)[0][0]), kind
        return layers
    layers = [(HybridLayer if kind == "hybrid" else FloatLayer)(one) for _ in range(LAYERS)]
    expected = (HybridRecurrent(one) if kind == "hybrid" else one)(x)[0][0].detach().numpy()
    assert np.abs(np.stack([layers[0](frame) for frame in x[0].numpy()]) - expected).max() < 1e-3, kind
    return layers


def through(layers: list, x: np.ndarray):
    """One frame through all layers."""
    for one in layers:
        x = one(x)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cell", default="lstm", help="lstm, cifg or sru (torch's is an LSTM all the same)")
    parser.add_argument("--layer-norm", action="store_true", help="in our layers; torch's has none")
    parser.add_argument("--rounds", type=int, default=15)
    a = parser.parse_args()
    torch.set_num_threads(1)
    x = torch.randn(1, 4, WIDTH)
    calls = {}
    for kind, sparsity in (
        ("float", 0),
        ("hybrid", 0),
        ("integer", 0),
        ("integer", 0.5),
        ("integer", 0.8),
        ("integer", 0.9),
        ("integer, plain C", 0),
    ):
        layers = checked(layer(a.cell, sparsity, a.layer_norm), x, kind)
        frame = np.zeros(WIDTH, np.int8) if kind.startswith("integer") else x[0, 0].numpy()
        calls[f"{kind}{f', {sparsity:.0%} sparse' if sparsity else ''}"] = lambda layers=layers, frame=frame: through(layers, frame)
    theirs = torch.nn.LSTM(WIDTH, UNITS, LAYERS, proj_size=WIDTH).eval()
    state = (torch.zeros(LAYERS, 1, WIDTH), torch.zeros(LAYERS, 1, UNITS))
    calls["torch, float"] = lambda: theirs(x[:, :1], state)
    times = {name: [] for name in calls}
    for _ in tqdm(range(a.rounds), leave=False):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    unit = median(times["torch, float"])
    print(f"{a.cell}{', layer norm' if a.layer_norm else ''}: torch's float encoder takes {1000 * unit:.1f} ms a frame")
    for name in ["torch, float", *list(times)[:-1]]:
        print(f"{name:24}{median(times[name]) / unit:7.3f}   {1000 * median(times[name]):7.2f} ms")


if __name__ == "__main__":
    main()
