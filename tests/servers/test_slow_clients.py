"""Two hundred slow clients, and beside them one who is as quick as any visitor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import parts
from tests.servers.harness import Project
from tests.servers.slow_clients import (
    ATTACKS,
    BODIES,
    HEADERS,
    Attack,
    attacked,
    slowest_answer,
)
from tests.servers.stacks import STACKS, Stack, chosen

CLIENTS = 200
# Seconds; measured are hundredths (docs/howto/slow-clients), but not on a machine that is busy.
AT_ONCE = 5

# A front that stores bodies and answers holds against all of it. Apache stores no answer, and a
# body where mod_proxy_http, _fcgi or mod_fcgid does; the table in the documentation says the rest.
HOLDS = {
    "nginx/http/gunicorn": ATTACKS,
    "nginx/uwsgi/uwsgi": ATTACKS,
    "lighttpd/http/gunicorn": ATTACKS,
    "lighttpd/scgi/flup": ATTACKS,
    "apache/http/gunicorn": (HEADERS, BODIES),
    "apache/fastcgi/uwsgi": (BODIES,),
    "apache/fcgid/flup": (HEADERS, BODIES),
}

_SETTINGS = """
from example.settings import *

ROOT_URLCONF = "slow_urls"
"""
# More than the kernel takes off a server for a client that does not read.
_URLS = """
from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("large/", lambda request: HttpResponse(b"x" * 3 * 2**20)),
    path("", include("example.urls")),
]
"""


@pytest.fixture(scope="module")
def project(example: Project) -> Project:
    """The example with a page that is large."""
    for name, text in {"slow_settings": _SETTINGS, "slow_urls": _URLS}.items():
        Path(example.directory, f"{name}.py").write_text(text)
    return example


def _hold(stack: parts.Parts, attack: Attack) -> None:
    with attacked(stack.port, attack, CLIENTS) as connected:
        slowest = slowest_answer(lambda: stack.server.get("/whoami/").status, 5)
        assert connected() > CLIENTS / 2, "the attack was over before it was measured"
    assert slowest < AT_ONCE, attack.name


@pytest.mark.parametrize("label", HOLDS)
def test_slow_clients_harm_nobody_else(project: Project, label: str) -> None:
    """A well-behaved client is answered while two hundred others hold their connections."""
    with parts.running(project, STACKS[label], settings="slow_settings") as stack:
        for attack in HOLDS[label]:
            _hold(stack, attack)


@pytest.mark.parametrize("within", ["apache", STACKS["apache/mod_wsgi-embedded"]], ids=str)
def test_apache_with_python_is_back_when_they_leave(project: Project, within: str | Stack) -> None:
    """Slow headers harm nobody. Slow bodies hold mod_wsgi's threads, as the documentation says,
    and not for longer than their clients stay."""
    with parts.running(project, chosen(within), settings="slow_settings") as stack:
        _hold(stack, HEADERS)
        with attacked(stack.port, BODIES, CLIENTS) as connected:
            assert connected() > CLIENTS / 2
        assert slowest_answer(lambda: stack.server.get("/whoami/").status, 5) < AT_ONCE
