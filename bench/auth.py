"""What it costs to ask for a user whose password is known: a guarded file beside an open one.

Each front runs as ``manage.py deployrun`` runs it, and ``ab`` (Debian: apache2-utils) asks for two
files of the same size, one in an area and one of STATIC_ROOT. In every round all take turns; a
figure is the median of its rounds. Django's own handler hashes the password each time, and so is
asked far less often.

Beside the requests in a second stands the time of processors that the server and what it asks spend
on one: that hardly changes where the machine has other work, too.

An authorizer that only says yes, in place of ours behind the same configuration, shows what it
costs the server to ask at all.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

import django

from bench import figures
from bench.figures import Figure
from django_deploykit.config.syntax.nodes import Node, Raw, block, directive
from tests.projects import Project, start_project
from tests.servers import harness
from tests.servers.apache_process import apache, wsgi_modules

CLIENTS = 8
OWN = "Apache, Django's own handler"
PASSWORD = "correct horse battery staple"
# How many times more seldom Django's own handler is asked.
SELDOM = 500

SETTINGS = """
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "shop.bench_urls"
STATIC_ROOT = BASE_DIR / "static"
DEPLOYKIT = {
    "SITE": {"AUTH_AREAS": {"/files/": {"POLICY": "active", "DIRECTORY": BASE_DIR / "files"}}},
}
"""

URLS = """
from django.urls import path

from django_deploykit.views import AuthRequestView

urlpatterns = [path("auth/active/", AuthRequestView.as_view())]
"""

OWN_HANDLER = """
import os
import sys

