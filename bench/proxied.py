"""Requests through a proxy, and every application that answers them: with ours in front or within,
with ProxyFix, and with nothing.

The URLs of the project stand here too: it is a trivial view of Django's.
"""

from __future__ import annotations

import io
import itertools
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from time import process_time_ns
from typing import Any, NamedTuple
from unittest import mock

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path
from werkzeug.middleware.proxy_fix import ProxyFix

from django_deploykit import contract
from django_deploykit.handlers.behind import behind_front
from django_deploykit.wsgi import wrap

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Any]

OURS = "django_deploykit.middleware.TrustedProxyMiddleware"
IDLE = f"{__name__}.idle"
# What startproject writes.
STARTPROJECT = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ALONE = "nothing in front"
FIX, SAME_WORK = "ProxyFix", "ProxyFix, forged headers removed"
# What an emitted stack puts around and into the project.
EMITTED = "behind_front() and TrustedProxyMiddleware"
EMITTED_WITHIN = "TrustedProxyMiddleware as emitted"
# The stack as its processes are told of it, to what the table of the benchmark calls it.
STACKS = {
    "apache/mod_wsgi": "ours: apache",
    "nginx/http": "ours: nginx/http/gunicorn",
    "nginx/uwsgi": "ours: nginx/uwsgi/uwsgi",
}
FORBIDDEN = frozenset(contract.CLIENT_FORBIDDEN_KEYS)
COPIES = 3
VISITORS = 5000  # More than anything remembers.
IPV4, IPV6 = "203.0.{}.{}", "2001:db8:0:{}::{}"
CONNECTION = socket.socket()


class Proxy(NamedTuple):
    """What one proxy says in every request, beside the visitor's address."""

    name: str
    said: dict[str, str]

    @property
    def section(self) -> dict[str, Any]:
        """PROXY, for ours."""
        headers = ["X-Forwarded-For", *(name.title().replace("_", "-")[5:] for name in self.said)]
        return {"TRUSTED": ["10.0.0.0/8"], "HEADERS": headers, "HOPS": 1}

    @property
    def counts(self) -> dict[str, int]:
        """The same for ProxyFix."""
        return {f"x_{name.rpartition('_')[2].lower()}": 1 for name in ("_FOR", *self.said)}


ORIGIN = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "www.example.com"}
PROXIES = (
    Proxy("address and origin", ORIGIN),
    Proxy("and a prefix", {**ORIGIN, "HTTP_X_FORWARDED_PREFIX": "/app"}),
)


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world")


urlpatterns = [path("hello/", hello)]


