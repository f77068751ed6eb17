"""The verbs that train: train, and prune. torch takes seconds to import, so every verb imports what it needs."""

from dataclasses import asdict

from tinycourse.cli.options import (
    NewFile,
    Verb,
    count,
    given,
    must_be_safetensors,
    not_negative,
    positive,
    seed,
    share,
    sparsity_of,
    strings,
)
from tinycourse.cli.output import quality, show


def train(a) -> None:
    """Train a network of words or of sentences, test it and write it; show how it went."""
    from tinycourse.cli import trainings

    must_be_safetensors(a.out)
    if done := trainings.carry_out(trainings.Request(a, a.model, a.start)):
        validation, testing = done.recogniser.info["validation"], done.recogniser.info["testing"]
        figures = {"checkpoint": str(a.out), "validation": validation, "testing": testing, "history": done.history}
        said = f"{quality(validation)} on validation (epoch {validation['epoch']}), {quality(testing)} on testing"
        show(figures, a.json, f"{a.out}: {said}")


def prune(a) -> None:
    """Prune a checkpoint while it trains on, test it and write it; show what is left of it."""
    from tinycourse.cli import trainings
    from tinycourse.program import block_sparse
    from tinycourse.pruning import packing
    from tinycourse.pruning.schedule import PruneConfig

    for path in filter(None, (a.out, a.packed)):
        must_be_safetensors(path)
    how = PruneConfig(
        sparsity=a.sparsity, block=block_sparse.parse_block(a.block), scope=a.scope, only=tuple(a.only), layers=dict(a.layers),
        start=a.start, end=a.end, every=a.every, straight_through=not a.masked_gradient,
    )  # fmt: skip
    if not (done := trainings.carry_out(trainings.Request(a, None, a.checkpoint, how))):
        return
    pruner, info = done.pruner, {k: done.recogniser.info[k] for k in ("validation", "testing", "pruning")}
    if a.packed:
        packing.pack(a.out, a.packed, [f"network.{name}" for name in pruner.masks], how.block)
    size = block_sparse.total({name: p.detach().numpy() for name, p in pruner.parameters.items()}, how.block)
    text = f"{a.out}: {pruner.sparsity:.1%} of the pruned weights are 0, {quality(info['testing'])} on testing; " + ", ".join(
        f"{form} {count:,} bytes" for form, count in asdict(size).items() if form not in ("weights", "nonzero")
    )
    show({"checkpoint": str(a.out), **info, "bytes": asdict(size), "history": done.history}, a.json, text)


def learning(v) -> None:
    """Options of every training."""
    v.add_argument("--data", required=True, metavar="SET")
    v.add_argument("--out", required=True, type=NewFile, metavar="F.safetensors")
    v.add_argument("--extra-unknown", nargs="*", default=[], metavar="SET", help="cut more unknown speech from these data sets")
    v.add_argument("--epochs", type=count)
    v.add_argument("--batch", type=count)
    v.add_argument("--learning-rate", type=positive)
    v.add_argument("--augment", default="full", choices=("full", "mild", "none"), help="how hard training clips are disturbed")
    v.add_argument("--teacher", default="", metavar="CKPT", help="learn from this checkpoint's answers too (distillation)")
    v.add_argument("--seed", type=seed, default=0)
    v.add_argument("--resume", action="store_true", help="go on where a killed training stopped")


def more(v) -> None:
    """Options of every training on sentences."""
    v.add_argument("--extra", nargs="*", default=[], metavar="SET", help="sentences of these data sets to train on too")


def train_options(v) -> None:
    """Options of `train`."""
    v.add_argument("model")
    v.add_argument("--classes", help="task, of data sets that have several: 10, 12, 35 or digits (default 10)")
    v.add_argument("--tokens", help="what a transducer writes: words, characters, or a number of word pieces")
    v.add_argument("--ctc", type=not_negative, metavar="WEIGHT", help="weight of the CTC loss of a transducer's encoder")
    v.add_argument("--start", metavar="CKPT", help="begin with the weights of this checkpoint (with --tokens: of its encoder)")
    v.add_argument("--splice", metavar="CKPT", help="half of the sentences joined anew of words that this transducer cuts out")
    v.add_argument("--devices", type=count, default=1, help="how many GPUs, or CPU processes where there is none")


def prune_options(v) -> None:
    """Options of `prune`."""
    v.add_argument("--packed", type=NewFile, metavar="F.safetensors", help="write it once more without its empty blocks")
    v.add_argument("--sparsity", type=share, default=0.7, help="share of the weights that go (default 0.7)")
    v.add_argument("--block", default="8x1", metavar="RxC", help="outputs x inputs that go together (default 8x1)")
    v.add_argument("--scope", default="layer", help="layer: all as sparse; lamp or global: one budget, shared out (default layer)")
    v.add_argument("--only", nargs="*", default=[], metavar="PATTERN", help="parameters to prune (default: all; of a transducer its gates)")
    v.add_argument("--layers", nargs="*", default=[], type=sparsity_of, metavar="PATTERN=S", help="exceptions; S = 0 leaves one dense")
    v.add_argument("--start", type=share, default=0.0, help="share of the training before the first mask")
    v.add_argument("--end", type=share, default=0.6, help="share of the training after which masks stay; 0 is one-shot (default 0.6)")
    v.add_argument("--every", type=count, default=10, metavar="STEPS", help="between two masks (default 10)")
    v.add_argument("--masked-gradient", action="store_true", help="no gradient for weights behind the mask")


TRAIN = Verb("train", "train a network on a data set", train, train_options, shared=(learning, strings, more))
PRUNE = Verb(
    "prune", "train a checkpoint on while its smallest weights leave", prune, prune_options, shared=(given, learning, strings, more)
)
