"""Lesson 00 and its exercises in a real browser, in a real JupyterLab: every cell runs, widgets move, checks turn green."""

import shutil
from pathlib import Path

import nbformat
import pytest

from tests.browser import NOTEBOOK, Browser, jupyterlab, ready, run_all
from tinycourse.check.core import LOOK, NOT_ATTEMPTED, PASSED

ROOT = Path(__file__).parents[1]
LESSON = "00_word_to_chip.ipynb"
# What the picture of the widget shows, as text; a picture that is not drawn yet gives none.
PICTURE = """(() => {
    const image = document.querySelector("img.widget-image, .widget-image img");
    if (!image?.complete || !image.naturalWidth) return null;
    const canvas = Object.assign(document.createElement("canvas"), { width: image.naturalWidth, height: image.naturalHeight });
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL();
})()"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of JupyterLab on a copy of the lesson and its exercises."""
    folder = tmp_path_factory.mktemp("course")
    for kind in ("notebooks", "exercises"):
        (folder / kind).mkdir()
        shutil.copy(ROOT / kind / LESSON, folder / kind)
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture
def opened(chromedriver, lab):
    """A function that opens one of the notebooks in a browser of its own."""
    browsers = []

    def open_notebook(path: str) -> Browser:
        browsers.append(Browser(chromedriver, lab % path))
        return browsers[-1]

    yield open_notebook
    for browser in browsers:
        browser.close()


def show(browser: Browser, cell: int) -> None:
    """Make a cell the active one and bring it into view."""
    browser.script(f"{NOTEBOOK}.content.activeCellIndex = {cell}; return {NOTEBOOK}.content.scrollToItem({cell}).then(() => 0)")


def run_cell(browser: Browser, cell: int) -> None:
    """Run one cell, and wait for it."""
    show(browser, cell)
    browser.script("return window.jupyterapp.commands.execute('notebook:run-cell').then(() => 0)")


def moved(browser: Browser, selector: str, before: str) -> str:
    """Click an option of a menu, or the middle of a slider; the picture, once it is not the one `before`."""
    browser.click(selector)
    return browser.until(f"((now) => now !== {before!r} && now)({PICTURE})")


def test_lesson_00_runs_and_its_widget_moves(opened):
    browser = opened(f"notebooks/{LESSON}")
    assert run_all(browser) == []
    cells = nbformat.read(ROOT / "notebooks" / LESSON, 4).cells
    show(browser, next(i for i, cell in enumerate(cells) if "widget" in cell.metadata.get("tags", [])))
    seen = [browser.until(PICTURE)]
    sliders = browser.script("return [...document.querySelectorAll('.widget-slider .slider')].map((one, i) => (one.id = `slider-${i}`))")
    assert len(sliders) == 2
    for control in (".widget-dropdown option[value=stop]", *(f"#{name}" for name in sliders)):
        seen.append(moved(browser, control, seen[-1]))
    browser.script("document.querySelector('.widget-image').scrollIntoView({ block: 'center' })")
    browser.screenshot("lesson00_widget")
    assert len(set(seen)) == 4 and browser.errors() == []


def test_an_answer_turns_the_check_green(opened):
    browser = opened(f"exercises/{LESSON}")
    ready(browser)
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nbformat.read(ROOT / "exercises" / LESSON, 4).cells]
    answers = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in nbformat.read(ROOT / "solutions" / LESSON, 4).cells}
    answer, check = names.index("softmax"), names.index("softmax-check")
    for cell in range(check + 1):
        run_cell(browser, cell)
    assert outcome(browser, check, NOT_ATTEMPTED) == colour(browser, NOT_ATTEMPTED)
    browser.script(f"{NOTEBOOK}.content.model.cells.get({answer}).sharedModel.setSource(arguments[0])", answers["softmax"].source)
    run_cell(browser, answer)
    run_cell(browser, check)
    assert outcome(browser, check, PASSED) == colour(browser, PASSED) != colour(browser, NOT_ATTEMPTED)
    browser.screenshot("exercise00_passed")
    assert browser.errors() == []


def outcome(browser: Browser, cell: int, status: str) -> str:
    """The colour beside what a check says, once it says `status`."""
    box = f"{NOTEBOOK}.content.widgets[{cell}].node.querySelector('.jp-OutputArea [role=status]')"
    browser.until(f"{box}?.textContent.includes(': {status}') && 1")
    return browser.script(f"return getComputedStyle({box}).borderLeftColor")


def colour(browser: Browser, status: str) -> str:
    """The colour of a status, as the browser writes it."""
    return browser.script("document.body.style.color = arguments[0]; return getComputedStyle(document.body).color", LOOK[status][1])
