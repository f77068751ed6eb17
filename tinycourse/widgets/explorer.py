"""What the widgets share: rows of controls over a picture. Only what ipywidgets 7.7 and 8 share."""

import io
import itertools

import ipywidgets as w
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from tinycourse.data import Clips


def png(figure: Figure) -> bytes:
    """The figure as a PNG; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()


class Explorer(w.VBox):
    """Rows of controls, a picture under them, and what else goes `below` it. Whatever is moved, the widget's own `redraw` follows."""

    def __init__(self, *rows: tuple[w.Widget, ...], below: tuple[w.Widget, ...] = ()):
        self.picture = w.Image(format="png")
        for control in itertools.chain(*rows):
            control.observe(self.redraw, "value")
        self.redraw()
        super().__init__([*map(w.HBox, rows), self.picture, *below])


def word_menu(clips: Clips) -> w.Dropdown:
    """All words of which there are clips."""
    words = [name for name, count in clips.counts().items() if count]
    return w.Dropdown(options=words, value="yes" if "yes" in words else words[0], description="word")
