"""What it costs to ask for a user whose password is known: a guarded file beside an open one.

Each front runs as ``manage.py deployrun`` runs it, and ``ab`` (Debian: apache2-utils) asks for two
files of the same size, one in an area and one of STATIC_ROOT. In every round all take turns; a
figure is the median of its rounds. Django's own handler hashes the password each time, and so is
asked far less often.

Beside the requests in a second stands the time of processors that the server and what it asks spend
on one: that hardly changes where the machine has other work, too.

An authorizer that only says yes, in place of ours behind the same configuration, shows what it
costs the server to ask at all.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import django

from bench import figures
from bench.figures import Figure
from bench.guarded import OWN, PASSWORD, Running, ways
from tests.servers import harness

CLIENTS = 8
# How many times more seldom Django's own handler is asked.
SELDOM = 500

Measured = tuple[float, float]


@dataclass
class Candidate:
    """A way to ask, where its two files are, and what was measured of each: requests in a second,
    and seconds of processors for a request."""

    name: str
    running: Running
    seldom: bool = False
    opened: list[Measured] = field(default_factory=list)
    guarded: list[Measured] = field(default_factory=list)

    def measure(self, requests: int) -> None:
        """Ask for both files."""
        self.opened.append(self._measured("/static/file.txt", requests))
        fewer = max(CLIENTS, requests // SELDOM) if self.seldom else requests
        self.guarded.append(self._measured("/files/file.txt", fewer))

    def _measured(self, path: str, requests: int) -> Measured:
        before = self.running.seconds()
        rate = _rate(self.running.port, path, requests)
        return rate, (self.running.seconds() - before) / requests


def _rate(port: int, path: str, requests: int) -> float:
    """Requests that were answered in a second. Raise AssertionError if one was refused."""
    command = ["ab", "-q", "-k", "-n", str(requests), "-c", str(CLIENTS), "-H", "Host: localhost"]
    command += ["-A", f"alice:{PASSWORD}", f"http://127.0.0.1:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Non-2xx responses" not in done.stdout, done.stdout
    found = re.search(r"^Requests per second: +([\d.]+)", done.stdout, re.MULTILINE)
    assert found, done.stdout
    return float(found[1])


@contextlib.contextmanager
def _candidates(directory: Path, only: str) -> Iterator[list[Candidate]]:
    """Every way to ask whose name holds ``only``, each with its servers running."""
    with contextlib.ExitStack() as running:
        yield [
            Candidate(name, running.enter_context(way), seldom=name == OWN)
            for name, way in ways(directory).items()
            if only in name
        ]


def _print(candidates: list[Candidate]) -> None:
    """A table: requests a second, in parts of the open file and of Django's own handler; and what
    a request costs, in millionths of a second."""
    owns = [_medians(one.guarded)[0] for one in candidates if one.name == OWN]
    print(f"\n{'requests/s':30} {'open':>9} {'guarded':>9} {'÷ open':>7}", end="")
    print(f" {'µs open':>8} {'guarded':>9} {'÷ own':>8}")
    for one in candidates:
        (opened, cheap), (guarded, dear) = _medians(one.opened), _medians(one.guarded)
        costs = f"{cheap * 1e6:8.0f} {dear * 1e6:9.0f}"
        parts = costs + "".join(f" {guarded / own:8.0f}" for own in owns)
        print(f"{one.name:30} {opened:9.0f} {guarded:9.1f} {guarded / opened:7.4f} {parts}")


def _medians(measured: list[Measured]) -> Measured:
    rates, seconds = zip(*measured, strict=True)
    return median(rates), median(seconds)


def _figures(candidates: list[Candidate]) -> Iterator[Figure]:
    """Guarded ÷ open of the same server, and ÷ guarded by Django's own handler."""
    owns = [_rates(one.guarded) for one in candidates if one.name == OWN]
    for one in candidates:
        if one.name == OWN:
            continue
        guarded = _rates(one.guarded)
        shares = [ours / bare for ours, bare in zip(guarded, _rates(one.opened), strict=True)]
        why = _reason(one.name)
        name = f"{one.name}: guarded ÷ open file"
        yield Figure(name, "requests/s", goal=0.25, **figures.spread(shares)).because(why)
        for own in owns:
            name = f"{one.name}: guarded ÷ by Django's own handler"
            ratio = median(guarded) / median(own)
            yield Figure(name, "requests/s", ratio=ratio, goal=1000).because(why)


def _reason(name: str) -> str:
    """Why a way to ask misses its goal, where it does."""
    if "endpoint" in name:
        return "each file is a whole request of Django's besides"
    if "authorizer" in name:
        return "a connection and a question in Python for each file; see the one that only says yes"
    return "the server asks Python for each file"


def _rates(measured: list[Measured]) -> list[float]:
    return [rate for rate, _ in measured]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, help="a file to write them to as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5000, help="for each file, in each round")
    parser.add_argument("--only", default="", help="those whose name holds this, such as nginx")
    options = parser.parse_args()
    with (
        harness.public_directory() as directory,
        _candidates(directory, options.only) as candidates,
    ):
        for one in candidates:  # Processes start, and remember a password that they have verified.
            one.measure(max(CLIENTS, options.requests // 10))
            one.opened.clear()
            one.guarded.clear()
        for _ in range(options.rounds):
            for one in candidates:
                one.measure(options.requests)
    print(
        f"Python {platform.python_version()}, Django {django.__version__}; "
        f"{options.rounds} rounds of {options.requests} requests, {CLIENTS} clients"
    )
    _print(candidates)
    if options.figures:
        figures.write(_figures(candidates), options.figures)


if __name__ == "__main__":
    main()
