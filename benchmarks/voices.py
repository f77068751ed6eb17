"""Connected digits by voices that were never heard: python benchmarks/voices.py [SPEAKER ...]   (three minutes a training)

Trains without one speaker, in every way of tinycourse/studies/lesson05.py. Results go to tinycourse/studies/measured/voices.json after
every training; a second call goes on where the first one stopped.
"""

import argparse
import json

import torch

from tinycourse.studies import lesson05 as study

EPOCHS = 12

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("speakers", nargs="*", default=["george", "theo"])
speakers = parser.parse_args().speakers
torch.set_num_threads(1)

rows = study.measured() if study.MEASURED.exists() else []
done = {(row["way"], row["speaker"]) for row in rows}
for speaker in speakers:
    for way in study.WAYS:
        if (way, speaker) not in done:
            rows.append(study.train(way, speaker, EPOCHS))
            found = {"command": "python benchmarks/voices.py", "rows": rows}
            study.MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
print(study.table(rows))
