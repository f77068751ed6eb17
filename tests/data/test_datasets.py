"""Opening data sets by name, and what is said of those that are not there."""

import pytest

from tinycourse import data
from tinycourse.errors import TinycourseError


@pytest.mark.parametrize("name", ["speech-commands", "speech-commands-test", "spoken-digits", "an4", "librispeech"])
def test_an_absent_data_set_is_named_with_its_folder_and_the_command(data_root, name):
    with pytest.raises(TinycourseError) as caught:
        data.open_dataset(name)
    assert str(data_root / data.DATASETS[name].folder) in str(caught.value)
    assert f"tinycourse data get {name}" in str(caught.value)


def test_open_dataset_refuses_unknown_names_and_options(small_speech_commands):
    assert len(data.open_dataset("speech-commands", classes="12").classes) == 12
    assert data.open_dataset("speech-commands", classes=None, extra_unknown=()).classes == data.TASKS["10"]
    assert data.open_for(data.TASKS["12"], "speech-commands").classes == data.TASKS["12"]
    with pytest.raises(TinycourseError, match="no data set 'speech_commands': choose one of"):
        data.open_dataset("speech_commands")
    with pytest.raises(TinycourseError, match="has no option colour: it takes classes, extra_unknown, seed"):
        data.open_dataset("speech-commands", colour="red")


def test_status_says_what_is_where(small_speech_commands):
    rows = {row["name"]: row for row in data.status()}
    assert set(rows) == set(data.DATASETS)
    assert rows["speech-commands"]["folder"] == str(small_speech_commands) and rows["speech-commands"]["clips"] == 12 * 20 + 2
    assert rows["speech-commands"]["bytes"] > 12 * 20 * 32_000 and rows["speech-commands"]["licence"] == "CC BY 4.0"
    assert rows["an4"]["folder"] is None and rows["an4"]["clips"] == 0
