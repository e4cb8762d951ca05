"""One side of a comparison: how its programs are set up, started, asked and ended."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench import cost, load
from bench.load import Load, NotMeasured
from django_deploykit.config.access import group_name
from django_deploykit.run.supervise import end
from tests.servers import harness

_START_SECONDS = 30


@dataclass(frozen=True)
class Place:
    """A directory and a port of one side's own, the project that it serves, and as whom."""

    directory: Path
    port: int
    project: Path
    user: str | None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def static(self) -> Path:
        """What collectstatic has gathered."""
        return self.project / "static"


@dataclass(frozen=True)
class Program:
    """One server: its words, whether it gives up root by itself, and where it then listens."""

    words: tuple[str, ...]
    drops: bool = False
    socket: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Setup:
    """Files to be written below the place, and programs, the one that answers clients last."""

    programs: tuple[Program, ...]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Side:
    """A stack with a name, the source of its configuration, and how it is set up at a place."""

    name: str
    source: str
    setup: Callable[[Place], Setup]
    ours: bool = False
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """What is asked for, and whether compressed."""

    name: str
    path: str
    compressed: bool = False

    @property
    def is_file(self) -> bool:
        """Whether no worker has to load anything to answer."""
        return self.path.startswith("/static/")

    @property
    def headers(self) -> tuple[str, ...]:
        """What a client says."""
        return ("Accept-Encoding: gzip",) if self.compressed else ()


@dataclass(frozen=True)
class Sample:
    """What one restart of a side cost, for one view."""

    load: Load
    cpu_us: float
    memory_mib: float


@dataclass(frozen=True)
class Running:
    """A side whose programs run."""

    side: Side
    port: int
    roots: tuple[int, ...]

    def warm_up(self, view: View) -> None:
        """Let every worker answer once, and end what it does for that."""
        if not view.is_file:
            self._load(view, 1)
        cost.wait_until_idle(self.roots)

    def measure(self, view: View, seconds: float) -> Sample:
        """Ask for a view. Raise NotMeasured where no good answer came."""
        before = cost.spent(self.roots)
        found = self._load(view, seconds)
        used = cost.spent(self.roots) - before
        if not found.answers:
            raise NotMeasured(f"{found.errors} errors, and no answer")
        return Sample(found, used / found.answers * 1e6, cost.memory_mib(self.roots))

    def _load(self, view: View, seconds: float) -> Load:
        return load.run(self.port, view.path, seconds, *self.side.headers, *view.headers)


@contextlib.contextmanager
def running(side: Side, project: Path, view: View) -> Iterator[Running]:
    """Run a side until the block ends. Raise NotMeasured if it does not answer with ``view``."""
    with harness.public_directory() as directory, contextlib.ExitStack() as ending:
        place = Place(directory, harness.free_port(), project, harness.server_user())
        for name in ("log", "run"):
            (directory / name).mkdir()
            if place.user:
                os.chown(directory / name, *_ids(place.user))
        setup = side.setup(place)
        for name, text in setup.files.items():
            (directory / name).write_text(text, encoding="utf-8")
        started: list[subprocess.Popen[bytes]] = []
        for number, program in enumerate(setup.programs):
            started.append(_start(program, place, directory / "log" / f"output-{number}"))
            ending.callback(end, started[-1])
            if program.socket:
                _wait(functools.partial(_listens, program.socket), started, directory)
        _wait(functools.partial(_answers, place.port, view, side.headers), started, directory)
        yield Running(side, place.port, tuple(one.pid for one in started))


def _ids(user: str) -> tuple[int, int]:
    account = pwd.getpwnam(user)
    return account.pw_uid, account.pw_gid


def _start(program: Program, place: Place, output: Path) -> subprocess.Popen[bytes]:
    user = None if program.drops else place.user
    with output.open("wb") as messages:
        return subprocess.Popen(
            program.words,
            cwd=place.directory,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            start_new_session=True,
            user=user,
            group=group_name(user) if user else None,
            extra_groups=[] if user else None,
        )


def _wait(
    condition: Callable[[], bool], started: list[subprocess.Popen[bytes]], directory: Path
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        over = [one for one in started if one.poll() is not None]
        if over or time.monotonic() > deadline:
            raise NotMeasured(f"it did not start: {_last_words(directory)}")
        time.sleep(0.02)


def _last_words(directory: Path) -> str:
    logs = sorted((directory / "log").iterdir())
    said = "".join(log.read_text(errors="replace") for log in logs if log.is_file())
    return said[-500:]


def _listens(where: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(where) == 0


def _answers(port: int, view: View, headers: tuple[str, ...]) -> bool:
    lines = dict(line.split(": ", 1) for line in ("Host: localhost", *headers, *view.headers))
    connection = HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
    try:
        connection.request("GET", view.path, headers=lines)
        response = connection.getresponse()
        coded = "gzip" in response.headers.get("Content-Encoding", "")
        return response.status == HTTPStatus.OK and coded == view.compressed
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
