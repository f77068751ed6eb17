"""Downloads from a server on this machine that cuts, refuses, ignores and lies."""

import errno
import gzip
import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tinycourse import data
from tinycourse.data import download
from tinycourse.errors import TinycourseError

NAME = "test-words"


def archive(*members: tuple[str, bytes], special: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """A .tar.gz of files (name, content) and special members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in special:
            tar.addfile(info)
    return buffer.getvalue()


GOOD = archive(("./yes/a.wav", os.urandom(300_000)), ("./no/b.wav", b"short"), ("./validation_list.txt", b"yes/a.wav\n"))


@dataclass
class Server:
    """What the server sends, how it behaves, and which ranges it was asked for (None: the whole)."""

    body: bytes = GOOD
    honours_range: bool = True
    cut_after: int | None = None  # bytes of the body sent before the connection breaks
    status: int | None = None  # refuse with this status
    headers: dict = field(default_factory=dict)
    chunked: bool = False  # no Content-Length, as GitHub
    asked: list = field(default_factory=list)
    url: str = ""


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.honours_range else 0
            if server.status:
                return self.send_error(server.status)
            if start >= len(server.body) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.body)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(server.body) - 1}/{len(server.body)}")
            for name, value in server.headers.items():
                self.send_header(name, value)
            part = server.body[start:]
            if server.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                chunks = [part[at : at + 30_000] for at in range(0, len(part), 30_000)]
                part = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
            else:
                self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part[: server.cut_after])
            self.close_connection = True

        def log_message(self, *_):
            """Quiet."""

    return Handler


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of a data set named NAME whose hash is known; its archive unpacks flat, as Speech Commands does."""
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state.url = f"http://127.0.0.1:{http.server_port}/words.tar.gz"
    offer(monkeypatch, state)
    yield state
    http.shutdown()
    http.server_close()


def offer(monkeypatch, server: Server, **changes) -> None:
    """Enter what the server sends into the catalogue."""
    about = {"title": "Test words", "licence": "none", "folder": "Words/v1", "url": server.url, "bytes": len(server.body),
             "sha256": hashlib.sha256(server.body).hexdigest()}  # fmt: skip
    monkeypatch.setitem(data.DATASETS, NAME, type(data.DATASETS["an4"])(**about | changes))


def tree(root) -> list[str]:
    """The files below a folder, and its scratch folders."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or path.name.startswith("."))


COMPLETE = ["Words/v1/no/b.wav", "Words/v1/validation_list.txt", "Words/v1/yes/a.wav"]
PART = "downloads/words.tar.gz.part"


def refused(root, match: str) -> str:
    """The one sentence with which `get` refuses."""
    with pytest.raises(TinycourseError, match=match) as caught:
        download.get(NAME, root)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


def test_complete_download_then_a_second_call_costs_nothing(server, tmp_path):
    folder = download.get(NAME, tmp_path)
    assert folder == tmp_path / "Words" / "v1" and tree(tmp_path) == COMPLETE
    assert (folder / "validation_list.txt").read_text() == "yes/a.wav\n"
    assert download.get(NAME, tmp_path) == folder and server.asked == [None]


def test_the_default_root_is_that_of_the_data(server, data_root):
    assert download.get(NAME) == data_root / "Words" / "v1" == data.find(NAME)


@pytest.mark.parametrize("honours_range", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_cut_download_is_completed_by_the_next_call(server, tmp_path, honours_range, chunked):
    server.honours_range, server.chunked, server.cut_after = honours_range, chunked, 100_000
    sentence = refused(tmp_path, "could not be loaded")
    assert server.url in sentence and str(tmp_path / "downloads" / "words.tar.gz") in sentence
    loaded = (tmp_path / PART).stat().st_size
    assert tree(tmp_path) == [PART] and 0 < loaded <= 100_000
    assert (tmp_path / PART).read_bytes() == GOOD[:loaded]
    server.cut_after = None
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE and server.asked == [None, f"bytes={loaded}-"]


def test_a_download_cut_again_and_again_gets_there(server, tmp_path):
    server.cut_after = 80_000
    for _ in range(3):
        refused(tmp_path, "could not be loaded")
    assert (tmp_path / PART).read_bytes() == GOOD[:240_000]
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE


def test_a_short_answer_is_noticed_where_urllib3_does_not_notice_it(server, tmp_path, monkeypatch):
    def lenient(*args, **options):  # as urllib3 was before its version 2
        response = requests_get(*args, **options)
        response.raw.enforce_content_length = False
        return response

    requests_get, server.cut_after = download.requests.get, 100_000
    monkeypatch.setattr(download.requests, "get", lenient)
    refused(tmp_path, r"could not be loaded \(the connection ended early\): call again to go on after the 0.1 MB")
    assert (tmp_path / PART).read_bytes() == GOOD[:100_000]


@pytest.mark.parametrize("length_known", [True, False])
def test_a_complete_part_needs_no_second_download(server, tmp_path, monkeypatch, length_known):
    offer(monkeypatch, server, bytes=len(GOOD) if length_known else 0)
    (tmp_path / "downloads").mkdir()
    (tmp_path / PART).write_bytes(GOOD)
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE and server.asked == ([] if length_known else [f"bytes={len(GOOD)}-"])


def test_a_part_longer_than_the_archive_is_thrown_away(server, tmp_path):
    (tmp_path / "downloads").mkdir()
    (tmp_path / PART).write_bytes(GOOD + b"more")
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE and server.asked == [f"bytes={len(GOOD) + 4}-", None]


def test_a_server_that_calls_gzip_an_encoding_sends_the_same_archive(server, tmp_path):
    server.headers = {"Content-Encoding": "x-gzip"}
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE


@pytest.mark.parametrize("body", [GOOD[:-100] + bytes(100), b"<html>please log in</html>"], ids=["damaged", "page"])
def test_a_wrong_hash_removes_the_download(server, tmp_path, body):
    server.body = body
    sentence = refused(tmp_path, "its sha256 is [0-9a-f]{64} and not [0-9a-f]{64}: it is removed, call again")
    assert hashlib.sha256(GOOD).hexdigest() in sentence and tree(tmp_path) == []


def test_an_archive_put_there_by_hand_is_used_without_a_network_and_kept(server, tmp_path):
    server.status = 503
    by_hand = tmp_path / "downloads" / "words.tar.gz"
    by_hand.parent.mkdir()
    by_hand.write_bytes(GOOD[:1_000])
    refused(tmp_path, "words.tar.gz is damaged or another file.*replace or remove it")
    assert tree(tmp_path) == ["downloads/words.tar.gz"]
    by_hand.write_bytes(GOOD)
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == [*COMPLETE, "downloads/words.tar.gz"] and server.asked == []


def test_without_a_published_hash_the_first_one_is_said_and_remembered(server, tmp_path, monkeypatch, capsys):
    offer(monkeypatch, server, sha256=None, bytes=0)
    folder = download.get(NAME, tmp_path)
    digest, note = hashlib.sha256(GOOD).hexdigest(), tmp_path / "downloads" / "words.tar.gz.sha256"
    captured = capsys.readouterr()
    assert digest in captured.err and "nobody publishes a hash" in captured.err and captured.out == ""
    assert note.read_text() == f"{digest}  words.tar.gz\n"
    shutil.rmtree(folder)
    server.body = archive(("./yes/a.wav", b"other"))
    assert str(note) in refused(tmp_path, "another file than last time")
    assert tree(tmp_path) == ["downloads/words.tar.gz.sha256"]
    server.body = GOOD
    assert download.get(NAME, tmp_path) == folder


NO_ARCHIVE = {"page": b"<html>log in</html>", "half": GOOD[:200_000], "gzip": gzip.compress(b"no tar" * 1_000), "empty": b""}


@pytest.mark.parametrize("body", NO_ARCHIVE.values(), ids=NO_ARCHIVE)
def test_what_is_no_archive_is_removed_and_not_remembered(server, tmp_path, monkeypatch, body):
    server.body = body
    offer(monkeypatch, server, sha256=None, bytes=0)
    refused(tmp_path, "is damaged or no archive.*it is removed, call again")
    assert tree(tmp_path) == []


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


HARMLESS = ("./yes/a.wav", b"sound")
EVIL = {
    "climbs out": archive(HARMLESS, ("../evil", b"evil")),
    "climbs out later": archive(HARMLESS, ("yes/../../../evil", b"evil")),
    "absolute": archive(HARMLESS, ("/tmp/tinycourse-evil", b"evil")),
    "symlink out": archive(HARMLESS, special=(special("yes/link", tarfile.SYMTYPE, "../../.."),)),
    "absolute symlink": archive(HARMLESS, special=(special("yes/link", tarfile.SYMTYPE, "/etc"),)),
    "hard link out": archive(HARMLESS, special=(special("yes/link", tarfile.LNKTYPE, "../../secret"),)),
    "device": archive(HARMLESS, special=(special("yes/null", tarfile.CHRTYPE),)),
    "pipe": archive(HARMLESS, special=(special("yes/pipe", tarfile.FIFOTYPE),)),
}


@pytest.mark.parametrize("kind", EVIL)
def test_an_archive_that_would_write_outside_is_refused_whole(server, tmp_path, monkeypatch, kind):
    server.body = EVIL[kind]
    offer(monkeypatch, server)
    root = tmp_path / "deep" / "root"
    root.mkdir(parents=True)
    (tmp_path / "deep" / "secret").write_text("mine")
    refused(root, "would write outside its folder")
    assert tree(tmp_path) == ["deep/secret"] and (tmp_path / "deep" / "secret").read_text() == "mine"
    assert not os.path.lexists("/tmp/tinycourse-evil")


def test_an_archive_with_another_layout_is_refused(server, tmp_path, monkeypatch):
    offer(monkeypatch, server, inside="words-1.0")
    refused(tmp_path, "has no folder words-1.0")
    assert tree(tmp_path) == []
    server.body = archive(("words-1.0/yes/a.wav", b"sound"), ("LICENSE", b"free"))
    offer(monkeypatch, server, inside="words-1.0")
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == ["Words/v1/yes/a.wav"]


def test_an_old_python_is_told_so(server, tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    refused(tmp_path, "take Python 3.11.4 or newer")
    assert tree(tmp_path) == [PART]


def test_too_little_space_is_said_before_anything_is_loaded(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=2 * len(GOOD))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        refused(tmp_path, r"has \d+\.\d GB free and \d+\.\d GB are needed")
        assert tree(tmp_path) == []
        (tmp_path / "downloads" / "words.tar.gz").write_bytes(GOOD)  # by hand: it only has to be unpacked
        assert download.get(NAME, tmp_path).is_dir()


def test_too_little_space_to_unpack_is_said_before_anything_is_unpacked(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=len(GOOD))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "words.tar.gz").write_bytes(GOOD)
    refused(tmp_path, "GB are needed: free some space")
    assert tree(tmp_path) == ["downloads/words.tar.gz"]


class FullDisk(io.FileIO):
    """A file on a disk that has room for 100,000 more bytes."""

    def write(self, block):
        super().write(block[:100_000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_while_loading_keeps_the_part(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "open", FullDisk, raising=False)
        refused(tmp_path, "cannot be written to .No space left on device.: free some space.*what was loaded is kept")
    assert tree(tmp_path) == [PART] and (tmp_path / PART).read_bytes() == GOOD[:100_000]
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE and server.asked == [None, "bytes=100000-"]


def test_a_disk_that_fills_up_while_unpacking_leaves_no_half_data_set(server, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "copyfileobj", full)
        refused(tmp_path, "No space left on device")
    assert tree(tmp_path) == [PART]
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE and server.asked == [None]


def test_a_call_killed_while_unpacking_leaves_nothing_in_the_way(server, tmp_path):
    (tmp_path / ".unpacking-v1" / "yes").mkdir(parents=True)
    (tmp_path / ".unpacking-v1" / "yes" / "half.wav").write_bytes(b"half")
    (tmp_path / "Words" / "v1").mkdir(parents=True)  # and an empty folder is no data set
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE


def test_no_network_is_one_sentence_with_the_way_by_hand(server, tmp_path, monkeypatch):
    offer(monkeypatch, server, url="http://127.0.0.1:9/words.tar.gz")  # port 9 discards
    sentence = refused(tmp_path, r"http://127.0.0.1:9/words.tar.gz could not be loaded \(ConnectionError\)")
    assert f"copy the archive to {tmp_path / 'downloads' / 'words.tar.gz'}" in sentence and tree(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_refusing_server_is_quoted_and_costs_nothing_loaded(server, tmp_path, status):
    (tmp_path / "downloads").mkdir()
    (tmp_path / PART).write_bytes(GOOD[:1_000])
    server.status = status
    refused(tmp_path, rf"could not be loaded \({status} ")
    assert (tmp_path / PART).read_bytes() == GOOD[:1_000]
    server.status = None
    download.get(NAME, tmp_path)
    assert tree(tmp_path) == COMPLETE and server.asked[-1] == "bytes=1000-"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_is_said(server, tmp_path):
    tmp_path.chmod(0o500)
    refused(tmp_path, "cannot be written to .Permission denied.")
    tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_is_said(server, tmp_path):
    (tmp_path / "downloads").write_text("in the way")
    refused(tmp_path, "cannot be written to")


def test_unknown_and_bundled_data_sets(tmp_path):
    with pytest.raises(TinycourseError, match="no data set 'speech': choose one of tinywords, speech-commands"):
        download.get("speech", tmp_path)


def test_every_download_of_the_catalogue_is_complete():
    for name, about in data.DATASETS.items():
        if name != "tinywords":
            assert about.url.startswith("http") and about.url.endswith(".tar.gz") and about.title and about.licence
            assert about.sha256 is None or (len(bytes.fromhex(about.sha256)) == 32 and about.bytes > 10**8)
    folders = [about.folder for about in data.DATASETS.values()]
    archives = [about.url.rsplit("/", 1)[-1] for about in data.DATASETS.values()]
    assert len(set(folders)) == len(folders) and len(set(archives)) == len(archives)
