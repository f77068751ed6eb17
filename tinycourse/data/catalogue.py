"""What data sets there are, where they come from, and where they lie on this machine.

Data is looked for, and downloaded to, below `root()`: the folder that the variable TINYCOURSE_DATA names, or the user's cache.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tinycourse.errors import TinycourseError
from tinycourse.features.reading import lines


@dataclass(frozen=True)
class Description:
    """What is known of a data set. `folder` is below `root()`; `sha256` is the archive's, None where nobody publishes it."""

    title: str
    licence: str
    folder: str
    url: str = ""
    bytes: int = 0  # of the archive; 0: not known
    sha256: str | None = None
    inside: str = "."  # the folder in the archive that becomes `folder`


_TENSORFLOW, _OPENSLR = "http://download.tensorflow.org/data", "https://www.openslr.org/resources/12"
# Hashes of Speech Commands as in TensorFlow Datasets, of LibriSpeech as in torchaudio. GitHub packs the archive of a tag when
# asked and CMU gives no hash for AN4: these two are checked against the first download only (see download.py).
DATASETS = {
    "tinywords": Description("tinywords: synthetic words, bundled", "CC0 1.0", "tinywords"),
    "speech-commands": Description(
        "Google Speech Commands v0.02",
        "CC BY 4.0",
        "SpeechCommands/speech_commands_v0.02",
        f"{_TENSORFLOW}/speech_commands_v0.02.tar.gz",
        2_428_923_189,
        "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
    "speech-commands-test": Description(
        "Google Speech Commands v0.02, official test clips",
        "CC BY 4.0",
        "SpeechCommands/speech_commands_test_set_v0.02",
        f"{_TENSORFLOW}/speech_commands_test_set_v0.02.tar.gz",
        112_563_277,
        "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
    ),
    "spoken-digits": Description(
        "Free Spoken Digit Dataset v1.0.10",
        "CC BY-SA 4.0",
        "free-spoken-digit-dataset",
        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.10/free-spoken-digit-dataset-1.0.10.tar.gz",
        inside="free-spoken-digit-dataset-1.0.10",
    ),
    "an4": Description(
        "CMU AN4",
        "free for any purpose, with notice (an4/LICENSE)",
        "an4",
        "https://dldata-public.s3.us-east-2.amazonaws.com/an4_sphere.tar.gz",
        inside="an4",
    ),
    "librispeech": Description(
        "LibriSpeech dev-clean",
        "CC BY 4.0",
        "LibriSpeech/dev-clean",
        f"{_OPENSLR}/dev-clean.tar.gz",
        337_926_286,
        "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
        "LibriSpeech/dev-clean",
    ),
    "librispeech-test": Description(
        "LibriSpeech test-clean",
        "CC BY 4.0",
        "LibriSpeech/test-clean",
        f"{_OPENSLR}/test-clean.tar.gz",
        346_663_984,
        "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
        "LibriSpeech/test-clean",
    ),
    "librispeech-train": Description(
        "LibriSpeech train-clean-100",
        "CC BY 4.0",
        "LibriSpeech/train-clean-100",
        f"{_OPENSLR}/train-clean-100.tar.gz",
        6_387_309_499,
        "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
        "LibriSpeech/train-clean-100",
    ),
}


def root() -> Path:
    """The folder below which data sets are looked for and downloaded to."""
    return Path(os.environ.get("TINYCOURSE_DATA") or platformdirs.user_cache_dir("tinycourse")).expanduser()


def folder_of(name: str) -> Path:
    """Where the data set `name` belongs, there or not. tinywords lies in the package, or beside it in a clone."""
    if name not in DATASETS:
        raise TinycourseError(f"There is no data set '{name}': choose one of {', '.join(DATASETS)}.")
    if name != "tinywords":
        return root() / DATASETS[name].folder
    installed = Path(__file__).parents[1] / "_data" / "tinywords"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "data" / "tinywords"


def find(name: str) -> Path | None:
    """The folder of the data set `name`, or None where it is missing or empty."""
    folder = folder_of(name)
    return folder if folder.is_dir() and any(folder.iterdir()) else None


def need(name: str) -> Path:
    """The folder of a data set; TinycourseError says how to get it where it is absent."""
    if folder := find(name):
        return folder
    if name == "tinywords":
        raise TinycourseError(f"tinywords is not at {folder_of(name)}: it is part of the course, so install the course again.")
    raise TinycourseError(f"{DATASETS[name].title} is not at {folder_of(name)}: run `tinycourse data get {name}`, "
                          f"or set TINYCOURSE_DATA to the folder that holds {DATASETS[name].folder}.")  # fmt: skip


def status() -> list[dict]:
    """One dict per data set: name, title, licence, download (bytes, 0: not known), folder (None where absent), clips, bytes."""
    return [{"name": name, "title": about.title, "licence": about.licence, "download": about.bytes, **_contents(name)}
            for name, about in DATASETS.items()]  # fmt: skip


def _contents(name: str) -> dict:
    folder = find(name)
    if folder is None:
        return {"folder": None, "clips": 0, "bytes": 0}
    files = [path for path in folder.rglob("*") if path.suffix in (".wav", ".flac", ".sph", ".ogg", ".opus")]
    index = folder / "index.csv"  # tinywords: a line per clip, as many clips share a file
    clips = len(lines(index)) - 1 if index.is_file() else len(files)
    return {"folder": str(folder), "clips": clips, "bytes": sum(path.stat().st_size for path in files)}
