"""What protected files cost: a call of ``sendfile``, and downloads through real servers.

A call is processor time, beside django-sendfile2's and Django's FileResponse. A download is the
time until its last byte, through every stack that can run here, beside the same file as a static
one of that very server. What no hand-off can beat is that one and an empty response of Django's
together: "at best" is the static file beside this sum, which is what "static ÷" can reach at most,
and "least ÷" is the sum beside the download. All candidates take turns; what is printed is the
median of the rounds, and a figure that of their own ratios. HAProxy sends no files.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import django
import django_sendfile
from django.conf import settings
from django.http import FileResponse
from django.test import RequestFactory

from bench import figures
from bench.client import Client
from bench.figures import Figure
from django_deploykit import contract
from django_deploykit.middleware import SendfileMiddleware
from django_deploykit.sendfile import sendfile
from tests.servers import harness, small_projects
from tests.servers.stacks import STACKS, Stack

SIZES = {"1 KiB": 2**10, "1 MiB": 2**20, "1 GiB": 2**30}
# How often in a round, so that small files take as long as a clock can tell.
TIMES = {"1 KiB": 40, "1 MiB": 20, "1 GiB": 1}
# How fast a protected file is at least, in parts of a static one.
GOALS = {"1 MiB": 0.5, "1 GiB": 0.9}
THEIRS = {"nginx": "nginx", "lighttpd": "xsendfile", "apache": "xsendfile"}
PEERS = {
    "nginx": "django-sendfile2 nginx",
    "mod_xsendfile-0.12": "django-sendfile2 xsendfile",
    "lighttpd": "django-sendfile2 xsendfile",
    "stream": "FileResponse",
}
# Without a module, Apache sends what these name by a redirect within itself; else Python sends it.
REDIRECTING = ("mod_wsgi", "scgi")
# What a call costs at most, in parts of the peer's.
GOALS_OF_CALLS = {name: 1.0 for name, peer in PEERS.items() if peer != "FileResponse"}

PROJECT = """
STATIC_URL = "/static/"
STATIC_ROOT = {public!r}
MIDDLEWARE = []
DEPLOYKIT = {{"SITE": {{"PROTECTED": {{"/private/": {private!r}}}}}, {more}}}
SENDFILE_ROOT = {private!r}
SENDFILE_URL = "/private"
SENDFILE_BACKEND = "django_sendfile.backends.{theirs}"
PRIVATE = {private!r}
"""


VIEWS = """
from django.conf import settings
from django.http import FileResponse, HttpResponse
from django.urls import path

import django_sendfile
from django_deploykit.sendfile import sendfile


def ours(request, name):
    return sendfile(request, f"{settings.PRIVATE}/{name}")


def theirs(request, name):
    return django_sendfile.sendfile(request, f"{settings.PRIVATE}/{name}", attachment=True)


def empty(request, name):
    return HttpResponse()


def plain(request, name):
    return FileResponse(open(f"{settings.PRIVATE}/{name}", "rb"), as_attachment=True)


urlpatterns = [
    path("ours/<path:name>", ours),
    path("theirs/<path:name>", theirs),
    path("plain/<path:name>", plain),
    path("empty/<path:name>", empty),
]
"""


def calls(rounds: int, times: int = 300) -> Iterator[Figure]:
    """Print what a call costs until its response is closed, by who sends, beside the peer's."""
    with TemporaryDirectory() as name:
        # As text, which is what a FieldFile has, and what the views of the downloads give to both.
        files = [f"{name}/invoices/invoice {number}.pdf" for number in range(times)]
        Path(name, "invoices").mkdir()
        for number, file in enumerate(files):
            Path(file).write_bytes(b"%PDF")
            os.utime(file, (number, number))
        time.sleep(2)  # lighttpd is not told of younger files.
        settings.DEPLOYKIT = {"SITE": {"PROTECTED": {"/private/": name}}}
        settings.SENDFILE_ROOT = name
        print(f"{'A call':20} {'µs':>7} {'peer µs':>9} {'÷ peer':>8}")
        for backend, peer in PEERS.items():
            each: tuple[list[float], list[float]] = ([], [])
            for _ in range(rounds):
                for call, taken in zip((_ours(backend), _theirs(peer)), each, strict=True):
                    begin = time.process_time_ns()
                    for file in files:
                        call(file).close()
                    taken.append((time.process_time_ns() - begin) / times / 1000)
            ours, theirs = map(median, each)
            # Of each round's own pair: what else the machine does in a round, it does to both.
            ratio = median(one / other for one, other in zip(*each, strict=True))
            print(f"{backend:20} {ours:7.1f} {theirs:9.1f} {ratio:8.2f}  {peer}")
            goal, label = GOALS_OF_CALLS.get(backend), f"sendfile() by {backend} ÷ {peer}"
            found = Figure(label, "CPU", ratio=ratio, goal=goal, at_most=True)
            yield found.because("a peer's call looks for no symbolic link, and makes no ETag")


