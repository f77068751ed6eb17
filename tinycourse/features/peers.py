"""The MFCC of torchaudio, step by step: what lesson 01 compares its own with. Where torchaudio does not load, values that it once gave.

`python benchmarks/peers.py` stores them, for the word of the lesson.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from tinycourse import _torchaudio
from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import FrontendConfig

STORED = Path(__file__).parent / "torchaudio.safetensors"
EVERY = 10  # frames: one of them is compared, so that what is stored stays small


def mfcc_steps(word: Tensor) -> dict[str, Tensor]:
    """What each step of torchaudio's MFCC gives for float64 samples [S], computed in 64 bits with the settings of `FrontendConfig()`.

    "power spectrum" [frames, bins], "mel filters" [bins, mels], "mel energies" [frames, mels], "cosines" [mels, coefficients], "MFCC"
    [frames, coefficients], of every tenth frame. Where torchaudio does not load it says so, and gives the values of the lesson's word.
    """
    try:
        return computed(word)
    except TinycourseError as reason:
        print(f"{reason} Here are values that it gave on another machine.")
        return load_file(STORED)


def computed(word: Tensor) -> dict[str, Tensor]:
    """See `mfcc_steps`. Raises TinycourseError where torchaudio does not load."""
    transforms, c = _torchaudio.load().transforms, FrontendConfig()
    options = {"n_fft": c.fft, "win_length": c.window, "hop_length": c.hop, "f_min": c.low, "f_max": c.high, "n_mels": c.mels}
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # torchaudio builds its tables in this type
    try:
        mfcc = transforms.MFCC(c.rate, n_mfcc=c.coefficients, log_mels=True, melkwargs=options)
    finally:
        torch.set_default_dtype(default)
    mel = mfcc.MelSpectrogram
    steps = {"power spectrum": mel.spectrogram(word), "mel energies": mel(word), "MFCC": mfcc(word)}  # each [..., frames]
    tables = {"mel filters": mel.mel_scale.fb, "cosines": mfcc.dct_mat}
    return {name: x.contiguous() for name, x in ({name: x.T[::EVERY] for name, x in steps.items()} | tables).items()}
