"""What a decision costs: beside werkzeug's ProxyFix, and within a request through Django.

Processor time of one call. All candidates take turns in every round, so that a busy machine is busy
for each of them; a figure is the median of its rounds, and what it adds is counted from the same
application without anything in front.
"""

from __future__ import annotations

import argparse
import gc
import io
import itertools
import platform
import random
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path
from werkzeug.middleware.proxy_fix import ProxyFix

from bench import figures
from bench.figures import Figure
from django_deploykit.wsgi import wrap

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Any]

OURS = "django_deploykit.middleware.TrustedProxyMiddleware"
# One proxy is believed three headers; ProxyFix is told the same.
PROXY = {
    "TRUSTED": ["10.0.0.0/8"],
    "HEADERS": ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"],
    "HOPS": 1,
}
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
# What has a goal; the others only stand beside them.
RATED = ("wrap()", "wrap(), the same policy", "TrustedProxyMiddleware")
FEW, MANY = 50, 5000  # Visitors: a site's in one moment, and more than anything remembers.


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world")


urlpatterns = [path("hello/", hello)]


def environ(visitor: str) -> Environ:
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
        "HTTP_X_FORWARDED_FOR": visitor,
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_HOST": "www.example.com",
        "REMOTE_ADDR": "10.0.0.1",
        "REMOTE_PORT": "40000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "PATH_INFO": "/hello/",
        "SCRIPT_NAME": "",
    }


class Candidate:
    """An application with something in front, and what its rounds have taken."""

    def __init__(self, name: str, application: Application, visitors: int = FEW) -> None:
        self.name, self._application = name, application
        addresses = (f"203.0.{number // 250}.{number % 250 + 1}" for number in range(visitors))
        self._environs = itertools.cycle([environ(address) for address in addresses])
        self._rounds: list[float] = []

    def run(self, calls: int) -> None:
        """Answer some requests, and note what one of them took."""
        requests = [dict(next(self._environs)) for _ in range(calls)]
        application = self._application
        begin = process_time_ns()
        while requests:
            response = application(requests.pop(), _start)
            if response:
                response.close()
        self._rounds.append((process_time_ns() - begin) / calls / 1000)

    @property
    def microseconds(self) -> float:
        """Of processor time for one request."""
        return median(self._rounds)


def _start(*args: Any) -> None:
    """Take a response's head."""


def _nothing(environ: Environ, start: Callable[..., Any]) -> None:
    """An application that does nothing."""


def _with(application: Application, **section: Any) -> Application:
    with override_settings(DEPLOYKIT={"PROXY": section} if section else {}):
        return wrap(application)


def _fixed(application: Application) -> Application:
    return ProxyFix(application, x_for=1, x_proto=1, x_host=1)


def _django(*middleware: str) -> Application:
    with override_settings(DEPLOYKIT={"PROXY": PROXY}, MIDDLEWARE=middleware):
        return WSGIHandler()


def _doors() -> Iterator[Candidate]:
    yield Candidate("nothing in front", _nothing)
    yield Candidate("ProxyFix", _fixed(_nothing))
    yield Candidate("wrap(), the same policy", _with(_nothing, **PROXY))
    yield Candidate("wrap(), each visitor new", _with(_nothing, **PROXY), MANY)
    yield Candidate("wrap(), nothing configured", _with(_nothing))


def _hello(*middleware: str) -> Iterator[Candidate]:
    yield Candidate("nothing in front", _django(*middleware))
    yield Candidate("ProxyFix", _fixed(_django(*middleware)))
    yield Candidate("wrap()", _with(_django(*middleware), **PROXY))
    yield Candidate("TrustedProxyMiddleware", _django(OURS, *middleware))
    yield Candidate("both", _with(_django(OURS, *middleware), **PROXY))


def _print(title: str, candidates: list[Candidate]) -> None:
    """A table: what each adds, in parts of what ProxyFix adds, and of the application alone."""
    alone, fix = (one.microseconds for one in candidates[:2])
    print(f"\n{title:32} {'µs':>7} {'adds':>7} {'× ProxyFix':>11} {'× alone':>8}")
    print(f"{candidates[0].name:32} {alone:7.2f}")
    for one in candidates[1:]:
        added = one.microseconds - alone
        parts = f"{added / (fix - alone):11.2f} {added / alone:8.2f}"
        print(f"{one.name:32} {one.microseconds:7.2f} {added:7.2f} {parts}")


def _figures(title: str, candidates: list[Candidate]) -> Iterator[Figure]:
    """What ours adds ÷ what ProxyFix adds; in a whole project, ÷ that project alone too."""
    named = {one.name: one.microseconds for one in candidates}
    alone = candidates[0].microseconds
    for name, taken in named.items():
        if name not in RATED:
            continue
        ratio = (taken - alone) / (named["ProxyFix"] - alone)
        label = f"{name} ÷ ProxyFix, {title}"
        yield Figure(label, "CPU", ratio=ratio, goal=1.0, at_most=True)
        if name == "TrustedProxyMiddleware" and "startproject" in title:
            share = (taken - alone) / alone
            yield Figure(f"{name} ÷ {title}", "CPU", ratio=share, goal=0.02, at_most=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, help="a file to write them to as JSON")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=300, help="of each candidate, in each round")
    options = parser.parse_args()
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="a benchmark",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    )
    django.setup()
    tables = {
        "A WSGI application": list(_doors()),
        "Django without middleware": list(_hello()),
        "Django as startproject has it": list(_hello(*STARTPROJECT)),
    }
    every = [one for table in tables.values() for one in table]
    gc.disable()  # Whose turn it is when it runs would be chance; and nobody pays for another.
    gc.freeze()
    for _ in range(options.rounds):
        for one in random.sample(every, len(every)):
            gc.collect()
            one.run(options.calls)
    print(
        f"Python {platform.python_version()}, Django {django.__version__}, "
        f"werkzeug {version('werkzeug')}; {options.rounds} rounds of {options.calls} requests"
    )
    for title, table in tables.items():
        _print(title, table)
    if options.figures:
        found = [one for title, table in tables.items() for one in _figures(title, table)]
        figures.write(found, options.figures)


if __name__ == "__main__":
    main()
