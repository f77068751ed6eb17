"""The page of all exercises says what the sources say."""

import shutil
from pathlib import Path

from tinycourse.authoring import build, course, coverage

ROOT = Path(__file__).parents[2]


def test_page_in_the_repository_is_what_the_sources_give():
    assert coverage.problems(ROOT) == []


def test_page_has_every_exercise_and_every_misconception():
    page = coverage.page(ROOT)
    for lesson in course.written(ROOT):
        for card in coverage.cards(ROOT, lesson):
            assert f"| {lesson.number}.{card.number} | [`{card.name}`](#{card.name}) | {card.minutes} | {card.difficulty} |" in page
            for wrong in coverage.wrong_answers(lesson, card):
                assert f"| `{wrong.name}` | {wrong.misconception.replace('|', chr(92) + '|')} |" in page


def test_check_finds_a_page_that_is_missing_or_was_edited(tmp_path):
    lesson = course.find("00")
    shutil.copytree(ROOT / "lessons" / lesson.folder, tmp_path / "lessons" / lesson.folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    missing = [p for p in build.problems(tmp_path, [lesson]) if p.startswith("docs/exercises.md differs")]
    coverage.write(tmp_path)
    fresh = coverage.problems(tmp_path)
    path = tmp_path / coverage.PAGE
    path.write_text(path.read_text(encoding="utf-8").replace("softmax", "hardmax"), encoding="utf-8")
    assert missing and fresh == [] and coverage.problems(tmp_path) == missing
