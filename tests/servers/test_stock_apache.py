"""A fresh project with one added line, under Debian's own Apache configuration."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import harness
from tests.servers.harness import Project, Server
from tests.servers.stacks import STACKS, Stack
from tests.servers.visitor import links

DEBIAN = Path("/etc/apache2")


@pytest.fixture(scope="module")
def fresh(public: Path) -> Project:
    """What ``django-admin startproject`` makes, and one line in INSTALLED_APPS."""
    directory = public / "fresh"
    directory.mkdir()
    project = Project(directory)
    subprocess.run(
        [*project.command()[:1], "-m", "django", "startproject", "mysite", str(directory)],
        check=True,
        env=project.environment({}),
    )
    settings = directory / "mysite" / "settings.py"
    text = settings.read_text()
    settings.write_text(
        text.replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "django_deploykit",')
    )
    assert settings.read_text() != text
    return project


@contextmanager
def debian_apache(directory: Path, site: str, modules: list[str], port: int) -> Iterator[Server]:
    """Debian's configuration, copied, with one more site and the modules that it asks for."""
    configuration, run = directory / "etc", directory / "run"
    shutil.copytree(DEBIAN, configuration, symlinks=True)
    run.mkdir(mode=0o755)
    (configuration / "ports.conf").write_text("")
    (configuration / "sites-enabled" / "000-default.conf").unlink(missing_ok=True)
    (configuration / "sites-enabled" / "mysite.conf").write_text(site)
    environment = {
        **Project(directory).environment({}),
        "APACHE_CONFDIR": str(configuration),
        "APACHE_RUN_USER": "www-data",
        "APACHE_RUN_GROUP": "www-data",
        "APACHE_PID_FILE": str(run / "apache2.pid"),
        "APACHE_RUN_DIR": str(run),
        "APACHE_LOCK_DIR": str(run),
        "APACHE_LOG_DIR": str(run),
        "LANG": "C",
    }
    for name in [path.stem for path in (configuration / "mods-enabled").glob("wsgi.*")]:
        (configuration / "mods-enabled" / f"{name}.load").unlink(missing_ok=True)
        (configuration / "mods-enabled" / f"{name}.conf").unlink(missing_ok=True)
    subprocess.run(["a2enmod", "-q", *modules], env=environment, check=True)
    command = ["apache2", "-d", str(configuration), "-f", str(configuration / "apache2.conf")]
    process = subprocess.Popen(
        [*command, "-DFOREGROUND"], env=environment, stderr=subprocess.PIPE, text=True
    )
    server = Server(port, "", process, [])
    try:
        _wait(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            server.connect().close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    stderr = server.process.stderr
    pytest.fail(f"Apache did not start: {stderr.read() if stderr else ''}")


@pytest.mark.parametrize(
    "stack",
    [stack for stack in STACKS.values() if stack.is_apache and not stack.app_server],
    ids=lambda stack: stack.label,
)
def test_a_fresh_project_is_served(fresh: Project, stack: Stack) -> None:
    """The printed text, saved as a site, serves the admin with its styles."""
    stack.require()
    if os.geteuid() != 0 or not DEBIAN.is_dir():
        pytest.skip("not applicable: Debian's Apache configuration drops from root to www-data")
    port = harness.free_port()
    words = [*stack.arguments, "--set", f"listen=127.0.0.1:{port}"]
    with harness.public_directory() as directory:
        words += ["--set", f"log_directory={directory}"]
        printed = fresh.manage("deployconfig", *words)
        assert printed.returncode == 0, printed.stderr
        assert "deploykit.W053" in printed.stderr
        modules = _modules_to_enable(printed.stderr)
        with debian_apache(directory, printed.stdout, modules, port) as server:
            page = server.get("/admin/login/")
            assert page.status == 200
            for url in (url for url in links(page.text) if url.startswith("/static/")):
                assert server.get(url).headers.get_content_type() == "text/css"
            assert server.get("/", ("Host", "evil.example")).status == 403
            # Python tells what it cannot do in the log of the site.
            assert "Could not find platform" not in (directory / "mysite-error.log").read_text()


def _modules_to_enable(notes: str) -> list[str]:
    line = next(line for line in notes.splitlines() if line.startswith("note: modules to enable:"))
    return line.removeprefix("note: modules to enable:").split()