sys.path.insert(0, {directory!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"

import django

django.setup()

from django.contrib.auth.handlers.modwsgi import check_password
"""


YES_SETTINGS = """
INSTALLED_APPS = ["yes", *INSTALLED_APPS]
"""

# In place of the command that the emitted program calls: one loop, and no look at what is asked.
YES = """
import select
import socket
import struct

from django.core.management.base import BaseCommand

LAST = struct.pack("!BBHHBx", 1, 4, 1, 0, 0)  # the end of a request's parameters
KEEPS = 10  # where a request says that its connection is kept


def record(kind, content=b""):
    return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content


SAID = b"Status: 200 OK\\r\\nVariable-DEPLOYKIT_USER: alice\\r\\n\\r\\n"
ANSWER = record(6, SAID) + record(6) + record(3, bytes(8))


class Command(BaseCommand):
    def add_arguments(self, parser):
        for name in ("--bind", "--policy", "--realm"):
            parser.add_argument(name)

    def handle(self, bind, policy, realm, **options):
        if bind.startswith("/"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(bind)
        else:
            host, _, port = bind.rpartition(":")
            listener = socket.create_server((host, int(port)))
        listener.listen(1024)
        self.answer(listener)

    def answer(self, listener):
        poll, known = select.epoll(), {}
        poll.register(listener, select.EPOLLIN)
        while True:
            for number, _ in poll.poll():
                if number == listener.fileno():
                    connection, _ = listener.accept()
                    known[connection.fileno()] = connection, bytearray()
                    poll.register(connection, select.EPOLLIN)
                    continue
                connection, received = known[number]
                data = connection.recv(65536)
                received += data
                if LAST in received:
                    connection.sendall(ANSWER)
                    if not received[KEEPS]:
                        connection.shutdown(socket.SHUT_WR)
                    received.clear()
                elif not data:
                    del known[number]
                    connection.close()
"""


Measured = tuple[float, float]
_TICKS = os.sysconf("SC_CLK_TCK")


class Running(NamedTuple):
    """Where a server answers, and its first process."""

    port: int
    pid: int

    def seconds(self) -> float:
        """What all of its processes have spent so far; none of them ends meanwhile."""
        return sum(map(_spent, _with_children(self.pid)))


def _with_children(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _with_children(int(child))


def _spent(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICKS  # proc_pid_stat(5): utime, stime


@dataclass
class Candidate:
    """A way to ask, where its two files are, and what was measured of each: requests in a second,
    and seconds of processors for a request."""

    name: str
    running: Running
    seldom: bool = False
    opened: list[Measured] = field(default_factory=list)
    guarded: list[Measured] = field(default_factory=list)

    def measure(self, requests: int) -> None:
        """Ask for both files."""
        self.opened.append(self._measured("/static/file.txt", requests))
        fewer = max(CLIENTS, requests // SELDOM) if self.seldom else requests
        self.guarded.append(self._measured("/files/file.txt", fewer))

    def _measured(self, path: str, requests: int) -> Measured:
        before = self.running.seconds()
        rate = _rate(self.running.port, path, requests)
        return rate, (self.running.seconds() - before) / requests


def _rate(port: int, path: str, requests: int) -> float:
    """Requests that were answered in a second. Raise AssertionError if one was refused."""
    command = ["ab", "-q", "-k", "-n", str(requests), "-c", str(CLIENTS), "-H", "Host: localhost"]
    command += ["-A", f"alice:{PASSWORD}", f"http://127.0.0.1:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Non-2xx responses" not in done.stdout, done.stdout
    found = re.search(r"^Requests per second: +([\d.]+)", done.stdout, re.MULTILINE)
    assert found, done.stdout
    return float(found[1])


def _project(directory: Path) -> Project:
    """A project with one user, an open file and a guarded one."""
    project = start_project(directory, SETTINGS)
    project.write("shop/bench_urls.py", URLS)
    for kind in ("static", "files"):
        project.write(f"{kind}/file.txt", "x" * 1000)
    people = "from django.contrib.auth.models import User\n"
    people += f"User.objects.create_user('alice', password={PASSWORD!r})"
    for command in (("migrate", "-v0"), ("shell", "-v0", "-c", people)):
        done = project.manage(*command)
        assert done.returncode == 0, done.stderr
    if user := harness.server_user():
        for path in (directory, directory / "db.sqlite3"):
            shutil.chown(path, user)
    return project


def _saying_yes(directory: Path) -> Project:
    """The same, with an authorizer that only says yes."""
    project = _project(directory)
    settings = directory / "shop/settings.py"
    settings.write_text(settings.read_text() + YES_SETTINGS)
    for package in ("yes", "yes/management", "yes/management/commands"):
        project.write(f"{package}/__init__.py", "")
    project.write("yes/management/commands/runauthorizer.py", YES)
    return project


@contextlib.contextmanager
def _deployed(project: Project, *stack: str) -> Iterator[Running]:
    """Run a stack until the block ends."""
    port = harness.free_port()
    command = [sys.executable, "manage.py", "deployrun", *stack, "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        command,
        cwd=project.directory,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline().startswith("ready "), f"{stack} did not start"
        yield Running(port, process.pid)
    finally:
        harness.stop(process)
        if process.stdout:
            process.stdout.close()


def _own_handler(project: Project) -> list[Node]:
    """Django's own handler, as its documentation has it."""
    why, directory = "for this benchmark", project.directory
    script = project.write("own.py", OWN_HANDLER.format(directory=str(directory)))
    asks = [
        directive("AuthType", Raw("Basic"), why=why),
        directive("AuthName", "Files", why=why),
        directive("AuthBasicProvider", Raw("wsgi"), why=why),
        directive("WSGIAuthUserScript", str(script), why=why),
        directive("Require", Raw("valid-user"), why=why),
    ]
    everybody = [directive("Require", Raw("all"), Raw("granted"), why=why)]
    nodes: list[Node] = []
    for kind, rules in (("static", everybody), ("files", asks)):
        nodes += [
            directive("Alias", f"/{kind}", str(directory / kind), why=why),
            block("Directory", str(directory / kind), children=rules, why=why),
        ]
    return nodes


@contextlib.contextmanager
def _own_apache(project: Project) -> Iterator[Running]:
    """Run that handler until the block ends."""
    directory = project.directory.with_name("own")
    directory.mkdir()
    directory.chmod(0o777)
    modules = ("auth_basic", "authn_core", "authz_user")
    nodes = _own_handler(project)
    with apache(directory, nodes, modules=modules, wsgi=wsgi_modules()[0]) as server:
        yield Running(server.port, server.process.pid)


@contextlib.contextmanager
def _candidates(directory: Path, only: str) -> Iterator[list[Candidate]]:
    """Every way to ask whose name holds ``only``, each with its servers running."""
    project, yes = _project(directory / "project"), _saying_yes(directory / "yes")
    authorizer = ("--gateway", "http", "--set", "authorizer=127.0.0.1:9010")
    ways = {
        OWN: _own_apache(project),
        "Apache, hooks": _deployed(project, "apache", "--gateway", "mod_wsgi"),
        "Apache, authorizer": _deployed(project, "apache", *authorizer),
        "lighttpd, authorizer": _deployed(project, "lighttpd", *authorizer),
        "nginx, authorizer": _deployed(project, "nginx", *authorizer),
        "nginx, endpoint": _deployed(project, "nginx", "--gateway", "http"),
        "Apache, only yes": _deployed(yes, "apache", *authorizer),
        "lighttpd, only yes": _deployed(yes, "lighttpd", *authorizer),
        "nginx, only yes": _deployed(yes, "nginx", *authorizer),
    }
    with contextlib.ExitStack() as running:
        yield [
            Candidate(name, running.enter_context(way), seldom=name == OWN)
            for name, way in ways.items()
            if only in name
        ]


def _print(candidates: list[Candidate]) -> None:
    """A table: requests a second, in parts of the open file and of Django's own handler; and what
    a request costs, in millionths of a second."""
    owns = [_medians(one.guarded)[0] for one in candidates if one.name == OWN]
    print(f"\n{'requests/s':30} {'open':>9} {'guarded':>9} {'÷ open':>7}", end="")
    print(f" {'µs open':>8} {'guarded':>9} {'÷ own':>8}")
    for one in candidates:
        (opened, cheap), (guarded, dear) = _medians(one.opened), _medians(one.guarded)
        costs = f"{cheap * 1e6:8.0f} {dear * 1e6:9.0f}"
        parts = costs + "".join(f" {guarded / own:8.0f}" for own in owns)
        print(f"{one.name:30} {opened:9.0f} {guarded:9.1f} {guarded / opened:7.4f} {parts}")


def _medians(measured: list[Measured]) -> Measured:
    rates, seconds = zip(*measured, strict=True)
    return median(rates), median(seconds)


def _figures(candidates: list[Candidate]) -> Iterator[Figure]:
    """Guarded ÷ open of the same server, and ÷ guarded by Django's own handler."""
    owns = [median(one.guarded) for one in candidates if one.name == OWN]
    for one in candidates:
        if one.name == OWN:
            continue
        guarded = median(one.guarded)
        shares = [theirs / opened for theirs, opened in zip(one.guarded, one.opened, strict=True)]
        name = f"{one.name}: guarded ÷ open file"
        yield Figure(name, "requests/s", goal=0.25, **figures.spread(shares))
        for own in owns:
            name = f"{one.name}: guarded ÷ by Django's own handler"
            yield Figure(name, "requests/s", ratio=guarded / own, goal=1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, help="a file to write them to as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5000, help="for each file, in each round")
    parser.add_argument("--only", default="", help="those whose name holds this, such as nginx")
    options = parser.parse_args()
    with (
        harness.public_directory() as directory,
        _candidates(directory, options.only) as candidates,
    ):
        for one in candidates:  # Processes start, and remember a password that they have verified.
            one.measure(max(CLIENTS, options.requests // 10))
            one.opened.clear()
            one.guarded.clear()
        for _ in range(options.rounds):
            for one in candidates:
                one.measure(options.requests)
    print(
        f"Python {platform.python_version()}, Django {django.__version__}; "
        f"{options.rounds} rounds of {options.requests} requests, {CLIENTS} clients"
    )
    _print(candidates)
    if options.figures:
        figures.write(_figures(candidates), options.figures)


if __name__ == "__main__":
    main()
