"""A request that hangs: its process is replaced, and the others do not notice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.servers import parts
from tests.servers.harness import Project, Response
from tests.servers.parts import Parts
from tests.servers.stacks import STACKS

LIMIT = 2
STACKS_HERE = ["nginx/http/gunicorn", "nginx/uwsgi/uwsgi"]
CHOICES = ("processes=1", f"request_timeout={LIMIT}")
# Longer than the limit, and than a process needs to be replaced; more is not to be had there.
HANGING = "/slow/?seconds=10"

_SETTINGS = """
from example.settings import *

ROOT_URLCONF = "hanging_urls"
"""
# A regular expression that never ends keeps every thread of Python from running.
_URLS = """
import re

from django.urls import include, path

urlpatterns = [
    path("endless/", lambda request: re.match("(a+)+$", "a" * 64 + "b")),
    path("", include("example.urls")),
]
"""


class Hanging:
    """A running stack of one process, and requests that are not waited for."""

    def __init__(self, stack: Parts, pool: ThreadPoolExecutor) -> None:
        self.stack, self._pool = stack, pool

    def begin(self, path: str) -> Future[Response]:
        """Send it; time enough to arrive."""
        asked = self._pool.submit(self.stack.server.get, path)
        time.sleep(0.3)
        return asked

    def pid(self) -> int:
        """Which process answers now."""
        found: int = self.stack.server.get("/whoami/").json["pid"]
        return found

    def said(self) -> str:
        assert self.stack.behind
        return self.stack.behind.output.read_text()


@pytest.fixture(scope="module")
def project(example: Project) -> Project:
    """The example project, with a page that keeps Python's own lock."""
    (example.directory / "hanging_settings.py").write_text(_SETTINGS)
    (example.directory / "hanging_urls.py").write_text(_URLS)
    return example


@pytest.fixture(scope="module", params=STACKS_HERE)
def hanging(request: pytest.FixtureRequest, project: Project) -> Iterator[Hanging]:
    stack, chosen = STACKS[request.param], (*CHOICES, "threads=2")
    running = parts.running(project, stack, *chosen, settings="hanging_settings")
    with running as found, ThreadPoolExecutor() as pool:
        yield Hanging(found, pool)


def test_a_site_whose_threads_all_hang_is_back(hanging: Hanging) -> None:
    """Another process answers, long before those that hang would have."""
    before, began = hanging.pid(), time.monotonic()
    stuck = [hanging.begin(HANGING) for _ in range(2)]
    # gunicorn lets connections in that none of its threads can take: they get 502 with the others.
    while hanging.stack.server.get("/whoami/").status != 200:
        pass
    assert time.monotonic() - began < 9
    assert hanging.pid() != before
    assert [one.result().status for one in stuck] == [502, 502]
    assert f"took longer than {LIMIT} seconds" in hanging.said()
    assert "in slow" in hanging.said()


def test_no_other_request_is_lost(hanging: Hanging) -> None:
    """Not one that runs when it is noticed, nor any that comes until there is another process."""
    before, stuck = hanging.pid(), hanging.begin(HANGING)
    time.sleep(1.2)
    running = hanging.begin("/slow/?seconds=1.2")
    pids = set()
    while not stuck.done():
        pids.add(hanging.pid())
        time.sleep(0.1)
    assert running.result().status == 200
    assert stuck.result().status == 502
    assert hanging.pid() != before
    assert pids


def test_one_thread_that_hangs_beside_a_busy_one_is_noticed(hanging: Hanging) -> None:
    """Requests that end do not hide it."""
    before, stuck = hanging.pid(), hanging.begin(HANGING)
    while not stuck.done():
        hanging.pid()
    assert stuck.result().status == 502
    assert hanging.pid() != before


def test_a_stream_may_take_longer(hanging: Hanging) -> None:
    """What has begun to answer is left alone, though nothing else is asked meanwhile."""
    before = hanging.pid()
    found = hanging.stack.server.get("/stream/?n=8&pause=0.6")
    assert found.text.splitlines() == [str(number) for number in range(1, 9)]
    assert hanging.pid() == before


def test_a_process_that_keeps_pythons_lock_is_replaced(hanging: Hanging) -> None:
    """Nobody in it could look at anything."""
    before = hanging.pid()
    assert hanging.stack.server.get("/endless/").status == 502
    assert hanging.pid() != before


@pytest.mark.parametrize("label", STACKS_HERE)
def test_one_thread_is_limited_by_its_server(project: Project, label: str) -> None:
    """gunicorn's timeout, and uWSGI's harakiri."""
    with parts.running(project, STACKS[label], *CHOICES, "threads=1") as stack:
        before = stack.server.get("/whoami/").json["pid"]
        # gunicorn breaks the view off, and answers by itself.
        assert stack.server.get(HANGING).status in (500, 502)
        assert stack.server.get("/whoami/").json["pid"] != before
