"""Features while the speaker is still speaking: the same maps as `Frontend` gives, from chunks of any size.

A frame can be computed once its last sample is there. Until then samples are kept: those that the next frames share with the
past, and, for PCEN, a moving average. That is the whole state; it goes in and comes out of every step, so a stream can be stopped,
saved, and taken up again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import Frontend


@dataclass(frozen=True)
class StreamState:
    """What a stream remembers. On a chip `kept` is a ring buffer: it never holds more than fft - 1 or edge + hop, whatever the chunks."""

    kept: Tensor  # [samples], the newest ones
    begin: int | None = None  # where in `kept` the next frame begins; None until the mirror image of the beginning stands there
    average: Tensor | None = None  # [1, mels], of PCEN


def start() -> StreamState:
    """The state before the first sample."""
    return StreamState(torch.zeros(0))


def step(frontend: Frontend, chunk: Tensor, state: StreamState) -> tuple[Tensor, StreamState]:
    """The frames that `chunk` [samples] completes, normalised [frames, bands], often none, and the state after it."""
    fft, hop, edge = frontend.config.fft, frontend.config.hop, frontend.config.edge
    audio, begin = torch.cat([state.kept, chunk]), state.begin
    if begin is None:
        if len(audio) <= edge:
            return audio.new_zeros(0, frontend.config.bands), StreamState(audio)
        audio, begin = torch.cat([audio[1 : edge + 1].flip(0), audio]), 0
    count = max(0, (len(audio) - begin - fft) // hop + 1)
    if not count:
        return audio.new_zeros(0, frontend.config.bands), StreamState(audio, begin, state.average)
    frames = audio[begin:].unfold(0, fft, hop)  # [count, fft]
    features, average = frontend.compress(frontend.mel(frames)[None], state.average)  # [1, count, bands]
    begin += count * hop
    drop = min(begin, len(audio) - edge - 1)  # the mirror image at the end needs edge + 1 samples
    return frontend.normalise(features[0]), StreamState(audio[drop:].clone(), begin - drop, average)


def finish(frontend: Frontend, state: StreamState) -> Tensor:
    """The last frames of a recording, which reach beyond its end: normalised [frames, bands].

    Raises TinycourseError if the recording was too short to be mirrored.
    """
    edge = frontend.config.edge
    if state.begin is None:
        raise TinycourseError(f"The stream ended after {len(state.kept)} samples, too few for one frame: give more than {edge}.")
    return step(frontend, state.kept[-edge - 1 : -1].flip(0), state)[0]
