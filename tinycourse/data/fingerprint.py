"""A fingerprint of data: the same for the same data on every machine, wherever the files lie, and another for any other data."""

import hashlib
import json
from pathlib import Path

import numpy as np
from torch import Tensor

from tinycourse import files
from tinycourse.errors import TinycourseError


def fingerprint(*parts) -> str:
    """SHA-256, in hexadecimal, of tensors, arrays, texts, numbers, and lists of them, all in their order. Of a `Path` its contents count.

    Give it what was read (samples, labels, transcripts), not what was computed from it: the last bit of a sum depends on the processor.
    Raises TinycourseError for a file that cannot be read.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_leaf(part))
    return digest.hexdigest()


def _leaf(part) -> bytes:
    """The digest of one part; all are equally long, so that none can be taken for the end of another."""
    if isinstance(part, list | tuple):
        return bytes.fromhex(fingerprint("list", *part))
    if isinstance(part, Path):
        try:
            return bytes.fromhex(files.digest(part))
        except OSError as error:
            raise TinycourseError(f"{part} cannot be read ({error.strerror}); check the name.") from None
    if isinstance(part, Tensor | np.ndarray):
        array = np.ascontiguousarray(part)
        digest = hashlib.sha256(f"{array.dtype.str} {list(part.shape)}".encode())
        digest.update(array)
        return digest.digest()
    return hashlib.sha256(json.dumps(part).encode()).digest()
