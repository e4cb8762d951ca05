"""The figures as a table in Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import Figure
from bench.rounds import Results
from bench.sides import Sample
from django_deploykit.config import measured
from django_deploykit.config.measured import number

STACKS = "Whole stacks"
_HOLDS = {True: "yes", False: "**no**", None: ""}
_READING = """\
Ours ÷ theirs: above 1, ours is better, but for goals with "≤". "CPU" is processor time for one
request, of all processes of a side. The ratio is the median of those of the restarts, with the
lowest and the highest beside it; what stands under "beside" is not judged."""


@dataclass(frozen=True)
class Report:
    """What was measured, on what, and how."""

    head: dict[str, str]
    sections: dict[str, list[Figure]]
    results: Results = field(default_factory=Results)
    sources: dict[str, str] = field(default_factory=dict)
    warning: str = ""


def markdown(report: Report) -> str:
    """The whole page."""
    lines = ["# What the stacks cost, beside what others write", "", *_head(report.head)]
    lines += ["", _READING, ""]
    lines += [f"**{report.warning}**", ""] if report.warning else []
    for title, figures in report.sections.items():
        lines += [f"## {title}", "", *_figures(figures), ""]
    if report.results.samples:
        lines += ["## Each side", "", *_sides(report.results), ""]
    if report.sources:
        lines += ["## Where each configuration is from", ""]
        lines += [f"- {name}: {source}" for name, source in report.sources.items()]
    return "\n".join(lines).rstrip() + "\n"


def document(report: Report) -> dict[str, Any]:
    """The same for programs."""
    sections = {
        title: [{**asdict(one), "holds": one.holds} for one in figures]
        for title, figures in report.sections.items()
    }
    samples = {
        f"{side}, {view}": [asdict(one) if one else None for one in each]
        for (side, view), each in report.results.samples.items()
    }
    whole: dict[str, Any] = {"head": report.head, "sections": sections, "samples": samples}
    return whole | {"sources": report.sources, "warning": report.warning}


def write(report: Report, directory: Path) -> None:
    """Leave both as ``latest``."""
    directory.mkdir(exist_ok=True)
    (directory / "latest.md").write_text(markdown(report), encoding="utf-8")
    (directory / "latest.json").write_text(_json(document(report)), encoding="utf-8")


def cited(found: dict[str, Any]) -> str:
    """What the package says of such a document: the rows that it cites, and where they are from."""
    names, said = measured.cited(), [one.name for one in fields(measured.Row)]
    rows = [
        {key: one[key] for key in said} for one in found["sections"][STACKS] if one["name"] in names
    ]
    return _json({"where": _where(found), "rows": rows})


def _where(found: dict[str, Any]) -> str:
    head, busy = found["head"], ", while it was busy" if found["warning"] else ""
    return f"on {head['cores']} cores ({head['processor']}){busy}; {head['pace']}"


def _json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _head(head: dict[str, str]) -> Iterator[str]:
    yield "; ".join(f"{name} {value}" for name, value in head.items()) + "."


def _figures(figures: Iterable[Figure]) -> Iterator[str]:
    yield "| row | by | ratio | lowest – highest | goal | holds | beside | remark |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in figures:
        beside = ", ".join(f"{name} {number(value)}" for name, value in one.beside.items())
        between = ""
        if one.low is not None and one.high is not None:
            between = f"{number(one.low)} – {number(one.high)}"
        goal = "" if one.goal is None else f"{'≤' if one.at_most else '≥'} {number(one.goal)}"
        ratio = "" if one.ratio is None else number(one.ratio)
        cells = (one.name, one.by, ratio, between, goal, _HOLDS[one.holds], beside, one.remark)
        yield _row(cells)


def _sides(results: Results) -> Iterator[str]:
    yield "| side | view | CPU µs | requests/s | lowest | p50 ms | p99 ms | memory MiB | errors |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for (side, view), each in results.samples.items():
        if samples := [one for one in each if one]:
            yield _row((side, view, *_medians(samples)))
        else:
            yield _row((side, view, "not measured", *[""] * 6))


def _medians(samples: list[Sample]) -> tuple[str, ...]:
    rates = [one.load.rate for one in samples]
    return (
        number(median(one.cpu_us for one in samples)),
        number(median(rates)),
        number(min(rates)),
        number(median(one.load.p50_ms for one in samples)),
        number(median(one.load.p99_ms for one in samples)),
        number(median(one.memory_mib for one in samples)),
        str(sum(one.load.errors for one in samples)),
    )


def _row(cells: Iterable[str]) -> str:
    """A line of a table; what would end a cell, or a line, does not."""
    return f"| {' | '.join(cell.replace('|', '¦').replace(chr(10), ' ') for cell in cells)} |"
