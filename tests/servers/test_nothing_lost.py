"""Under load, whatever an administrator does every day loses no request.

Every path here is the emitted or installed one: ``ExecReload`` of the unit, the touched script, the
rules for logrotate, and what the packages' own units do to a front.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
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
from tests.servers.parts import Part, Parts
from tests.servers.stacks import STACKS, Stack, chosen

# Of the long requests: enough for some to run across each event. What cuts longer ones off is told
# by 8, which is for a run by hand (CONTRIBUTING).
SECONDS = float(os.environ.get("LONG_REQUEST_SECONDS", "1"))
# What "at once" is on a busy machine.
AT_ONCE = 5

# Every front with each of its gateways, and every application server. flup has one request in a
# process, and five visitors are here.
FLUP = ("processes=6",)
BEHIND = {
    "nginx/http/uvicorn": (),
    "nginx/uwsgi/uwsgi": (),
    "nginx/fastcgi/uwsgi": (),
    "nginx/scgi/flup": FLUP,
    "lighttpd/http/granian": (),
    "lighttpd/uwsgi/uwsgi": (),
    "lighttpd/fastcgi/flup": FLUP,
    "lighttpd/scgi/uwsgi": (),
    "apache/http/gunicorn": (),
    "apache/http/twisted": (),
    "apache/uwsgi/uwsgi": (),
    "apache/fastcgi/uwsgi": (),
    "apache/scgi/flup": FLUP,
    "haproxy/http/gunicorn": (),
}
# granian takes a worker that dies in the first 5.5 seconds of its life for a loop of crashes, and
# ends, for systemd to start it again.
GROWN_UP = 6
# Where the front itself starts Python. Of Apache's own, a reload ends processes.
STARTED = {"apache/fcgid/flup": FLUP, "apache/cgi/cgi": (), "lighttpd/cgi/cgi": ()}
WITHIN = ["apache", STACKS["apache/mod_wsgi-embedded"]]

_PLAIN = """
from example.settings import *

ROOT_URLCONF = "secured_urls"
"""
_SECURED = """
from plain import *

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
    """The example project, plain and over TLS, with a version of its code and a certificate to
    renew."""

    def __init__(self, project: Project, directory: Path) -> None:
        self._file, self._code = directory / "site.pem", project.directory / "secured_urls.py"
        self._authority, self.secure = trustme.CA(), ssl.create_default_context()
        self._authority.configure_trust(self.secure)
        self.renew_certificate()
        (project.directory / "plain.py").write_text(_PLAIN)
        (project.directory / "secured.py").write_text(_SECURED.format(pem=str(self._file)))
        self.write("old")

    def write(self, version: str) -> None:
        """New code, which no running process has read; Python would take the old bytecode if the
        time of both were the same second and their length the same."""
        made = self._code.with_suffix(".new")
        made.write_text(_URLS.format(version=version) + f"# {version * 3}\n")
        made.replace(self._code)  # At once: a worker reads it with its first request.

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
def _under_load(
    example: Project,
    renewed: Renewed,
    stack: Stack,
    *chosen: str,
    seconds: float = SECONDS,
    secure: bool = True,
) -> Iterator[tuple[Parts, Load]]:
    """A running stack with its old code, over TLS if ``secure``, and visitors who never stop."""
    renewed.write("old")
    settings, context = ("secured", renewed.secure) if secure else ("plain", None)
    with parts.running(example, stack, *chosen, settings=settings, secure=context) as found:
        assert found.server.get("/version/").text == "old"
        with under_load(found.connect, seconds) as load:
            yield found, load
        assert load.lost() == []


def _across(load: Load) -> None:
    """Wait until every long request that ran when this was called has ended."""
    time.sleep(SECONDS / 2)  # Others begin, so that not all run in step.
    load.wait_for_answers()
    assert load.lost() == []


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


@pytest.mark.parametrize("label", BEHIND)
def test_nothing_is_lost(example: Project, renewed: Renewed, label: str) -> None:
    """A new certificate, rotated logs and new code: no request fails, and each takes effect.
    A killed worker costs its own requests. An application that is stopped ends what it began, and
    is said to be away at once; its return needs nobody's help. Full logs cost nothing."""
    harness.require("logrotate", shutil.which("logrotate", path="/usr/sbin"))
    has_logs = STACKS[label].target != "haproxy"  # Those are syslog's.
    with _under_load(example, renewed, STACKS[label], *BEHIND[label]) as (stack, load):
        assert stack.behind is not None
        _renew(stack, renewed)
        _across(load)
        if has_logs:
            _rotate(stack)
        _load_new_code(stack.behind, stack, renewed)
        load.wait_for_answers()
        assert load.lost() == []
        if STACKS[label].app_server == "granian":
            _grow_up(stack.behind)
        _kill_a_worker(stack, load)
        _be_away(stack, load)
        if has_logs:
            stack.fill_log_volume()


