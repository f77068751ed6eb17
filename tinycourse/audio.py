"""Reading recordings: whatever their format, rate and channels, out come mono floats at 16 kHz."""

import io
import re
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch

from tinycourse.errors import TinycourseError

RATE = 16_000  # samples in a second, and in a clip


def read_audio(path: str | Path, rate: int = RATE) -> np.ndarray:
    """Read a recording as mono float32 [samples] in -1 .. 1 at `rate` samples a second.

    Any format of libsndfile (wav, flac, ogg, mp3, sph). Channels are averaged, other rates resampled.
    Raises TinycourseError, naming the file, if it is missing, damaged, cut short, empty or shorter than 10 ms.
    """
    if not Path(path).is_file():
        raise TinycourseError(f"{path} is not there: check the name, or get the data set again.")
    try:
        with soundfile.SoundFile(path) as file:
            samples, source_rate, header = file.read(dtype="float32"), file.samplerate, file.extra_info
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a file named .raw, which nothing describes
        reason = getattr(error, "error_string", error)
        raise TinycourseError(f"{path} is damaged or no recording ({reason}): replace or delete it.") from error
    # libsndfile reads what is left of a cut wav and only notes it. Programs that write to a pipe declare 2 or 4 GB: not an error.
    cut = re.search(r"^data : (\d+) \(should be (\d+)\)", header, re.MULTILINE)
    if cut and int(cut[2]) < int(cut[1]) < 2**30:
        raise TinycourseError(f"{path} is cut short ({cut[2]} of {cut[1]} bytes of sound): replace or delete it.")
    if len(samples) < source_rate // 100:
        raise TinycourseError(f"{path} holds {len(samples)} samples, less than 10 ms of sound: replace or delete it.")
    if not np.isfinite(samples).all():
        raise TinycourseError(f"{path} holds samples that are not numbers: replace or delete it.")
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    return samples if source_rate == rate else _resampler(source_rate, rate)(torch.from_numpy(samples)).numpy()


@lru_cache
def _resampler(source_rate: int, rate: int) -> torch.nn.Module:
    import torchaudio.transforms  # slow to import, and most recordings need none of it

    return torchaudio.transforms.Resample(source_rate, rate)


def fit_length(samples: np.ndarray, length: int = RATE) -> np.ndarray:
    """Crop `samples` to the middle `length`, or pad them with zeros on both sides."""
    missing = length - len(samples)
    if missing <= 0:
        return samples[-missing // 2 :][:length]
    return np.pad(samples, (missing // 2, missing - missing // 2))


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Floats in -1 .. 1 to 16-bit integers, rounded and clipped. Undoes what `read_audio` did to a 16-bit file, to the bit."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


def from_pcm(pcm: bytes, rate: float) -> np.ndarray:
    """float32 PCM at `rate` to float32 [samples] at 16 kHz. Raises TinycourseError if it is too short, damaged, or all zero."""
    samples = np.frombuffer(pcm, np.float32)
    if not samples.any():
        raise TinycourseError("The recording is silent: is the microphone muted, or another one chosen?")
    file = io.BytesIO()
    soundfile.write(file, samples, round(rate), format="WAV", subtype="FLOAT")
    return from_file(file.getvalue(), "The recording.wav")


def from_file(content: bytes, name: str) -> np.ndarray:
    """The content of an uploaded sound file to float32 [samples] at 16 kHz. Raises TinycourseError as `read_audio`, naming `name`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{Path(name).suffix}"  # the name itself may be anything
        path.write_bytes(content)
        try:
            return read_audio(path)
        except TinycourseError as error:
            raise TinycourseError(str(error).replace(str(path), name)) from None
