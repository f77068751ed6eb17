"""Recurrent layers against torch.nn.LSTM, which oneDNN fuses: hidden 256, 100 frames, batch 16, forward and backward.

Run by hand: python benchmarks/cells.py [ROUNDS] [THREADS]. Processor time, so that what else the machine does counts less; in turns, the
smallest of the rounds, and the median of the ratios within a round.
"""

import statistics
import sys
import time

import torch
from torch import nn

from tinycourse.models.cells import CellConfig, Recurrent

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
torch.manual_seed(0)
WIDTH, FRAMES, BATCH = 256, 100, 16
layers = {
    "torch LSTM": nn.LSTM(WIDTH, WIDTH, batch_first=True),
    "torch LSTM, projected": nn.LSTM(WIDTH, WIDTH, batch_first=True, proj_size=128),
    **{kind: Recurrent(WIDTH, CellConfig(kind, WIDTH)) for kind in ("lstm", "cifg", "sru")},
    **{f"{kind}, projected": Recurrent(WIDTH, CellConfig(kind, WIDTH, 128)) for kind in ("lstm", "cifg", "sru")},
    **{f"{kind}, layer norm": Recurrent(WIDTH, CellConfig(kind, WIDTH, layer_norm=True)) for kind in ("lstm", "cifg", "sru")},
}
x = torch.randn(BATCH, FRAMES, WIDTH, requires_grad=True)
milliseconds = {name: [] for name in layers}
for _ in range(ROUNDS):
    for name, layer in layers.items():
        start = time.process_time()
        y, _ = layer(x)
        y.sum().backward()
        milliseconds[name].append(1000 * (time.process_time() - start))
print(f"{'':24}{'ms':>8}{'ratio to torch LSTM':>22}{'parameters':>12}   ({torch.get_num_threads()} threads)")
for name, values in milliseconds.items():
    ratio = statistics.median(a / b for a, b in zip(values, milliseconds["torch LSTM"]))
    print(f"{name:24}{min(values):8.1f}{ratio:22.2f}{sum(p.numel() for p in layers[name].parameters()):12,}")
