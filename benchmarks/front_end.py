"""What each setting of the front end brings on real recordings: python benchmarks/front_end.py   (a quarter of an hour on one core)

Trains the two small networks of tinycourse/studies/lesson01.py on every setting, three seeds each, and tests them on the validation clips:
as they are, in noise, and quiet; TinySpeech on some, one seed.
Results go to tinycourse/studies/measured/front_end.json after every network; a second call goes on.
"""

import json
import statistics

import torch

from tinycourse import data, files
from tinycourse.studies import lesson01 as study
from tinycourse.training import classifiers, profiling

CLIPS, EPOCHS, SEEDS, CLASSES = 3_000, 5, range(3), "10"
IN_NOISE = ("MFCC, 40 of 40", "log-mel", "PCEN")  # these are also trained on clips of which half have noise added
KEYS = ("setting", "network", "training", "seed")

source = data.open_dataset("speech-commands", classes=CLASSES)
clips, held_out = source.clips("training"), source.clips("validation")
clips = clips.subset(torch.randperm(len(clips), generator=torch.Generator().manual_seed(0))[:CLIPS])
noise, other_noise = classifiers.noise_of(source), torch.cat([torch.from_numpy(n) for n in source.noise("validation")])
trained_on = {"clean": clips.waveforms(), "noisy": study.noisy(clips, noise, (0.0, 20.0), share=0.5)}
tested_on = {
    "clean": held_out.waveforms(),
    "10 dB": study.noisy(held_out, other_noise, (10.0, 10.0)),
    "0 dB": study.noisy(held_out, other_noise, (0.0, 0.0)),
    "quiet": held_out.waveforms() / 10,  # 20 dB less, without noise
}
about = {
    "command": "python benchmarks/front_end.py",
    "data": f"speech-commands, {CLASSES} classes: {len(clips)} training clips, {len(held_out)} validation clips",
    "epochs": EPOCHS,
    "noise": "training: half of the clips, 0 to 20 dB; validation: other parts of the same noise recordings",
}
rows = study.measured()["rows"] if study.MEASURED.exists() else []
done = {tuple(row[key] for key in KEYS) for row in rows}

plan = [(setting, ("2-D", "1-D"), "clean") for setting in study.SETTINGS]
plan += [(setting, ("2-D", "1-D"), "noisy") for setting in IN_NOISE]
plan += [(setting, ("TinySpeech",), "clean") for setting in IN_NOISE]
for setting, networks, how in plan:
    config = study.SETTINGS[setting]
    wanted = [(setting, network, how, seed) for network in networks for seed in (SEEDS if network in ("2-D", "1-D") else SEEDS[:1])]
    if not done.issuperset(wanted):
        x, tests = study.listen(config, trained_on[how], tested_on)
        for row in (dict(zip(KEYS, key)) for key in wanted if key not in done):
            network = study.train(row["network"], x, clips.labels, len(clips.classes), EPOCHS, row["seed"], config.hop / config.rate)
            cost = profiling.profile(network, x[:1])
            row |= {"values": x[0].numel(), "parameters": cost.parameters, "multiply_adds": cost.multiply_adds}
            row |= {name: round(study.accuracy(network, test, held_out.labels), 4) for name, test in tests.items()}
            rows.append(row)
            files.write_bytes(study.MEASURED, (json.dumps(about | {"rows": rows}, indent=1) + "\n").encode())

print(f"{'setting':26}{'network':9}{'training':10}" + "".join(f"{name:>8}" for name in tested_on))
for setting, network, how in sorted({tuple(row[key] for key in KEYS[:3]) for row in rows}):
    same = [row for row in rows if (row["setting"], row["network"], row["training"]) == (setting, network, how)]
    print(f"{setting:26}{network:9}{how:10}" + "".join(f"{statistics.mean(row[name] for row in same):8.1%}" for name in tested_on))
