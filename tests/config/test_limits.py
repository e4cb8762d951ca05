"""Limits of several layers: which runs out before which, whatever is chosen."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace

import pytest

from django_deploykit.config import limits
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Limits
from django_deploykit.config.registry import renderers
from django_deploykit.handlers import twisted, workers
from tests.cases import DEPLOYMENT, Case, site

EVERY = pytest.mark.parametrize("seconds", [1, 2, 10, 29, 30, 60, 300, 9999])


@EVERY
def test_whoever_is_nearer_to_the_code_gives_up_first(seconds: int) -> None:
    """Queue and application run out before the front does; a reload cuts no running request."""
    chosen = Deployment(request_timeout=seconds)
    assert limits.application_timeout(chosen) == seconds < limits.front_timeout(chosen)
    assert 0 < limits.queue_timeout(chosen) < limits.front_timeout(chosen)
    assert limits.reload_timeout(chosen) >= limits.application_timeout(chosen)


def test_whoever_opens_a_connection_lets_go_first() -> None:
    """A front never sends a request on a connection that is being closed."""
    assert limits.CLIENT_KEEP_ALIVE < limits.FRONT_KEEP_ALIVE


@pytest.mark.parametrize(
    ("body", "memory", "said"),
    [(100, 101, True), (100, 100, False), (100, None, False), (2**20, 2**21, True)],
)
def test_a_limit_that_can_never_be_reached_is_said(
    body: int, memory: int | None, said: bool
) -> None:
    """Django's own limit above the server's is named with both numbers."""
    facts = site(limits=Limits(upload_memory=memory))
    found = limits.contradictions([facts], Deployment(body_limit=body))
    assert len(found) == said
    for text in found:
        assert f"is {memory}, but the server refuses bodies above {body} bytes" in text


def test_our_own_servers_hold_to_them() -> None:
    """What stands in the handlers, which never import this side, is the same."""
    assert inspect.signature(workers.bound_socket).parameters["backlog"].default == limits.BACKLOG
    assert twisted._KEEP_ALIVE == limits.FRONT_KEEP_ALIVE
    assert twisted._REQUEST_HEAD == limits.REQUEST_HEAD


def _written(target: str, gateway: str, seconds: int) -> str:
    renderer = renderers()[target]
    deployment = replace(DEPLOYMENT, request_timeout=seconds)
    case = Case(sites=(site(),), deployment=deployment, gateway=gateway)
    return renderer(case.plan(renderer)).render().text


def _numbers(text: str, *patterns: str) -> list[int]:
    found = [re.search(pattern, text) for pattern in patterns]
    return [int(match[1]) for match in found if match]


@EVERY
def test_what_is_written_keeps_the_order(seconds: int) -> None:
    """In the files of a stack: application server, then front; and mod_wsgi within itself."""
    uwsgi = _numbers(
        _written("uwsgi", "uwsgi", seconds), r"REQUEST_TIMEOUT=(\d+)", r"mercy = (\d+)"
    )
    gunicorn = _numbers(
        _written("gunicorn", "http", seconds),
        r"\ntimeout = (\d+)",
        r"REQUEST_TIMEOUT=(\d+)",
        r"graceful_timeout = (\d+)",
    )
    assert uwsgi == [seconds] * 2
    assert gunicorn == [seconds] * 3
    for gateway in ("http", "uwsgi", "fastcgi", "scgi"):
        (front,) = _numbers(_written("apache", gateway, seconds), r" timeout=(\d+)")
        assert seconds < front
    (front,) = _numbers(_written("haproxy", "http", seconds), r"timeout server (\d+)s")
    assert seconds < front
    options = (rf'{name}-timeout="(\d+)"' for name in ("queue", "request", "socket"))
    queue, request, socket = _numbers(_written("apache", "mod_wsgi", seconds), *options)
    assert max(queue, request) < socket
