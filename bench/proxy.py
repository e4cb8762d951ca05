"""What a decision costs: beside werkzeug's ProxyFix, and within a request through Django.

Ours and ProxyFix are told to believe the same headers of one proxy, and every request is of a
visitor whom nobody has seen before. ProxyFix leaves what a client forged where it is; the same work
is ProxyFix and a loop that removes it. Behind an emitted configuration, ours believes what the
front of that stack says, over its gateway.

Processor time of one call. All candidates take turns in every round, so that a busy machine is busy
for each of them; a figure is the round that a fifth of them undercut, for what else runs only adds.
What it adds is counted from the same application without anything in front.
"""

from __future__ import annotations

import argparse
import gc
import platform
import random
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import django
from django.conf import settings

from bench import figures, proxied
from bench.figures import Figure
from bench.proxied import ALONE, FIX, SAME_WORK, STACKS, Candidate

# What has a goal; the others only stand beside them.
RATED = ("wrap()", "wrap(), visitors over IPv6", "TrustedProxyMiddleware")
# Why a row misses its goal, where it does.
_CHECKS = "each address is checked and written in its one spelling; what was decided is kept"
_WITHIN = "it stands within Django, and makes its request anew; what was decided is kept"
_WITHIN_PREFIX = f"{_WITHIN}; Django's prefix is set, and set back"
MOST_PERCENT = 2.0  # Of a hello-world request through a whole stack.


class Request(NamedTuple):
    """What a request for the hello view takes of a whole stack's processors."""

    stack: str
    microseconds: float

    @classmethod
    def read(cls, text: str) -> Request:
        """As it stands on the command line. Raise ValueError for anything else."""
        stack, _, microseconds = text.rpartition("=")
        return cls(stack, float(microseconds))


def _print(title: str, candidates: list[Candidate]) -> None:
    """A table: what each adds, in parts of what ProxyFix adds, and of the application alone."""
    took = {one.name: one.microseconds for one in candidates}
    alone = took.pop(ALONE)
    fix = took.get(FIX, alone) - alone
    print(f"\n{title:40} {'µs':>7} {'adds':>7} {'÷ ProxyFix':>11} {'÷ alone':>8}")
    print(f"{ALONE:40} {alone:7.2f}")
    for name, microseconds in took.items():
        added = microseconds - alone
        beside = f"{added / fix:11.2f}" if fix else f"{'':11}"
        print(f"{name:40} {microseconds:7.2f} {added:7.2f} {beside} {added / alone:8.1%}")


def _figures(title: str, candidates: list[Candidate], requests: list[Request]) -> Iterator[Figure]:
    """What ours adds ÷ what the same work adds; or of a stack, in per cent of its whole request.

    Beside these is what ProxyFix adds by itself, and what it is of the application alone, which
    nobody can ask without a server.
    """
    took = {one.name: one.microseconds for one in candidates}
    alone = took.pop(ALONE)
    added = {name: microseconds - alone for name, microseconds in took.items()}
    for name in (one for one in RATED if one in added):
        label, ratio = f"{name} ÷ {SAME_WORK}, {title}", added[name] / added[SAME_WORK]
        beside = {"÷ ProxyFix": added[name] / added[FIX]}
        figure = Figure(label, "CPU", ratio, goal=1.0, at_most=True, beside=beside)
        yield figure.because(_reason(name, title))
    for one in requests:
        if one.stack != STACKS.get(title):
            continue
        ((name, more),) = added.items()
        beside = {"µs": more, "% of the call alone": more / alone * 100}
        label, share = f"{name}, % of hello by {one.stack}", more / one.microseconds * 100
        figure = Figure(label, "CPU", share, goal=MOST_PERCENT, at_most=True, beside=beside)
        yield figure.because(_CHECKS)


def _reason(name: str, title: str) -> str:
    if name.startswith("wrap()"):
        return _CHECKS
    return _WITHIN_PREFIX if "prefix" in title else _WITHIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, help="a file to write them to as JSON")
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--calls", type=int, default=20, help="of each candidate, in each round")
    parser.add_argument(
        "--request",
        action="append",
        default=[],
        type=Request.read,
        metavar="STACK=MICROSECONDS",
        help="what a whole stack takes for the hello view, to give the share of ours",
    )
    options = parser.parse_args()
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=proxied.__name__,
        SECRET_KEY="a benchmark",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    )
    django.setup()
    tables = dict(proxied.tables())
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
        asked = options.request
        found = [one for title, table in tables.items() for one in _figures(title, table, asked)]
        figures.write(found, options.figures)


if __name__ == "__main__":
    main()
