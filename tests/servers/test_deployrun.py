"""``manage.py deployrun``: it starts, says so, and leaves nothing behind; or says why not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from django_deploykit.config.servers.apache import installed
from django_deploykit.config.values import Address
from django_deploykit.run.signals import Stop
from django_deploykit.run.supervise import Front, supervise
from tests.servers import harness, named_sockets, small_projects
from tests.servers.harness import Project, Server
from tests.servers.stacks import STACKS, Stack, apache, fronts

# Where Python runs in the server itself; the others have an application server beside them.
ALONE = [STACKS["gunicorn/http"], STACKS["apache/mod_wsgi from the package index"]]
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def nothing_ignored() -> Iterator[None]:
    """Tests that run below nohup, or in the background, hand on that they ignore a signal."""
    ignored = [one for one in ENDING if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, signal.SIG_DFL)
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)


@pytest.mark.usefixtures("nothing_ignored")
@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("stack", [*ALONE, *fronts()], ids=str)
def test_it_leaves_nothing_behind(example: Project, stack: Stack, number: signal.Signals) -> None:
    """After a signal there is no process, no directory, no listener, and the status is 0."""
    stack.require()
    with (
        harness.public_directory() as temporary,
        harness.deployrun(example, *stack.arguments, environ={"TMPDIR": str(temporary)}) as server,
    ):
        assert server.get("/").status == 200
        children = harness.descendants(server.process.pid)
        assert children
        assert list(temporary.glob("deployrun-*"))
        assert harness.stop(server.process, number) == 0
        assert not harness.alive(children)
        assert list(temporary.iterdir()) == []
        with pytest.raises(OSError, match="refused"):
            server.connect()


def test_it_says_where_it_answers_and_streams_the_logs(example: Project) -> None:
    """The line on stdout is the only one there; access lines arrive on stderr."""
    stack = STACKS["gunicorn/http"]
    environ = {"FORCE_SCRIPT_NAME": "/app"}
    with harness.deployrun(example, *stack.arguments, prefix="/app", environ=environ) as server:
        assert server.said == f"ready http://127.0.0.1:{server.port}/app/\n"
        server.get("/whoami/")
        harness.stop(server.process)
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
    assert any("/app/whoami/" in line for line in server.log)


def test_servers_get_the_environment_of_the_command(public: Path) -> None:
    """What Django and settings modules add to their own environment is not the servers' to see."""
    stack = STACKS["gunicorn/http"]
    stack.require()
    more = 'import os\nTIME_ZONE = "Asia/Tokyo"\nos.environ["FROM_SETTINGS"] = "added"'
    project = small_projects.make(public / "time-zone", {"tokyo": more})
    with harness.deployrun(project, *stack.arguments, environ={"TZ": "Europe/Oslo"}) as server:
        for pid in harness.descendants(server.process.pid):
            lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert b"TZ=Europe/Oslo" in lines
            assert b"FROM_SETTINGS=added" not in lines


INSTALLED = """
DEPLOYKIT = {{"DEPLOYMENT": {{"socket": {site!r}}}, "SITE": {{"POOLS": {{}}}}}}
"""
WITH_A_POOL = """
DEPLOYKIT["SITE"]["POOLS"]["/reports/"] = {{"name": "reports", "socket": {reports!r}}}
"""
WITH_BACKENDS = """
DEPLOYKIT["DEPLOYMENT"]["backends"] = [{site!r}]
"""


@pytest.mark.parametrize(
    ("label", "more"),
    [("nginx/http/gunicorn", WITH_A_POOL), ("nginx/http/uvicorn", WITH_BACKENDS)],
    ids=["gunicorn and a pool", "uvicorn and backends"],
)
def test_an_installed_stack_keeps_its_sockets(public: Path, label: str, more: str) -> None:
    """Where the settings say, an installed stack may listen: the run has sockets of its own, and
    the others answer as before when it has ended."""
    stack = STACKS[label]
    stack.require()
    home = public / label.replace("/", "-")
    home.mkdir()
    paths = {name: str(home / f"{name}.sock") for name in ("site", "reports")}
    project = small_projects.make(home / "p", {"installed": (INSTALLED + more).format(**paths)})
    with contextlib.ExitStack() as installed_stack:
        for path in paths.values():
            installed_stack.enter_context(named_sockets.listening(Path(path)))
        with harness.deployrun(project, *stack.arguments) as server:
            for url in ("/", "/reports/"):
                assert server.get(url).json["name"] == "installed"
        assert [_answer(path) for path in paths.values()] == ["site.sock", "reports.sock"]


