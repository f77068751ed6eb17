"""Pictures: every function takes data, draws one figure and returns it.

Each lesson has its own file; `shared.py` has what several show.
Add a picture to the file of its lesson; it computes no result.
"""

from tinycourse.plots.lesson00 import quantized_weights, recognition
from tinycourse.plots.shared import STAGES, confusion, feature_map, layer_costs, path, waveform

__all__ = ["STAGES", "confusion", "feature_map", "layer_costs", "path", "quantized_weights", "recognition", "waveform"]
