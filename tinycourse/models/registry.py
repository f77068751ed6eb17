"""The networks by name. A network maps features [B, 1, frames, bands] to logits; it knows no data set.

Those of MODELS answer for a whole clip, [B, classes]; those of TRANSDUCERS write what is said in a sentence (see rnnt.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import FrontendConfig
from tinycourse.models import baselines, rnnt
from tinycourse.models.condenser import TINYSPEECH, TinySpeech
from tinycourse.models.design import Design, Designed, found, kept, kept_names


@dataclass(frozen=True)
class Entry:
    """How to make a network, what it listens to, where it comes from, and how its paper counts parameters."""

    build: Callable[[int], nn.Module]  # number of classes -> network
    frontend: FrontendConfig
    about: str
    count: str = "trainable"  # one of profiling.COUNTS
    classes: int = 12  # of the task it was designed for


def designed(design: Design, about: str) -> Entry:
    """The entry of a design that a search found."""
    return Entry(partial(Designed, design), design.frontend, about, count="weights")


HONK = FrontendConfig()  # 101 x 40 MFCC, 20 Hz to 4 kHz
DS_CNN = FrontendConfig(window=640, hop=320, fft=1024, coefficients=10, centred=False)  # 49 x 10 MFCC
TC_RESNET = FrontendConfig(mels=64, low=80.0, high=7_600.0, centred=False)  # 98 x 40 MFCC
BC_RESNET = FrontendConfig(kind="log-mel", high=8_000.0)  # 101 x 40

MODELS: dict[str, Entry] = {
    **{
        f"tinyspeech-{letter}": Entry(
            build=partial(TinySpeech, config),
            frontend=FrontendConfig(kind="log-mel"),
            about=f"TinySpeech-{letter.upper()}, attention condensers (Wong et al. 2020, figure 2)",
            count="weights",
        )
        for letter, config in TINYSPEECH.items()
    },
    "trad-fpool13": Entry(baselines.trad_fpool13, HONK, "cnn-trad-fpool3, two convolutions (Sainath and Parada 2015, honk)"),
    "tpool2": Entry(baselines.tpool2, HONK, "cnn-tpool2, pooled along time too (Sainath and Parada 2015, honk)"),
    "one-stride1": Entry(baselines.one_stride1, HONK, "cnn-one-stride1, one kernel as long as the clip (honk)"),
    **{
        name: Entry(partial(baselines.ResNet, **shape), HONK, f"{name}, residual network (Tang and Lin 2018, table 1)")
        for name, shape in baselines.RESNETS.items()
    },
    **{
        f"ds-cnn-{size}": Entry(
            partial(baselines.ds_cnn, **shape), DS_CNN, f"DS-CNN-{size.upper()}, depthwise separable convolutions (Zhang et al. 2017)"
        )
        for size, shape in baselines.DS_CNNS.items()
    },
    "tdnn": Entry(baselines.tdnn, HONK, "two-stage time delay network (after Myer and Tomar 2018)"),
    **{
        f"tc-resnet{depth}": Entry(
            partial(baselines.tc_resnet, widths=widths),
            TC_RESNET,
            f"TC-ResNet{depth}, temporal convolution (Choi et al. 2019)",
            count="variables",
        )
        for depth, widths in baselines.TC_RESNETS.items()
    },
    **{
        f"bc-resnet-{scale}": Entry(
            partial(baselines.bc_resnet, scale=scale), BC_RESNET, f"BC-ResNet-{scale}, broadcasted residuals (Kim et al. 2021)"
        )
        for scale in (0.625, 1, 1.5, 2, 3, 6, 8)
    },
    **{name: designed(*one) for name, one in found().items()},
}

NARROW = FrontendConfig(kind="log-mel")  # up to 4 kHz, as far as the recordings of digits reach
WIDE = FrontendConfig(kind="log-mel", high=7_600.0)
PAPER = FrontendConfig(kind="log-mel", window=512, fft=2048, mels=128, low=125.0, high=7_500.0)
SHANGGUAN = "(Shangguan et al. 2019)"

TRANSDUCERS: dict[str, Entry] = {
    "rnnt-digits": Entry(
        partial(rnnt.Transducer, rnnt.digits()), NARROW, "transducer for connected digits, LSTM in both networks", classes=11
    ),
    **{
        f"rnnt-digits-{encoder}-{prediction}": Entry(
            build=partial(rnnt.Transducer, rnnt.digits(encoder, prediction)),
            frontend=NARROW,
            about=f"rnnt-digits with {encoder} encoder and {prediction} prediction",
            classes=11,
        )
        for encoder in rnnt.KINDS
        for prediction in rnnt.KINDS
        if (encoder, prediction) != ("lstm", "lstm")
    },
    "rnnt-digits-small": Entry(
        build=partial(rnnt.Transducer, rnnt.digits(units=56)),
        frontend=NARROW,
        about="rnnt-digits with 56 units: as many weights as are left when 80 % of its gates are pruned",
        classes=11,
    ),
    "rnnt-an4": Entry(partial(rnnt.Transducer, rnnt.AN4), WIDE, "transducer for AN4, its prediction remembers one label", classes=100),
    "rnnt-paper": Entry(partial(rnnt.Transducer, rnnt.paper()), PAPER, f"122 million weights, word pieces {SHANGGUAN}", classes=4096),
    "rnnt-paper-cifg-sru": Entry(
        build=partial(rnnt.Transducer, rnnt.paper("ln-cifg", "ln-sru")),
        frontend=PAPER,
        about=f"rnnt-paper with CIFG encoder, SRU prediction {SHANGGUAN}",
        classes=4096,
    ),
}


def names() -> list[str]:
    """All that `entry` knows: the course's own, and behind them the designs that the user keeps."""
    own = MODELS | TRANSDUCERS
    return [*own, *(name for name in kept_names() if name not in own)]


def entry(name: str) -> Entry:
    """Raises TinycourseError for a name that does not exist."""
    own = MODELS | TRANSDUCERS
    if name in own:
        return own[name]
    if name in kept_names():
        return designed(*kept(name))
    raise TinycourseError(f"There is no model called {name!r}; `tinycourse models` lists them: {', '.join(names())}.")


def build(name: str, classes: int) -> nn.Module:
    """A fresh network; its attribute `count` tells `profiling` how its paper counts parameters."""
    network = entry(name).build(classes)
    network.count = entry(name).count
    return network


def frontend(name: str) -> FrontendConfig:
    """The features that a network was designed for."""
    return entry(name).frontend
