"""The table: which sides are compared, for which views, by what, and how good is good enough.

A ratio above 1 says that ours is better: fewer microseconds of processor time for a request, or
more requests a second. The first is what a request costs, and steady on a busy machine; the second
is judged only where processor time cannot tell: where workers wait, or are too few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench import ours
from bench.peers import (
    django_docs,
    express,
    files,
    gunicorn_tutorial,
    tuned,
    uwsgi_docs,
    whitenoise,
)
from bench.sides import Side, View

HELLO, PAGE = View("hello", "/hello/"), View("page", "/page/")
SLOW = View("50 ms", "/slow/")
SMALL, LARGE = View("1 KiB", "/static/small.css"), View("1 MiB", "/static/large.bin")
SCRIPT = View("50 KiB, gzip", "/static/script.js", compressed=True)

APACHE, APACHE_WAITING = ours.stack("apache"), ours.stack("apache", threads="15")
NGINX = ours.stack("nginx", "http", "gunicorn")
NGINX_UWSGI = ours.stack("nginx", "uwsgi", "uwsgi")
LIGHTTPD = ours.stack("lighttpd", "http", "gunicorn")
GUNICORN, UWSGI = ours.without_front("gunicorn"), ours.without_front("uwsgi")
STACKS = (APACHE, NGINX, NGINX_UWSGI, LIGHTTPD)
SENDERS = {"nginx": NGINX, "apache": APACHE, "lighttpd": LIGHTTPD}

PEERS = (
    *(django_docs.MOD_WSGI, django_docs.UWSGI, express.DEFAULTS, gunicorn_tutorial.TUTORIAL),
    *(uwsgi_docs.TUTORIAL, whitenoise.ALONE),
)

CPU, RATE = "CPU", "requests/s"
# Why a row misses its goal, where it does; with no figure that the run itself does not find.
_FEW_THREADS = (
    "each thread may hold a database connection: 8 cores × 15 are more than PostgreSQL takes, "
    "so threads=5 unless more is known; the next row has 15"
)
_READS_THE_FRONT = "TrustedProxyMiddleware, which no peer has, and threads"
_THREADED = (
    "gunicorn's threads take turns at Python's lock, but a view that waits would take a whole "
    "worker without any (50 ms); a new connection for each request shares the work among the "
    "workers"
)
_MOSTLY_DJANGO = "most of a page is Django's own processor time, which is the same for all"
_BY_HAND = "by hand: one thread, no log, no limit, no header removed, no TrustedProxyMiddleware"
_ONE_PROCESS = f"{_MOSTLY_DJANGO}: what is won are the cores that its one process leaves idle"
_LINKS = (
    "no symbolic link may lead out: lighttpd looks at each directory of the path, from the root "
    "on, twice for each request"
)
_CHECKED = {
    "nginx": "each answer has its headers, and a log line with its times",
    "apache": "each answer has its headers, and rules look for a compressed twin",
    "lighttpd": _LINKS,
}
_NOT_BARE = {
    "nginx": "what is left is the kernel's sending, the log and the headers",
    "apache": "what is left is what any file costs Apache: see bare Apache, 1 KiB, by itself",
    "lighttpd": _LINKS,
}


@dataclass(frozen=True)
class Row:
    """Ours ÷ theirs for one view; ``remark`` is why it misses its goal where it does."""

    ours: Side
    theirs: Side
    view: View
    by: str
    goal: float | None = None
    remark: str = ""

    @property
    def name(self) -> str:
        """What is compared with what."""
        return f"{self.ours.name} ÷ {self.theirs.name}, {self.view.name}"


def rows(*, quick: bool = False) -> tuple[Row, ...]:
    """Every comparison, the telling ones first; for a quick run, those alone that have a goal, but
    for limits, and for what is told by another row as well."""
    telling = (*_documented(), *_waiting(), *_files())
    if quick:
        return tuple(row for row in telling if row.goal and not _is_told_elsewhere(row))
    return (*telling, *_limits())


def _is_told_elsewhere(row: Row) -> bool:
    return row.view == LARGE or row.theirs == django_docs.UWSGI


def _documented() -> Iterator[Row]:
    for peer in (django_docs.MOD_WSGI, express.DEFAULTS):
        yield Row(APACHE, peer, HELLO, RATE)
        yield Row(APACHE, peer, PAGE, RATE, 2.3, _ONE_PROCESS)
    for one, why in ((NGINX, _THREADED), (NGINX_UWSGI, _MOSTLY_DJANGO)):
        yield Row(one, gunicorn_tutorial.TUTORIAL, HELLO, CPU, 1.3, why)
        yield Row(one, gunicorn_tutorial.TUTORIAL, PAGE, CPU, 1.1, why)
    for peer in (uwsgi_docs.TUTORIAL, django_docs.UWSGI):
        yield Row(NGINX_UWSGI, peer, HELLO, CPU, 1.1, _READS_THE_FRONT)
        yield Row(NGINX_UWSGI, peer, PAGE, CPU, 1.0)
    for view in (HELLO, PAGE):
        yield Row(NGINX, whitenoise.ALONE, view, RATE)


def _limits() -> Iterator[Row]:
    by_hand = (
        (APACHE, tuned.APACHE),
        (NGINX, tuned.GUNICORN_BEHIND),
        (NGINX_UWSGI, tuned.UWSGI_BEHIND),
    )
    for one, peer in by_hand:
        yield Row(one, peer, PAGE, CPU, 0.97, _BY_HAND)
    for one, peer in ((NGINX, GUNICORN), (LIGHTTPD, GUNICORN), (NGINX_UWSGI, UWSGI)):
        yield Row(one, peer, PAGE, CPU, 0.95)


def _waiting() -> Iterator[Row]:
    yield Row(APACHE, django_docs.MOD_WSGI, SLOW, RATE, 2.0, _FEW_THREADS)
    yield Row(APACHE_WAITING, django_docs.MOD_WSGI, SLOW, RATE, 2.0)
    yield Row(NGINX, gunicorn_tutorial.TUTORIAL, SLOW, RATE, 2.0)


def _files() -> Iterator[Row]:
    for server, one in SENDERS.items():
        for view in (SMALL, LARGE):
            yield Row(one, files.BARE[server], view, CPU, 0.95, _CHECKED[server])
    for server, goal in (("nginx", 100), ("apache", 30), ("lighttpd", 100)):
        why = _NOT_BARE[server]
        yield Row(SENDERS[server], files.ON_THE_FLY[server], SCRIPT, CPU, goal, why)
    for view in (SMALL, LARGE):
        yield Row(NGINX, whitenoise.ALONE, view, CPU)