def _ours(backend: str) -> Callable[[str], Any]:
    request: Any = RequestFactory().get("/", **{contract.SENDFILE_KEY: backend})
    last: Callable[[Any], Any] = SendfileMiddleware(lambda asked: sendfile(asked, asked.file))

    def call(file: str) -> Any:
        request.file = file
        return last(request)

    return call


def _theirs(peer: str) -> Callable[[str], Any]:
    if peer == "FileResponse":
        return lambda file: FileResponse(open(file, "rb"), as_attachment=True)
    request = RequestFactory().get("/")
    settings.SENDFILE_BACKEND = f"django_sendfile.backends.{peer.split()[1]}"
    django_sendfile.utils._get_sendfile.cache_clear()
    return lambda file: django_sendfile.sendfile(request, file, True)


def _stacks(wanted: str) -> Iterator[tuple[Stack, str]]:
    module = '"DEPLOYMENT": {"mod_xsendfile_version": "0.12"}'
    for stack in STACKS.values():
        if stack.target in THEIRS and wanted in str(stack) and stack.gateway != "cgi":
            yield stack, ""
            if stack.is_apache:
                yield stack, module


@contextlib.contextmanager
def _running(stack: Stack, more: str) -> Iterator[harness.Server]:
    with harness.public_directory() as directory:
        public, private = directory / "public", directory / "private"
        public.mkdir()
        private.mkdir()
        for name, size in SIZES.items():
            with (private / f"{name[0]}{name[2]}.bin").open("wb") as file:
                file.truncate(size)  # Of holes: it is not the disk that is measured.
            # The very same file, in the same memory of the system.
            (public / f"{name[0]}{name[2]}.bin").hardlink_to(private / f"{name[0]}{name[2]}.bin")
        text = PROJECT.format(
            public=str(public),
            private=str(private),
            theirs=THEIRS[stack.target],
            more=more,
        )
        project = small_projects.make(directory / "project", {"files": text})
        (project.directory / "files" / "urls.py").write_text(VIEWS)
        time.sleep(2)  # lighttpd is not told of younger files.
        with harness.deployrun(project, *stack.arguments) as server:
            yield server


