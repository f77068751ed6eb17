"""Speak, and see what the chip would do: its own C, as WebAssembly, listens in the browser. No sound goes through the kernel."""

import anywidget
import matplotlib
import numpy as np
import traitlets

from tinycourse import data
from tinycourse.codegen import spotter_writer
from tinycourse.data import RATE, Clips
from tinycourse.errors import TinycourseError
from tinycourse.program.keyword_spotter import BITS, PAUSES, Listener
from tinycourse.session import PALETTE
from tinycourse.widgets.recorder import script

SHOWN = 4  # seconds of features in the picture
DEVIATIONS = 2.5  # of a feature, from its mean to either end of the colours


class Live(anywidget.AnyWidget):
    """Features, scores and decisions while you speak into the microphone, upload a WAV file or play one of `clips`.

    `listening` is what listens, compiled when the widget is made; it must have been made for 16 kHz. The menu offers the first of `clips`
    for every keyword; without `clips`, the test clips of tinywords. `decisions` is a list of {"word", "score" (0 to 1), "time" (seconds
    since the source began), "source"}, synced with the browser: a cell can read it, and empty it. Raises TinycourseError for another rate.
    """

    _esm = script("microphone", "sound", "live")
    module = traitlets.Bytes().tag(sync=True)  # WebAssembly
    clips = traitlets.Bytes().tag(sync=True)  # int16 [clips, RATE]
    settings = traitlets.Dict().tag(sync=True)
    decisions = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, listening: Listener, clips: Clips | None = None):
        if listening.rate != RATE:
            raise TinycourseError(f"The browser listens at {RATE} samples a second, and this program at {listening.rate}: train at {RATE}.")
        clips = data.open_dataset("tinywords").clips("testing") if clips is None else clips
        settings = described(listening)
        chosen = first_of_each(clips, [c for c, said in zip(settings["classes"], settings["keywords"]) if said])
        settings["clips"] = list(chosen)
        sound = b"".join(audio.tobytes() for audio in chosen.values())
        super().__init__(module=spotter_writer.webassembly(listening), clips=sound, settings=settings)


def described(listening: Listener) -> dict:
    """What live.js must know beside the module: sizes, times, names and colours."""
    x = listening.frontend.features
    low, high = (int(np.clip(x.zero_point + side * DEVIATIONS / x.scale, -128, 127)) for side in (-1, 1))
    frames = round(RATE / listening.frontend.hop)
    return {
        "rate": RATE,
        "chunk": listening.chunk,
        "history": listening.history,
        "bands": x.shape[1],
        "classes": list(listening.program.metadata["classes"]),
        "keywords": listening.keywords.tolist(),
        "threshold": listening.threshold / 2**BITS,
        "pauses": [round(seconds * RATE) for seconds in PAUSES],
        "shown": SHOWN,
        "feature": "MFCC" if "dct" in listening.frontend.operation.arrays else "mel bands",
        "columns": SHOWN * frames,
        "frames_per_second": frames,
        "low": low,
        "high": high,
        "colours": (np.array(matplotlib.colormaps["cividis"].colors) * 255).round().astype(int).tolist(),
        "palette": {"best": PALETTE[0], "other": PALETTE[4]},
    }


def first_of_each(clips: Clips, words: list[str]) -> dict[str, np.ndarray]:
    """The first clip of every one of `words` that there is: int16 [RATE] by word."""
    first = {clips.classes[label]: i for i, label in reversed(list(enumerate(clips.labels.tolist())))}
    return {word: clips.audio[first[word]].numpy() for word in words if word in first}
