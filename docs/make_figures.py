"""Draw the README's picture: python docs/make_figures.py"""

from pathlib import Path

from tinycourse import plots, session

session.style_figures()
plots.path().savefig(Path(__file__).with_name("path.png"), dpi=130)
