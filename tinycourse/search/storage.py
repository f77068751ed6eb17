"""Where a study lives: a journal in a file, a database, or a proxy on another machine that stands in front of one of these.

The journal is Optuna's, line by line. Ours differs from Optuna's where a disk is full or the power fails: what was cut short is left
out, and a line that cannot be read is named.
"""

import contextlib
import json
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import optuna
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage, get_storage, run_grpc_proxy_server
from optuna.storages.journal import BaseJournalBackend, JournalFileOpenLock

from tinycourse.errors import TinycourseError

SCHEME = "grpc://"
BEGINS = b'{"op_code":'  # every record of a journal does
PATIENCE = 10  # seconds for a proxy to answer


def open_storage(place: str) -> BaseStorage:
    """A proxy by grpc://HOST:PORT, a database by its URL, or a journal in a file. Raises TinycourseError where it cannot be opened."""
    if place.startswith(SCHEME):
        return proxy(place)
    try:
        if "://" in place:
            return RDBStorage(place)
        Path(place).resolve().parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(Journal(Path(place)))
    except TinycourseError:
        raise
    except Exception as error:  # SQLAlchemy's and its drivers' dozens
        reason = str(error).splitlines()[0]
        raise TinycourseError(f"The storage {place} cannot be opened ({reason}); give a file, or the URL of a database.") from None


# ----------------------------------------------------------------------------------------------------- journal


class Journal(BaseJournalBackend):
    """A file of records, one JSON object a line, which processes on one machine, or on one file system, append to.

    Whoever appends holds a lock. A last line that a full disk or a power cut left unfinished was never read by anybody: readers pass
    over it, and the next to append cuts it off.
    """

    def __init__(self, path: Path):
        """Raises OSError where the file can be neither read nor made."""
        self.path, self.lock = path, JournalFileOpenLock(str(path))
        self.read = 0, 0  # records that were read here, and the bytes that they take
        path.open("ab").close()

    def read_logs(self, log_number_from: int) -> Iterator[dict]:
        """The records from a number on. Raises TinycourseError for a line that is none."""
        number, size = self.read if self.read[0] == log_number_from else (0, 0)
        with self.path.open("rb") as file:
            file.seek(size)
            while (line := file.readline()).endswith(b"\n"):
                record = parsed(line)
                if record is None:
                    if cut_short(line) and not file.readline():
                        return
                    raise self.unreadable(number)
                self.read = number, size = number + 1, size + len(line)
                if number > log_number_from:
                    yield record

    def append_logs(self, logs: list[dict]) -> None:
        """Write records behind the last whole one. Raises TinycourseError where the disk is full."""
        content = memoryview("".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode())
        try:
            with self.locked(), self.path.open("r+b", buffering=0) as file:
                self.cut(file)
                while content:
                    content = content[file.write(content) :]
                os.fsync(file.fileno())
        except OSError as error:
            reason = error.strerror or error
            how = "free some disk space, and give the same command again"
            raise TinycourseError(f"{self.path} cannot be written ({reason}); {how}.") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else appends meanwhile."""
        self.lock.acquire()
        try:
            yield
        finally:
            self.lock.release()

    def cut(self, file) -> None:
        """Take away a last line that was cut short, and go to the end."""
        number, size = self.read
        file.seek(size)
        lines = file.read().splitlines(keepends=True)
        whole = lines[:-1] if lines and cut_short(lines[-1]) else lines
        if whole and (parsed(whole[-1]) is None or not whole[-1].endswith(b"\n")):
            raise self.unreadable(number + len(whole) - 1)
        end = size + sum(map(len, whole))
        if whole != lines:
            line = number + len(lines)
            print(f"{self.path}: line {line} was cut short, as by a full disk, and is left out.", file=sys.stderr, flush=True)
            file.truncate(end)
        file.seek(end)

    def unreadable(self, number: int) -> TinycourseError:
        """The sentence for the line behind so many good ones."""
        how = f"keep the {number} in front of it (head -n {number})" if number else "give the file of a study, or a new name"
        return TinycourseError(f"Line {number + 1} of the journal {self.path} cannot be read; {how}, and give the same command again.")


def parsed(line: bytes) -> dict | None:
    """The record in a line of a journal, if it is one."""
    try:
        record = json.loads(line.decode())
    except ValueError:
        return None
    return record if isinstance(record, dict) and "op_code" in record else None


def cut_short(line: bytes) -> bool:
    """Whether a line is the beginning of a record and no more, be it followed by NUL bytes, as they are where a disk lost power."""
    begun = BEGINS.startswith(line.rstrip(b"\0\n")[: len(BEGINS)])
    return begun and (parsed(line) is None or not line.endswith(b"\n"))


# ------------------------------------------------------------------------------------------------------- proxy


def address(text: str) -> tuple[str, int]:
    """HOST:PORT, also behind grpc://. Raises TinycourseError for anything else."""
    try:
        url = urlsplit(SCHEME + text.removeprefix(SCHEME))
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if not (host and port) or url.netloc != text.removeprefix(SCHEME):
        raise TinycourseError(f"{text!r} is no address of a machine; give HOST:PORT, such as localhost:13000.")
    return host, port


def proxy(place: str) -> BaseStorage:
    """The storage that `serve` offers at grpc://HOST:PORT. Raises TinycourseError where nobody answers."""
    need_grpc()
    host, port = address(place)
    silent = f"Nobody answers at {place}; start `tinycourse explore --serve {host}:{port} --storage FILE-or-URL` there."
    try:
        socket.create_connection((host, port), PATIENCE).close()  # refuses at once what gRPC tries again and again
        storage = GrpcStorageProxy(host=host, port=port)
        storage.wait_server_ready(PATIENCE)
    except OSError:
        raise TinycourseError(silent) from None
    return storage


def serve(where: str, place: str) -> None:
    """Answer at HOST:PORT for the storage at `place`, until Ctrl-C. Raises TinycourseError where the address is taken or not ours.

    Optuna's documentation still excludes journals; its version 5 no longer hands one waiting trial to two clients, which was the reason.
    """
    need_grpc()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    host, port = address(where)
    unfit = TinycourseError(f"Nobody can be served at {where}; give a free port of this machine.")
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), 1).close()
        raise unfit  # gRPC would share the port with whoever answers there
    storage = get_storage(open_storage(place))
    try:
        run_grpc_proxy_server(storage, host=host, port=port)
    except RuntimeError:
        raise unfit from None


def need_grpc() -> None:
    """Raises TinycourseError where the packages of the proxy are missing. Optuna calls its proxy experimental; we know."""
    try:
        import google.protobuf  # noqa: F401
        import grpc  # noqa: F401
    except ImportError:
        raise TinycourseError("A proxy needs grpcio: pip install 'tinycourse[cluster]'.") from None
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


@contextlib.contextmanager
def reached(place: str) -> Iterator[None]:
    """For work on a study: raises TinycourseError where its database or its proxy goes away meanwhile."""
    try:
        yield
    except Exception as error:
        grpc = sys.modules.get("grpc")  # loaded where there is a proxy
        gone = (optuna.exceptions.StorageInternalError, *((grpc.RpcError,) if grpc else ()))
        if not isinstance(error, gone):
            raise
        raise TinycourseError(f"The storage {place} went away; give the same command again when it is back.") from error
