"""Quick trials of a front end: features computed once, and a small network trained on them in seconds.

Two small networks with opposite beliefs about the second axis of a feature map. `2-D` slides the same small filters along it: what
is next to each other belongs together, and a pattern means the same further up. `1-D` gives every band its own weights, and slides
along time only. The third, TinySpeech-M, is one that the course ships, and believes what `2-D` does.
"""

from statistics import mean

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tinycourse import models
from tinycourse.data import Clips
from tinycourse.divergence import must_be_finite
from tinycourse.features.augmentation import add_noise
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.studies import tables
from tinycourse.training.checkpoint import in_batches

MEASURED = tables.MEASURED / "front_end.json"  # written by benchmarks/front_end.py
SETTINGS = {  # of the front end, each named by how it differs from the paper's (TinySpeech, section 3)
    "MFCC, 40 of 40": FrontendConfig(),
    "MFCC, 10 of 40": FrontendConfig(coefficients=10),
    "log-mel": FrontendConfig(kind="log-mel"),
    "PCEN": FrontendConfig(kind="pcen"),
    "MFCC, 25/10 ms": FrontendConfig(window=400),
    "MFCC, 40/20 ms": FrontendConfig(window=640, hop=320, fft=1024),
    "MFCC, 10 of 40, 40/20 ms": FrontendConfig(coefficients=10, window=640, hop=320, fft=1024),
    "MFCC, to 7.6 kHz": FrontendConfig(high=7_600),
    "log-mel, to 7.6 kHz": FrontendConfig(kind="log-mel", high=7_600),
}
TESTS = ("clean", "10 dB", "0 dB", "quiet")  # of benchmarks/front_end.py: as they are, in noise, and 20 dB softer
MOVE = 0.1  # seconds that a map is moved at most, either way, each time that the network meets it


