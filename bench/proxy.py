"""What a decision costs: beside werkzeug's ProxyFix, and within a request through Django.

Ours and ProxyFix are told to believe the same headers of one proxy, and every request is of a
visitor whom nobody has seen before. ProxyFix leaves what a client forged where it is; the same work
is ProxyFix and a loop that removes it. Behind an emitted configuration, ours believes what the
front of that stack says, over its gateway.

In every round each application of a table answers one request, in an order that changes, so that a
busy machine is busy for each of them. What one adds is the difference to the application without
anything in front, in the same round: its median over all rounds, and over several copies of each.
"""

from __future__ import annotations

import argparse
import gc
import itertools
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
from bench.proxied import ALONE, COPIES, FIX, SAME_WORK, STACKS, Candidate

# After how many rounds what they left is collected, outside of what is measured.
_ROUNDS_OF_GARBAGE = 20
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


def _print(title: str, alone: Candidate, others: list[Candidate]) -> None:
    """A table: what each adds, in parts of what ProxyFix adds, and of the application alone."""
    added = {one.name: one.added(alone) for one in others}
    fix, whole = added.get(FIX), alone.microseconds
    print(f"\n{title:40} {'adds µs':>8} {'÷ ProxyFix':>11} {'÷ alone':>8}")
    print(f"{ALONE:40} {whole:8.2f}")
    for name, more in added.items():
        beside = f"{more / fix:11.2f}" if fix else f"{'':11}"
        print(f"{name:40} {more:8.2f} {beside} {more / whole:8.1%}")


def _figures(
    title: str, alone: Candidate, others: list[Candidate], requests: list[Request]
) -> Iterator[Figure]:
    """What ours adds ÷ what the same work adds; or of a stack, in per cent of its whole request.

    Beside these is what ProxyFix adds by itself, and what it is of the application alone, which
    nobody can ask without a server.
    """
    added = {one.name: one.added(alone) for one in others}
    for name in (one for one in RATED if one in added):
        label, ratio = f"{name} ÷ {SAME_WORK}, {title}", added[name] / added[SAME_WORK]
        beside = {"÷ ProxyFix": added[name] / added[FIX]}
        figure = Figure(label, "CPU", ratio, goal=1.0, at_most=True, beside=beside)
        yield figure.because(_reason(name, title))
    for one in requests:
        if one.stack != STACKS.get(title):
            continue
        ((name, more),) = added.items()
        beside = {"µs": more, "% of the call alone": more / alone.microseconds * 100}
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
    parser.add_argument("--rounds", type=int, default=1000)
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
    print(
        f"Python {platform.python_version()}, Django {django.__version__}, "
        f"werkzeug {version('werkzeug')}; {options.rounds} rounds of {COPIES} copies"
    )
    found: list[Figure] = []
    for title, (alone, *others) in proxied.tables():
        _measure([alone, *others], options.rounds)
        _print(title, alone, others)
        found += _figures(title, alone, others, options.request)
    if options.figures:
        figures.write(found, options.figures)


def _measure(table: list[Candidate], rounds: int) -> None:
    gc.disable()  # Whose turn it is when it runs would be chance; and nobody pays for another.
    for copy, number in itertools.product(range(COPIES), range(rounds)):
        if number % _ROUNDS_OF_GARBAGE == 0:
            gc.collect()
        for one in random.sample(table, len(table)):
            one.ask(copy)


if __name__ == "__main__":
    main()
