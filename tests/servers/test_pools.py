"""Processes of their own for some URLs: who answers, who waits, and what both are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from tests.servers import harness, small_projects
from tests.servers.harness import Response, Server
from tests.servers.stacks import STACKS, chosen

SETTINGS = """
from pathlib import Path

MIDDLEWARE = ["django_deploykit.middleware.TrustedProxyMiddleware"]
HOME = Path({home!r})
DEPLOYKIT = {{
    "SITE": {{
        "ENVIRON": {{"REGION": "eu-north"}},
        "PREFIX": {prefix!r},
        "PROTECTED": {{"/reports/files/": HOME / "private"}},
        "POOLS": {{"/reports/": {{"name": "reports", "processes": 1, "threads": 1}}}},
    }},
}}
"""
EXEMPT = """
DEPLOYKIT["SITE"]["TLS"] = {
    "CERTIFICATE": HOME / "cert.pem", "KEY": HOME / "cert.pem", "ACME_WEBROOT": HOME
}
SECURE_REDIRECT_EXEMPT = ["health$"]
"""
URLS = """
import os
import time

from django.conf import settings
from django.http import JsonResponse
from django.urls import path, re_path
from django_deploykit.sendfile import sendfile

TOLD = ("REMOTE_ADDR", "REGION", "HTTP_X_REAL_IP", "HTTP_REMOTE_USER", "SCRIPT_NAME")


def seen(request):
    if gate := request.GET.get("gate"):
        (settings.HOME / "gates" / f"{gate}-reached").touch()
        while not (settings.HOME / "gates" / gate).exists():
            time.sleep(0.02)
    told = [request.META.get(name) for name in TOLD]
    told += [request.get_host(), request.scheme, os.environ.get("DJANGO_SETTINGS_MODULE")]
    return JsonResponse({"pid": os.getpid(), "path": request.path_info, "told": told})


def file(request):
    return sendfile(request, settings.HOME / "private" / "file.txt")


urlpatterns = [path("reports/file/", file), re_path("", seen)]
"""

# Each front, and where it differs what of the client's path it hands on. The path below which the
# site lies is no part of what decides, so that half of them have one.
STACKS_HERE = [
    ("apache", ""),
    ("apache/scgi/uwsgi", "/app"),
    ("haproxy/http/gunicorn", "/app"),
    ("lighttpd/fastcgi/flup", ""),
    ("lighttpd/http/gunicorn", "/app"),
    ("nginx/http/gunicorn", "/app"),
]

# How a client may write a path in order to have a slow page from the quick processes.
SPELLINGS = """
    /reports /reports/ /reports/x/ /reports? /reports/?a=/../b /reports//x / /x/ /x/reports/
    /reportsx /reportsx/ /report/ /x?/reports/ /Reports/ /REPORTS/ /%72eports/ /%52eports/
    /reports%2f /reports%2Fx/ //reports/ ///reports /%2freports/ /%2Freports/x /reports%5cx
    /reports\\x /x/../reports/ /reports/../x/ /reports/../ /reports/.. /./reports/ /reports/.
    /x/%2e%2e/reports/ /reports/%2e%2e/x/ /reports/.%2e/x /%2e/reports/ /x/..%2freports/
    /reports%2f..%2fx /reports/%2e%2e%2fx /reports//../x /x//../reports/ /reports/x/../
    /reports/... /reports/..x/ /reports/.x /reports/%252e%252e/x /%2572eports/ /reports;a=b/
    /reports;/../x /reports/;x /reports%3fx /reports/%3f/../x /reports%0a/ /reports/%0a
    /reports/a%0ab/ /%0areports/ /reports%20/ /reports+/ /reports/%c3%a9 /reports/%ff
    /reports%00/ /x%00/../reports/ /reports/%zz /%72eports/%zz /%72eports/% /%72eports/%4
    /reports#x /reports/#/../x /x#/../reports/
