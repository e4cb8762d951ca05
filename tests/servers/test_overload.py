"""More clients at once than an application server takes: they wait, and none is turned away."""

from __future__ import annotations

import threading

import pytest

from tests.servers import parts
from tests.servers.harness import Project
from tests.servers.stacks import STACKS

CLIENTS = 400

# Every application server once; over TCP the queue would not fail, but on a unix socket a full one
# is a 502 at once.
STACKS_HERE = [
    "nginx/http/granian",
    "nginx/http/gunicorn",
    "nginx/http/twisted",
    "nginx/http/uvicorn",
    "nginx/uwsgi/uwsgi",
    "nginx/scgi/flup",
    "apache/mod_wsgi from the package index",
]


@pytest.mark.parametrize("label", STACKS_HERE)
def test_four_hundred_clients_wait(example: Project, label: str) -> None:
    """Of 400 connections at the same moment none gets an error, with two requests at a time."""
    with parts.running(example, STACKS[label], "threads=1") as stack:
        statuses: list[object] = []
        together = threading.Barrier(CLIENTS)

        def ask() -> None:
            together.wait(60)
            try:
                statuses.append(stack.server.get("/slow/?seconds=0.02").status)
            except OSError as error:
                statuses.append(error)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert statuses == [200] * CLIENTS
