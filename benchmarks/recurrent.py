"""LSTM, CIFG and SRU in encoder and prediction network, on connected digits: python benchmarks/recurrent.py   (an hour on two cores)

Trains every pair of tinycourse/studies/lesson06.py with three seeds. Results go to tinycourse/studies/measured/cells.json after every run;
a second call goes on where the first one stopped. `--try` makes one short run of each and writes nothing.
"""

import argparse
import json
import time

import torch

from tinycourse.data import sentences
from tinycourse.studies import lesson06 as study
from tinycourse.training import transducers

EPOCHS, SEEDS = 10, range(3)

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--try", dest="short", action="store_true", help="one short run of each pair")
short = parser.parse_args().short
torch.set_num_threads(1)

task = sentences.ConnectedDigits("tinywords" if short else "spoken-digits")
if short:
    task.epoch, task.counts = 64, dict.fromkeys(task.counts, 10)
recipe = transducers.recipe("connected-digits", epochs=1 if short else EPOCHS)
about = {
    "command": "python benchmarks/recurrent.py",
    "data": f"strings of 1 to {task.longest} digits from {task.sources[0]}, {task.counts['testing']} of them for testing",
    "steps": recipe.epochs * task.epoch // recipe.batch,
}
rows = study.measured()["rows"] if study.MEASURED.exists() and not short else []
done = {(row["encoder"], row["prediction"], row["seed"]) for row in rows}

for seed in SEEDS[:1] if short else SEEDS:  # the outer loop: if it is cut off, every pair has the same seeds
    for pair in study.PAIRS:
        if (*pair, seed) not in done:
            start = time.perf_counter()
            rows.append(study.train(*pair, task, transducers.recipe("connected-digits", epochs=recipe.epochs, seed=seed)))
            print(f"{' / '.join(pair):22}{rows[-1]['testing']:7.1%}{time.perf_counter() - start:6.0f} s", flush=True)
            if not short:
                study.MEASURED.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", encoding="utf-8")

print("\n" + study.table(rows))
