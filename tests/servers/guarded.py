"""A project whose users a web server asks for, files to guard, and servers to guard them."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.projects import Project, start_project
from tests.servers import harness
from tests.servers.harness import Response, Server

PASSWORD = "correct: horse"
FILES = 20
_START_SECONDS = 30

_SETTINGS = """
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["shop.hashers.Noted"]
SESSION_ENGINE = "django.contrib.sessions.backends.db"
ROOT_URLCONF = "shop.auth_urls"
DEPLOYKIT = {"AUTH": {"THROTTLE": {"FAILURES": 1000, "ADDRESS_FAILURES": 1000}}}
"""

# Each hash leaves a mark, so that they can be counted across processes.
_HASHERS = """
from pathlib import Path

from django.contrib.auth.hashers import PBKDF2PasswordHasher

MARKS = Path(__file__).resolve().parents[1] / "hashes"


class Noted(PBKDF2PasswordHasher):
    iterations = 50_000

    def encode(self, password, salt, iterations=None):
        with MARKS.open("a") as marks:
            marks.write("x")
        return super().encode(password, salt, iterations)
"""

# Asked about the path: whoever it holds for may go everywhere but there.
_RULES = """
def outside(user, request):
    return not request.path.startswith("/files/paths/geheim-ä/")


def shown(user, request):
    return user.is_staff or "/shown/hidden/" not in request.path


def honest(user, request):
    told = f"{request.META} {request.get_host()}"
    return request.scheme == "http" and "evil" not in told and "192.0.2.66" not in told
"""

_URLS = """
from django.urls import path

from django_deploykit.views import AuthRequestView

urlpatterns = [
    path("auth/files/", AuthRequestView.as_view()),
    path("auth/staff/", AuthRequestView.as_view(policy="staff")),
    path("auth/paths/", AuthRequestView.as_view(policy="shop.rules.outside")),
]
"""

_PEOPLE = """
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore

sessions = {}
for name in ("alice", "zoé", "bob"):
    user = User.objects.create_user(name, password="correct: horse", is_staff=name == "alice")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    sessions[name] = session.session_key
User.objects.filter(username="bob").update(is_active=False)
User.objects.get(username="zoé").groups.add(Group.objects.create(name="rédaction"))
print("sessions", json.dumps(sessions))
"""


@dataclass(frozen=True)
class Guarded:
    """The project, the directory of files, and the session keys of its people."""

    project: Project
    files: Path
    sessions: dict[str, str]

    def set_password(self, name: str, password: str) -> None:
        """Give a user, who may be new, a password; its hash does not count."""
        done = self.project.manage(
            *("shell", "-v0", "-c"),
            "from django.contrib.auth.models import User\n"
            f"user, _ = User.objects.get_or_create(username={name!r})\n"
            f"user.set_password({password!r})\n"
            "user.save()\n",
        )
        assert done.returncode == 0, done.stderr

    @property
    def hashes(self) -> int:
        """How many hashes were computed so far."""
        return len(self.marks.read_text())

    @property
    def marks(self) -> Path:
        return self.project.directory / "hashes"

    def cookie(self, name: str) -> tuple[str, str]:
        return "Cookie", f"sessionid={self.sessions[name]}"


def guarded(directory: Path) -> Guarded:
    """Make all of it below ``directory``, readable for the web server's user."""
    project = start_project(directory, _SETTINGS)
    project.write("shop/hashers.py", _HASHERS)
    project.write("shop/auth_urls.py", _URLS)
    project.write("shop/rules.py", _RULES)
    project.write("hashes", "").chmod(0o666)
    # Another site, which has no business in the interpreter of the first.
    shutil.copytree(directory / "shop", directory / "other")
    files = directory / "files"
    for area in ("basic", "staff", "session", "page"):
        (files / area).mkdir(parents=True)
        for number in range(FILES):
            (files / area / f"{number}.txt").write_text(f"secret {area} {number}")
    for area in ("geheim-ä", "offen-ä"):
        (files / "paths" / area).mkdir(parents=True)
        (files / "paths" / area / "0.txt").write_text(f"secret {area}")
    migrated = project.manage("migrate", "-v0")
    assert migrated.returncode == 0, migrated.stderr
    done = project.manage("shell", "-v0", "-c", _PEOPLE)
    assert done.returncode == 0, done.stderr
    said = next(line for line in done.stdout.splitlines() if line.startswith("sessions "))
    if user := harness.server_user():
        for path in (directory, directory / "db.sqlite3"):
            shutil.chown(path, user)
    return Guarded(project, files, json.loads(said.partition(" ")[2]))


def basic(login: str, password: str = PASSWORD, encoding: str = "utf-8") -> tuple[str, str]:
    """An Authorization header."""
    raw = base64.b64encode(f"{login}:{password}".encode(encoding)).decode()
    return "Authorization", f"Basic {raw}"


def is_secret(response: Response) -> bool:
    """Whether a guarded file came."""
    return b"secret" in response.body


@contextlib.contextmanager
def running(command: Sequence[str], port: int, log: Path) -> Iterator[Server]:
    """Run a server in the foreground until the block ends."""
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, text=True)
        try:
            server = Server(port, "", process, [])
            _wait(server, log)
            yield server
        finally:
            harness.stop(process)


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), server.connect():
            return
        time.sleep(0.02)
    raise AssertionError(f"the server did not start:\n{log.read_text(errors='replace')[-4000:]}")


@contextlib.contextmanager
def authorizer(site: Guarded, *options: str) -> Iterator[str]:
    """``manage.py runauthorizer`` until the block ends; where it listens."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runauthorizer", "--bind", "127.0.0.1:0", *options],
        cwd=site.project.directory,
        env=site.project.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        word, _, address = process.stdout.readline().strip().partition(" ")
        assert word == "ready"
        yield address
    finally:
        assert harness.stop(process, signal.SIGTERM) == 0
        if process.stdout:
            process.stdout.close()
