"""Any word, spoken by a computer: eSpeak NG through its C library, where it is installed (`pip install espeakng-loader`).

The library is GPL-3.0 and no part of the course. Its voices are formants and rules, clear and monotonous: good to practise on, and not
a judge of how people are understood.
"""

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tinycourse.data.user_recordings import SYNTHETIC, save_take
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import RATE, from_pcm

VOICES = ("Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael",
          "Mike", "Nguyen", "adam", "anika", "aunty", "belinda", "ed", "f1", "f3", "grandma", "linda", "m2", "m4", "paul", "quincy",
          "rob", "steph", "victor")  # fmt: skip
ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-029")
SYNCHRONOUS, UTF8, SPEED, PITCH = 2, 1, 1, 3  # espeak-ng/speak_lib.h
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@cache
def library() -> tuple[ctypes.CDLL, int]:
    """eSpeak NG, ready to speak, and its samples a second. Raises TinycourseError where it is not installed."""
    try:
        import espeakng_loader

        path, voices = espeakng_loader.get_library_path(), espeakng_loader.get_data_path().encode()
    except ImportError:
        path, voices = ctypes.util.find_library("espeak-ng"), None
    if not path:
        raise TinycourseError("There is no speech synthesizer: `python -m pip install espeakng-loader`, or record your words.")
    espeak = ctypes.CDLL(path)
    rate = espeak.espeak_Initialize(SYNCHRONOUS, 0, voices, 0)
    if rate <= 0:
        raise TinycourseError("eSpeak NG does not start here: install espeakng-loader again, or record your words.")
    return espeak, rate


def speak(text: str, voice: str = "Alex", accent: str = "en-us", speed: int = 160, pitch: int = 50) -> np.ndarray:
    """What the synthesizer says, float32 [samples] at 16 kHz. `speed` in words a minute, `pitch` from 0 to 99.

    Raises TinycourseError for a voice or an accent that there is not.
    """
    espeak, rate = library()
    if voice not in VOICES or espeak.espeak_SetVoiceByName(f"{accent}+{voice}".encode()):  # it takes any name for a voice
        raise TinycourseError(f"There is no voice {voice} in {accent}: choose {', '.join(VOICES)}, in {', '.join(ACCENTS)}.")
    parts = []

    @CALLBACK
    def keep(samples, count, events):
        if samples and count:
            parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    espeak.espeak_SetSynthCallback(keep)
    for parameter, value in ((SPEED, speed), (PITCH, pitch)):
        espeak.espeak_SetParameter(parameter, value, 0)
    content = text.encode() + b"\0"
    espeak.espeak_Synth(content, len(content), 0, 1, 0, UTF8, None, None)
    espeak.espeak_Synchronize()
    if not parts:
        raise TinycourseError(f"eSpeak NG says nothing to {text!r}: give a word.")
    return from_pcm((np.concatenate(parts) / np.float32(32768)).tobytes(), rate)


def say_all(words: tuple[str, ...], folder: str | Path, takes: int = 2, seed: int = 0) -> int:
    """Every word by every voice, `takes` times at some speed and pitch, into folder/word/espeak-voice_number.wav; returns their number."""
    chance, folder = np.random.RandomState(seed), Path(folder)
    todo = [(word, voice) for word in words for voice in VOICES for _ in range(takes)]
    for word, voice in tqdm(todo, desc="synthesizing", leave=False):
        accent = ACCENTS[chance.randint(len(ACCENTS))]
        samples = speak(word, voice, accent, int(chance.randint(115, 206)), int(chance.randint(25, 76)))
        samples = np.pad(samples, RATE // 2) * chance.uniform(0.2, 0.9) / np.abs(samples).max()
        save_take(folder, word, SYNTHETIC + voice, samples)
    return len(todo)
