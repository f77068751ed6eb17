"""Figures under test: drawn without a screen, and read as text."""

import matplotlib

matplotlib.use("Agg")


def texts(figure) -> list[str]:
    """All texts in a figure, once it is drawn."""
    figure.canvas.draw()
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text)]
