"""The middleware in a project with entry scripts of its own, behind a real gunicorn and uvicorn."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from django_deploykit import contract
from django_deploykit.config.facts import Hosts
from django_deploykit.config.registry import renderers
from django_deploykit.config.servers.apache import installed
from django_deploykit.config.values import Address
from tests.cases import site
from tests.projects import ROOT
from tests.servers import emitted, harness

VISITOR = "203.0.113.9"
PROJECT = """
    import json
    import os

    SECRET_KEY = "proxy"
    DEBUG = False
    ALLOWED_HOSTS = ["shop.example"]
    ROOT_URLCONF = __name__
    STATIC_URL = "static/"
    FORCE_SCRIPT_NAME = os.environ.get("TEST_FORCED")
    MIDDLEWARE = ["django_deploykit.middleware.TrustedProxyMiddleware"]
    INSTALLED_APPS = ["django_deploykit"]
    DEPLOYKIT = json.loads(os.environ["TEST_DEPLOYKIT"])

    def whoami(request):
        from django.http import JsonResponse
        from django.templatetags.static import static
        from django.urls import reverse

        return JsonResponse({
            "trusted": request.deploykit.trusted,
            "client": request.META["REMOTE_ADDR"],
            "scheme": request.scheme,
            "host": request.get_host(),
            "port": request.get_port(),
            "reversed": reverse("whoami"),
            "path": request.path,
            "static": static("site.css"),
            "meta": sorted(key for key in request.META if key not in ("HTTP_CONNECTION",)),
            "user": request.META.get("REMOTE_USER"),
        })

    from django.urls import path
    urlpatterns = [path("", whoami, name="whoami")]

"""
WSGI = """
    import os
    os.environ["DJANGO_SETTINGS_MODULE"] = "proxied"
    from django.core.wsgi import get_wsgi_application
    application = get_wsgi_application()
"""


@dataclass
class AppServer(harness.Server):
    """An application server on a port, or on a unix socket."""

    path: Path | None = None

    def connect(self) -> socket.socket:
        if self.path is None:
            return super().connect()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        return connection

    def seen(self, *headers: tuple[str, str]) -> dict[str, Any]:
        answer = self.get("/", ("Host", "shop.example"), *headers)
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json
        return found


@contextlib.contextmanager
def gunicorn(
    directory: Path, deploykit: dict[str, Any], *, unix: bool = False, stack: str = ""
) -> Iterator[AppServer]:
    port = harness.free_port()
    bind = f"unix:{directory / 'g.sock'}" if unix else f"127.0.0.1:{port}"
    # gunicorn itself is told to believe everybody: it must not matter.
    command = ["gunicorn", "-b", bind, "--forwarded-allow-ips", "*", "--no-control-socket"]
    path = directory / "g.sock" if unix else None
    with _serving([*command, "proxied_wsgi:application"], directory, deploykit, stack) as process:
        yield _awaited(AppServer(port, "", process, [], path=path))


@contextlib.contextmanager
def uvicorn(directory: Path, deploykit: dict[str, Any]) -> Iterator[AppServer]:
    port = harness.free_port()
    command = ["uvicorn", "--port", str(port), "--no-proxy-headers", "proxied_asgi:application"]
    with _serving(command, directory, deploykit) as process:
        yield _awaited(AppServer(port, "", process, []))


@contextlib.contextmanager
def _serving(
    command: list[str], directory: Path, deploykit: dict[str, Any], stack: str = ""
) -> Iterator[subprocess.Popen[str]]:
    harness.require(command[0], importlib.util.find_spec(command[0]))
    (directory / "proxied.py").write_text(dedent(PROJECT))
    (directory / "proxied_wsgi.py").write_text(dedent(WSGI))
    (directory / "proxied_asgi.py").write_text(dedent(WSGI).replace("wsgi", "asgi"))
    environ = {**os.environ, "TEST_DEPLOYKIT": json.dumps(deploykit), contract.STACK_KEY: stack}
    environ["PYTHONPATH"] = os.pathsep.join([str(directory), str(ROOT)])
    environ.pop("DJANGO_SETTINGS_MODULE", None)
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=directory,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        harness.stop(process)
        assert process.stderr
        process.stderr.close()


def _awaited(server: AppServer) -> AppServer:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), server.connect():
            return server
        time.sleep(0.05)
    raise AssertionError("the application server did not start")


SAID = (("X-Forwarded-For", f"1.1.1.1, {VISITOR}"), ("X-Forwarded-Proto", "https"))
BELIEVED = ["X-Forwarded-For", "X-Forwarded-Proto"]


@pytest.mark.parametrize(
    ("trusted", "unix", "stack", "believes"),
    [
        (["127.0.0.1"], False, "", True),
        (["10.0.0.0/8"], False, "", False),
        (["unix"], True, "", True),
        (["unix"], False, "", False),
        (["127.0.0.1"], True, "", False),
        (None, False, "nginx/http", True),
        (None, True, "nginx/http", True),
        (None, False, "nginx/uwsgi", False),
        (None, False, "", False),
        (None, True, "", False),
    ],
)
def test_who_is_believed(
    trusted: list[str] | None, unix: bool, stack: str, believes: bool, tmp_path: Path
) -> None:
    """A peer that fits is believed, by PROXY or by the stack's name; of the same connection
    otherwise nothing is, though gunicorn was told to believe it."""
    section = {"PROXY": {"TRUSTED": trusted, "HEADERS": BELIEVED}} if trusted else {}
    with gunicorn(tmp_path, section, unix=unix, stack=stack) as server:
        seen = server.seen(*SAID)
    connection = "" if unix else "127.0.0.1"
    assert seen["trusted"] is believes
    assert seen["client"] == (VISITOR if believes else connection)
    assert seen["scheme"] == ("https" if believes else "http")
    assert seen["port"] == ("443" if believes else "80" if unix else str(server.port))


def _forms(name: str) -> Iterator[list[tuple[str, str]]]:
    """A header as an attacker would send it."""
    value = "/" if name in contract.CGI_HEADERS else "https"
    spellings = [name, name.lower(), name.upper(), name.title().swapcase()]
    for spelling in dict.fromkeys([*spellings, *(each.replace("-", "_") for each in spellings)]):
        yield [(spelling, value)]
        yield [(spelling, value), (spelling, value)]
        yield [(spelling, value), ("Connection", spelling)]


@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.1"], ids=["untrusted", "trusted"])
@pytest.mark.parametrize("serving", [gunicorn, uvicorn])
def test_no_header_but_those_listed_changes_anything(
    serving: Callable[..., contextlib.AbstractContextManager[AppServer]],
    peer: str,
    tmp_path: Path,
) -> None:
    """Each header of the contract, in any spelling, twice, or named in Connection: Django sees
    the same request, from a stranger and from a proxy that may not say this."""
    section = {"TRUSTED": [peer], "HEADERS": BELIEVED}
    names = {*contract.CLIENT_FORBIDDEN_HEADERS, contract.PROOF_HEADER}
    names -= set(BELIEVED) if peer == "127.0.0.1" else set()
    with serving(tmp_path, {"PROXY": section}) as server:
        honest = server.seen()
        for name in sorted(names):
            for headers in _forms(name):
                assert server.seen(*headers) == honest, headers


@pytest.mark.parametrize("forced", [None, "/app"])
def test_no_header_moves_a_path(
    forced: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gunicorn makes SCRIPT_NAME of a header, and cuts it off the path: a page that a front does
    not let through is not found under another URL, nor do later pages lead elsewhere."""
    if forced:
        monkeypatch.setenv("TEST_FORCED", forced)
    section = {"TRUSTED": ["10.0.0.1"], "HEADERS": BELIEVED}
    with gunicorn(tmp_path, {"PROXY": section}) as server:
        for mount in ("/public", "//evil.example", "//evil.example/,a"):
            for more in ((), (("Script-Name", "x"),), (("SCRIPT_NAME", mount),)):
                said = (("Host", "shop.example"), ("SCRIPT_NAME", mount), *more)
                assert server.get(f"{mount}/", *said).status == 404
        assert server.seen()["static"] == f"{forced or ''}/static/site.css"


