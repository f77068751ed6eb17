"""Figures under test: drawn without a screen, and read as text; what is told apart by colour alone is found."""

from itertools import combinations

import matplotlib

matplotlib.use("Agg")

from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure


def texts(figure) -> list[str]:
    """All texts in a figure, once it is drawn."""
    figure.canvas.draw()
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text)]


def looks(axes) -> list[tuple[str, tuple, tuple]]:
    """(label, colour, everything but colour) of each series that the legend of an axes names."""
    found = []
    for line in axes.lines:
        form = (line.get_linestyle(), line.get_marker(), line.get_linewidth(), line.get_markersize())
        found.append((line.get_label(), to_rgba(line.get_color()), ("line", *form)))
    for dots in axes.collections:
        if isinstance(dots, PathCollection) and len(dots.get_facecolor()):
            form = (dots.get_paths()[0].vertices.round(3).tobytes(), tuple(dots.get_sizes()[:1]))
            found.append((dots.get_label(), tuple(dots.get_facecolor()[0]), ("dots", *form)))
    for bars in (c for c in axes.containers if hasattr(c, "patches") and c.patches):
        found.append((bars.get_label(), bars.patches[0].get_facecolor(), ("bars", bars.patches[0].get_hatch())))
    legend = axes.get_legend()
    named = {text.get_text() for text in legend.get_texts()} if legend else set()
    return [(str(label), colour, form) for label, colour, form in found if label in named]


def colour_alone(figure: Figure) -> list[str]:
    """Pairs of series of one axes whose legend tells them apart by nothing but their colour."""
    pairs = [pair for axes in figure.axes for pair in combinations(looks(axes), 2)]
    return [f"{a[0]} and {b[0]}" for a, b in pairs if a[2] == b[2] and a[1] != b[1]]
