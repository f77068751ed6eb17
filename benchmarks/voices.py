"""Connected digits by voices that were never heard: python benchmarks/voices.py [SPEAKER ...]   (three minutes a training)

Trains without one speaker, in every way of tinycourse/voices.py. Results go to tinycourse/measured/voices.json after every training; a
second call goes on where the first one stopped.
"""

import argparse
import json

import torch

from tinycourse import voices

EPOCHS = 12

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("speakers", nargs="*", default=["george", "theo", "yweweler"])
speakers = parser.parse_args().speakers
torch.set_num_threads(1)

rows = voices.measured() if voices.MEASURED.exists() else []
done = {(row["way"], row["speaker"]) for row in rows}
for speaker in speakers:
    for way in voices.WAYS:
        if (way, speaker) not in done:
            rows.append(voices.train(way, speaker, EPOCHS))
            found = {"command": "python benchmarks/voices.py", "rows": rows}
            voices.MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
print(voices.table(rows))