def _forget_peaks(pids: set[int]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak(pids: set[int]) -> int:
    """The most memory that one of these processes has held, in KiB (proc(5), VmHWM)."""
    lines = [
        line
        for pid in pids
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return max(int(line.split()[1]) for line in lines)


def downloads(stack: Stack, more: str, rounds: int) -> Iterator[Figure]:
    """Print one line for each size; how it compares with a static file of that server."""
    compared = ["static", "empty", "ours", "plain"]
    # It is told no version of mod_xsendfile, and knows no other way for Apache's gateways.
    if more or not stack.is_apache:
        compared.append("theirs")
    with _running(stack, more) as server:
        client, pids = Client(server.port), harness.descendants(server.process.pid)
        peaks = []
        for name in SIZES:
            # nginx writes what it is sent into a file of its own, and ASGI reads all of it first.
            ways = [way for way in compared if way != "plain" or SIZES[name] < 2**30]
            taken: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(rounds + 1):
                for way in ways:
                    path = f"/{way}/{name[0]}{name[2]}.bin"
                    each = [client.fetch(path) for _ in range(TIMES[name])]
                    if number:  # The first round warms everything up.
                        taken[way].append(median(each))
            _forget_peaks(pids)
            client.fetch(f"/ours/{name[0]}{name[2]}.bin")
            peaks.append(_peak(pids))
            _print(stack, more, name, {way: median(each) for way, each in taken.items()})
            if goal := GOALS.get(name):
                label = f"{_label(stack, more)}: static file ÷ protected, {name}"
                yield _figure(label, taken, goal, _streams(stack, more))
        client.close()
        flat = peaks[2] / peaks[1]
        label = f"{_label(stack, more)}: peak memory for 1 GiB ÷ for 1 MiB"
        yield Figure(label, "memory", flat, goal=1.1, at_most=True)
        print(f"{'':36} peak memory {peaks[1] / 1024:.1f} -> {peaks[2] / 1024:.1f} MiB")


def _figure(label: str, taken: dict[str, list[float]], goal: float, streams: bool) -> Figure:
    """The static file ÷ the protected one, what is possible at best, and what stands against it."""
    rounds = list(zip(taken["static"], taken["empty"], taken["ours"], strict=True))
    best = median(static / (static + empty) for static, empty, _ in rounds)
    found = figures.spread([static / ours for static, _, ours in rounds])
    figure = Figure(label, "time", **found, goal=goal, beside={"at best": best})
    if streams:
        return figure.because("Python sends it: only mod_xsendfile could over this gateway")
    if best < goal:
        return figure.because("the file and an empty answer of Django's take longer than that")
    return figure.because("")


def _streams(stack: Stack, more: str) -> bool:
    return stack.is_apache and not more and stack.gateway not in REDIRECTING


def _label(stack: Stack, more: str) -> str:
    return f"{stack}{' xsendfile' if more else ''}".replace(" from the package index", "*")


def _print(stack: Stack, more: str, name: str, seconds: dict[str, float]) -> None:
    ours, label = seconds["ours"], _label(stack, more)
    seconds["least"] = seconds["static"] + seconds["empty"]
    ratios = [
        f"{seconds[way] / ours:>{width}.2f}" if way in seconds else f"{'-':>{width}}"
        for way, width in (("static", 9), ("least", 9), ("plain", 15), ("theirs", 7))
    ]
    # What no hand-off can beat, for Django is asked.
    ratios.insert(1, f"{seconds['static'] / seconds['least']:>8.2f}")
    print(f"{label:36} {name} {ours * 1000:9.2f} {' '.join(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, help="a file to write them to as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stack", default="", help="only stacks whose name contains this")
    parser.add_argument("--calls", action="store_true", help="no servers")
    options = parser.parse_args()
    settings.configure(SENDFILE_URL="/private", SECRET_KEY="a")
    django.setup()
    print(f"Django {django.__version__}, django-sendfile2 {version('django-sendfile2')}\n")
    found = list(calls(options.rounds * 8))
    if not options.calls:
        found += _all_downloads(options.stack, options.rounds)
    if options.figures:
        figures.write(found, options.figures)


def _all_downloads(wanted: str, rounds: int) -> Iterator[Figure]:
    columns = f"{'ms':>9} {'static ÷':>9} {'at best':>8} {'least ÷':>9}"
    print(f"\n{'A download':36} {'':5} {columns} {'FileResponse ÷':>15} {'peer ÷':>7}")
    for stack, more in _stacks(wanted):
        try:
            stack.require()
        except harness.pytest.skip.Exception as missing:
            print(f"{stack}: not measured: {missing}")
        else:
            yield from _kept(_label(stack, more), downloads(stack, more, rounds))


def _kept(label: str, found: Iterator[Figure]) -> Iterator[Figure]:
    """What was found of one stack; where that ends early, why, and the others are measured."""
    try:
        yield from found
    except (AssertionError, OSError, harness.pytest.fail.Exception) as error:
        print(f"{label}: not measured any further: {error}", flush=True)
        yield Figure(f"{label}: static file ÷ protected", "", remark=f"not measured: {error}")


if __name__ == "__main__":
    main()