PATH_HOSTS = [(one.name, name) for one in renderers().values() for name in one.path_hosts or ()]


@pytest.mark.parametrize("marker", ["kX3-vhost", contract.ZOPE_MARKER])
@pytest.mark.parametrize("front", PATH_HOSTS, ids="-".join)
def test_hosts_in_the_path_from_end_to_end(front: tuple[str, str], marker: str) -> None:
    """V9, V10. What a front writes into the path is what Django reads there; what a client writes
    there ends in the front, and what it writes behind it is no prefix."""
    section = {"TRUSTED": ["127.0.0.1"], "VHOST": {"MARKER": marker, "REQUIRED": True}}
    with harness.public_directory() as directory, gunicorn(directory, {"PROXY": section}) as behind:
        assert behind.get("/", ("Host", "shop.example")).status == 404
        made = site(root=str(directory), hosts=Hosts(names=("shop.example",)))
        backend = Address("127.0.0.1", behind.port)
        with emitted.front(*front, made, backend, vhost_path=marker) as server:
            seen = AppServer(server.port, "", server.process, server.log).seen()
            assert seen["trusted"] is True
            assert (seen["host"], seen["port"]) == (f"shop.example:{server.port}", str(server.port))
            assert (seen["path"], seen["reversed"]) == ("/", "/")
            claims = {
                f"/{marker}/https/evil.example:443{contract.ZOPE_ROOT}/": 404,
                f"//{marker}/https/evil.example:443/": 404,
                "/_vh_news/": 400,
                "/%5Fvh_news/": 400,
            }
            for path, status in claims.items():
                assert server.get(path, ("Host", "shop.example")).status == status, path


BALANCER = (ROOT / "docs/howto/load-balancer.md").read_text(encoding="utf-8")
(EDGE,) = re.findall(r"^```apache\n(.*?)^```$", BALANCER, re.MULTILINE | re.DOTALL)


def test_a_cdn_in_front_of_an_emitted_apache() -> None:
    """What the how-to has Apache rename names the client, if it comes from the CDN's networks; what
    a client writes under the new name, or from elsewhere, does not."""
    harness.require_apache()
    module = installed.module_directory() / "mod_remoteip.so"
    loaded = f"LoadModule remoteip_module {module}\n{EDGE}"
    with (
        harness.public_directory() as directory,
        gunicorn(directory, {}, stack="apache/http") as app,
    ):
        made = site(root=str(directory), hosts=Hosts(names=("shop.example",)))
        backend = Address("127.0.0.1", app.port)
        for network, client in (("127.0.0.0/8", VISITOR), ("192.0.2.0/24", "127.0.0.1")):
            around = loaded.replace("192.0.2.0/24", network)
            with emitted.front("apache", "http", made, backend, around=around) as server:
                behind = AppServer(server.port, "", server.process, server.log)
                said, forged = ("CF-Connecting-IP", VISITOR), ("X-Edge-Client", "1.1.1.1")
                for headers in ((said,), (said, forged), (forged, said)):
                    assert behind.seen(*headers)["client"] == client
                for headers in ((), (forged,), (("X-Forwarded-For", VISITOR),)):
                    assert behind.seen(*headers)["client"] == "127.0.0.1"
