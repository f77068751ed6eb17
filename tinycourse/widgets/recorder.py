"""Sound from the learner: the microphone, and uploaded files. Both end as mono float32 at 16 kHz, or in one clear sentence."""

from collections.abc import Callable
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from tinycourse.errors import TinycourseError
from tinycourse.features.audio import from_pcm

STATIC = Path(__file__).parent / "static"


def script(*names: str) -> str:
    """JavaScript files of static/, one behind the other: a widget is one module, which can import no other."""
    return "\n".join((STATIC / f"{name}.js").read_text(encoding="utf-8") for name in names)


class Recorder(anywidget.AnyWidget):
    """A button that records the microphone for `seconds` and calls `heard(samples)` with float32 [samples] at 16 kHz.

    Where the browser gives no microphone, it says why beside the button, and everything else goes on.
    """

    _esm = script("microphone", "recorder")
    seconds = traitlets.Float(2).tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)  # shown beside the button

    def __init__(self, take: Callable[[np.ndarray], None], seconds: float = 2):
        super().__init__(seconds=seconds)
        self.take = take
        self.on_msg(self.receive)

    def receive(self, widget, content: dict, buffers: list) -> None:
        """A message of recorder.js: {"rate": hertz}, and one buffer of float32 samples."""
        try:
            samples = from_pcm(buffers[0], content["rate"])
        except TinycourseError as error:
            self.status = str(error)
        else:
            self.status = ""
            self.take(samples)


def uploads(value: dict | tuple) -> list[tuple[str, bytes]]:
    """(name, content) of every file in a FileUpload's value: a dict in ipywidgets 7, a tuple in 8."""
    if isinstance(value, dict):
        return [(name, bytes(file["content"])) for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]