def test_every_way_to_python_is_under_load() -> None:
    """Each gateway of each front, and each application server, has a stack in this module."""
    here = {STACKS[label] for label in (*BEHIND, *STARTED)}
    others = [one for one in STACKS.values() if one.app_server]
    for every in (lambda one: (one.target, one.gateway)), (lambda one: one.app_server):
        assert {every(one) for one in here} == {every(one) for one in others}


def test_nothing_is_lost_without_a_front(example: Project, renewed: Renewed) -> None:
    """gunicorn alone takes new code; a killed worker costs its own requests."""
    alone = STACKS["gunicorn/http"]
    with _under_load(example, renewed, alone, secure=False) as (stack, load):
        _load_new_code(stack.front, stack, renewed)
        load.wait_for_answers()
        assert load.lost() == []
        _kill_a_worker(stack, load)


@pytest.mark.parametrize("label", STARTED)
def test_nothing_is_lost_where_the_front_starts_python(
    example: Project, renewed: Renewed, label: str
) -> None:
    """Rotated logs, full ones and a reload of lighttpd cost no request; a killed dispatcher costs
    its own. New code is taken by the next process."""
    with _under_load(example, renewed, STACKS[label], *STARTED[label]) as (stack, load):
        _rotate(stack)
        if stack.stack.target == "lighttpd":
            _renew(stack, renewed)
        load.wait_for_answers()
        assert load.lost() == []
        if stack.stack.gateway == "cgi":
            renewed.write("new")
            assert stack.server.get("/version/").text == "new"
        else:
            _kill_a_worker(stack, load)
        stack.fill_log_volume()


def _load_new_code(python: Part, stack: Parts, renewed: Renewed) -> None:
    renewed.write("new")
    python.run_reload()
    python.wait_until(lambda: _versions(stack) == {"new"})


def _grow_up(granian: Part) -> None:
    """Wait until the last of two workers has been replaced, and is old enough to be killed: before,
    by chance, new ones alone may have answered."""
    granian.wait_until(lambda: "Stopped old worker-2" in granian.output.read_text())
    time.sleep(GROWN_UP)


def _kill(pid: int) -> None:
    """Kill a process, and wait until its sockets are closed: until then it is asked."""
    ended = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([ended], [], [], AT_ONCE)[0]
    os.close(ended)


def _kill_a_worker(stack: Parts, load: Load) -> None:
    """Only the requests of the killed process are lost."""
    _kill(stack.server.get("/whoami/").json["pid"])
    when = load.now
    load.wait_for_answers()
    assert load.lost(after=when) == []
    load.forgive()


def _be_away(stack: Parts, load: Load) -> None:
    """What was asked before is answered. Then it is 502 or 503 at once, and everything as before
    when the application is back."""
    assert stack.behind is not None
    asked = load.now
    time.sleep(SECONDS / 3)  # All of that has reached the application.
    stack.behind.stop()
    for _ in range(3):
        began = time.monotonic()
        assert stack.server.get("/whoami/").status in (502, 503)
        assert time.monotonic() - began < AT_ONCE
    stack.behind.start()
    stack.front.wait_until(lambda: stack.server.get("/whoami/").status == 200)
    back = load.now
    load.wait_for_answers()
    assert load.lost(before=asked) == load.lost(after=back) == []
    load.forgive()


@pytest.mark.parametrize("within", WITHIN, ids=str)
def test_python_in_apache_takes_new_code(
    example: Project, renewed: Renewed, within: str | Stack
) -> None:
    """The touched script costs no request, however long it runs; nor do rotated logs. A killed
    process costs its own requests. Embedded, a reload of Apache does all of it."""
    stack = chosen(within)
    embedded = stack.gateway == "mod_wsgi-embedded"
    # Longer than mod_wsgi's own patience, of five seconds.
    seconds = SECONDS if embedded else max(SECONDS, 7)
    with _under_load(example, renewed, stack, seconds=seconds) as (apache, load):
        load.wait_for_answers()
        _rotate(apache)
        renewed.write("new")
        if embedded:
            _renew(apache, renewed)
        else:
            os.utime(apache.directory / "apache/example_wsgi.py")
        apache.front.wait_until(lambda: _versions(apache) == {"new"})
        load.wait_for_answers()
        assert load.lost() == []
        _kill_a_worker(apache, load)
        apache.fill_log_volume()
