"""The website is built without a warning; its links, anchors and pictures are there, described, and nothing is fetched to read it."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tinycourse.authoring import course

ROOT = Path(__file__).parents[1]
for name in ("myst_nb", "furo", "latex2mathml"):
    pytest.importorskip(name, reason="needs pip install -e '.[site]'")


class Page(HTMLParser):
    """What a page points to, what may be pointed to in it, and its pictures without a description."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.parts, self.anchors, self.silent = [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in ("script", "link", "img") and (address := given.get("src") or given.get("href")):
            self.parts.append(address)
        if tag == "img" and not given.get("alt"):
            self.silent.append(given.get("src", "")[:80])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(folder of the site, what the build said, its pages by path)."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-c", str(ROOT / "docs/site"), str(ROOT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder, done.stderr, {path: Page(path) for path in folder.rglob("*.html")}


def test_no_warnings(built):
    assert built[1] == ""


def test_every_lesson_has_a_page_that_the_front_page_lists(built):
    folder, _, pages = built
    for lesson in course.written(ROOT):
        if (ROOT / f"notebooks/{lesson.folder}.ipynb").is_file():
            assert f"notebooks/{lesson.folder}.html" in pages[folder / "index.html"].links


def test_links_and_anchors_lead_somewhere(built):
    folder, _, pages = built
    broken = []
    for path, page in pages.items():
        for link in page.links + page.parts:
            place = urlsplit(link)
            if place.scheme or link.startswith("//") or link.startswith("data:"):
                continue
            target = (path.parent / unquote(place.path)).resolve() if place.path else path
            there = target.is_file() and target.is_relative_to(folder.resolve())
            if not there or (place.fragment and target in pages and unquote(place.fragment) not in pages[target].anchors):
                broken.append(f"{path.relative_to(folder)}: {link}")
    assert broken == []


def test_every_picture_is_described(built):
    folder, _, pages = built
    assert [f"{path.relative_to(folder)}: {name}" for path, page in pages.items() for name in page.silent] == []


def test_only_badges_are_fetched_from_elsewhere(built):
    elsewhere = {part for page in built[2].values() for part in page.parts if urlsplit(part).scheme in ("http", "https")}
    assert {urlsplit(part).netloc for part in elsewhere} <= {"mybinder.org", "colab.research.google.com", "img.shields.io"}


def test_formulas_are_mathml(built):
    folder, _, _ = built
    page = (folder / "notebooks/06_cells.html").read_text(encoding="utf-8")
    assert re.search(r"<math [^>]*>.*?<mi>", page, re.S) and "\\(" not in re.sub(r"<code.*?</code>|<pre.*?</pre>", "", page, flags=re.S)
