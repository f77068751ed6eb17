"""The verb of lesson 04: explore, a search for networks."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from tinycourse.cli.options import NewFile, Verb, count, seed
from tinycourse.cli.output import say, show, table
from tinycourse.errors import TinycourseError


def explore(a) -> None:
    """Search, alone or beside other processes; show the Pareto front, keep designs and write the record."""
    if a.serve:
        return serve_study(a)
    from tinycourse.search import explore, records, space
    from tinycourse.search.costs import PRESETS
    from tinycourse.search.proxy import Proxy

    if not a.study:
        raise TinycourseError("explore works on a study; give it a name: --study NAME.")
    keep = [(records.number_of(trial), records.free_name(name)) for trial, name in a.keep]  # before hours of computing
    asked = Proxy(data=a.data, extra_unknown=tuple(a.extra_unknown), training_clips=a.clips, epochs=a.epochs)
    settings = explore.Settings(a.sampler, tuple(a.objectives), a.limits, a.seed, asked)
    folder = a.folder or (explore.cache() if "://" in a.storage else Path(a.storage).resolve().parent)
    points = space.STARTS if a.start else ()
    study = explore.run(a.study, a.storage, settings, a.trials, a.workers, folder, points)
    found = records.record(study) | {"command": "tinycourse " + shlex.join(sys.argv[1:])}
    for number, name in keep:
        say(f"{name}: {records.keep(found, number, name)}")
    if a.export:
        records.write_record(found, a.export)
    rows = records.front(found["rows"], settings.objectives)
    header = ["trial", *settings.objectives]
    text = table([[r["number"], *(records.objective(r, name) for name in settings.objectives)] for r in rows], header)
    show({"study": a.study, "trained": len(records.trained_rows(found)), "front": rows, "limits": asdict(PRESETS[a.limits])}, a.json, text)


def serve_study(a) -> None:
    """Serve the storage of a study to workers on other machines, until Ctrl-C."""
    from tinycourse.search import storage

    say(f"{a.storage} is served at {a.serve}, until Ctrl-C; workers: --storage grpc://{a.serve}")
    storage.serve(a.serve, a.storage)


def explore_options(v) -> None:
    """Options of `explore`."""
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


EXPLORE = Verb(
    "explore", "search for networks: costs first, then short trainings, in as many processes as you like", explore, explore_options
)
