"""One loop for classifiers and transducers; checkpoints and metrics. Data comes as an argument.

Lessons 02 and 05 teach it.
Change a recipe: `TrainConfig`, `SequenceConfig`.
"""

from tinycourse.training.classifiers import TrainConfig, evaluate, fit, noise_of, seeded
from tinycourse.training.loop import Loop

__all__ = ["Loop", "TrainConfig", "evaluate", "fit", "noise_of", "seeded"]
