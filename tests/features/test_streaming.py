"""A stream gives the features of the whole recording, whatever its chunks, and its state is all that it needs."""

import dataclasses

import pytest
import torch

from tinycourse.errors import TinycourseError
from tinycourse.features import streaming
from tinycourse.features.frontend import KINDS, Frontend, FrontendConfig

BOUND = 1e-4  # of a normalised feature: 32-bit sums of the same numbers in another order
SHAPES = {
    "30/10 ms": {},
    "40/20 ms": {"window": 640, "hop": 320, "fft": 1024},
    "hop beyond half an FFT": {"window": 480, "hop": 480},
    "no overlap": {"window": 512, "hop": 512},
    "windows within the clip": {"window": 480, "hop": 160, "centred": False},
    "windows within the clip, as long as the FFT": {"window": 512, "hop": 320, "centred": False},
}


def frontend(kind: str = "mfcc", **config) -> Frontend:
    return Frontend(FrontendConfig(kind=kind, **config)).fit(speech(20_000)[None])


def speech(samples: int, seed: int = 0) -> torch.Tensor:
    """Noise whose loudness comes and goes: float32 [samples]."""
    random = torch.Generator().manual_seed(seed)
    loudness = torch.sin(torch.arange(samples) / 900).square()
    return 0.1 * loudness * torch.randn(samples, generator=random)


def streamed(front: Frontend, chunks) -> tuple[torch.Tensor, int]:
    """All frames of a stream, and the largest number of samples that it kept."""
    state, found, most = streaming.start(), [], 0
    for chunk in chunks:
        features, state = streaming.step(front, chunk, state)
        found.append(features)
        most = max(most, len(state.kept))
    return torch.cat([*found, streaming.finish(front, state)]), most


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 160, 161, 4_000, 16_000])
def test_stream_equals_batch(kind, shape, size):
    front, audio = frontend(kind, **SHAPES[shape]), speech(3_333 if size == 1 else 16_000)
    whole = front(audio[None])[0, 0]
    frames, most = streamed(front, audio.split(size))
    assert frames.shape == whole.shape
    torch.testing.assert_close(frames, whole, atol=BOUND, rtol=0)
    assert most <= max(front.config.fft - 1, front.config.edge + front.config.hop)


@pytest.mark.parametrize("samples", [257, 258, 511, 512, 513, 16_001])
def test_chunks_of_any_size_and_recordings_of_any_length(samples):
    front, audio, random = frontend("pcen"), speech(samples), torch.Generator().manual_seed(samples)
    for _ in range(5):
        sizes = torch.randint(0, 900, (samples,), generator=random)  # empty chunks too
        cuts = [int(c) for c in sizes.cumsum(0) if c < samples]
        frames, _ = streamed(front, torch.tensor_split(audio, cuts))
        torch.testing.assert_close(frames, front(audio[None])[0, 0], atol=BOUND, rtol=0)


def test_a_frame_comes_as_soon_as_its_last_sample_is_there():
    front, audio, state, first = frontend(), speech(16_000), streaming.start(), []
    for n, sample in enumerate(audio[:700].split(1), start=1):
        features, state = streaming.step(front, sample, state)
        first += [n] * len(features)
    assert first[0] == 257  # half an FFT, and one sample for the mirror image of the beginning
    assert first[1:] == [256 + 160 * i for i in range(1, len(first))]


def test_a_state_can_be_used_twice_and_is_all_there_is():
    front, audio = frontend("pcen"), speech(9_000)
    _, state = streaming.step(front, audio[:5_000], streaming.start())
    before = dataclasses.replace(state, kept=state.kept.clone(), average=state.average.clone())
    one, _ = streaming.step(front, audio[5_000:], state)
    other, _ = streaming.step(front, audio[5_000:], before)
    assert len(one) and torch.equal(one, other)
    assert torch.equal(state.kept, before.kept) and torch.equal(state.average, before.average)


def test_a_stream_that_never_had_a_frame_says_so():
    _, state = streaming.step(frontend(), speech(100), streaming.start())
    with pytest.raises(TinycourseError, match="ended after 100 samples.*more than 256"):
        streaming.finish(frontend(), state)
