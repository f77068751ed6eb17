"""The paper's table on connected digits: sparsity against error of transducers, and cells against each other, in float and in integers.

    python benchmarks/pruning_rnnt.py --dense CHECKPOINTS --seeds 0 1 2 --out tinycourse/studies/measured/pruning_rnnt.json

Every row begins with a trained network, CHECKPOINTS/MODEL-SEED.safetensors, which is trained first where it is missing, and trains it on
while its gates are pruned; the dense rows train on as long. Writes the file after every run and skips the runs that are in it, so it can be
stopped and started again, and several processes with seeds of their own can share it. `--try` runs everything for a moment on
synthetic digits, and writes nothing.
"""

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

import torch

from tinycourse.data import sentences
from tinycourse.program import block_sparse
from tinycourse.pruning import recipes, schedule
from tinycourse.quantization import integer_transducer
from tinycourse.studies import lesson07 as study
from tinycourse.training import checkpoint, resume, transducers
from tinycourse.transducer.vocabulary import Vocabulary

DATA, SPARSITIES = "connected-digits", (0.5, 0.7, 0.8, 0.9)
LSTM, CIFG_SRU, SMALL = "rnnt-digits", "rnnt-digits-cifg-sru", "rnnt-digits-small"
RUNS = [  # model, block, sparsity of the gates
    (LSTM, (8, 1), 0.0),
    *((LSTM, block, sparsity) for block in ((8, 1), (1, 1)) for sparsity in SPARSITIES),
    *((CIFG_SRU, (8, 1), sparsity) for sparsity in (0.0, 0.5, 0.8)),
    (SMALL, (8, 1), 0.0),  # as many weights as LSTM at 80 %
]
SAME = ("model", "data", "way", "asked", "seed", "epochs", "clips")  # what makes two rows the same run


def dense(path: Path, model: str, task, supply, config: transducers.SequenceConfig) -> checkpoint.Recogniser:
    """The trained network at `path`; trained, or trained on where that was stopped, if it is missing."""
    if path.exists():
        return checkpoint.load(path, expect=model)
    part = path.with_stem(f"{path.stem}-in-training")
    state = resume.state_file(part)
    recogniser = transducers.recogniser_for(model, Vocabulary.of(task.texts(), task.tokens), config.seed)
    recogniser.info = {"data": DATA, "seed": config.seed, "epochs": config.epochs}
    transducers.fit(recogniser, task, config, part, state.exists(), supply=supply)
    checkpoint.save(recogniser, path)
    part.unlink()
    state.unlink()
    return recogniser


def run(recogniser, task, speech, heard, supply, block, sparsity: float, config: transducers.SequenceConfig) -> dict:
    """Train one network on while it is pruned, and quantize what remains, its scales chosen on the recordings `heard`.

    Bytes are those of the whole network.
    """
    begun = transducers.evaluate(recogniser, speech).rate
    _, pruner = recipes.prune_transducer(recogniser, task, config, schedule.PruneConfig(sparsity, block), supply=supply)
    integers = integer_transducer.integer_recogniser(recogniser, heard)
    weights = {name: p.detach().numpy() for name, p in pruner.parameters.items()}
    as_float, as_int8 = (block_sparse.total(weights, block, bits) for bits in (32, 8))
    others = sum(p.numel() for p in recogniser.network.parameters()) - as_float.weights
    return {
        "begun": begun,
        "error": transducers.evaluate(recogniser, speech).rate,
        "int8": transducers.evaluate(integers, speech).rate,
        "validation": recogniser.info["validation"]["word_error_rate"],
        "sparsity": pruner.sparsity,
        "parameters": others + as_float.nonzero,
        "bytes": {"float32": 4 * others + as_float.least, "int8": integers.network.weight_bytes - as_int8.dense + as_int8.least},
        "returned": pruner.returned,
        "by_weight": pruner.sparsities(),
    }


def read(path: Path | None) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {"rows": []}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dense", type=Path, default=Path("."), help="folder of trained checkpoints (default: this one)")
    parser.add_argument("--models", nargs="+", default=[LSTM, CIFG_SRU, SMALL])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, help="to train on (default: half of the recipe's)")
    parser.add_argument("--learning-rate", type=float, help="at most (default: half of the recipe's)")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--try", dest="short", action="store_true")
    a = parser.parse_args()
    if not (a.out or a.short):
        parser.error("--out is missing")
    torch.set_num_threads(1)
    task = sentences.open_task(DATA, source="tinywords" if a.short else "")
    if a.short:
        task.epoch, task.counts = 64, dict.fromkeys(task.counts, 6)
        a.dense, a.out, a.epochs = Path(tempfile.mkdtemp()), None, 1
    supply = task.training(transducers.recogniser_for(LSTM, Vocabulary.of(task.texts(), task.tokens), 0).frontend)
    speech, heard, tried = task.speech("testing"), task.speech("training").audio[::2], []
    for seed in a.seeds:
        config = recipes.retraining(DATA, seed=seed, epochs=a.epochs, learning_rate=a.learning_rate)
        for model, block, sparsity in RUNS:
            way = f"gradual {block[0]}x{block[1]}" if sparsity else "dense"
            key = {"model": model, "data": DATA, "way": way, "asked": sparsity, "seed": seed, "epochs": config.epochs, "clips": len(supply)}
            if model not in a.models or any(all(row[k] == key[k] for k in SAME) for row in read(a.out)["rows"]):
                continue
            whole = transducers.recipe(DATA, seed=seed, epochs=1 if a.short else None)
            recogniser = dense(a.dense / f"{model}-{seed}.safetensors", model, task, supply, whole)
            tried.append(key | run(recogniser, task, speech, heard, supply, block, sparsity, config))
            if a.out:
                found = read(a.out)  # another process may have added to it
                command = "python " + shlex.join(sys.argv)
                a.out.write_text(json.dumps({"command": command, "rows": [*found["rows"], tried[-1]]}, indent=1) + "\n", encoding="utf-8")
    print(study.table(read(a.out)["rows"] or tried))


if __name__ == "__main__":
    main()
