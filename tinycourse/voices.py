"""A voice that was never heard: one speaker of the connected digits is kept out of training, and what helps is tried (lesson 05)."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

from tinycourse import sequence_training, sequences
from tinycourse.words import Vocabulary

MEASURED = Path(__file__).parent / "measured" / "voices.json"  # written by benchmarks/voices.py
WAYS = {  # to train: how much tempo and voice are changed, and whose strings join in
    "the recipe of the course": ({}, ()),
    "tempo and voice changed": ({"tempo": 0.15, "voice": 0.12}, ()),
    "synthetic voices beside": ({}, ("tinywords",)),
    "both": ({"tempo": 0.15, "voice": 0.12}, ("tinywords",)),
}


def train(way: str, speaker: str, epochs: int, seed: int = 0) -> dict:
    """Train without a speaker, one of `WAYS`, and say what came out: a row of voices.json. With "" nobody is kept out."""
    changes, extra = WAYS[way]
    config = sequence_training.recipe("connected-digits", epochs=epochs, seed=seed)
    config = replace(config, disturb=replace(config.disturb, **changes))
    task = sequences.ConnectedDigits(hold_out=speaker, extra=extra)
    recogniser = sequence_training.recogniser_for("rnnt-digits", Vocabulary.of(task.texts(), task.tokens), seed)
    sequence_training.fit(recogniser, task, config)
    found = {
        "validation": recogniser.info["validation"]["word_error_rate"],
        "testing": sequence_training.evaluate(recogniser, task.speech("testing")).rate,
    }
    return {"way": way, "speaker": speaker, "seed": seed, "epochs": epochs} | found


def measured() -> list[dict]:
    """The rows that benchmarks/voices.py wrote."""
    return json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]


def table(rows: Sequence[dict]) -> str:
    """Wrong digits of every speaker who was kept out, by way of training, and of the others' takes in validation."""
    speakers = sorted({row["speaker"] for row in rows})
    lines = [f"{'kept out:':28}" + "".join(f"{speaker or 'nobody':>10}" for speaker in speakers) + f"{'mean':>8}{'the others':>12}"]
    for way in WAYS:
        own = {row["speaker"]: row for row in rows if row["way"] == way}
        if own:
            cells = [f"{own[speaker]['testing']:10.1%}" if speaker in own else " " * 10 for speaker in speakers]
            heard = mean(row["validation"] for row in own.values())
            lines.append(f"{way:28}{''.join(cells)}{mean(row['testing'] for row in own.values()):8.1%}{heard:12.1%}")
    return "\n".join(lines)
