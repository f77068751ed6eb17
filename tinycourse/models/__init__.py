"""The networks by name. A network maps features [B, 1, frames, bands] to logits [B, classes]; it knows no data set."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tinycourse.errors import TinycourseError
from tinycourse.frontend import FrontendConfig
from tinycourse.models.condenser import TINYSPEECH, TinySpeech


@dataclass(frozen=True)
class Entry:
    """How to make a network, what it listens to, and where it comes from."""

    build: Callable[[int], nn.Module]  # number of classes -> network
    frontend: FrontendConfig
    about: str


MODELS: dict[str, Entry] = {
    f"tinyspeech-{letter}": Entry(
        build=lambda classes, config=config: TinySpeech(config, classes),
        frontend=FrontendConfig(kind="log-mel"),
        about=f"TinySpeech-{letter.upper()}, attention condensers (Wong et al. 2020, figure 2)",
    )
    for letter, config in TINYSPEECH.items()
}


def entry(name: str) -> Entry:
    """Raises TinycourseError for a name that does not exist."""
    if name not in MODELS:
        raise TinycourseError(f"There is no model called {name!r}; `tinycourse models` lists them: {', '.join(MODELS)}.")
    return MODELS[name]


def build(name: str, classes: int) -> nn.Module:
    """A fresh network."""
    return entry(name).build(classes)


def frontend(name: str) -> FrontendConfig:
    """The features that a network was designed for."""
    return entry(name).frontend
