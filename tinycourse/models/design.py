"""Networks of attention condensers as data: what a search may choose, and TinySpeech X, Y, Z and M as four points of it.

A `Design` says everything about a network and nothing about its weights. `Designed` is the network, of `SearchedCondenser`s. Where a
design says what TinySpeech says the two have the same weights by the same names, and the same output.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import platformdirs
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import FrontendConfig
from tinycourse.models.condenser import FAR, NEAR, TINYSPEECH, Channels, GroupedConvolution, Pair, match_channels, shift_channels, unpool

FORMS = {  # F(V, A, S): the paper draws one node marked x / +
    "add": lambda v, a, s: s * v + a,
    "gate": lambda v, a, s: s * v * torch.sigmoid(a) + v,  # a public re-implementation; tends to V, not to A
    "gated add": lambda v, a, s: s * v * torch.sigmoid(a) + a,
}
ACTIVATIONS = ("relu", "silu", "hardswish")
LASTS = ("3x3", "1x1", "3x3 separable", "1 x bands", "3 x bands")  # kernels of the last convolution
FOUND = Path(__file__).parent / "designs.json"  # shipped; each as it was in the folder of `kept_file`
NAME = re.compile("[a-z0-9][a-z0-9-]*")  # of a design that a user keeps
Window = tuple[int, int | None]  # (frames, bands); None: all bands
WINDOWS = "stem_kernel", "near_pool", "far_pool"  # of a design; in files 0 bands are all


@dataclass(frozen=True)
class Design:
    """A network. Pairs and windows are (frames, bands)."""

    stem: int  # channels
    blocks: tuple[tuple[Channels, Channels], ...]  # ((a, b), (c, d)) as in TinySpeechConfig; a is once or twice the channels that come in
    last: int  # channels
    high: int = 4_000  # Hz, upper edge of the mel bank
    stem_kernel: Window = (3, 3)
    stem_stride: Pair = (2, 2)
    stem_pool: Pair = (2, 2)
    near_kernel: Pair = (1, 1)  # of the grouped convolution of a block's first condenser
    near_pool: Window = (2, 1)
    near_aside: bool = True  # whether its copies look up and down; only where there are two of each channel
    far_kernel: Pair = (1, 1)  # of the second condenser's
    far_pool: Window = (1, None)
    far_aside: bool = True  # whether its copies look back and ahead
    condense: str = "max"  # what the second condenser keeps of all bands: "max" or "mean"
    dilate: bool = False  # the far kernel is spread over 1, 2, 4, 8, 1, ... frames, block by block
    halve: tuple[int, ...] = ()  # blocks in front of which the bands are halved by max pooling
    form: str = "add"  # F(V, A, S), one of FORMS
    skip: bool = True  # around each block
    inner: str = "relu"  # activation of the embedding
    between: str = "identity"  # activation behind each block: "identity" or "relu"
    outer: str = "relu"  # activation of the stem
    activation: str = "silu"  # behind the last convolution
    last_kind: str = "3x3"  # one of LASTS
    last_pool: int = 1  # frames that are max-pooled to one in front of it

    @property
    def frontend(self) -> FrontendConfig:
        """The features it listens to."""
        return FrontendConfig(kind="log-mel", high=float(self.high))

    def to_json(self) -> dict:
        """As plain data: numbers, words and tuples, which become lists in a file; 0 bands are all."""
        return asdict(self) | {name: tuple(n or 0 for n in getattr(self, name)) for name in WINDOWS}

    @classmethod
    def from_json(cls, data: dict) -> "Design":
        """What `to_json` gave, perhaps through a file. Raises TinycourseError for what is no design."""
        if unknown := set(data) - {f.name for f in fields(cls)}:
            raise TinycourseError(f"A design has no {', '.join(sorted(unknown))}; choose among {', '.join(f.name for f in fields(cls))}.")
        return cls(**{name: tuple(n or None for n in value) if name in WINDOWS else as_tuple(value) for name, value in data.items()})


def as_tuple(value):
    """Lists within lists as tuples within tuples."""
    return tuple(map(as_tuple, value)) if isinstance(value, list | tuple) else value


def act(name: str, x: Tensor) -> Tensor:
    """An activation of torch.nn.functional, or none."""
    return x if name == "identity" else getattr(F, name)(x)


def pooled(x: Tensor, window: Window, keeps: str = "max") -> Tensor:
    """The strongest of every window, of all bands the "max" or the "mean": [B, C, H, W] -> [B, C, H / ph, W / pw]."""
    if window == (1, 1):
        return x
    if window[1] is None:
        return x.amax(3, keepdim=True) if keeps == "max" else x.mean(3, keepdim=True)
    return F.max_pool2d(x, window, ceil_mode=True)


class SearchedCondenser(nn.Module):
    """An `AttentionCondenser`, V [B, C, H, W] to V' [B, b, H, W], that leaves to a search what the paper leaves open.

    `offsets` is None where there is one copy of each channel. `keeps`: see `pooled`. `spread`: frames between the taps of the kernel.
    """

    def __init__(
        self, a: int, b: int, pool: Window, offsets: list | None, kernel: Pair, form: str, inner: str, keeps: str = "max", spread: int = 1
    ):
        super().__init__()
        self.pool, self.offsets, self.select, self.inner, self.keeps = pool, offsets, FORMS[form], inner, keeps
        padding, dilation = (kernel[0] // 2 * spread, kernel[1] // 2), (spread, 1)
        self.grouped = GroupedConvolution(a, a, kernel, padding=padding, dilation=dilation, groups=a, bias=False)
        self.grouped_norm = nn.BatchNorm2d(a)
        self.pointwise, self.pointwise_norm = nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b)
        self.scale, self.norm = nn.Parameter(torch.ones(b, 1, 1)), nn.BatchNorm2d(b)  # S, one for each channel

    def forward(self, v: Tensor) -> Tensor:
        """V' alone: [B, C, H, W] to [B, b, H, W]."""
        return dict(self.steps(v))["V'"]

    def steps(self, v: Tensor) -> Iterator[tuple[str, Tensor]]:
        """V and the map after each step, by name. Of a window of all bands A stays at one band, which sums and products repeat."""
        yield "V", v  # [B, C, H, W]
        q = pooled(v, self.pool, self.keeps)
        yield "Q", q  # [B, C, H / ph, W / pw]
        copies = shift_channels(q, self.offsets) if self.offsets else q  # [B, a, H / ph, W / pw]
        k = self.pointwise_norm(self.pointwise(act(self.inner, self.grouped_norm(self.grouped(copies)))))
        yield "K", k  # [B, b, H / ph, W / pw]
        attention = k if self.pool == (1, 1) or self.pool[1] is None else unpool(k, self.pool, v.shape[2:])
        yield "A", attention  # [B, b, H, W or 1]
        yield "V'", self.norm(self.select(match_channels(v, attention.shape[1]), attention, self.scale))  # [B, b, H, W]


