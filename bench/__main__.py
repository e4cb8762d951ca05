"""``python -m bench [--quick]``: every row in one run, written to ``bench/results/latest.*``.

What cannot be measured here is a row that says so, and ends nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import django

from bench import commands, figures, load, projects, report, rounds
from bench.figures import Figure
from bench.report import Report
from bench.rounds import Results
from bench.rows import Row, rows
from django_deploykit.config import measured
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.servers.apache import installed as apache
from django_deploykit.config.servers.lighttpd import installed as lighttpd
from django_deploykit.config.servers.nginx import installed as nginx
from tests.servers import harness

# Of one processor: so much a terminal and a few daemons take.
_IDLE = 0.2
_LOOK_SECONDS = 3
_BUSY = "processors busy before"
RESULTS = Path(__file__).parent / "results"
# What the package says of a whole run: nothing else may change it.
CITED = harness.ROOT / "django_deploykit" / "config" / measured.FILE
_PACKAGES = ("mod_wsgi", "gunicorn", "pyuwsgi", "whitenoise")


@dataclass(frozen=True)
class Pace:
    """How long everything takes: restarts, seconds for each view, sites, words of the others."""

    name: str
    restarts: int
    seconds: float
    sites: tuple[int, ...]
    others: dict[str, Sequence[str]]

    @property
    def head(self) -> dict[str, str]:
        """What the table says of it."""
        how = f"{self.name}, {self.restarts} restarts of {self.seconds:.0f} s a view"
        return {"pace": how, "connections": str(load.CONNECTIONS)}


FULL = Pace("full", 5, 3, (1, 100, 1000), {"proxy": (), "auth": (), "sendfile": ()})
QUICK = Pace(
    "quick",
    2,
    1,
    (1, 3, 9),
    {
        "proxy": ("--rounds", "300"),
        "sendfile": ("--rounds", "1", "--calls"),
    },
)
TITLES = {
    "proxy": "Proxies: what is added to a request",
    "auth": "Users: a guarded file",
    "sendfile": "Protected files",
}


def main() -> None:
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Everything that runs is ended, as ever.
    began, pace = time.monotonic(), QUICK if options.quick else FULL
    pace = replace(pace, restarts=options.restarts or pace.restarts)
    if options.stacks:
        pace = replace(pace, sites=(), others={})
    wanted = tuple(row for row in rows(quick=options.quick) if options.only in row.name)
    done = _measured(wanted, pace)
    report.write(done, options.results)
    if is_whole(options):
        CITED.write_text(report.cited(report.document(done)), encoding="utf-8")
    print(report.markdown(done))
    say(f"done in {time.monotonic() - began:.0f} s: {options.results}/latest.md")


def is_whole(options: argparse.Namespace) -> bool:
    """Whether all that the package cites is measured, and is to be kept."""
    return not options.only and not options.stacks and options.results == RESULTS


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="in less than three minutes")
    parser.add_argument("--only", default="", help="rows of stacks whose name contains this")
    parser.add_argument("--stacks", action="store_true", help="stacks alone, nothing else")
    parser.add_argument("--restarts", type=int, help="instead of those of the pace")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: %(default)s")
    return parser.parse_args(words)


def _measured(wanted: tuple[Row, ...], pace: Pace) -> Report:
    """Everything, one after the other: nothing else should run meanwhile, so nothing does."""
    head = {**_machine(), **pace.head}
    with harness.public_directory() as directory:
        project = projects.make(directory)
        results = rounds.measure(wanted, project, pace.restarts, pace.seconds, say)
        sections = {report.STACKS: _stacks(wanted, results)}
        if pace.sites:
            sections["Commands"] = list(commands.figures(project, pace.restarts, pace.sites, say))
    # What a proxy's word costs is judged by what a request cost in this very run.
    hellos = [f"--request={stack}={cpu:.1f}" for stack, cpu in rounds.hellos(results)]
    for name, words in pace.others.items():
        more = hellos if name == "proxy" else ()
        sections[TITLES[name]] = _other(name, [*words, *more])
    sources = {side.name: side.source for row in wanted for side in (row.ours, row.theirs)}
    return Report(head, sections, results, sources, _warning(float(head[_BUSY])))


def _warning(busy: float) -> str:
    """What is to be thought of figures from a machine that did something else besides."""
    if busy <= _IDLE:
        return ""
    return (
        f"The machine was busy with something else ({busy} processors before this run): "
        "requests/s and p99 say little, and CPU only what its spread leaves."
    )


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)


def _stacks(wanted: tuple[Row, ...], results: Results) -> list[Figure]:
    return [
        *rounds.figures(wanted, results),
        *rounds.steadiness(results),
        *rounds.memory(results),
    ]


def _other(name: str, words: Sequence[str]) -> list[Figure]:
    """Run another benchmark in a process of its own, and take what it found."""
    say(f"bench.{name}")
    with TemporaryDirectory() as directory:
        path = Path(directory) / "figures.json"
        command = [sys.executable, "-m", f"bench.{name}", *words, "--figures", str(path)]
        done = subprocess.run(command, cwd=harness.ROOT, stdout=sys.stderr, check=False)
        if done.returncode or not path.exists():
            return [Figure(f"bench.{name}", "", remark=f"not measured: status {done.returncode}")]
        return figures.read(path)


def _machine() -> dict[str, str]:
    """What the figures depend on; neither a name nor a place."""
    fronts = {"nginx": nginx, "Apache": apache, "lighttpd": lighttpd}
    versions = {
        **{name: _dotted(one.fill(Deployment()).server_version) for name, one in fronts.items()},
        **{name: _version(name) for name in _PACKAGES},
    }
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        _BUSY: f"{_busy(_LOOK_SECONDS):.1f}",
        "Python": platform.python_version(),
        "Django": django.__version__,
        **{name: found for name, found in versions.items() if found},
    }


def _busy(seconds: float) -> float:
    """How many processors something else keeps busy now; a load average knows of what is over."""
    began, before = time.monotonic(), _ticks()
    time.sleep(seconds)
    passed = (time.monotonic() - began) * os.sysconf("SC_CLK_TCK")
    return (_ticks() - before) / passed


def _ticks() -> int:
    """Those of all processors that were not idle (proc(5): user, nice, system, idle, iowait, …)."""
    words = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:9]
    taken = [int(word) for word in words]
    return sum(taken) - taken[3] - taken[4]


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _dotted(numbers: tuple[int, ...] | None) -> str:
    return ".".join(map(str, numbers or ()))


if __name__ == "__main__":
    main()