def _answer(path: str) -> str:
    """The body that an application at a socket answers."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return asking.makefile("rb").read().rpartition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize("label", ["nginx/http/gunicorn", "nginx/http/uvicorn"])
def test_the_application_runs_in_the_group_that_is_named(public: Path, label: str) -> None:
    """Started by root: it may read what is that group's alone, as the notes advise for secrets."""
    if os.geteuid() != 0:
        pytest.skip("not applicable: only root runs servers in another group")
    STACKS[label].require()
    home = public / label.replace("/", "-grouped-")
    home.mkdir()
    secrets = home / "site.env"
    secrets.write_text("FROM_ENV_FILE=yes\n")
    shutil.chown(secrets, "root", "adm")
    secrets.chmod(0o640)
    more = f"DEPLOYKIT = {{'SITE': {{'ENV_FILE': {str(secrets)!r}}}}}"
    project = small_projects.make(home / "p", {"grouped": more})
    chosen = (*STACKS[label].arguments, "--set", "group=adm")
    with harness.deployrun(project, *chosen) as server:
        assert server.get("/").json["secret"] == "yes"
    done = project.manage("deployrun", *chosen[:-1], "group=no-such-group")
    assert "there is no group 'no-such-group' here" in done.stderr


def _started(project: Project, stack: Stack, port: int) -> subprocess.Popen[str]:
    """The command, of which nobody reads anything yet."""
    return subprocess.Popen(
        project.command("deployrun", *stack.arguments, "--listen", f"127.0.0.1:{port}"),
        cwd=project.directory,
        env=project.environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_nobody_has_to_read_the_logs(public: Path) -> None:
    """A full pipe stops neither the servers nor the signal that ends them."""
    stack = STACKS["gunicorn/http"]
    stack.require()
    project = small_projects.make(public / "unread", {"unread": ""})
    port = harness.free_port()
    with _started(project, stack, port) as process:
        assert process.stdout
        try:
            assert process.stdout.readline().startswith("ready ")
            server = Server(port, "", process, [])
            for _ in range(60):  # Many times what a pipe holds (pipe(7): 64 KiB).
                assert server.get(f"/{'x' * 4000}/").status == 200
            assert harness.stop(process) == 0
        finally:
            process.kill()


def test_nobody_has_to_wait_for_it(public: Path) -> None:
    """If nobody reads that it is ready, it ends as a program that SIGPIPE ends."""
    stack = STACKS["gunicorn/http"]
    stack.require()
    project = small_projects.make(public / "unheard", {"unheard": ""})
    port = harness.free_port()
    command = project.command("deployrun", *stack.arguments, "--listen", f"127.0.0.1:{port}")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as unread:
        done = subprocess.run(
            command,
            cwd=project.directory,
            env=project.environment({}),
            stdout=unread,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 128 + signal.SIGPIPE
    assert "Traceback" not in done.stderr


SLOW = """
import sys
import time


def middleware(get_response):
    def answer(request):
        print("asked", file=sys.stderr, flush=True)
        time.sleep(600)  # Longer than anybody waits: only a signal ends it.

    return answer
"""


@pytest.mark.usefixtures("nothing_ignored")
def test_a_signal_is_heard_while_an_answer_takes_long(public: Path) -> None:
    """The servers are told at once, though deployrun itself waits for a first answer; and a second
    signal ends them, whatever is under way."""
    stack = STACKS["gunicorn/http"]
    stack.require()
    project = small_projects.make(
        public / "late", {"late": 'MIDDLEWARE = ["late.slow.middleware"]'}
    )
    (project.directory / "late" / "slow.py").write_text(SLOW)
    with _started(project, stack, harness.free_port()) as process:
        try:
            _read_until(process, "asked")
            children = harness.descendants(process.pid)
            process.send_signal(signal.SIGINT)
            _read_until(process, "Handling signal: term")
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0  # It waits 20 seconds for what is under way.
            assert process.stdout
            assert process.stdout.read() == ""
            assert not harness.alive(children)
        finally:
            process.kill()


def test_what_goes_wrong_in_asking_is_raised(tmp_path: Path) -> None:
    """It is asked in a thread, where an error would be said again and again, and end nothing."""
    front = Front(Address("127.0.0.1", harness.free_port()), False, "a\nb", "/")
    with Stop() as stop, pytest.raises(ValueError, match="Invalid header value"):
        supervise((), front, tmp_path, print, stop)


def _read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr
    assert any(text in line for line in process.stderr), f"{text!r} was never said"


def test_without_a_target_the_best_stack_runs(example: Project) -> None:
    """A front with an ASGI server, for a project that takes websockets."""
    STACKS["nginx/http/uvicorn"].require()
    with harness.deployrun(example) as server:
        assert server.get("/").headers["Server"] == "nginx"
        assert server.get("/whoami/").json["interface"] == "asgi"


def test_without_a_target_a_plain_project_runs_in_apache(public: Path) -> None:
    """Apache, where it fits and the project has no websockets."""
    harness.require_apache()
    project = small_projects.make(public / "without_a_target", {"one": ""})
    with harness.deployrun(project) as server:
        assert "Apache" in server.get("/").headers["Server"]


def test_a_port_in_use(example: Project) -> None:
    """One clear message names the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = example.manage("deployrun", "gunicorn", "--listen", address)
    assert done.returncode == 2
    assert f"{address} cannot be listened on: Address already in use" in done.stderr


def test_a_missing_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear message names the package to install."""
    monkeypatch.setattr(installed, "_BINARIES", ("no-such-server",))
    with pytest.raises(CommandError, match="apt-get install apache2") as raised:
        call_command("deployrun", "apache")
    assert raised.value.returncode == 2


def test_a_module_for_another_python(example: Project, public: Path) -> None:
    """A mod_wsgi built for another Python is refused before anything starts."""
    harness.require_apache()
    module = public / "mod_wsgi.so"
    module.write_bytes(b"\0libpython3.8.so.1.0\0" + b"\0" + b"4.9.4\0")
    done = example.manage("deployrun", "apache", "--set", f"mod_wsgi_module={module}")
    assert done.returncode == 2
    assert "was built for Python 3.8" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def closed(public: Path, example: Project) -> Iterator[Project]:
    """The example project in a directory that the server's user may not enter."""
    if os.geteuid() != 0:
        pytest.skip("not applicable: only root runs servers as somebody else")
    directory = public / "closed"
    directory.mkdir()
    (directory / "example_project").symlink_to(example.directory)
    copied = directory / "project"
    subprocess.run(["cp", "-R", str(example.directory), str(copied)], check=True)
    directory.chmod(0o700)
    yield Project(copied, example.environ)
    subprocess.run(["rm", "-rf", str(directory)], check=True)


def test_an_unreadable_path(closed: Project) -> None:
    """The component that would give 403 is named."""
    harness.require_apache()
    started = time.monotonic()
    done = closed.manage("deployrun", "apache", "--listen", f"127.0.0.1:{harness.free_port()}")
    assert done.returncode == 2
    assert f"the user may not pass {closed.directory.parent}" in done.stderr
    assert time.monotonic() - started < 30  # It does not wait for a server that cannot answer.


BROKEN_APP = """
import os
from django.apps import AppConfig

class BrokenConfig(AppConfig):
    name = "broken"

    def ready(self):
        if "DEPLOYKIT_STACK" in os.environ:  # only where the emitted script runs
            raise RuntimeError("the original problem")
"""


@pytest.fixture
def broken(example: Project) -> Iterator[Project]:
    """A project whose settings can be read, but which does not load in the server."""
    package = example.directory / "broken"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "apps.py").write_text(BROKEN_APP)
    (package / "settings.py").write_text(
        "from example.settings import *\n"
        'INSTALLED_APPS = [*INSTALLED_APPS, "broken.apps.BrokenConfig"]\n'
    )
    yield Project(
        example.directory, {**example.environ, "DJANGO_SETTINGS_MODULE": "broken.settings"}
    )
    shutil.rmtree(package)


def test_a_project_that_fails_to_load_says_why_every_time(broken: Project) -> None:
    """Every failed request logs the original error, not the "populate() isn't reentrant" that
    Django's second attempt in the same process would bring."""
    stack = apache()
    # "manage.py" itself assigns nothing: the environment chooses the settings.
    with harness.deployrun(broken, *stack.of_one_process) as server:
        assert server.said.endswith("/ but it answers 500: see the log\n")
        before = _count(server.log, "the original problem")
        for _ in range(3):
            assert server.get("/").status == 500
    assert _count(server.log, "the original problem") >= before + 3
    assert _count(server.log, "reentrant") == 0


def _count(log: list[str], text: str) -> int:
    return sum(text in line for line in log)
