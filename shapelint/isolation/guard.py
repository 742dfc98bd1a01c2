"""Refuse what linting never needs: network connections, further processes, writing outside temporary folders.

An audit hook (``sys.addaudithook``) sees these before they happen, whichever library tries them. It cannot be removed
again, so it is installed in workers only. A guard rail, no sandbox.
"""
# The hook runs at every open(), and os.path is several times as fast as Path:
# ruff: noqa: PTH100, PTH112

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, SupportsIndex
from urllib.parse import urlsplit

from shapelint.isolation.jobs import Permission
from shapelint.loading.errors import HardExit, RefusedError
from shapelint.loading.loaded import Moment
from shapelint.loading.paths import is_installed, project_root

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ALWAYS_WRITABLE: Final = ("/dev/", "/proc/self/")
_NOT_THE_USERS: Final = ("/dev/", "/proc/", "/sys/", "/etc/")
_STANDARD_LIBRARY: Final = tuple(
    {os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")}
)
_SLEEP: Final = time.sleep
_OURS: Final = str(Path(__file__).parents[1]) + os.sep

_ADVICE: Final = {
    Permission.NETWORK: "tried to reach {}, and downloads are refused: construct it without weights (weights=None, "
    "pretrained=False) or set the argument in [tool.shapelint]; --allow network lifts this",
    Permission.PROCESS: "tried to start a process ({}), which is refused; --allow process lifts this",
    Permission.WRITE: "tried to write {}, and files are written in temporary folders only; --allow write lifts this",
}


@dataclass(slots=True)
class Guard:
    """What is refused to this process, and what it has read."""

    allow: frozenset[Permission]
    project: str
    writable: tuple[str, ...]
    read: dict[str, None] = field(default_factory=dict)
    active: bool = True
    installed: Moment = field(default_factory=Moment)
    offline: bool = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        handler = _HANDLERS.get(event)
        if handler is not None and self.active:
            handler(self, event, arguments)

    def refuse(self, what: Permission, subject: str) -> None:
        if what not in self.allow:
            self.offline = self.offline or what is Permission.NETWORK
            raise RefusedError(what.value, _ADVICE[what].format(subject))

    def check_write(self, path: Any) -> None:
        """Refuse to change a file, unless it is temporary, or bytecode that Python keeps."""
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a file descriptor: its opening was checked
        place = os.path.abspath(os.fsdecode(path))
        if f"{os.sep}__pycache__{os.sep}" in place or place.startswith(_ALWAYS_WRITABLE):
            return
        real = os.path.realpath(place)
        if (real + os.sep).startswith(self.writable) and not real.startswith(self.project):
            return
        self.refuse(Permission.WRITE, place)

    def files(self) -> tuple[str, ...]:
        """The user's own files that this process has loaded as modules or opened for reading, tried ones too."""
        modules = [getattr(sys.modules.get(name), "__file__", None) for name in self.installed.newer()]
        names = [*self.read, *(name for name in modules if isinstance(name, str))]
        return tuple(sorted({name for name in map(os.path.abspath, names) if is_users(name)}))


_installed: list[Guard] = []


def is_users(name: str) -> bool:
    """Is this a file of the user's project, rather than Python's, a package's or the system's?"""
    if name.startswith((*_NOT_THE_USERS, *_STANDARD_LIBRARY, _OURS)) or name.endswith((".pyc", ".so")):
        return False
    return not is_installed(Path(name)) and not os.path.isdir(name)


@functools.cache
def temporary_places() -> tuple[str, ...]:
    """Where anybody may write."""
    places = {tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"}  # noqa: S108
    return tuple({os.path.realpath(place) + os.sep for place in places})


def install(path: Path, allow: frozenset[Permission]) -> Guard:
    """Guard this process from now on, while it runs the code of a file."""
    temporary = temporary_places()
    project = os.path.realpath(project_root(path)) + os.sep
    if project in temporary:
        project = os.path.realpath(path.absolute()) + os.sep
    guard = Guard(allow, project, temporary)
    if _installed:  # by the process that this one was forked from: a hook cannot be removed, only its guard replaced
        guard.read = _installed[0].read
        _installed[:] = [guard]
        return guard
    _installed.append(guard)
    if Permission.PROCESS not in allow:
        # There is no audit event for it. Processes that the code may start need the real one.
        os._exit = _hard_exit
    time.sleep = _sleep
    sys.addaudithook(lambda event, arguments: _installed[0].hook(event, arguments))
    return guard


def _sleep(seconds: float | SupportsIndex) -> None:
    """Libraries try again what the network refused, and wait longer each time: it will be refused again."""
    if not _installed[0].offline:
        _SLEEP(seconds)


def _hard_exit(status: int) -> Any:
    raise HardExit(status)


def _connect(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    address = arguments[1] if len(arguments) > 1 else None
    if isinstance(address, tuple) and address:  # a string names a socket on this machine
        guard.refuse(Permission.NETWORK, str(address[0]))


def _look_up(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    host = arguments[0]
    guard.refuse(Permission.NETWORK, host.decode(errors="replace") if isinstance(host, bytes) else str(host))


def _request(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    address = urlsplit(str(arguments[0]))
    if address.scheme != "file":
        guard.refuse(Permission.NETWORK, address.hostname or str(arguments[0]))


def _start(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    command = next((part for part in arguments if part is not None and not isinstance(part, int)), event)
    if isinstance(command, list | tuple):
        command = command[0] if command else event
    guard.refuse(Permission.PROCESS, os.fsdecode(command) if isinstance(command, bytes) else str(command))


def _open(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    path, mode, flags = arguments
    writing = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & _WRITING)
    if writing:
        guard.check_write(path)
    elif isinstance(path, str | bytes):
        guard.read[os.path.abspath(os.fsdecode(path))] = None


def _make_directory(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    # Libraries make sure of their cache directory on import. One that exists makes Python itself raise.
    path = os.path.abspath(os.fsdecode(arguments[0]))
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    if not os.path.lexists(path) and not path.startswith(cache):
        guard.check_write(path)


def _change(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    guard.check_write(arguments[0])


def _move(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    guard.check_write(arguments[0])
    guard.check_write(arguments[1])


def _create(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    guard.check_write(arguments[1])


def _database(guard: Guard, event: str, arguments: tuple[Any, ...]) -> None:
    if arguments[0] not in (":memory:", ""):
        guard.check_write(arguments[0])


_HANDLERS: Final[dict[str, Callable[[Guard, str, tuple[Any, ...]], None]]] = {
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto"), _connect),
    **dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"), _look_up),
    "urllib.Request": _request,
    **dict.fromkeys(
        ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn"), _start
    ),
    **dict.fromkeys(("os.fork", "os.forkpty"), _start),
    "open": _open,
    "os.mkdir": _make_directory,
    **dict.fromkeys(
        ("os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.utime", "shutil.rmtree"), _change
    ),
    **dict.fromkeys(("os.rename", "shutil.move"), _move),
    **dict.fromkeys(("os.link", "os.symlink"), _create),
    "sqlite3.connect": _database,
}
