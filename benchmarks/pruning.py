"""Sparsity against error of shipped networks: gradual and one-shot, blocks of 1x1 and 8x1, each seed trained on for a few epochs.

    python benchmarks/pruning.py --seeds 0 1 2 --out tinycourse/studies/measured/pruning.json

Writes the file after every run and skips the runs that are in it, so it can be stopped and started again. Rows of other models and
tasks in the file stay as they are.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import torch
from tqdm.auto import tqdm

from tinycourse import data
from tinycourse.program import block_sparse
from tinycourse.pruning import recipes, schedule
from tinycourse.studies import lesson07 as study
from tinycourse.training import checkpoint, classifiers

SPARSITIES = (0.5, 0.7, 0.8, 0.9)
GRADUAL, ONE_SHOT = {"start": 0.0, "end": 0.6}, {"start": 0.0, "end": 0.0}
WAYS = {  # name -> (options, sparsities)
    "gradual 1x1": ({"block": (1, 1), "scope": "lamp", **GRADUAL}, SPARSITIES),
    "gradual 8x1": ({"block": (8, 1), "scope": "lamp", **GRADUAL}, SPARSITIES),
    "one-shot 1x1": ({"block": (1, 1), "scope": "lamp", **ONE_SHOT}, SPARSITIES),
    "one-shot 8x1": ({"block": (8, 1), "scope": "lamp", **ONE_SHOT}, SPARSITIES),
    "every layer alike, 1x1": ({"block": (1, 1), "scope": "layer", **GRADUAL}, (0.8,)),
    "largest anywhere, 1x1": ({"block": (1, 1), "scope": "global", **GRADUAL}, (0.8,)),
    "masked gradient, 1x1": ({"block": (1, 1), "scope": "lamp", "straight_through": False, **GRADUAL}, (0.8,)),
}
RUNS = [("dense", GRADUAL, 0.0)] + [(way, options, s) for way, (options, sparsities) in WAYS.items() for s in sparsities]
SAME = ("model", "data", "way", "asked", "seed", "epochs", "clips")  # what makes two rows the same run


def run(model: str, splits: dict, noise, options: dict, sparsity: float, config: classifiers.TrainConfig) -> dict:
    """Train one network on while it is pruned."""
    recogniser = checkpoint.load(model)
    how = schedule.PruneConfig(sparsity=sparsity, **options)
    _, pruner = recipes.prune(recogniser, splits["training"], splits["validation"], noise, config, how)
    weights = {name: p.detach().numpy() for name, p in pruner.parameters.items()}
    as_float, as_int8 = (block_sparse.total(weights, how.block, bits) for bits in (32, 8))
    return {
        "error": 1 - classifiers.evaluate(recogniser, splits["testing"]).accuracy,
        "validation": 1 - recogniser.info["validation"]["accuracy"],
        "sparsity": pruner.sparsity,
        "weights": as_float.weights,
        "nonzero": as_float.nonzero,
        "bytes": {"float32": as_float.least, "int8": as_int8.least},
        "returned": pruner.returned,
        "by_weight": pruner.sparsities(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["tinyspeech-m", "ds-cnn-s"])
    parser.add_argument("--data", default="speech-commands")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--clips", type=int, help="train on so many clips (default: all)")
    parser.add_argument("--learning-rate", type=float, default=0.005)
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(a.out.read_text()) if a.out.exists() else {"rows": []}
    for seed in a.seeds:
        for model in a.models:
            source = data.open_for(checkpoint.load(model).classes, a.data, extra_unknown=("librispeech", "an4"))
            splits = {split: source.clips(split) for split in ("training", "validation", "testing")}
            clips = splits["training"]
            splits["training"] = clips.subset(torch.randperm(len(clips), generator=torch.Generator().manual_seed(0))[: a.clips])
            noise = classifiers.noise_of(source)
            config = classifiers.TrainConfig(epochs=a.epochs, learning_rate=a.learning_rate, seed=seed)
            for way, options, sparsity in tqdm(RUNS, desc=f"{model}, seed {seed}"):
                key = {"model": model, "data": a.data, "way": way, "asked": sparsity, "seed": seed, "epochs": a.epochs}
                key["clips"] = len(splits["training"])
                if any(all(row[k] == key[k] for k in SAME) for row in found["rows"]):
                    continue
                found["rows"].append(key | run(model, splits, noise, options, sparsity, config))
                found["command"] = "python " + shlex.join(sys.argv)
                a.out.write_text(json.dumps(found, indent=1) + "\n")
    print(study.table(found["rows"]))


if __name__ == "__main__":
    main()
