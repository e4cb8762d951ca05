"""A file that only a user may have: the projects, and every server that asks for the password."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from bench import cost
from django_deploykit.config.syntax.nodes import Node, Raw, block, directive
from tests.projects import Project, start_project
from tests.servers import harness
from tests.servers.apache_process import apache, wsgi_modules

OWN = "Apache, Django's own handler"
PASSWORD = "correct horse battery staple"

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
        for name in ("--bind", "--policy", "--realm", "--site"):
            parser.add_argument(name)

    def handle(self, bind, policy, realm, site, **options):
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


class Running(NamedTuple):
    """Where a server answers, and its first process."""

    port: int
    pid: int

    def seconds(self) -> float:
        """What all of its processes have spent so far."""
        return cost.spent([self.pid])


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


def ways(directory: Path) -> dict[str, AbstractContextManager[Running]]:
    """Every way to ask, by name, not yet running."""
    project, yes = _project(directory / "project"), _saying_yes(directory / "yes")
    authorizer = ("--gateway", "http", "--set", "authorizer=127.0.0.1:9010")
    return {
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
