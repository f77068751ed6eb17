"""What a training keeps between two epochs: its best weights, and all that it needs to go on after it was killed."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tinycourse.errors import TinycourseError
from tinycourse.files import need_writable
from tinycourse.training.checkpoint import Recogniser, read, save, write_whole

STATE = "tinycourse-training-2"
BEST = {"accuracy": max, "word_error_rate": min}  # which of an epoch's figures on validation decides, and how


def state_file(out: Path) -> Path:
    """Where a training keeps what it needs to go on."""
    return Path(out).with_suffix(".state.safetensors")


@dataclass
class Keeper:
    """A callback of `Loop.run`: after every epoch `out`, unless it is None, gets the best weights so far, and `state_file(out)` everything.

    With a `pruner.Pruner` only epochs that end at its final sparsity can be the best, and every epoch says its sparsity. Of several
    processes the first one alone `writes`.
    """

    recogniser: Recogniser
    optimizer: torch.optim.Optimizer
    config: object  # the recipe, a dataclass
    out: Path | None = None
    pruner: object | None = None
    writes: bool = True
    best: dict[str, Tensor] = field(default_factory=dict)

    def begin(self, resume: bool) -> list[dict]:
        """The history of the training that is resumed, or an empty one. Raises TinycourseError as `restore`, or if `out` cannot be."""
        if resume:
            return self.restore()
        if self.out and self.writes:
            need_writable(self.out)  # at once: a path that cannot be written should not cost an epoch
        return []

    def __call__(self, history: list[dict], found: dict) -> None:
        """The last epoch of `history` is over; `found` are its figures on validation, if it was measured."""
        row, out = history[-1], self.out if self.writes else None
        if self.pruner:
            row |= {"sparsity": self.pruner.sparsity, "settled": self.pruner.settled}
        row |= {name: found[name] for name in BEST.keys() & found.keys()}
        if found and self.is_best(history):
            self.best = {k: v.detach().cpu().clone() for k, v in self.recogniser.state_dict().items()}
            self.recogniser.info["validation"] = found | {"epoch": row["epoch"]}
            if out:
                save(self.recogniser, out)
        if out:
            self.store(history)

    def is_best(self, history: list[dict]) -> bool:
        """Whether the last epoch is at least as good as all before it that could be the best."""
        (name,) = BEST.keys() & history[-1].keys()
        settled = [row[name] for row in history if name in row and row.get("settled", True)]
        return history[-1].get("settled", True) and history[-1][name] == BEST[name](settled)

    def store(self, history: list[dict]) -> None:
        """Everything about a training between two epochs, in one safetensors file."""
        tensors = {f"recogniser.{k}": v for k, v in self.recogniser.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
        if self.pruner:
            tensors |= {f"pruner.{k}": v for k, v in self.pruner.state_dict().items()}
        header = {"history": history, "info": self.recogniser.info, "identity": self.identity()}
        write_whole(state_file(self.out), tensors, {"format": STATE} | {k: json.dumps(v) for k, v in header.items()})

    def identity(self) -> dict:
        """All that has to be the same for a training to be resumed: name -> what it is, as JSON has it."""
        recogniser, recipe = self.recogniser, asdict(self.config)
        recipe.pop("teacher", None)  # wherever it lies: its fingerprint counts
        pruning = json.loads(self.pruner.settings) if self.pruner else None
        parts = {"model": recogniser.name, "classes": recogniser.classes} | recipe | {"pruning": pruning} | recogniser.info["fingerprints"]
        return json.loads(json.dumps(parts))

    def restore(self) -> list[dict]:
        """Load what `store` wrote into recogniser, optimizer and pruner; returns the history.

        Raises TinycourseError if it belongs to another training: another model, other classes, another recipe, other data.
        """
        path = state_file(self.out)
        if not path.is_file():
            raise TinycourseError(f"There is nothing to resume: {path} does not exist; train without --resume.")
        tensors, header = read(path, STATE)
        before, now = json.loads(header["identity"]), self.identity()
        if differ := ", ".join(name for name in before | now if before.get(name) != now.get(name)):
            raise TinycourseError(
                f"{path} belongs to another training, which differs in {differ}: resume with the same, or train without --resume."
            )
        parts = {"recogniser": {}, "best": {}, "optimizer": {}, "pruner": {}}
        for name, tensor in tensors.items():
            part, key = name.split(".", 1)
            parts[part][key] = tensor
        self.recogniser.load_state_dict(parts["recogniser"])
        self.recogniser.info, self.best = json.loads(header["info"]), parts["best"]
        state = self.optimizer.state_dict()
        for key, tensor in parts["optimizer"].items():
            i, name = key.split(".")
            state["state"].setdefault(int(i), {})[name] = tensor
        self.optimizer.load_state_dict(state)
        if self.pruner:
            self.pruner.load_state_dict(parts["pruner"])
        return json.loads(header["history"])