def idle(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware that does nothing: what Django takes for any at all."""

    def answer(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    return answer


def environ(**said: str) -> Environ:
    """A request of a browser through a proxy, as gunicorn has it."""
    return {
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": object,
        "wsgi.input_terminated": True,
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
        "SERVER_SOFTWARE": "gunicorn",
        "gunicorn.socket": CONNECTION,
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "page=2",
        "RAW_URI": "/hello/?page=2",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "backend:8000",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.5",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
        "HTTP_COOKIE": "theme=dark",
        "HTTP_SEC_FETCH_DEST": "document",
        "HTTP_SEC_FETCH_MODE": "navigate",
        "HTTP_SEC_FETCH_SITE": "none",
        "HTTP_X_FORWARDED_FOR": "",
        **said,
        "REMOTE_ADDR": "10.0.0.1",
        "REMOTE_PORT": "40000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "PATH_INFO": "/hello/",
        "SCRIPT_NAME": "",
    }


def handed_over() -> Environ:
    """The same request as a gateway hands it over: what it says is no header."""
    told = environ(HTTP_HOST="www.example.com", REQUEST_URI="/hello/?page=2")
    for key in ("gunicorn.socket", "RAW_URI", "SERVER_SOFTWARE", "HTTP_X_FORWARDED_FOR"):
        del told[key]
    return told


class Candidate:
    """An application with something in front, and what its requests have taken.

    ``make`` makes the application, several times: where each lies in memory is chance. Under
    ``key`` of the environ, each request has another visitor's address.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Application],
        environ: Environ,
        network: str = IPV4,
        key: str = "HTTP_X_FORWARDED_FOR",
    ) -> None:
        self.name, self._environ, self._key = name, environ, key
        self._copies = [make() for _ in range(COPIES)]
        self._took: list[list[int]] = [[] for _ in range(COPIES)]
        self._visitors = itertools.cycle(
            [network.format(n // 250, n % 250 + 1) for n in range(VISITORS)]
        )

    def ask(self, copy: int) -> None:
        """Let one of the copies answer a request, and note what it took.

        It is made just before, as a server does: no processor has forgotten it.
        """
        application = self._copies[copy]
        told = {**self._environ, self._key: next(self._visitors)}
        begin = process_time_ns()
        response = application(told, _start)
        if response:
            response.close()
        self._took[copy].append(process_time_ns() - begin)

    @property
    def microseconds(self) -> float:
        """Of processor time for one request, in the median."""
        return median(nanoseconds for took in self._took for nanoseconds in took) / 1000

    def added(self, alone: Candidate) -> float:
        """How many more than another's request of the same round, in the median."""
        pairs = zip(self._took, alone._took, strict=True)
        more = [
            mine - other for took, others in pairs for mine, other in zip(took, others, strict=True)
        ]
        return median(more) / 1000


def _start(*args: Any) -> None:
    """Take a response's head."""


def _nothing(environ: Environ, start: Callable[..., Any]) -> None:
    """An application that does nothing."""


class SameWork:
    """ProxyFix, and what it leaves to the proxy: that a client forged nothing else.

    After ProxyFix has read what it believes, and in the quickest way that we know.
    """

    def __init__(self, application: Application, counts: dict[str, int]) -> None:
        self._application = application
        self._fix = ProxyFix(self._rest, **counts)

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Any:
        return self._fix(environ, start)

    def _rest(self, environ: Environ, start: Callable[..., Any]) -> Any:
        for key in FORBIDDEN.intersection(environ):
            del environ[key]
        return self._application(environ, start)


def _wrapped(application: Application, section: dict[str, Any]) -> Application:
    with override_settings(DEPLOYKIT={"PROXY": section}):
        return wrap(application)


def _django(middleware: Sequence[str], section: dict[str, Any] | None = None) -> WSGIHandler:
    with override_settings(DEPLOYKIT={"PROXY": section or {}}, MIDDLEWARE=middleware):
        return WSGIHandler()


def _doors(proxy: Proxy) -> Iterator[Candidate]:
    """Around an application that does nothing."""
    ours, told = partial(_wrapped, _nothing, proxy.section), environ(**proxy.said)
    yield Candidate(ALONE, lambda: _nothing, told)
    yield Candidate(FIX, lambda: ProxyFix(_nothing, **proxy.counts), told)
    yield Candidate(SAME_WORK, lambda: SameWork(_nothing, proxy.counts), told)
    yield Candidate("wrap()", ours, told)
    yield Candidate("wrap(), visitors over IPv6", ours, told, IPV6)
    yield Candidate("wrap(), nothing configured", lambda: _wrapped(_nothing, {}), told)


def _hello(proxy: Proxy, *middleware: str) -> Iterator[Candidate]:
    """Around and within Django."""
    section, told = proxy.section, environ(**proxy.said)
    alone, within = partial(_django, middleware), partial(_django, (OURS, *middleware), section)
    yield Candidate(ALONE, alone, told)
    yield Candidate(FIX, lambda: ProxyFix(alone(), **proxy.counts), told)
    yield Candidate(SAME_WORK, lambda: SameWork(alone(), proxy.counts), told)
    yield Candidate("wrap()", lambda: _wrapped(alone(), section), told)
    yield Candidate("TrustedProxyMiddleware", within, told)
    yield Candidate("both", lambda: _wrapped(within(), section), told)
    yield Candidate("middleware that does nothing", lambda: _django((IDLE, *middleware)), told)


def _emitted(label: str) -> Iterator[Candidate]:
    """Around and within startproject, as a stack is emitted: its front says the same."""
    front, gateway = label.split("/")
    by_header = gateway == "http"
    told = environ(HTTP_X_FORWARDED_PROTO="https") if by_header else handed_over()
    if by_header:
        told["REMOTE_ADDR"] = ""  # as it is over a unix socket
    key = "HTTP_X_FORWARDED_FOR" if by_header else "REMOTE_ADDR"
    within = partial(_configured_by, label)
    yield Candidate(ALONE, lambda: _django(STARTPROJECT), told, key=key)
    if gateway == "mod_wsgi":
        yield Candidate(EMITTED_WITHIN, within, told, key=key)
    else:
        behind = partial(behind_front, front=front, gateway=gateway)
        yield Candidate(EMITTED, lambda: behind(within()), told, key=key)


def _configured_by(label: str) -> WSGIHandler:
    with mock.patch.dict(os.environ, {contract.STACK_KEY: label}):
        return _django((OURS, *STARTPROJECT))


def tables() -> Iterator[tuple[str, list[Candidate]]]:
    """What is compared with each other, by its title; the first has nothing in front."""
    for proxy in PROXIES:
        yield f"A WSGI application, {proxy.name}", list(_doors(proxy))
        yield f"Django alone, {proxy.name}", list(_hello(proxy))
        yield f"startproject, {proxy.name}", list(_hello(proxy, *STARTPROJECT))
    for label in STACKS:
        yield label, list(_emitted(label))