STILL = [((0, 0), (0, 0))]  # where copies look that do not look aside


class DesignedBlock(nn.Module):
    """Two condensers, as `condenser.Block`: [B, C, H, W] -> [B, d, H, W], W halved first if the design says so."""

    def __init__(self, design: Design, index: int, channels: int):
        super().__init__()
        (a, b), (c, d) = design.blocks[index]
        self.design, self.halve = design, index in design.halve
        far = FAR if design.far_aside else STILL
        near = far[:1] + NEAR[1:] if design.near_aside else STILL  # one share looks as the second condenser does
        how = {"form": design.form, "inner": design.inner}
        self.first = SearchedCondenser(a, b, design.near_pool, near if a > channels else None, design.near_kernel, **how)
        how |= {"keeps": design.condense, "spread": 2 ** (index % 4) if design.dilate else 1}
        self.second = SearchedCondenser(c, d, design.far_pool, far if c > b else None, design.far_kernel, **how)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, d, H, W or half of it]."""
        x = pooled(x, (1, 2)) if self.halve else x
        y = self.second(self.first(x))  # [B, b, H, W], [B, d, H, W]
        return act(self.design.between, y + match_channels(x, y.shape[1]) if self.design.skip else y)


class Designed(nn.Module):
    """The network of a design: features [B, 1, 101, 40] to logits [B, classes]. Raises TinycourseError for a design that is none."""

    def __init__(self, design: Design, classes: int):
        super().__init__()
        check(design)
        d = self.design = design
        height, width = d.stem_kernel
        kernel, padding = (height, width or d.frontend.bands), (height // 2, (width or 0) // 2)
        self.stem = nn.Conv2d(1, d.stem, kernel, d.stem_stride, padding, bias=False)
        self.stem_norm = nn.BatchNorm2d(d.stem)
        widths = [d.stem] + [block[1][1] for block in d.blocks]
        self.blocks = nn.Sequential(*(DesignedBlock(d, i, n) for i, n in enumerate(widths[:-1])))
        self.before, self.last = self.make_last(widths[-1])
        self.last_norm = nn.BatchNorm2d(d.last)
        self.classifier = nn.Linear(d.last, classes)

    def make_last(self, channels: int) -> tuple[nn.Module, nn.Module]:
        """A depthwise convolution, or nothing, and the last convolution."""
        kind, bands = self.design.last_kind, self.bands()
        depthwise = {"3x3 separable": (3, 1), "1 x bands": ((1, bands), 0), "3 x bands": ((3, bands), (1, 0))}  # kernel and padding
        before, size = nn.Identity(), 3 if kind == "3x3" else 1
        if kind in depthwise:
            kernel, padding = depthwise[kind]
            before = nn.Conv2d(channels, channels, kernel, padding=padding, groups=channels, bias=False)
        return before, nn.Conv2d(channels, self.design.last, size, padding=size // 2, bias=False)

    def bands(self) -> int:
        """How many bands are left in front of the last convolution."""
        d, n = self.design, self.design.frontend.bands
        n = 1 if d.stem_kernel[1] is None else -(-n // d.stem_stride[1])
        for step in (d.stem_pool[1], *(2 for _ in d.halve)):
            n = -(-n // step)
        return n

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, 1, 101, 40] to logits [B, classes]."""
        d = self.design
        x = act(d.outer, self.stem_norm(self.stem(x)))
        x = self.blocks(pooled(x, d.stem_pool))
        x = act(d.activation, self.last_norm(self.last(self.before(pooled(x, (d.last_pool, 1))))))
        return self.classifier(x.mean((2, 3)))


