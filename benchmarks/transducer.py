"""The transducer's loss, forward and backward: ours, numba's over the batch, torchaudio's C++. Run by hand: python benchmarks/transducer.py

Processor time, not the clock's, so that what else the machine does counts less; all on one thread, in turns, the smallest of the rounds.
numba (`pip install numba`) and torchaudio's compiled part are left out where they are missing. Memory is the largest sum of tensors alive
at one time, as torch's profiler sees them, over the bytes of the logits; torchaudio's and numba's own buffers it does not see.
"""

import math
import sys
import time

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from tinycourse.errors import TinycourseError
from tinycourse.transducer.loss import rnnt_loss

SIZES = ((16, 100, 20, 32), (16, 100, 20, 256), (16, 100, 20, 1024), (8, 400, 60, 256))  # B, T, U, V
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7


def by_numba():
    """A function like ours: one pass for the sums of exponentials, both walks in doubles, one pass for the gradient."""
    from numba import njit, prange

    @njit(fastmath=True)
    def log_add(a, b):
        return max(a, b) + math.log1p(math.exp(-abs(a - b)))

    @njit(parallel=True, fastmath=True)
    def compute(logits, targets, gradient, losses):
        batch, frames, nodes, words = logits.shape
        for b in prange(batch):
            sums = logits[b, :, :, 0].copy()
            alpha, beta = np.empty((frames, nodes)), np.empty((frames, nodes))
            for t in range(frames):
                for u in range(nodes):
                    row, top, total = logits[b, t, u], logits[b, t, u, 0], np.float32(0)
                    for v in range(words):
                        top = max(top, row[v])
                    for v in range(words):
                        total += math.exp(row[v] - top)
                    sums[t, u] = top + math.log(total)
            for t in range(frames):
                for u in range(nodes):
                    a = alpha[t - 1, u] + logits[b, t - 1, u, 0] - sums[t - 1, u] if t else -1e30
                    c = alpha[t, u - 1] + logits[b, t, u - 1, targets[b, u - 1]] - sums[t, u - 1] if u else -1e30
                    alpha[t, u] = log_add(a, c) if t or u else 0.0
            for t in range(frames - 1, -1, -1):
                for u in range(nodes - 1, -1, -1):
                    behind = beta[t + 1, u] if t + 1 < frames else (0.0 if u + 1 == nodes else -1e30)
                    a = behind + logits[b, t, u, 0] - sums[t, u]
                    c = beta[t, u + 1] + logits[b, t, u, targets[b, u]] - sums[t, u] if u + 1 < nodes else -1e30
                    beta[t, u] = log_add(a, c)
            total_b = beta[0, 0]
            losses[b] = -total_b
            for t in range(frames):
                for u in range(nodes):
                    row, shift = logits[b, t, u], np.float32(alpha[t, u] + beta[t, u] - total_b - sums[t, u])
                    for v in range(words):
                        gradient[b, t, u, v] = math.exp(row[v] + shift)
                    behind = beta[t + 1, u] if t + 1 < frames else (0.0 if u + 1 == nodes else -1e30)
                    gradient[b, t, u, 0] -= math.exp(alpha[t, u] + row[0] - sums[t, u] + behind - total_b)
                    if u + 1 < nodes:
                        v = targets[b, u]
                        gradient[b, t, u, v] -= math.exp(alpha[t, u] + row[v] - sums[t, u] + beta[t, u + 1] - total_b)

    def loss_and_gradient(logits, targets, *_):
        gradient, losses = torch.empty_like(logits), torch.empty(len(logits))
        compute(logits.detach().numpy(), targets.numpy(), gradient.numpy(), losses.numpy())
        return losses.sum(), gradient

    return loss_and_gradient


def by_autograd(implementation: str):
    def loss_and_gradient(logits, targets, frames, labels):
        loss = rnnt_loss(logits, targets, frames, labels, blank=0, reduction="sum", implementation=implementation)
        return loss.detach(), torch.autograd.grad(loss, logits)[0]

    loss_and_gradient(
        torch.zeros(1, 2, 2, 3, requires_grad=True), torch.ones(1, 1, dtype=torch.int64), torch.tensor([2]), torch.tensor([1])
    )
    return loss_and_gradient


def contenders() -> dict:
    """Those that work here, by name."""
    found = {}
    for name, make in (
        ("ours", lambda: by_autograd("tinycourse")),
        ("numba", by_numba),
        ("torchaudio", lambda: by_autograd("torchaudio")),
    ):
        try:
            found[name] = make()
        except (ImportError, TinycourseError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return found


def peak(run, *arguments) -> float:
    """Largest sum of tensors alive while `run` works, its arguments included, over the bytes of the first."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run(*arguments)
    alive = most = sum(x.nbytes for x in arguments)
    for event in sorted((e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        alive += event.nbytes()
        most = max(most, alive)
    return most / arguments[0].nbytes


torch.set_num_threads(1)
print(f"{'B':>3}{'T':>5}{'U':>4}{'V':>6}  {'':12}{'ms':>8}{'ratio to ours':>15}{'memory / logits':>17}{'difference':>12}")
runs = contenders()
for b, t, u, v in SIZES:
    torch.manual_seed(0)
    logits = torch.randn(b, t, u + 1, v, requires_grad=True)
    arguments = logits, torch.randint(1, v, (b, u)), torch.full((b,), t), torch.full((b,), u)
    milliseconds, answers = {name: [] for name in runs}, {}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.process_time()
            answers[name] = run(*arguments)[1]
            milliseconds[name].append(1000 * (time.process_time() - start))
    for name, values in milliseconds.items():
        memory = f"{peak(runs[name], *arguments):.2f}" if name == "ours" else ""
        off = (answers[name] - answers["ours"]).abs().max().item()
        ratio = min(values) / min(milliseconds["ours"])
        print(f"{b:3}{t:5}{u:4}{v:6}  {name:12}{min(values):8.1f}{ratio:15.2f}{memory:>17}{off:12.1e}")
