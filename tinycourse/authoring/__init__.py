"""For authors: the notebooks that learners open are built here from `lessons/`, and held to the rules of the course.

course.py      what all notebooks share: the table of lessons, the first cell, the badges, the map
sources.py     lessons/NN_name/*.py read into cells, made into notebooks
exercises.py   cards, solutions cut out, hidden tests, nbgrader's metadata
build.py       build, execute, compare with what is committed
outputs.py     cells run, and their outputs made the same on every machine
coverage.py    the page that lists every exercise and the misconceptions that its check knows
lint.py        the rules of the course, one function each

What an author writes, besides text and code, in a py:percent source with a jupytext header:

- `# %% alt="What the figure shows."` on a cell that draws: kept with the picture, for whoever cannot see it;
- `# %% tags=["nbval-check-output"]` on a cell whose output is the same everywhere; `tags=["widget"]` on the lesson's widget;
- `<!-- map -->` where the table of lessons belongs; the first code cell is built in behind it (or behind the title);
- `<!-- definition -->` in a paragraph whose numbers are true by definition (lint.py says why);
- in exercises, the card and the markers that exercises.py explains.
"""