def check(design: Design) -> None:
    """Raises TinycourseError for a design that no network can have."""
    choices = {
        "form": tuple(FORMS),
        "condense": ("max", "mean"),
        "inner": ACTIVATIONS,
        "outer": ACTIVATIONS,
        "activation": ACTIVATIONS,
        "between": ("identity", "relu"),
        "last_kind": LASTS,
    }
    for name, values in choices.items():
        if getattr(design, name) not in values:
            raise TinycourseError(f"{name} = {getattr(design, name)!r}: choose one of {', '.join(values)}.")
    channels, sizes = design.stem, [design.stem, design.last, *torch.tensor(design.blocks).flatten().tolist()]
    if min(sizes) < 1:
        raise TinycourseError("A design needs at least one channel everywhere.")
    for i, ((a, b), (c, d)) in enumerate(design.blocks):
        for wide, narrow in ((a, channels), (c, b)):
            if wide not in (narrow, 2 * narrow):
                raise TinycourseError(f"Block {i}: a grouped convolution of {narrow} channels has {narrow} or {2 * narrow}, not {wide}.")
        channels = d


TINYSPEECH_DESIGNS = {name: Design(c.stem, c.blocks, c.last) for name, c in TINYSPEECH.items()}


def found() -> dict[str, tuple[Design, str]]:
    """The designs that a search found and the course ships: name -> (design, where it comes from)."""
    shipped = json.loads(FOUND.read_text(encoding="utf-8"))
    return {name: (Design.from_json(one["design"]), one["about"]) for name, one in shipped.items()}


def kept_file(name: str) -> Path:
    """Where `tinycourse explore --keep` puts a design, in the user's data folder. Raises TinycourseError for what can be no name."""
    if not NAME.fullmatch(name):
        raise TinycourseError(f"{name!r} cannot name a model; take the letters a to z in lower case, digits and hyphens, as in my-network.")
    return kept_folder() / f"{name}.json"


def kept_folder() -> Path:
    """The user's designs, a file for each."""
    return Path(platformdirs.user_data_dir("tinycourse"), "designs")


def kept_names() -> list[str]:
    """The names of the user's designs."""
    return sorted(path.stem for path in kept_folder().glob("*.json") if NAME.fullmatch(path.stem))


def kept(name: str) -> tuple[Design, str]:
    """A design of the user's, and where it comes from. Raises TinycourseError where its file holds none."""
    path = kept_file(name)
    try:
        one = json.loads(path.read_text(encoding="utf-8"))
        return Design.from_json(one["design"]), one["about"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, TinycourseError):
        raise TinycourseError(f"{path} holds no design; delete it, and keep one anew with `tinycourse explore --keep`.") from None
