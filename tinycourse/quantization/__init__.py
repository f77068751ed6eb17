"""From a float network to a Program of integers: trace, calibrate, round.

Lesson 08 teaches it.
Add an observer to `observers.py`, an operation of torch to `lowering.py`.
"""

from tinycourse.quantization.dynamic import HybridRecurrent
from tinycourse.quantization.integer_frontend import with_samples
from tinycourse.quantization.integer_transducer import integer_recogniser
from tinycourse.quantization.observers import OBSERVERS
from tinycourse.quantization.post_training import channels_last, error_report, signal_to_noise, to_program
from tinycourse.quantization.recurrent_layers import quantize_layers, run_steps
from tinycourse.quantization.tracing import trace

__all__ = [
    "HybridRecurrent", "OBSERVERS", "channels_last", "error_report", "integer_recogniser", "quantize_layers", "run_steps",
    "signal_to_noise", "to_program", "trace", "with_samples",
]  # fmt: skip
