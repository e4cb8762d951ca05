"""Restarts in turn: A B C, A B C, …; each starts everything anew and measures every view."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.figures import Figure, spread
from bench.load import NotMeasured
from bench.rows import CPU, HELLO, PAGE, PEERS, RATE, STACKS, Row
from bench.sides import Sample, Side, View, running

# A throughput so close to ours is as good.
_AS_GOOD = 0.95
# Two ratios of one restart that say the same.
_ALIKE = 0.05


@dataclass
class Results:
    """Samples by side and view, one for each restart, None where there is none; and why."""

    samples: dict[tuple[str, str], list[Sample | None]] = field(default_factory=dict)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, side: Side, view: View, sample: Sample | None, reason: str = "") -> None:
        key = side.name, view.name
        self.samples.setdefault(key, []).append(sample)
        if reason:
            self.reasons[key] = reason

    def of(self, side: Side, view: View) -> list[Sample]:
        """What was measured. Raise NotMeasured where nothing was, with the reason."""
        key = side.name, view.name
        if found := [one for one in self.samples.get(key, []) if one]:
            return found
        raise NotMeasured(f"{side.name}: {self.reasons.get(key, 'not asked for')}")

    def pairs(self, row: Row) -> list[tuple[Sample, Sample]]:
        """Both sides of the rounds in which both were measured. Raise NotMeasured for none."""
        self.of(row.ours, row.view), self.of(row.theirs, row.view)
        both = ((one.name, row.view.name) for one in (row.ours, row.theirs))
        found = zip(*(self.samples[key] for key in both), strict=True)
        if pairs := [(one, other) for one, other in found if one and other]:
            return pairs
        raise NotMeasured("no round measured both")


def measure(
    rows: Iterable[Row], project: Path, rounds: int, seconds: float, say: Callable[[str], None]
) -> Results:
    """Run every side that the rows name, as often as there are rounds."""
    wanted: dict[str, tuple[Side, dict[View, None]]] = {}
    for row in rows:
        for side in (row.ours, row.theirs):
            wanted.setdefault(side.name, (side, {}))[1][row.view] = None
    results = Results()
    for number in range(1, rounds + 1):
        for side, views in wanted.values():
            began = time.monotonic()
            _restart(results, side, list(views), project, seconds)
            say(f"round {number}/{rounds}: {side.name}, {time.monotonic() - began:.0f} s")
    return results


def _restart(
    results: Results, side: Side, views: list[View], project: Path, seconds: float
) -> None:
    left = list(views)
    try:
        with running(side, project, views[0]) as one:
            one.warm_up(views[0])
            while left:
                sample = one.measure(left[0], seconds)
                results.add(side, left.pop(0), sample)
    except (NotMeasured, OSError, ValueError) as error:
        for view in left:
            results.add(side, view, None, str(error))


def figures(rows: Iterable[Row], results: Results) -> Iterator[Figure]:
    """A line for each row, measured or not."""
    for row in rows:
        try:
            yield _figure(row, results.pairs(row))
        except NotMeasured as error:
            yield Figure(row.name, row.by, goal=row.goal, remark=f"not measured: {error}")


def _figure(row: Row, pairs: list[tuple[Sample, Sample]]) -> Figure:
    ratios = {
        CPU: [theirs.cpu_us / one.cpu_us for one, theirs in pairs if one.cpu_us],
        RATE: [one.load.rate / theirs.load.rate for one, theirs in pairs],
        "p99": [theirs.load.p99_ms / one.load.p99_ms for one, theirs in pairs],
        "memory": [theirs.memory_mib / one.memory_mib for one, theirs in pairs],
    }
    judged = ratios.pop(row.by)
    if not judged:
        raise NotMeasured("a request took less than a tick of the clock")
    beside = {name: median(each) for name, each in ratios.items() if each}
    figure = Figure(row.name, row.by, goal=row.goal, beside=beside, **spread(judged))
    return figure.because(row.remark)


def steadiness(results: Results) -> Iterator[Figure]:
    """The worst restart of each of our stacks ÷ its median."""
    for side in _asked(results):
        name, goal = f"{side.name}: worst restart ÷ median, page", 0.9
        try:
            samples = results.of(side, PAGE)
        except NotMeasured as error:
            yield Figure(name, RATE, goal=goal, remark=f"not measured: {error}")
            continue
        rates, costs = zip(*((one.load.rate, one.cpu_us) for one in samples), strict=True)
        ratio, remark = min(rates) / median(rates), f"of {len(rates)} restarts"
        cost = median(costs) / max(costs) if all(costs) else None
        beside = {CPU: cost} if cost else {}
        figure = Figure(name, RATE, ratio=ratio, goal=goal, beside=beside, remark=remark)
        if cost and abs(cost - ratio) <= _ALIKE:  # No worker waited while others had it all.
            remark += "; a page took as much more processor time in the worst"
        yield figure.because(remark)


def memory(results: Results) -> Iterator[Figure]:
    """The memory of each of our stacks ÷ that of the leanest peer that is as fast, for the page."""
    for side in _asked(results):
        name = f"{side.name}: memory ÷ the leanest peer as fast, page"
        try:
            ratio, remark = _memory(side, results)
        except NotMeasured as error:
            yield Figure(name, "memory", goal=1.0, at_most=True, remark=f"not measured: {error}")
        else:
            yield Figure(name, "memory", ratio, goal=1.0, at_most=True, remark=remark)


def _memory(side: Side, results: Results) -> tuple[float, str]:
    rate, mine = _medians(results.of(side, PAGE))
    measured = [peer for peer in PEERS if any(results.samples.get((peer.name, PAGE.name), []))]
    medians = {peer.name: _medians(results.of(peer, PAGE)) for peer in measured}
    as_fast = {name: mib for name, (theirs, mib) in medians.items() if theirs >= rate * _AS_GOOD}
    if not as_fast:
        raise NotMeasured("no peer is within 5 % of its requests/s")
    peer = min(as_fast, key=as_fast.__getitem__)
    return mine / as_fast[peer], f"{peer}: {as_fast[peer]:.0f} MiB"


def hellos(results: Results) -> Iterator[tuple[str, float]]:
    """Each of our stacks that answered the hello view, with the microseconds that one took."""
    for side in STACKS:
        if samples := [one for one in results.samples.get((side.name, HELLO.name), []) if one]:
            yield side.name, median(one.cpu_us for one in samples)


def _asked(results: Results) -> list[Side]:
    """Those of our stacks that some row asked for the page."""
    return [side for side in STACKS if (side.name, PAGE.name) in results.samples]


def _medians(samples: list[Sample]) -> tuple[float, float]:
    return median(one.load.rate for one in samples), median(one.memory_mib for one in samples)
