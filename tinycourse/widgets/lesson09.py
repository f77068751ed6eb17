"""The widget of lesson 09, over the pictures of `plots/lesson09.py`. Only what ipywidgets 7.7 and 8 share."""

import ipywidgets as w

from tinycourse.plots import lesson09 as figures
from tinycourse.program.program import Program
from tinycourse.studies import lesson09 as study
from tinycourse.studies.lesson09 import Layout
from tinycourse.widgets.explorer import Explorer, png

NOBODY, PLANNER = "nobody plans", "the course's planner"


class ArenaExplorer(Explorer):
    """Choose a network, who plans its memory and how, and walk through its steps; see what lives where.

    `planned_arena` is the layout that is shown, `words` says what it takes, how far it is from the lower bound, and what lives at the step.
    """

    def __init__(self, programs: dict[str, Program]):
        self.programs = programs
        self.buffers = {  # (network, whether inputs are overwritten): planned for only once
            (name, over): (study.overwritten if over else study.apart)(program)
            for name, program in programs.items()
            for over in (False, True)
        }
        self.name = w.Dropdown(options=list(programs), description="network")
        self.order = w.Dropdown(options=[NOBODY, *study.ORDERS, PLANNER], value=PLANNER, description="order")
        self.over = w.Checkbox(value=True, description="overwrite inputs")
        self.bytes = w.Dropdown(options=[("int8", 1), ("float32", 4)], description="numbers")
        self.step = w.IntSlider(value=0, min=-1, max=len(self.program.operations), description="step", continuous_update=False)
        self.words = w.HTML()
        super().__init__((self.name, self.order), (self.over, self.bytes, self.step), below=(self.words,))

    @property
    def program(self) -> Program:
        """The one that is chosen."""
        return self.programs[self.name.value]

    def planned(self) -> Layout:
        """The layout that the controls ask for."""
        buffers = study.wider(self.buffers[self.name.value, self.over.value], self.bytes.value)
        if self.order.value == NOBODY:
            return study.side_by_side(buffers)
        return study.searched(buffers) if self.order.value == PLANNER else study.first_fit(buffers, self.order.value)

    def redraw(self, change=None) -> None:
        """Plan, draw and say how good it is."""
        end = len(self.program.operations)
        if self.step.max != end:
            self.step.max = end
        now = min(self.step.value, end)
        self.planned_arena = self.planned()
        self.picture.value = png(figures.arena({self.name.value: self.planned_arena}, now))
        operation = self.program.operations[now].kind if 0 <= now < end else "the input is given" if now < 0 else "the end"
        alive = [figures.name_of(b) for b in self.planned_arena.buffers if b.first <= now <= b.last]
        over = self.planned_arena.arena / self.planned_arena.lower_bound - 1
        self.words.value = (
            f"{self.planned_arena.arena:,} bytes, {over:.1%} above the lower bound of {self.planned_arena.lower_bound:,}. "
            f"Step {now}, {operation}: {', '.join(alive)} alive."
        )
