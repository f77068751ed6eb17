"""What each open choice of TinySpeech-M brings on real recordings: python benchmarks/condenser.py   (a quarter of an hour on one core)

Trains every variant of tinycourse/studies/lesson03.py on every second clip, for two epochs, with three seeds. Results go to
tinycourse/studies/measured/condenser.json after every run; a second call goes on. `--try` makes one short run of each on the bundled
words and writes nothing.
"""

import argparse
import json
import time

import torch

from tinycourse import data
from tinycourse.studies import lesson03 as study
from tinycourse.training import classifiers

EPOCHS, SEEDS, CLASSES, SPLITS = 2, range(3), "10", ("training", "validation", "testing")

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--try", dest="short", action="store_true", help="one short run of each variant on the bundled words")
short = parser.parse_args().short
torch.set_num_threads(1)

source = data.open_dataset("tinywords") if short else data.open_dataset("speech-commands", classes=CLASSES)
clips = {split: source.clips(split) for split in SPLITS}
if short:
    clips = {split: part.subset(torch.arange(0, len(part), max(1, len(part) // 256))) for split, part in clips.items()}
clips["training"] = clips["training"].subset(torch.arange(0, len(clips["training"]), 2))
sounds = study.mel_energies(clips, classifiers.noise_of(source))
about = {
    "command": "python benchmarks/condenser.py",
    "data": f"speech-commands, {CLASSES} classes: " + ", ".join(f"{len(part)} {split} clips" for split, part in clips.items()),
    "epochs": EPOCHS,
    "batch": 64,
}
rows = [] if short else study.read(study.MEASURED)["rows"]
done = {(row["variant"], row["seed"]) for row in rows}

for seed in SEEDS[:1] if short else SEEDS:  # the outer loop: if it is cut off, every variant has the same seeds
    for name in study.VARIANTS:
        if (name, seed) not in done:
            start = time.perf_counter()
            row = study.run(name, sounds, classifiers.TrainConfig(epochs=EPOCHS, batch=about["batch"], seed=seed))
            rows.append(row)
            print(f"{name:34}{row['validation']:7.1%}{row['testing']:7.1%}{time.perf_counter() - start:6.0f} s", flush=True)
            if not short:
                study.MEASURED.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", encoding="utf-8")

print("\n" + study.table(rows))
