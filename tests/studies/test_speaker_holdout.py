"""Voices that were never heard: what studies/lesson05.py trains, and how its table reads."""

from tinycourse.data import sentences
from tinycourse.studies import lesson05 as study
from tinycourse.training import transducers

ROWS = [
    {"way": way, "speaker": speaker, "seed": 0, "epochs": 1, "validation": 0.01, "testing": rate}
    for way, rates in zip(study.WAYS, ((0.4, 0.2), (0.3, 0.1)))
    for speaker, rate in zip(("theo", "lucas"), rates)
]


def test_the_table_has_a_row_for_every_way_that_was_tried():
    head, first, second = study.table(ROWS).splitlines()
    assert head.split() == ["kept", "out:", "lucas", "theo", "mean", "the", "others"]
    assert first.split()[-4:] == ["20.0%", "40.0%", "30.0%", "1.0%"]
    assert second.startswith(list(study.WAYS)[1]) and second.split()[-2] == "20.0%"


def test_each_way_trains_without_the_speaker(monkeypatch):
    seen = []
    found = type("Found", (), {"rate": 0.5})()
    monkeypatch.setattr(sentences, "ConnectedDigits", lambda **options: seen.append(options) or Task())

    def fit(recogniser, task, config):
        seen.append(config.disturb)
        recogniser.info["validation"] = {"word_error_rate": 0.5}

    monkeypatch.setattr(transducers, "fit", fit)
    monkeypatch.setattr(transducers, "evaluate", lambda recogniser, speech: found)

    class Task:
        tokens = "words"
        texts = staticmethod(lambda: ["one"])
        speech = staticmethod(lambda split: split)

    row = study.train("both", "theo", epochs=1)
    options, disturb = seen
    assert options == {"hold_out": "theo", "extra": ("tinywords",)} and disturb.voice == study.WAYS["both"][0]["voice"]
    assert row == {"way": "both", "speaker": "theo", "seed": 0, "epochs": 1, "validation": 0.5, "testing": 0.5}


def test_what_was_measured_is_complete():
    rows = study.measured()
    assert len({(row["way"], row["speaker"]) for row in rows}) == len(rows) == len(study.WAYS) * len({row["speaker"] for row in rows})
