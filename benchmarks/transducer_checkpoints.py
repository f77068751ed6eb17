"""Measure shipped transducers anew, and keep what was found in their checkpoints: python benchmarks/transducer_checkpoints.py NAME ...

For when the sound that they are given has changed (a resampler), but they have not. Prints their rows of the README's table.
"""

import sys

from tinycourse.data import sentences
from tinycourse.training import checkpoint, transducers

SPLITS = ("validation", "testing")

for name in sys.argv[1:]:
    recogniser, path = checkpoint.load(name), checkpoint.shipped("transducers")[name]
    task = sentences.open_task(recogniser.info["data"], **recogniser.info["data_options"])
    for split in SPLITS:
        recogniser.info[split] |= transducers.evaluate(recogniser, task.speech(split)).as_dict()
    checkpoint.save(recogniser, path)
    print(f"| `{name}` | ... |", *(f"{recogniser.info[split]['word_error_rate']:.2%} |" for split in SPLITS))
