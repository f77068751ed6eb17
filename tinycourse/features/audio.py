"""Reading recordings: whatever their format, rate and channels, out come mono floats at 16 kHz."""

import io
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tinycourse.errors import TinycourseError

RATE = 16_000  # samples in a second, and in a clip
SOURCE_RATES = range(1_000, 1_000_001)  # samples a second of the recordings that are read
LONGEST = 2**31  # samples: 37 hours at 16 kHz
LOUDEST = 10.0  # of float samples: 20 dB above full scale. Beyond it nobody divided by 32,768
# Where a container says how much sound it holds, and libsndfile how much there is: WAV, AIFF, W64, RF64, AU
DECLARED = re.compile(r"^ *(?:data|SSND|riff|Riff size|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)


def read_audio(path: str | Path, rate: int = RATE) -> np.ndarray:
    """Read a recording as mono float32 [samples] in -1 .. 1 at `rate` samples a second.

    Any format of libsndfile (wav, flac, ogg, mp3, sph) with 1,000 to 1,000,000 samples a second. Channels become one (`mono`), and
    other rates are resampled. Raises TinycourseError, naming the file, if it is missing, damaged, cut short, of unknown length,
    shorter than 10 ms, and if its samples are not numbers or far above full scale.
    """
    if not Path(path).is_file():
        raise TinycourseError(f"{path} is not there: check the name, or get the data set again.")
    try:
        with soundfile.SoundFile(path) as file:
            promised, source_rate = file.frames, file.samplerate
            if promised > LONGEST:
                raise TinycourseError(f"{path} does not say how long it is, as a flac from a pipe: convert it with another program.")
            # Not read(): codings that cannot seek, such as GSM 6.10, have to be told how many.
            samples = file.read(promised, dtype="float32", always_2d=True)
            whole = DECLARED.search(file.extra_info)
    except UnicodeEncodeError as error:
        name = os.fsencode(path).decode(errors="backslashreplace")
        raise TinycourseError(f"{name} has a name that is not UTF-8, as old archives have: rename it.") from error
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a file named .raw, which nothing describes
        reason = getattr(error, "error_string", error)
        raise TinycourseError(f"{path} is damaged or no recording ({reason}): replace or delete it.") from error
    # libsndfile reads what is left of a cut file and only notes it. Programs that write to a pipe declare 2 or 4 GB: not an error, and
    # nor is a byte that pads. Of an mp3 the length is an estimate.
    if whole and int(whole[2]) + 1 < int(whole[1]) < 2**30:
        raise TinycourseError(f"{path} is cut short ({whole[2]} of {whole[1]} bytes of sound): replace or delete it.")
    if len(samples) < 0.9 * promised:
        raise TinycourseError(f"{path} is cut short ({len(samples)} of {promised} samples): replace or delete it.")
    if source_rate not in SOURCE_RATES:
        raise TinycourseError(f"{path} has {source_rate} samples a second, where speech has 8,000 or more: replace or delete it.")
    if len(samples) < source_rate // 100:
        raise TinycourseError(f"{path} holds {len(samples)} samples, less than 10 ms of sound: replace or delete it.")
    if not np.isfinite(samples).all():
        raise TinycourseError(f"{path} holds samples that are not numbers: replace or delete it.")
    if (peak := np.abs(samples).max()) > LOUDEST:
        raise TinycourseError(f"{path} holds samples as large as {peak:,.0f}, where 1 is full scale: divide them all, and write it again.")
    return resample(mono(samples), source_rate, rate)


def mono(samples: np.ndarray) -> np.ndarray:
    """One channel [samples] of several [samples, channels]: their mean, or the loudest where they cancel one another.

    They do where one of two microphones is wired the wrong way round. Channels with nothing in common keep 1 / channels of their mean
    power; we take a quarter of that for cancelling.
    """
    if samples.shape[1] == 1:
        return samples[:, 0]
    mean = samples.mean(axis=1)
    power = np.einsum("ij,ij->j", samples, samples, dtype=np.float64)  # [channels]
    cancelled = np.einsum("i,i", mean, mean, dtype=np.float64) < power.mean() / (4 * len(power))
    return samples[:, power.argmax()].copy() if cancelled else mean


def resample(samples: np.ndarray, source: int, target: int) -> np.ndarray:
    """Float32 [samples] at `source` samples a second to `target` of them, by soxr. The time it takes does not depend on their fraction.

    What lies above half the lower rate is taken out. "VHQ" computes in 64 bits, without instructions of one processor only.
    """
    return samples if source == target else soxr.resample(samples, source, target, quality="VHQ")


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
        kind = re.sub(r"\W", "", Path(name).suffix)[:8]
        path = Path(folder) / f"upload.{kind}"  # the name itself may be anything
        path.write_bytes(content)
        try:
            return read_audio(path)
        except TinycourseError as error:
            raise TinycourseError(str(error).replace(str(path), name)) from None
