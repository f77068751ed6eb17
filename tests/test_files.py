"""Files: whole or not at all, and one sentence where they cannot be."""

import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
import torch

from tests.recordings import tone
from tinycourse import files
from tinycourse.authoring import build, coverage
from tinycourse.data import bundle, user_recordings
from tinycourse.errors import TinycourseError
from tinycourse.grading import grade
from tinycourse.program.program import Program
from tinycourse.program.transducer import TransducerProgram
from tinycourse.pruning import packing
from tinycourse.quantization import integer_transducer
from tinycourse.search import proxy, records
from tinycourse.studies import lesson10 as study
from tinycourse.training import checkpoint, classifiers, resume


def full(monkeypatch):
    """A disk that takes half of what is written to it."""

    def half(path: Path, content: bytes) -> None:
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)


def test_whole_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "new" / "f.txt"
    files.write_text(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    files.write_bytes(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["f.txt"]


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.txt"
    files.write_text(path, "old")
    full(monkeypatch)
    with pytest.raises(TinycourseError, match="f.txt cannot be written .No space left on device.; give another place"):
        files.write_text(path, "something new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["f.txt"]


def test_stopped_in_the_middle(tmp_path):
    path = tmp_path / "f.txt"
    files.write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), files.whole(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["f.txt"]


def test_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real" / "f.txt", tmp_path / "link.txt"
    files.write_text(real, "old")
    link.symlink_to(real)
    files.write_text(link, "new")
    assert link.is_symlink() and real.read_text() == "new"


@pytest.mark.parametrize("write", [lambda path: files.write_text(path, "x"), files.need_writable])
def test_places_where_no_file_can_be(tmp_path, write):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "f.txt", tmp_path / "file" / "folder" / "f.txt", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(TinycourseError, match="; give another place"):
            write(place)
    with pytest.raises(TinycourseError, match="must not be changed"):
        write(os.devnull)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"] and not os.path.isfile(os.devnull)


def test_need_writable_changes_nothing(tmp_path):
    files.need_writable(tmp_path / "new" / "deep" / "f.txt")
    files.write_text(tmp_path / "f.txt", "old")
    files.need_writable(tmp_path / "f.txt")
    assert (tmp_path / "f.txt").read_text() == "old" and os.listdir(tmp_path) == ["f.txt"]


# ------------------------------------------------------------------------------------------------ folders


def export(place: Path, text: str = "int x;") -> None:
    with files.whole_folder(place) as folder:
        (folder / "src").mkdir()
        files.write_text(folder / "src" / "model.c", text)
        files.write_text(folder / "report.json", "{}")


def content(place: Path) -> dict[str, bytes]:
    """Every file and link below a folder, and every folder."""
    return {p.relative_to(place).as_posix(): p.read_bytes() if p.is_file() else b"" for p in sorted(place.rglob("*"))}


def test_folder_replaces_the_one_before(tmp_path):
    (tmp_path / "m").mkdir()  # an empty one is nobody's
    export(tmp_path / "m")
    export(tmp_path / "m", "int y;")
    assert content(tmp_path).keys() == {"m", "m/src", "m/src/model.c", "m/report.json", "m/files.sha256"}
    assert (tmp_path / "m" / "src" / "model.c").read_text() == "int y;"
    assert files.read_sums(tmp_path / "m" / files.SUMS).keys() == {"src/model.c", "report.json"}


def test_sums_are_those_of_sha256sum(tmp_path):
    export(tmp_path / "m")
    done = subprocess.run(["sha256sum", "--check", files.SUMS], cwd=tmp_path / "m", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


STRANGERS = {
    "new file": ("m/notes.txt", lambda m: (m / "notes.txt").write_text("mine")),
    "new file deep": ("m/src/mine.c", lambda m: (m / "src" / "mine.c").write_text("mine")),
    "hidden file": ("m/.mine", lambda m: (m / ".mine").write_text("mine")),
    "changed file": ("m/src/model.c", lambda m: (m / "src" / "model.c").write_text("int mine;")),
    "new folder": ("m/mine", lambda m: (m / "mine").mkdir()),
    "link to a file": ("m/report.json", lambda m: ((m / "report.json").rename(m.parent / "r"), (m / "report.json").symlink_to("../r"))),
    "link to a folder": ("m/mine", lambda m: (m / "mine").symlink_to(m / "src")),
    "folder turned into a link": ("m/src", lambda m: ((m / "src").rename(m.parent / "src"), (m / "src").symlink_to("../src"))),
    "no sums": ("m/report.json may be yours", lambda m: (m / files.SUMS).unlink()),
    "sums of something else": ("m/report.json", lambda m: (m / files.SUMS).write_bytes(b"\xff\n a  b\n")),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_folder_that_holds_something_else_stays(tmp_path, kind):
    words, change = STRANGERS[kind]
    export(tmp_path / "m")
    change(tmp_path / "m")
    before = content(tmp_path)
    with pytest.raises(TinycourseError, match=f"{words}.*; give a new folder, or move your files away"):
        export(tmp_path / "m", "int y;")
    assert content(tmp_path) == before


def test_other_things_in_place_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place, words in (
        (tmp_path / "file", "is a file; give a new folder"),
        (tmp_path / "file" / "m", "cannot be written"),
        (tmp_path / ("x" * 300), "too long"),
    ):
        with pytest.raises(TinycourseError, match=words):
            export(place)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    export(tmp_path / "link")
    export(tmp_path / "link", "int y;")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "src" / "model.c").read_text() == "int y;"


def test_folder_that_is_changed_while_the_new_one_is_made(tmp_path):
    export(tmp_path / "m")
    with pytest.raises(TinycourseError, match="m/notes.txt is not what tinycourse wrote there"):
        with files.whole_folder(tmp_path / "m") as folder:
            (folder / "new.c").write_text("")
            (tmp_path / "m" / "notes.txt").write_text("mine")
    assert content(tmp_path).keys() == {"m", "m/src", "m/src/model.c", "m/report.json", "m/files.sha256", "m/notes.txt"}


def test_folder_that_cannot_be_renamed_is_back(tmp_path, monkeypatch):
    export(tmp_path / "m")
    before, rename = content(tmp_path), Path.rename

    def fails(path: Path, target: Path):
        if path.name == "new":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(TinycourseError, match="m cannot be written .Input/output error"):
        export(tmp_path / "m", "int y;")
    assert content(tmp_path) == before


# ------------------------------------------------------------------------------------------------ every writer of the library


def recogniser() -> checkpoint.Recogniser:
    return classifiers.seeded("tinyspeech-m", ("silence", "unknown", "yes"), 0)


def integers() -> checkpoint.Recogniser:
    """A transducer in integers, as far as `integer_transducer.save` looks."""
    made = recogniser()
    made.network.programs = {}
    return made


def state(path: Path) -> None:
    made = recogniser()
    made.info["fingerprints"] = {}
    resume.Keeper(made, torch.optim.AdamW(made.parameters()), classifiers.TrainConfig(), path.with_name("m.safetensors")).store([])


def blocks(path: Path) -> None:
    packing.pack(path.parent / "given" / "m.safetensors", path, [], (8, 1))


def unpacked(path: Path) -> None:
    packing.unpack(path.parent / "given" / "packed.safetensors", path)


def copied(path: Path) -> None:
    source = path.parent / "given" / "m.safetensors"
    bundle.copy(source, path, files.digest(source))


def graded(path: Path) -> None:
    rows = [grade.Row("anna", "00", "samples", 1, 1, "passed")]
    grade.write_csv(grade.Grades(rows, {"anna": []}, 1, 0, 0.0, {}, path, path.parent))


WRITERS = {  # file name, and what writes it
    "checkpoint": ("m.safetensors", lambda path: checkpoint.save(recogniser(), path)),
    "training state": ("m.state.safetensors", state),
    "packed": ("p.safetensors", blocks),
    "unpacked": ("u.safetensors", unpacked),
    "sounds": ("s.safetensors", lambda path: proxy.store(proxy.Sounds({}, {}, {}, {}, ("yes",)), path)),
    "program": ("p.safetensors", lambda path: Program("x", "x", {}, []).save(path)),
    "transducer": ("t.safetensors", lambda path: TransducerProgram({}, 1, 1, 1).save(path)),
    "integer recogniser": ("t.safetensors", lambda path: integer_transducer.save(integers(), path)),
    "study": ("s.json.gz", lambda path: records.write_record({}, path)),
    "entry": ("e.json", lambda path: study.save(ENTRY, path.parent)),
    "report": ("r.md", lambda path: study.write_report(path, ENTRY, {})),
    "recording": ("anna_1.wav", lambda path: user_recordings.save_take(path.parent.parent, path.parent.name, "anna", 0.5 * tone(440))),
    "notebook": ("n.ipynb", lambda path: build.write(nbformat.v4.new_notebook(), path)),
    "exercises": ("exercises.md", lambda path: coverage.write(path.parent.parent)),
    "grades": ("g.csv", graded),
    "bundle": ("a.wav", copied),
    "sums": ("SHA256SUMS", lambda path: files.write_sums(path, {"a": "0"})),
}
ENTRY = study.Entry("e", ("yes",), "mine", 0.9, 0.1, 0.5, 1, 1, 1)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("there", [True, False])
def test_every_writer_writes_a_whole_file_or_none(tmp_path, monkeypatch, name, there):
    place, write = WRITERS[name]
    path = tmp_path / "docs" / place
    checkpoint.save(recogniser(), path.parent / "given" / "m.safetensors")
    packing.pack(path.parent / "given" / "m.safetensors", path.parent / "given" / "packed.safetensors", [], (8, 1))
    if there and name != "recording":  # which takes the next number
        write(path)
        path.write_bytes(path.read_bytes() + b"\n")
    before = content(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(TinycourseError, match=f"{place} cannot be written .No space left on device.; give another place"):
            write(path)
    assert content(tmp_path) == before
    write(path)
    assert path.is_file()


def refuse(*_) -> None:
    raise OSError(28, "No space left on device")


DIRECTLY = {  # who may write without files.py, and why
    "is it": {"files"},
    "inside of whole or whole_folder": {"data/bundle", "targets/binaries", "export/onnx_form"},
    "goes on where it stopped, and is verified": {"data/download"},
    "a journal that grows, and loses half a line": {"search/storage"},
    "in a temporary folder": {
        "cli/doctor",
        "grading/worker",
        "targets/inline_c",
        "targets/toolchain",
        "features/audio",
        "export/network_package",
    },
    "in memory": {"data/user_recordings", "widgets/explorer"},
    "nobody's own files": {"_torchaudio", "grading/sandbox"},
}
WRITES = re.compile(
    r"""\.write_(text|bytes)\(|open\([^)]*["'][wax]|savez|np\.save|\.tofile\(|json\.dump\(|gzip\.open|save_file|torch\.save\b|savefig\("""
    r"""|shutil\.(copy|move)|soundfile\.write|os\.(replace|rename)\("""
)


def test_no_module_writes_past_files():
    package = Path(files.__file__).parent
    found = {
        p.relative_to(package).with_suffix("").as_posix() for p in package.rglob("*.py") if WRITES.search(p.read_text(encoding="utf-8"))
    }
    assert found == set.union(*DIRECTLY.values())
