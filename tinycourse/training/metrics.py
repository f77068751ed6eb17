"""How good is it: accuracy per class and who is taken for whom."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Report:
    """Of `count` clips: `confusion` [classes, classes] counts true class (row) against predicted class (column)."""

    classes: tuple[str, ...]
    confusion: Tensor

    @property
    def count(self) -> int:
        """How many clips were looked at."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of clips whose best score is the true class, 0 to 1."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def per_class(self) -> dict[str, float]:
        """Recall of each class that has clips: the share of them that was recognised."""
        rows = zip(self.classes, self.confusion)
        return {name: float(row[i] / row.sum()) for i, (name, row) in enumerate(rows) if row.sum() > 0}

    def as_dict(self) -> dict:
        """For `--json`."""
        return {"accuracy": self.accuracy, "count": self.count, "per_class": self.per_class, "confusion": self.confusion.tolist()}


def report(logits: Tensor, labels: Tensor, classes: tuple[str, ...]) -> Report:
    """Judge logits [N, classes] against labels [N]."""
    k = len(classes)
    pairs = labels * k + logits.argmax(1)  # [N], one number for each (true, predicted)
    return Report(tuple(classes), torch.bincount(pairs, minlength=k * k).view(k, k))
