"""The command line: what can be asked for. What is done then is in commands.py and export_commands.py."""

import argparse
from pathlib import Path

from tinycourse.cli import commands, export_commands
from tinycourse.cli.options import (
    NewFile,
    NewFolder,
    Parser,
    classes,
    count,
    gibibytes,
    need_places,
    not_negative,
    positive,
    seconds,
    seed,
    share,
    sparsity_of,
    whole,
)
from tinycourse.errors import TinycourseError


def parser() -> argparse.ArgumentParser:
    """Every verb with its options. Raises TinycourseError for a command line that it does not understand."""
    p = Parser("tinycourse", description="Tiny speech recognition: from a recording to a chip.")
    kinds = p.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, run, help, *shared, parent=kinds, json=True):
        v = parent.add_parser(name, help=help, description=help, parents=shared)
        v.set_defaults(run=run)
        if json:
            v.add_argument("--json", action="store_true", help="print one JSON object")
        return v

    v = verb("doctor", commands.doctor, "is this machine ready, and what to do if not")
    v.add_argument("--repair", action="store_true", help="make torchaudio load where its compiled part does not fit")

    sub = kinds.add_parser("data", help="data sets: which are here, and getting others").add_subparsers(required=True, metavar="VERB")
    verb("list", commands.data_list, "every data set and where it was found", parent=sub)
    verb("get", commands.data_get, "download, check and unpack", parent=sub, json=False).add_argument("names", nargs="+", metavar="NAME")
    v = verb("bundle", commands.data_bundle, "copy data sets to a folder for machines without a network", parent=sub)
    v.add_argument("folder", type=Path, metavar="DIR")
    v.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")

    verb("models", commands.models, "the names that train, profile and evaluate accept")
    verb("checkpoints", commands.checkpoints, "the trained networks in the package, and how each was made")

    v = verb("profile", commands.profile, "parameters, multiply-adds and activation memory, without training")
    v.add_argument("model")
    v.add_argument("--classes", type=classes, help="(default: as many as the network was designed for)")

    given = Parser(add_help=False)
    given.add_argument("checkpoint", help="a file, or the name of a shipped checkpoint")

    learning = Parser(add_help=False)
    learning.add_argument("--data", required=True, metavar="SET")
    learning.add_argument("--out", required=True, type=NewFile, metavar="F.safetensors")
    learning.add_argument("--extra-unknown", nargs="*", default=[], metavar="SET", help="cut more unknown speech from these data sets")
    learning.add_argument("--epochs", type=count)
    learning.add_argument("--batch", type=count)
    learning.add_argument("--learning-rate", type=positive)
    learning.add_argument("--augment", default="full", choices=("full", "mild", "none"), help="how hard training clips are disturbed")
    learning.add_argument("--teacher", default="", metavar="CKPT", help="learn from this checkpoint's answers too (distillation)")
    learning.add_argument("--seed", type=seed, default=0)
    learning.add_argument("--resume", action="store_true", help="go on where a killed training stopped")

    strings = Parser(add_help=False)
    strings.add_argument("--source", default="", help="what connected digits are made of: spoken-digits (default) or tinywords")
    strings.add_argument("--hold-out", default="", help="a speaker of connected digits who speaks in testing alone")

    more = Parser(add_help=False)
    more.add_argument("--extra", nargs="*", default=[], metavar="SET", help="sentences of these data sets to train on too")

    calibrated = Parser(add_help=False)
    calibrated.add_argument("--calibrate", metavar="SET", help="measure ranges on this data (default: the checkpoint has them)")

    v = verb("train", commands.train, "train a network on a data set", learning, strings, more)
    v.add_argument("model")
    v.add_argument("--classes", help="task, of data sets that have several: 10, 12, 35 or digits (default 10)")
    v.add_argument("--tokens", help="what a transducer writes: words, characters, or a number of word pieces")
    v.add_argument("--ctc", type=not_negative, metavar="WEIGHT", help="weight of the CTC loss of a transducer's encoder")
    v.add_argument("--start", metavar="CKPT", help="begin with the weights of this checkpoint (with --tokens: of its encoder)")
    v.add_argument("--splice", metavar="CKPT", help="half of the sentences joined anew of words that this transducer cuts out")
    v.add_argument("--devices", type=count, default=1, help="how many GPUs, or CPU processes where there is none")

    v = verb("prune", commands.prune, "train a checkpoint on while its smallest weights leave", given, learning, strings, more)
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

    v = verb("evaluate", commands.evaluate, "accuracy of a checkpoint", given, strings, calibrated)
    v.add_argument("--data", required=True, metavar="SET")
    v.add_argument("--split", default="testing", choices=("training", "validation", "testing"))
    v.add_argument("--beam", type=whole, default=0, metavar="N", help="hypotheses of a transducer's beam search (default: greedy)")
    v.add_argument("--int8", action="store_true", help="as integers, by the C that the chip runs, on this machine")
    v.add_argument("--samples", action="store_true", help="with the front end as integers too (implies --int8)")

    observed = Parser(add_help=False)
    observed.add_argument("--out", required=True, type=NewFile, metavar="F.safetensors")
    observed.add_argument("--observer", default="mean-square-error", help="how ranges are found (default mean-square-error)")

    verb("calibrate", commands.calibrate, "a checkpoint with the ranges of its activations measured anew", given, calibrated, observed)
    verb("quantize", commands.quantize, "a checkpoint in integers, and what each layer loses by it", given, calibrated, observed)

    v = verb("export", export_commands.export, "C sources, a binary and a cost report; or firmware for others to build", given, calibrated)
    v.add_argument("--target", help="host, cortex-m4, cortex-m0plus or wasm (default cortex-m4)")
    v.add_argument("--as", dest="form", default="plain", choices=("plain", "arduino", "zephyr", "onnx"), help="form (default plain)")
    v.add_argument("--out", required=True, type=NewFolder, metavar="DIR")
    v.add_argument("--samples", action="store_true", help="with the front end, in integers: the model takes int16 samples")
    v.add_argument("--listen", action="store_true", help="a keyword spotter for a stream: chunks of samples in, words out")
    v.add_argument("--threshold", type=share, help="with --listen: the mean posterior at which a word fires (default 0.9)")
    v.add_argument("--hop", type=positive, metavar="SECONDS", help="with --listen: between two runs of the network (default 0.2)")
    v.add_argument("--windows", type=count, metavar="N", help="with --listen: runs that posteriors are averaged over (default 2)")
    v.add_argument("--refractory", type=not_negative, metavar="SECONDS", help="with --listen: rest after a word (default 1)")
    v.add_argument("--kernels", choices=("plain", "dsp"), default="plain", help="dsp: for the DSP instructions of a Cortex-M4, same bits")

    v = verb("run", export_commands.run, "recognise recordings with an exported model")
    v.add_argument("dir", type=Path)
    v.add_argument("wav", nargs="+", type=Path)

    v = verb("explore", commands.explore, "search for networks: costs first, then short trainings, in as many processes as you like")
    v.add_argument("--study", metavar="NAME", help="made where it does not exist, else resumed")
    storages = "a journal file, the URL of a PostgreSQL or MySQL database, or grpc://HOST:PORT where somebody serves one of these"
    v.add_argument("--storage", required=True, metavar="FILE-or-URL", help=storages)
    v.add_argument("--serve", metavar="HOST:PORT", help="work on no study, but serve the storage there to workers on other machines")
    v.add_argument("--workers", type=count, default=1, metavar="N", help="processes on this machine; start the same on others")
    v.add_argument("--trials", type=count, default=100, metavar="K", help="candidates that are trained, in all")
    v.add_argument("--sampler", default="tpe", help="random, nsga2 or tpe")
    v.add_argument("--objectives", nargs="+", default=["error", "parameters"], metavar="NAME", help="all are minimised")
    v.add_argument("--limits", default="ladder", help="paper, ladder, cortex-m0plus or cortex-m4")
    v.add_argument("--data", default="speech-commands", metavar="SET")
    v.add_argument("--extra-unknown", nargs="*", default=["librispeech", "an4"], metavar="SET")
    v.add_argument("--clips", type=count, default=2_500, help="training clips")
    v.add_argument("--epochs", type=count, default=3)
    v.add_argument("--seed", type=seed, default=0)
    v.add_argument("--start", action="store_true", help="begin with some points put in by hand (search_space.STARTS)")
    v.add_argument("--folder", type=Path, metavar="DIR", help="keeps the mel energies (default: beside the journal, or the user's cache)")
    v.add_argument("--keep", nargs=2, action="append", default=[], metavar=("TRIAL", "NAME"), help="make its design a model of that name")
    v.add_argument("--export", type=NewFile, metavar="F.json.gz", help="write the study as plain data")

    v = verb("build", commands.build, "make notebooks, exercises and solutions from lessons/", json=False)
    v.add_argument("names", nargs="*", help="lessons, such as 00 (default: all)")
    v.add_argument("--check", action="store_true", help="change nothing; fail if what is built differs from its source")
    v.add_argument("--fast", action="store_true", help="run notebooks with short trainings")
    v.add_argument("--repository", metavar="OWNER/NAME", help="of a fork on GitHub: set all links to it; runs nothing")
    v.add_argument("--table", action="store_true", help="change nothing; list cells, code, figures and minutes of what is built")

    v = verb("grade", commands.grade, "a class set of exercise notebooks: points as CSV, a page of feedback for each learner")
    v.add_argument("submissions", type=Path, help="a folder that has a folder for each learner")
    v.add_argument("--csv", required=True, type=NewFile, metavar="OUT.csv", help="the table; results and feedback are kept beside it")
    v.add_argument("--feedback", type=Path, metavar="DIR", help="where the pages go (default: OUT_feedback)")
    v.add_argument("--lessons", nargs="*", metavar="NN", help="(default: those that anyone handed in)")
    v.add_argument("--workers", type=count, default=2, metavar="N", help="notebooks at a time (default 2)")
    v.add_argument("--seconds", type=seconds, default=20.0, help="computing time of a cell, and of an exercise's tests (default 20)")
    v.add_argument("--memory", type=gibibytes, default=2, metavar="GIB", help="of each process (default 2)")

    v = verb("serve", commands.serve, "JupyterLab on the course", json=False)
    v.add_argument("arguments", nargs="*", help="passed on to JupyterLab")
    return p


def main(argv: list[str] | None = None) -> int:
    try:
        a = parser().parse_args(argv)
        need_places(a)
        return a.run(a) or 0
    except TinycourseError as error:
        commands.say(f"tinycourse: {error}")
        return 1
    except KeyboardInterrupt:
        commands.say("tinycourse: stopped.")
        return 130