"""


@dataclass
class Pooled:
    """A running stack, whose reports have a process of their own."""

    server: Server
    home: Path
    slow: int = field(init=False)

    def __post_init__(self) -> None:
        self.slow = self.get("/reports/").json["pid"]

    def get(self, path: str) -> Response:
        return self.server.get(path, ("X-Real-Ip", "192.0.2.1"), ("Remote-User", "admin"))

    def open(self, gate: str) -> None:
        (self.home / "gates" / gate).touch()

    def wait_for(self, gate: str) -> None:
        deadline = time.monotonic() + 30
        while not (self.home / "gates" / f"{gate}-reached").exists():
            assert time.monotonic() < deadline, "nobody has come to the gate"
            time.sleep(0.02)


@pytest.fixture(
    scope="module", params=STACKS_HERE, ids=lambda pair: f"{pair[0]}{pair[1]}".replace("/", "-")
)
def pooled(request: pytest.FixtureRequest) -> Iterator[Pooled]:
    label, prefix = request.param
    stack = chosen(STACKS.get(label, label))
    with harness.public_directory() as home:
        (home / "gates").mkdir()
        (home / "gates").chmod(0o777)  # Whoever runs the application writes there.
        (home / "private").mkdir()
        (home / "private" / "file.txt").write_text("secret")
        settings = SETTINGS.format(home=str(home), prefix=prefix)
        project = small_projects.make(home / "project", {"pooled": settings})
        (project.directory / "pooled" / "urls.py").write_text(URLS)
        with harness.deployrun(project, *stack.arguments, prefix=prefix) as server:
            yield Pooled(server, home)


def test_each_has_its_own_processes(pooled: Pooled) -> None:
    """One process answers for the reports, as its pool says, and it answers for nothing else."""
    assert {pooled.get("/reports/x/").json["pid"] for _ in range(5)} == {pooled.slow}
    assert pooled.slow not in {pooled.get("/x/").json["pid"] for _ in range(5)}


def test_both_are_told_the_same(pooled: Pooled) -> None:
    """The front's own words reach both, and a client's reach neither."""
    told = pooled.get("/reports/").json["told"]
    prefix = pooled.server.prefix
    expected = ["127.0.0.1", "eu-north", None, None, prefix, "localhost", "http", "pooled.settings"]
    assert told == pooled.get("/x/").json["told"] == expected


def test_one_path_decides_and_is_seen(pooled: Pooled) -> None:
    """However a path is written, those answer who are named for the path that Django sees; or the
    front refuses it."""
    wrong, answered = [], set()
    for target in SPELLINGS.split():
        response = pooled.get(target)
        if response.status != 200:
            assert response.status in (400, 404), target
            continue
        seen = response.json
        answered.add(target)
        below = f"{seen['path']}/".startswith("/reports/")
        if below != (seen["pid"] == pooled.slow):
            wrong.append((target, seen["path"]))
    assert not wrong
    assert {"/reports", "/reports/x/", "/reportsx", "/Reports/", "//reports/", "/"} <= answered
    assert "/%72eports/" in answered


def test_slow_pages_starve_nobody_else(pooled: Pooled) -> None:
    """While the only process of the pool is busy, another request for it waits; all other pages
    are answered, and both requests in the end."""
    first, second = [], []
    busy = threading.Thread(target=lambda: first.append(pooled.get("/reports/?gate=a")))
    waiting = threading.Thread(target=lambda: second.append(pooled.get("/reports/x/")))
    busy.start()
    try:
        pooled.wait_for("a")
        waiting.start()
        assert {pooled.get("/x/").status for _ in range(20)} == {200}
        assert first + second == []
    finally:
        pooled.open("a")
        busy.join(60)
    waiting.join(60)
    assert [one.json["pid"] for one in first + second] == [pooled.slow] * 2


def test_protected_files_of_a_pool(pooled: Pooled) -> None:
    """A view of the pool hands a file over, be it below the pool's own URL; a client gets none."""
    assert pooled.get("/reports/file/").text == "secret"
    for target in (
        "/reports/files/file.txt",
        "/reports/%66iles/file.txt",
        "/reports//files/file.txt",
    ):
        assert b"secret" not in pooled.get(target).body


def test_paths_that_stay_on_plain_http() -> None:
    """Where plain HTTP leads to HTTPS, the pool answers those of its paths that do not."""
    stack = chosen(STACKS["nginx/http/gunicorn"])
    with harness.public_directory() as home:
        issued = trustme.CA().issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(home / "cert.pem"))
        (home / "private").mkdir()
        settings = SETTINGS.format(home=str(home), prefix="") + EXEMPT
        project = small_projects.make(home / "project", {"pooled": settings})
        (project.directory / "pooled" / "urls.py").write_text(URLS)
        tls = f"tls_listen=127.0.0.1:{harness.free_port()}"
        with harness.deployrun(project, *stack.arguments, "--set", tls) as server:
            assert server.get("/reports/x").status == server.get("/x").status == 301
            slow = {
                server.get(path).json["pid"] for path in ("/reports/health", "/%72eports/health")
            }
            rest = {server.get(path).json["pid"] for path in ("/health", "/reportshealth")}
            assert len(slow) == 1
            assert not slow & rest
