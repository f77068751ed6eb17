"""The widget of lesson 04, over its pictures. Only what ipywidgets 7.7 and 8 share."""

import html

import ipywidgets as w

from tinycourse.models.design import Design
from tinycourse.plots import lesson04 as figures04
from tinycourse.search import costs, records
from tinycourse.search.pareto import on_front
from tinycourse.widgets.explorer import png


class SearchExplorer(w.VBox):
    """Watch the front of a study grow, and open any of its networks: layers, costs, error.

    `rows` are those of a record (see `search/records.py`); `row` is the open one.
    """

    def __init__(self, rows: list[dict]):
        self.rows = records.trained_rows({"rows": rows})
        wide = {"style": {"description_width": "110px"}}
        last = len(self.rows)
        self.count = w.IntSlider(last, 1, last, description="trained so far", continuous_update=False, **wide)
        self.choice = w.Dropdown(description="open", layout=w.Layout(width="420px"))
        self.words, self.picture = w.HTML(), w.Image(format="png")
        self.count.observe(self.relist, "value")
        self.choice.observe(self.redraw, "value")
        self.relist()
        super().__init__([w.HBox([self.count, self.choice]), self.picture, self.words])

    def relist(self, change=None) -> None:
        """The networks that can be opened: those on the front first, then the others, each by its error."""
        rows = self.rows[: self.count.value]
        self.points = [(row["error"], row["costs"]["parameters"]) for row in rows]
        self.best = on_front(self.points)
        order = sorted(range(len(rows)), key=lambda i: (not self.best[i], rows[i]["error"]))
        labels = [f"{'front: ' if self.best[i] else ''}{rows[i]['error']:.1%}, {rows[i]['costs']['parameters']:,} weights" for i in order]
        self.choice.unobserve(self.redraw, "value")
        self.choice.options = [(f"{label} (trial {rows[i]['number']})", i) for label, i in zip(labels, order)]
        self.choice.value = order[0]
        self.choice.observe(self.redraw, "value")
        self.redraw()

    def redraw(self, change=None) -> None:
        """Open the chosen network."""
        self.row = self.rows[self.choice.value]
        spent = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in self.row["costs"].items() if value)
        chosen = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.row["choices"].items())
        self.words.value = f"<p><b>Costs</b>: {html.escape(spent)}.<br><b>Choices</b>: {html.escape(chosen)}.</p>"
        parts = costs.by_part(Design.from_json(self.row["design"]))
        self.picture.value = png(figures04.explored(self.points, self.best, self.choice.value, parts))
