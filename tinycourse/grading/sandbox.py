"""What a submission cannot do. The kernel sees to it where it can (Linux), Python's audit hooks where it cannot.

Namespaces (`man 7 namespaces`) take the network away and hide all other processes; when the first process of a namespace ends, all
in it end. Landlock (`man 7 landlock`) lets only the named folders be read or written. Neither needs an administrator.
"""

import ctypes
import fcntl
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

NEW_USER, NEW_IPC, NEW_PROCESSES, NEW_NETWORK = 0x10000000, 0x08000000, 0x20000000, 0x40000000  # linux/sched.h
NAMESPACES = NEW_USER | NEW_IPC | NEW_PROCESSES | NEW_NETWORK
PARENT_DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38  # linux/prctl.h
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same on every processor
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14  # linux/landlock.h
READ = EXECUTE | READ_FILE | READ_FOLDER
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE  # the rights that a file, not a folder, has
RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # Landlock version: how many rights it knows
LARGEST_FILE, MOST_FILES, MOST_PROCESSES = 32 << 20, 128, 24
SYSTEM = "/usr /lib /lib64 /bin /opt /proc /sys /dev /etc/ld.so.cache /etc/localtime /etc/fonts /etc/ssl /etc/mime.types".split()
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {f"os.{name}" for name in "chmod chown link mkdir remove rename rmdir symlink truncate utime".split()}
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.killpg", "ctypes.dlopen"}


@dataclass(frozen=True)
class Protection:
    """What this machine has. namespaces: all of NAMESPACES together. landlock: its version, 0 where there is none."""

    namespaces: bool
    landlock: int

    def in_words(self) -> dict[str, str]:
        """For the teacher: what protects whom, weaknesses included."""
        network, processes = "no network: an empty network namespace", "each submission in a process namespace of its own"
        files = "the kernel (Landlock) lets a submission write only to its scratch copy, and read neither solutions nor other submissions"
        if os.getuid() == 0:
            processes += " (as root: their number is looked at twice a second; for another user the kernel limits it)"
        if not self.namespaces:
            network = (
                "Python's sockets and new programs are blocked; code that goes around Python is not: grade on Linux, or without network"
            )
            processes = "each submission in a session of its own; what leaves it is not found: grade on Linux"
        if not self.landlock:
            files = "Python's functions write only to the scratch copy; reading and code that goes around Python are not stopped: "
            files += "grade on Linux"
        return {"network": network, "processes": processes, "files": files}


def available() -> Protection:
    """What this machine has, tried out in a child process."""
    if sys.platform != "linux":
        return Protection(False, 0)
    pid = os.fork()
    if not pid:
        try:
            enter_namespaces()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return Protection(status == 0, max(0, libc().syscall(CREATE_RULESET, None, 0, 1)))


def libc() -> ctypes.CDLL:
    """The C library of this process, for calls that Python does not have."""
    return ctypes.CDLL(None, use_errno=True)


def call(result: int, what: str) -> int:
    """The result of a system call. Raises OSError if it failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result


def die_with_parent() -> None:
    """This process ends when its parent does (Linux)."""
    if sys.platform == "linux":
        call(libc().prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "prctl")


def enter_namespaces() -> None:
    """No network from here on; the next child is process 1 of an own process namespace. One thread may be running, no more."""
    user, group = os.getuid(), os.getgid()
    call(libc().unshare(NAMESPACES), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def limit(memory: int, contained: bool) -> None:
    """At most `memory` bytes more than now in each process, and small numbers of files and processes.

    The number of processes is counted by user, in an own user namespace from 0; elsewhere the user's other processes would count
    too. Of root, the kernel does not limit it.
    """
    if sys.platform == "linux":
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE,) * 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if contained:
        resource.setrlimit(resource.RLIMIT_NPROC, (MOST_PROCESSES,) * 2)


def limit_cpu(seconds: float, ceiling: float | None = None) -> None:
    """The kernel ends this process after `seconds` more of computing: by a signal, and by one that cannot be ignored after `ceiling`.

    A ceiling cannot be raised again: without one, an earlier one stays.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft, hard = (int(used.ru_utime + used.ru_stime + s) + 1 if s else None for s in (seconds, ceiling))
    hard = hard or resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def confine(scratch: Path, readable: list[str], protection: Protection) -> None:
    """Write to `scratch` alone and read `readable` and the system alone, in this process and all that it starts, for good.

    Without Landlock nothing happens: `watch` does what it can.
    """
    version = protection.landlock
    if not version:
        return
    rights = (1 << RIGHTS[max(v for v in RIGHTS if v <= version)]) - 1
    scopes = 0b11 if version >= 6 else 0  # neither signals to others nor their abstract sockets
    attributes = struct.pack("QQQ", rights, 0, scopes)[: 24 if version >= 6 else 8]
    rules = call(libc().syscall(CREATE_RULESET, attributes, len(attributes), 0), "landlock_create_ruleset")
    for path, allowed in [(str(scratch), rights), ("/dev/null", READ | WRITE_FILE), *((path, READ) for path in (*readable, *SYSTEM))]:
        if not os.path.exists(path):
            continue
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed &= rights if os.path.isdir(path) else OF_FILES
        call(libc().syscall(ADD_RULE, rules, 1, struct.pack("=Qi", allowed, place), 0), f"landlock_add_rule {path}")
        os.close(place)
    call(libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    call(libc().syscall(RESTRICT_SELF, rules, 0), "landlock_restrict_self")
    os.close(rules)


def path_of(folder: int) -> str:
    """The path of an open folder."""
    if sys.platform == "linux":
        return os.readlink(f"/proc/self/fd/{folder}")
    return fcntl.fcntl(folder, fcntl.F_GETPATH, bytes(1024)).split(b"\0")[0].decode()


def watch(scratch: Path, protection: Protection, trusted: str) -> None:
    """Audit hooks that stand in, for good, for what the kernel lacks. Signals reach this session alone; the file `trusted` may fork."""
    if protection.namespaces and protection.landlock:
        return
    inside = os.path.realpath(scratch) + os.sep

    def outside(path, folder: str = "") -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        return not (os.path.realpath(os.path.join(folder, os.fsdecode(path))) + os.sep).startswith(inside)

    def changed_outside(event: str, given: tuple) -> bool:
        folder = path_of(given[-1]) if event != "os.truncate" and given[-1] >= 0 else ""  # the argument dir_fd
        return any(outside(path, folder) for path in given)

    def audit(event: str, given: tuple) -> None:
        if event.startswith("socket.") and not protection.namespaces:
            raise PermissionError("there is no network while grading")
        if event in ("os.fork", "os.forkpty") and sys._getframe(1).f_code.co_filename != trusted:
            raise PermissionError("no process can be started while grading")
        if event in STARTS or event == "os.kill" and (given[0] <= 1 or os.getsid(given[0]) != os.getsid(0)):
            raise PermissionError(f"{event} is not allowed while grading")
        if protection.landlock:
            return
        writes = event == "open" and (given[2] or 0) & WRITES and given[0] != os.devnull
        if (writes and outside(given[0])) or (event in CHANGES and changed_outside(event, given)):
            raise PermissionError("a submission writes only in its own folder while grading")

    sys.addaudithook(audit)
