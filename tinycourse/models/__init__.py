"""The networks by name: features [B, 1, frames, bands] to logits. They know no data set.

Lessons 02, 03, 05 and 06 build them.
Add a network to `baselines.py`, and its name to `registry.py`.
"""

from tinycourse.models.baselines import BroadcastBlock
from tinycourse.models.cells import CellConfig, Recurrent
from tinycourse.models.condenser import TINYSPEECH, AttentionCondenser, TinySpeech, match_channels, shift_channels, unpool
from tinycourse.models.design import FORMS, TINYSPEECH_DESIGNS, Designed, SearchedCondenser
from tinycourse.models.registry import MODELS, NARROW, TRANSDUCERS, build, entry, frontend, names
from tinycourse.models.rnnt import join

__all__ = [
    "AttentionCondenser", "BroadcastBlock", "CellConfig", "Designed", "FORMS", "MODELS", "NARROW", "Recurrent", "SearchedCondenser",
    "TINYSPEECH", "TINYSPEECH_DESIGNS", "TRANSDUCERS", "TinySpeech", "build", "entry", "frontend", "join", "match_channels", "names",
    "shift_channels", "unpool",
]  # fmt: skip
