"""A recogniser and its checkpoint: one safetensors file with the weights and, in its header, where they came from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from tinycourse import models
from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.files import read_tensors, write_bytes

FORMAT = "tinycourse-checkpoint-1"
SHIPPED = Path(__file__).parent / "checkpoints"
KINDS = ("pruned", "transducers")  # folders in there


@dataclass(frozen=True)
class Calibration:
    """The ranges of a recogniser's activations, for its integers: {part of the network: {tensor: (low, high)}}, see calibration.py.

    `observer` found them on `count` training recordings of `data`, with the weights whose digest is `weights`.
    """

    ranges: dict[str, dict[str, tuple[float, float]]]
    data: str
    count: int
    observer: str
    weights: str


class Recogniser(nn.Module):
    """Front end and network together: audio [B, 16000] in, logits [B, classes] out.

    `info` says how the weights were made (command, data, seed, epochs, accuracies, licence). `calibration` is None before it is measured.
    """

    def __init__(self, name: str, classes: tuple[str, ...], frontend: FrontendConfig | None = None):
        super().__init__()
        self.name, self.classes, self.info, self.calibration = name, tuple(classes), {}, None
        self.frontend = Frontend(frontend or models.frontend(name))
        self.network = models.build(name, len(classes))

    def forward(self, audio: Tensor) -> Tensor:
        """Audio float32 [B, S] to what the network makes of its features."""
        return self.network(self.frontend(audio))


def save(recogniser: Recogniser, path: str | Path) -> None:
    """Write the recogniser to `path` (.safetensors), whole or not at all."""
    write_whole(path, recogniser.state_dict(), {"format": FORMAT} | describe(recogniser))


def describe(recogniser: Recogniser) -> dict[str, str]:
    """All but the weights, for a header."""
    calibration = recogniser.calibration
    return {
        "model": recogniser.name,
        "classes": json.dumps(recogniser.classes),
        "frontend": json.dumps(asdict(recogniser.frontend.config)),
        "info": json.dumps(recogniser.info),
    } | ({"calibration": json.dumps(asdict(calibration))} if calibration else {})


def described(header: dict[str, str]) -> Recogniser:
    """The recogniser of a header, its weights not yet loaded."""
    recogniser = Recogniser(header["model"], json.loads(header["classes"]), FrontendConfig(**json.loads(header["frontend"])))
    recogniser.info = json.loads(header["info"])
    if "calibration" in header:
        recogniser.calibration = Calibration(**json.loads(header["calibration"]))
    return recogniser.eval()


def write_whole(path: str | Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """A safetensors file, see `files.whole`."""
    write_bytes(path, to_bytes({k: v.contiguous().cpu() for k, v in tensors.items()}, metadata=header))


def read(path: str | Path, form: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and header of a safetensors file of the given format. Raises TinycourseError if it is anything else."""
    remedy = f"give a file made by `tinycourse train`, or a shipped checkpoint ({', '.join(sorted(all_shipped())) or 'none'})"
    return read_tensors(path, form, "checkpoint", remedy, "pt")


def path_of(checkpoint: str | Path) -> Path:
    """The file of a shipped checkpoint by its name, or the path that was given."""
    return all_shipped().get(str(checkpoint), Path(checkpoint))


def load(checkpoint: str | Path, expect: str | None = None) -> Recogniser:
    """A recogniser in evaluation mode, from a file or the name of a shipped checkpoint.

    Raises TinycourseError if there is no such checkpoint, if it is damaged, or if it holds another model than `expect`.
    """
    path = path_of(checkpoint)
    tensors, header = read(path, FORMAT)
    name = header["model"]
    if expect is not None and name != expect:
        raise TinycourseError(f"{path} holds {name}, not {expect}; give a checkpoint of {expect}, or name the model {name}.")
    recogniser = described(header)
    try:
        recogniser.load_state_dict(tensors)
    except RuntimeError:
        raise TinycourseError(f"{path} does not fit {name} as this version defines it; train it again.") from None
    return recogniser


def shipped(kind: str = ".") -> dict[str, Path]:
    """Checkpoints in the package, name -> file: recognisers of words, or those of a kind that has its own folder: KINDS."""
    return {p.stem: p for p in sorted(SHIPPED.glob(f"{kind}/*.safetensors"))}


def all_shipped() -> dict[str, Path]:
    """The checkpoints of every kind in the package: name -> file."""
    return {name: path for kind in (".", *KINDS) for name, path in shipped(kind).items()}


def in_batches(module: nn.Module, audio: Tensor, batch: int = 250) -> Tensor:
    """A module's answer to many clips, int16 or float [N, samples], without gradients, on the CPU.

    A `Recogniser` gives logits [N, classes], a `Frontend` features [N, 1, frames, bands].
    """
    device = next(module.buffers()).device
    with torch.no_grad():
        return torch.cat([module(as_float(part).to(device)).cpu() for part in audio.split(batch)])


def as_float(audio: Tensor) -> Tensor:
    """int16 samples to floats in -1..1; floats pass unchanged."""
    return audio.float() / 32768 if audio.dtype == torch.int16 else audio
