"""What the benchmark says of the defaults: the rows of its table that ``--explain`` cites.

The figures are those of ``measured.json`` beside this module, which a whole ``make bench`` or
``make bench-quick`` writes together with its table; nobody edits them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.plan import Plan

FILE = "measured.json"
_MORE = (
    "https://github.com/django-deploykit/django-deploykit/blob/main/docs/explanation/benchmark.md"
)


@dataclass(frozen=True)
class Row:
    """A row of the benchmark's table: ours ÷ theirs, ``by`` what; None for what there is not."""

    name: str
    by: str
    ratio: float | None
    goal: float | None
    at_most: bool
    holds: bool | None


@dataclass(frozen=True)
class Measured:
    """Rows by name, and ``where`` they were measured."""

    where: str
    rows: dict[str, Row]


@dataclass(frozen=True)
class Default:
    """What is emitted unless it is chosen otherwise; the rows that speak of it; whether a plan
    has it."""

    what: str
    rows: tuple[str, ...]
    is_of: Callable[[Plan], bool] = lambda plan: True


def _threads(plan: Plan) -> bool:
    return plan.deployment.threads == Deployment().threads


def _each_cpu(plan: Plan) -> bool:
    return plan.deployment.processes == plan.deployment.cpu


def _twins(plan: Plan) -> bool:
    return any(site.static and site.static.twins for site in plan.sites)


def _files(plan: Plan) -> bool:
    return any(site.static for site in plan.sites)


def _beside(ours: str, peer: str, *views: str) -> tuple[str, ...]:
    return tuple(f"ours: {ours} ÷ {peer}, {view}" for view in views)


_GUNICORN, _UWSGI = "nginx/http/gunicorn", "nginx/uwsgi/uwsgi"
_DJANGO, _EXPRESS = "Django's documentation: mod_wsgi", "mod_wsgi-express: its defaults"
_TUTORIAL = "usual tutorial: nginx, gunicorn"
_UWSGI_DOCS = "uWSGI's documentation: uWSGI, nginx"
_DEFAULT = f"threads={Deployment().threads}"


def _of_files(ours: str, bare: str, on_the_fly: str) -> tuple[Default, ...]:
    return (
        Default("static files by the front", _beside(ours, bare, "1 KiB"), _files),
        Default("their compressed twins", _beside(ours, on_the_fly, "50 KiB, gzip"), _twins),
    )


# By front, gateway and application server; what is said of a front alone holds for each gateway.
_DEFAULTS = {
    "apache/mod_wsgi": (
        Default("gateway mod_wsgi", _beside("apache", _EXPRESS, "page")),
        Default("a process for each CPU", _beside("apache", _DJANGO, "page"), _each_cpu),
        Default(
            _DEFAULT,
            _beside("apache", _DJANGO, "50 ms")
            + _beside("apache --set threads=15", _DJANGO, "50 ms"),
            _threads,
        ),
    ),
    "nginx/http/gunicorn": (
        Default("gateway http, gunicorn", _beside(_GUNICORN, _TUTORIAL, "hello", "page")),
        Default("--gateway uwsgi instead", _beside(_UWSGI, _TUTORIAL, "hello", "page")),
        Default(_DEFAULT, _beside(_GUNICORN, _TUTORIAL, "50 ms"), _threads),
        Default(
            "no connection to gunicorn is kept",
            (f"ours: {_GUNICORN}: worst restart ÷ median, page",),
        ),
    ),
    "nginx/uwsgi/uwsgi": (
        Default(
            "gateway uwsgi, uWSGI",
            _beside(_UWSGI, _TUTORIAL, "hello", "page")
            + _beside(_UWSGI, _UWSGI_DOCS, "hello", "page"),
        ),
    ),
    "apache": _of_files("apache", "bare Apache", "Apache, mod_deflate"),
    "nginx": _of_files(_GUNICORN, "bare nginx", "nginx, gzip"),
    "lighttpd": _of_files("lighttpd/http/gunicorn", "bare lighttpd", "lighttpd, mod_deflate"),
}


def cited() -> set[str]:
    """The names of all rows that some plan's defaults are cited with."""
    return {name for each in _DEFAULTS.values() for one in each for name in one.rows}


def defaults(plan: Plan) -> Iterator[Default]:
    """Those of this plan of which rows speak."""
    stack = "/".join(part for part in (plan.front, plan.gateway, plan.app_server) if part)
    for key in (stack, plan.front):
        yield from (one for one in _DEFAULTS.get(key, ()) if one.is_of(plan))


def explained(plan: Plan) -> Iterator[str]:
    """What was measured of the plan's defaults, as lines for ``--explain``."""
    found = measured()
    lines = [
        f"measured: {default.what}: {sentence(found.rows[name])}"
        for default in defaults(plan)
        for name in default.rows
    ]
    yield from lines
    if lines:
        yield f"measured {found.where}. Above 1, ours is better than what follows the ÷: {_MORE}"


def sentence(row: Row) -> str:
    """A row in words, with what it says against itself."""
    if row.ratio is None:
        return f"“{row.name}” was not measured"
    said = f"“{row.name}” is {number(row.ratio)} by {row.by}"
    if row.goal is None:
        return said
    goal = f"{'≤' if row.at_most else '≥'} {number(row.goal)}"
    return f"{said}, {'which meets' if row.holds else 'which misses'} the goal {goal}"


def number(value: float) -> str:
    """Two digits behind the point below 10, one below 100, none above."""
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


@cache
def measured() -> Measured:
    """What came with this version of the package."""
    text = files("django_deploykit.config").joinpath(FILE).read_text(encoding="utf-8")
    found = json.loads(text)
    return Measured(found["where"], {one["name"]: Row(**one) for one in found["rows"]})
