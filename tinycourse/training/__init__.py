"""One loop for classifiers, one for transducers; checkpoints and metrics. Data comes as an argument.

Lessons 02 and 05 teach it.
Change a recipe: `TrainConfig`, `SequenceConfig`.
"""

from tinycourse.training.classifiers import TrainConfig, evaluate, fit, noise_of, seeded

__all__ = ["TrainConfig", "evaluate", "fit", "noise_of", "seeded"]
