"""The course as a website: `make site` builds it from the notebooks as they are, with their outputs; nothing is run and nothing is fetched.

The source is the repository itself, so that a link that works on GitHub works here. The front page is the README.
"""

import re
import sys
from pathlib import Path

import latex2mathml.converter
import nbformat
from docutils.nodes import SkipNode

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from tinycourse.authoring import course  # noqa: E402
from tinycourse.session import PALETTE  # noqa: E402

project = html_title = "tinycourse"
author, copyright = "the authors of tinycourse", "texts CC BY 4.0, code Apache-2.0"
root_doc = "README"
include_patterns = ["*.md", "notebooks/*.ipynb", "exercises/*.ipynb", "docs/*.md", "docs/teaching/*.md", "data/tinywords/README.md"]
exclude_patterns = ["docs/teaching/discussion.md"]  # answers for the teacher
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_custom_formats = {".ipynb": "conf.read_notebook"}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": PALETTE[0], "color-brand-content": PALETTE[0]},
    "source_repository": f"https://github.com/{course.repository(ROOT)}/",
    "source_branch": "main",
    "source_directory": "",
}
html_copy_source = False
html_static_path, html_css_files = ["course.css"], ["course.css"]
html_math_renderer = "mathml"


def read_notebook(text: str) -> nbformat.NotebookNode:
    """A built notebook, the descriptions of its figures put where MyST-NB looks for them."""
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        if alt := cell.metadata.get("alt"):
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return notebook


def contents(pages: dict[str, list[str]]) -> str:
    """Tables of contents, by caption."""
    return "".join(f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n" + "\n".join(lines) + "\n```\n" for caption, lines in pages.items())


def prepare(app, name: str, source: list[str]) -> None:
    """Answers are not on the site: links to them lead to GitHub. The README gets the site's table of contents."""
    for folder, link in ((Path(name).parent, link) for link in re.findall(r"\]\(([^)]*solutions/\w+\.ipynb|discussion\.md)\)", source[0])):
        page = (ROOT / folder / link).resolve().relative_to(ROOT).as_posix()
        source[0] = source[0].replace(f"]({link})", f"](https://github.com/{course.repository(ROOT)}/blob/main/{page})")
    if name == root_doc:
        lessons = [lesson.folder for lesson in course.written(ROOT)]
        pages = {
            "Lessons": [f"notebooks/{folder}" for folder in lessons if (ROOT / f"notebooks/{folder}.ipynb").is_file()],
            "Exercises": [
                f"Exercises {folder[:2]} <exercises/{folder}>" for folder in lessons if (ROOT / f"exercises/{folder}.ipynb").is_file()
            ],
            "For teachers": [f"docs/teaching/{page}" for page in ("README", "running", "misunderstandings")]
            + [f"docs/{page.stem}" for page in sorted((ROOT / "docs").glob("*.md"))],
            "About": ["CONTRIBUTING", "data/tinywords/README"],
        }
        source[0] += contents(pages)


def formula(self, node) -> None:
    """Mathematics as MathML: browsers and screen readers know it, and no script is fetched."""
    display = "block" if node.tagname == "math_block" else "inline"
    self.body.append(latex2mathml.converter.convert(node.astext(), display=display))
    raise SkipNode


def front_page(app, error: Exception | None) -> None:
    """The README is the front page, under the name that servers look for."""
    if not error:
        (Path(app.outdir) / "index.html").write_bytes((Path(app.outdir) / "README.html").read_bytes())


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
    app.connect("source-read", prepare)
    app.connect("build-finished", front_page)
