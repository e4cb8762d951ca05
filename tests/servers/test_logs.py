"""What the access log of a front says of time."""

from __future__ import annotations

import re
import time

import pytest

from tests.servers import harness
from tests.servers.harness import Project, Server
from tests.servers.stacks import STACKS, Stack, proxying

SECONDS = 0.3
NGINX = [STACKS["nginx/http/gunicorn"], *proxying("nginx", "uwsgi", "fastcgi", "scgi")]


def _times(server: Server, pattern: str) -> tuple[str, ...]:
    """What stands at the end of the front's line for one slow request, as soon as it is there."""
    assert server.get(f"/slow/?seconds={SECONDS}").status == 200
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for line in server.log:
            # Referer and User-Agent, which this client does not send; an application server's own
            # lines are without them.
            if "/slow/" in line and (found := re.search(f'"-" "-" {pattern}$', line)):
                return found.groups()
        time.sleep(0.05)
    raise AssertionError("no line in the access log")


@pytest.mark.parametrize("stack", NGINX, ids=str)
def test_nginx_tells_the_applications_time_apart(example: Project, stack: Stack) -> None:
    """Seconds in all, and those that the application took; nobody else logs what nginx does."""
    stack.require()
    with harness.deployrun(example, *stack.arguments) as server:
        times = _times(server, r"([0-9.]+) ([0-9.]+)")
    assert sum("/slow/" in line for line in server.log) == 1
    assert min(map(float, times)) > SECONDS / 2  # Its clock is not the application's.


@pytest.mark.parametrize("stack", proxying("lighttpd", "http"), ids=str)
def test_lighttpd_tells_the_whole_time(example: Project, stack: Stack) -> None:
    """Microseconds; it has no word for the application's own."""
    stack.require()
    with harness.deployrun(example, *stack.arguments) as server:
        (microseconds,) = _times(server, "([0-9]+)")
    assert int(microseconds) > SECONDS / 2 * 1_000_000