def over_maps(bands: int, classes: int) -> nn.Module:
    """`2-D`: maps [B, 1, frames, bands] to logits [B, classes], whatever the number of bands."""
    shapes = ((1, 8), (8, 16), (16, 24), (24, 32))
    layers = [part for i, o in shapes for part in (nn.Conv2d(i, o, 3, 2, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, classes))


def over_time(bands: int, classes: int) -> nn.Module:
    """`1-D`: every band is a channel. Maps [B, 1, frames, bands] to logits [B, classes]."""
    shapes = ((bands, 24), (24, 32), (32, 40))
    layers = [part for i, o in shapes for part in (nn.Conv1d(i, o, 3, 2, 1, bias=False), nn.BatchNorm1d(o), nn.ReLU())]
    return nn.Sequential(BandsFirst(), *layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(40, classes))


class BandsFirst(nn.Module):
    """[B, 1, frames, bands] to [B, bands, frames]."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x[:, 0].transpose(1, 2)


NETWORKS = {"2-D": over_maps, "1-D": over_time, "TinySpeech": lambda bands, classes: models.build("tinyspeech-m", classes)}


def noisy(clips: Clips, noise: Tensor, snr: tuple[float, float], share: float = 1.0, seed: int = 0) -> Tensor:
    """The clips, a `share` of them with noise between snr[0] and snr[1] decibels below them: float32 [N, samples].

    noise: one long recording [samples] to cut from.
    """
    random, audio = torch.Generator().manual_seed(seed), clips.waveforms()
    n, samples = audio.shape
    start = torch.randint(0, len(noise) - samples, (n,), generator=random).tolist()
    chosen = torch.rand(n, generator=random) < share
    wanted = snr[0] + (snr[1] - snr[0]) * torch.rand(n, generator=random)
    cut = torch.stack([noise[s : s + samples] for s in start])  # [N, samples]
    return torch.where(chosen[:, None], add_noise(audio, cut, wanted), audio)


def listen(config: FrontendConfig, audio: Tensor, tests: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Training audio [N, samples] and test audio by name as normalised maps [N, 1, frames, bands], fitted on the training audio."""
    front = Frontend(config).fit(audio[:: max(1, len(audio) // 1000)])
    return in_batches(front, audio), {name: in_batches(front, test) for name, test in tests.items()}


def moved(x: Tensor, limit: int) -> Tensor:
    """Every map moved by up to `limit` frames either way, its end frames repeated: [B, 1, frames, bands] -> the same."""
    b, _, frames, bands = x.shape
    start = torch.randint(-limit, limit + 1, (b, 1))
    index = (start + torch.arange(frames)).clamp(0, frames - 1)  # [B, frames]
    return x.gather(2, index[:, None, :, None].expand(b, 1, frames, bands))


def train(name: str, x: Tensor, labels: Tensor, classes: int, epochs: int, seed: int, hop: float = 0.01, batch: int = 64) -> nn.Module:
    """One of NETWORKS trained on maps x [N, 1, frames, bands] with labels [N]; `hop` is the seconds between frames.

    Raises Diverged where a number is not finite any more.
    """
    torch.manual_seed(seed)
    network = NETWORKS[name](x.shape[3], classes).to(memory_format=torch.channels_last)  # twice as fast on a CPU
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=epochs * (len(x) // batch))
    for epoch in tqdm(range(epochs), desc=f"{name} network", leave=False):
        for index in torch.randperm(len(x))[: len(x) // batch * batch].view(-1, batch):
            loss = F.cross_entropy(network(moved(x[index], round(MOVE / hop))), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        must_be_finite(f"Epoch {epoch + 1}", {"the loss": loss} | network.state_dict())
    return network.eval()


def accuracy(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """Share of maps x [N, 1, frames, bands] that the network gets right."""
    with torch.no_grad():
        right = [(network(part).argmax(1) == part_labels).sum() for part, part_labels in zip(x.split(500), labels.split(500))]
    return int(sum(right)) / len(labels)


def run(config: FrontendConfig, training: Clips, testing: Clips, epochs: int, seed: int) -> dict[str, float]:
    """Accuracy of both small networks on `testing`, trained on `training` with this front end."""
    x, tests = listen(config, training.waveforms(), {"testing": testing.waveforms()})
    hop, classes = config.hop / config.rate, len(training.classes)
    networks = {name: train(name, x, training.labels, classes, epochs, seed, hop) for name in ("2-D", "1-D")}
    return {name: accuracy(network, tests["testing"], testing.labels) for name, network in networks.items()}


def measured() -> dict:
    """What `benchmarks/front_end.py` measured: `command`, `data`, ..., and `rows`, one for each trained network."""
    return tables.read(MEASURED)


def by_setting(rows: list[dict], test: str = "clean", how: str = "clean") -> dict[str, dict[str, list[float]]]:
    """Accuracies on the test data `test` of what was trained on `how`: setting -> network -> one for each seed."""
    table = {}
    for row in rows:
        if row["training"] == how:
            table.setdefault(row["setting"], {}).setdefault(row["network"], []).append(row[test])
    return {setting: table[setting] for setting in SETTINGS if setting in table}


def table(rows: list[dict], notes: dict[str, str] | None = None) -> str:
    """What every setting costs and brings to both small networks, a line each: numbers in a map, multiply-adds, mean accuracy.

    `notes` chooses settings, and adds a note to each.
    """
    tests = {"clean": by_setting(rows), "10 dB": by_setting(rows, "10 dB")}
    costs = {(row["setting"], row["network"]): row for row in rows}
    head = "".join(f"{text:>20}" for text in ("multiply-adds", "accuracy", "in noise, 10 dB"))
    lines = [f"{'':34}{head}", f"{'setting':26}{'numbers':>8}" + 3 * f"{'2-D':>11}{'1-D':>9}"]
    for name in tests["clean"] if notes is None else notes:
        costs_of = [costs[name, network] for network in ("2-D", "1-D")]
        right = [f"{mean(found[name][network]):.1%}" for found in tests.values() for network in ("2-D", "1-D")]
        cells = [f"{row['multiply_adds']:,}" for row in costs_of] + right
        line = f"{name:26}{costs_of[0]['values']:8,}" + "".join(f"{x:>11}{y:>9}" for x, y in zip(cells[::2], cells[1::2]))
        lines.append(f"{line}   {notes[name]}" if notes else line)
    return "\n".join(lines)


def in_noise(rows: list[dict], settings: tuple[str, ...]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Accuracies of both small networks, trained on clean and on noisy clips: panel -> setting -> test -> one for each seed."""
    panels = {}
    for how in ("clean", "noisy"):
        tests = {test: by_setting(rows, test, how) for test in TESTS}
        for network in ("2-D", "1-D"):
            panel = {setting: {test: found[setting][network] for test, found in tests.items()} for setting in settings}
            panels[f"{network}, trained on {how} clips"] = panel
    return panels
