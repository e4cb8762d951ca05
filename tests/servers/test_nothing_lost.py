"""Under load, whatever an administrator does every day loses no request.

Every path here is the emitted or installed one: ``ExecReload`` of the unit, the touched script, the
rules for logrotate, and what the packages' own units do to a front.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.servers import harness, parts
from tests.servers.harness import Project
from tests.servers.load import Load, under_load
from tests.servers.parts import Parts
from tests.servers.stacks import STACKS, Stack, chosen

# Of the long requests; a distribution's mod_wsgi or a shutdown-timeout would cut longer ones.
SECONDS = float(os.environ.get("LONG_REQUEST_SECONDS", "3"))
# What "at once" is on a busy machine.
AT_ONCE = 5

# Every front with each kind of gateway, and every application server, once. flup has one request
# in a process, and five visitors are here.
BEHIND = {
    "nginx/http/uvicorn": (),
    "nginx/uwsgi/uwsgi": (),
    "nginx/scgi/flup": ("processes=6",),
    "lighttpd/http/granian": (),
    "lighttpd/fastcgi/flup": ("processes=6",),
    "apache/http/gunicorn": (),
    "apache/http/twisted": (),
    "apache/fastcgi/uwsgi": (),
    "haproxy/http/gunicorn": (),
}
# granian takes a worker that dies in the first 5.5 seconds of its life for a loop of crashes, and
# ends, for systemd to start it again. Its reload returns to us 3.5 seconds after the last began.
GROWN_UP = {"lighttpd/http/granian": 2.5}
WITHIN = ["apache", STACKS["apache/mod_wsgi-embedded"]]

_SETTINGS = """
from example.settings import *

ROOT_URLCONF = "secured_urls"
DEPLOYKIT["SITE"]["TLS"] = {{"CERTIFICATE": {pem!r}, "KEY": {pem!r}}}
"""
_URLS = """
from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("version/", lambda request: HttpResponse({version!r})),
    path("", include("example.urls")),
]
"""


class Renewed:
    """The example project over TLS, with a version of its code and a certificate to renew."""

    def __init__(self, project: Project, directory: Path) -> None:
        self._file, self._code = directory / "site.pem", project.directory / "secured_urls.py"
        self._authority, self.secure = trustme.CA(), ssl.create_default_context()
        self._authority.configure_trust(self.secure)
        self.renew_certificate()
        (project.directory / "secured.py").write_text(_SETTINGS.format(pem=str(self._file)))
        self.write("old")

    def write(self, version: str) -> None:
        """New code, which no running process has read; Python would take the old bytecode if the
        time of both were the same second and their length the same."""
        self._code.write_text(_URLS.format(version=version) + f"# {version * 3}\n")

    def renew_certificate(self) -> None:
        """A new file in the place of the old, with chain and key, as every front reads it."""
        issued = self._authority.issue_cert("localhost")
        chain = b"".join(one.bytes() for one in issued.cert_chain_pems)
        made = self._file.with_suffix(".new")
        made.write_bytes(chain + issued.private_key_pem.bytes())
        made.replace(self._file)

    def is_served(self, stack: Parts) -> bool:
        """Tell whether a fresh connection gets the certificate that lies there now."""
        with stack.connect() as connection:
            assert isinstance(connection, ssl.SSLSocket)
            served = ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")
        lies_there = self._file.read_text()
        return lies_there.replace("\r", "").startswith(served)


@pytest.fixture(scope="module")
def renewed(example: Project, public: Path) -> Renewed:
    """One for all stacks."""
    directory = public / "nothing-lost"
    directory.mkdir()
    return Renewed(example, directory)


@contextlib.contextmanager
def _running(example: Project, renewed: Renewed, stack: Stack, *chosen: str) -> Iterator[Parts]:
    renewed.write("old")
    with parts.running(example, stack, *chosen, settings="secured", secure=renewed.secure) as found:
        assert found.server.get("/version/").text == "old"
        yield found


def _across(load: Load) -> None:
    """Wait until every long request that ran when this was called has ended."""
    time.sleep(SECONDS / 2)  # Others begin, so that not all run in step.
    load.wait_for_answers()


def _renew(stack: Parts, renewed: Renewed) -> None:
    """What certbot's deploy hook does."""
    renewed.renew_certificate()
    assert not renewed.is_served(stack)
    stack.front.run_reload()
    stack.front.wait_until(lambda: renewed.is_served(stack))


