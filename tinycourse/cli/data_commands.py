"""The verbs about data sets: which are here, and getting others."""

from pathlib import Path

from tinycourse.cli.options import Group, Verb
from tinycourse.cli.output import say, show, table


def data_list(a) -> None:
    """Show every data set, and the folder where it was found."""
    from tinycourse import data

    rows = data.status()
    text = table([[r["name"], r["folder"] or "not found", r["licence"], r["title"]] for r in rows], ["name", "where", "licence", "what"])
    show({"root": str(data.root()), "data_sets": rows}, a.json, f"data is looked for in {data.root()}\n{text}")


def data_get(a) -> None:
    """Download data sets by name."""
    from tinycourse.data import download

    for name in a.names:
        say(f"{name}: {download.get(name)}")


def get_options(v) -> None:
    """Options of `data get`."""
    v.add_argument("names", nargs="+", metavar="NAME")


def data_bundle(a) -> None:
    """Copy data sets to a folder, and show their sizes."""
    from tinycourse.data import bundle

    sizes = bundle.bundle(a.folder, a.names)
    text = table([[name, f"{size / 1e6:,.1f} MB"] for name, size in sizes.items()], ["name", "copied"])
    show({"folder": str(a.folder), "bytes": sizes}, a.json, f"{text}\nset TINYCOURSE_DATA to {a.folder}, there or where you copy it")


def bundle_options(v) -> None:
    """Options of `data bundle`."""
    v.add_argument("folder", type=Path, metavar="DIR")
    v.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")


DATA = Group(
    "data",
    "data sets: which are here, and getting others",
    (
        Verb("list", "every data set and where it was found", data_list),
        Verb("get", "download, check and unpack", data_get, get_options, json=False),
        Verb("bundle", "copy data sets to a folder for machines without a network", data_bundle, bundle_options),
    ),
)