def _rotate(stack: Parts) -> None:
    """Rotate as the emitted rules say; the command for an installed front reaches ours."""
    logs = stack.directory / "log"
    (stack.directory / "bin").mkdir()
    command = stack.directory / "bin" / "invoke-rc.d"
    command.write_text(f"#!/bin/sh\n{stack.front.reopen}\n")
    command.chmod(0o755)
    rules = stack.directory / "rules"
    text = stack.unit("logrotate.d/django-example")
    # Only root can give a file away.
    rules.write_text(text if harness.server_user() else re.sub(" +create .*", "", text))
    rules.chmod(0o644)
    subprocess.run(
        ["/usr/sbin/logrotate", "--force", "--state", str(stack.directory / "state"), str(rules)],
        env={"PATH": f"{stack.directory / 'bin'}:/usr/sbin:/usr/bin:/bin", **stack.front.variables},
        check=True,
        timeout=60,
    )
    log, old = logs / "example-access.log", logs / "example-access.log.1"
    assert old.stat().st_size > 0
    stack.front.wait_until(lambda: log.exists() and log.stat().st_size > 0)


def _versions(stack: Parts) -> set[str]:
    return {stack.server.get("/version/").text for _ in range(10)}


def _lost(load: Load) -> list[str]:
    return [str(failure) for failure in load.failures]


@pytest.mark.parametrize("label", BEHIND)
def test_nothing_is_lost(example: Project, renewed: Renewed, label: str) -> None:
    """A new certificate, rotated logs and new code: no request fails, and each takes effect.
    A killed worker costs its own requests. An application that is away is said at once, and its
    return needs nobody's help. Full logs cost nothing."""
    harness.require("logrotate", shutil.which("logrotate", path="/usr/sbin"))
    has_logs = STACKS[label].target != "haproxy"  # Those are syslog's.
    with _running(example, renewed, STACKS[label], *BEHIND[label]) as stack:
        assert stack.behind is not None
        with under_load(stack.connect, SECONDS) as load:
            _renew(stack, renewed)
            _across(load)
            if has_logs:
                _rotate(stack)
            renewed.write("new")
            stack.behind.run_reload()
            stack.behind.wait_until(lambda: _versions(stack) == {"new"})
        assert _lost(load) == []
        time.sleep(GROWN_UP.get(label, 0))
        _kill_a_worker(stack)
        _be_away(stack)
        if has_logs:
            _fill_the_logs(stack)


def _kill_a_worker(stack: Parts) -> None:
    """Only the requests of the killed process are lost."""
    with under_load(stack.connect, 1) as load:
        killed = stack.server.get("/whoami/").json["pid"]
        os.kill(killed, signal.SIGKILL)
        when = load.now
        load.wait_for_answers()
    assert all(failure.sent <= when for failure in load.failures), _lost(load)


def _be_away(stack: Parts) -> None:
    """502 or 503 at once, and everything as before when the application is back."""
    assert stack.behind is not None
    stack.behind.stop()
    for _ in range(3):
        began = time.monotonic()
        assert stack.server.get("/whoami/").status in (502, 503)
        assert time.monotonic() - began < AT_ONCE
    stack.behind.start()
    stack.front.wait_until(lambda: stack.server.get("/whoami/").status == 200)
    assert {stack.server.get("/whoami/").status for _ in range(20)} == {200}


def _fill_the_logs(stack: Parts) -> None:
    """A full volume costs lines of the logs, and no request."""
    stack.fill_log_volume()
    with under_load(stack.connect, 0.1) as load:
        load.wait_for_answers()
    assert _lost(load) == []


@pytest.mark.parametrize("within", WITHIN, ids=str)
def test_python_in_apache_takes_new_code(
    example: Project, renewed: Renewed, within: str | Stack
) -> None:
    """The touched script costs no request, however long it runs; nor do rotated logs. A killed
    process costs its own requests. Embedded, a reload of Apache does all of it."""
    stack = chosen(within)
    embedded = stack.gateway == "mod_wsgi-embedded"
    with _running(example, renewed, stack) as apache:
        # Longer than mod_wsgi's own patience, of five seconds.
        with under_load(apache.connect, SECONDS if embedded else max(SECONDS, 7)) as load:
            load.wait_for_answers()
            _rotate(apache)
            renewed.write("new")
            if embedded:
                _renew(apache, renewed)
            else:
                os.utime(apache.directory / "apache/example_wsgi.py")
            apache.front.wait_until(lambda: _versions(apache) == {"new"})
        assert _lost(load) == []
        _kill_a_worker(apache)
        _fill_the_logs(apache)
