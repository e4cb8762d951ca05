"""What ``--explain`` cites of the benchmark: rows that exist, with their figures, and where a plan
has what they were measured with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench import report, rounds, rows
from django_deploykit.config import measured
from django_deploykit.config.facts import Mount, StaticFiles
from django_deploykit.config.measured import Row
from django_deploykit.config.plan import Plan
from tests.cases import DEPLOYMENT, site

LATEST = json.loads((command.RESULTS / "latest.json").read_text(encoding="utf-8"))
STATIC = Mount(url="/static/", directory=Path("/srv/static"), setting="STATIC_ROOT")
FILES = StaticFiles(mounts=(STATIC,))


def plan(label: str, app_server: str = "", static: Any = None, **chosen: Any) -> Plan:
    return Plan(
        sites=(site("shop", static=static),),
        deployment=replace(DEPLOYMENT, **{"processes": 2, "cpu": 2, **chosen}),
        label=label,
        gateway=label.partition("/")[2],
        app_server=app_server,
    )


def test_every_cited_row_is_one_of_the_table() -> None:
    """With the figures that stand there: both are of one run."""
    assert {one["name"] for one in LATEST["sections"][report.STACKS]} >= measured.cited()
    assert measured.cited() == set(measured.measured().rows)
    assert command.CITED.read_text(encoding="utf-8") == report.cited(LATEST), "run make bench-quick"


def test_a_quick_run_measures_every_cited_row() -> None:
    """Whoever drops or renames a row learns who cites it before the next run."""
    asked = {(stack.name, rows.PAGE.name): [None] for stack in rows.STACKS}
    steady = rounds.steadiness(rounds.Results(dict(asked)))
    names = {one.name for one in (*rows.rows(quick=True), *steady)}
    assert measured.cited() <= names


def test_another_figure_in_the_table_is_another_citation() -> None:
    """What would be written follows the table: figures, the machine, and what is cited alone."""
    found = json.loads(json.dumps(LATEST))
    table = found["sections"][report.STACKS]
    table.append({"name": "not cited"})
    next(row for row in table if row["name"] in measured.cited())["ratio"] = 7.5
    found["head"]["cores"], found["warning"] = "64", ""
    kept = json.loads(report.cited(found))
    assert kept["rows"][0]["ratio"] == 7.5
    assert {one["name"] for one in kept["rows"]} == measured.cited()
    assert kept["where"].startswith("on 64 cores (")
    assert "busy" not in kept["where"]
    assert "busy" in json.loads(report.cited({**found, "warning": "busy"}))["where"]


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        ([], True),
        (["--quick", "--restarts", "5"], True),
        (["--only", "nginx"], False),
        (["--stacks"], False),
        (["--results", "/somewhere"], False),
    ],
)
def test_a_part_of_the_benchmark_changes_no_citation(words: list[str], whole: bool) -> None:
    """Only what measured everything says what the package says."""
    assert command.is_whole(command.parsed(words)) is whole


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            Row("a ÷ b", "CPU", 1.976, 1.9, False, True),
            "is 1.98 by CPU, which meets the goal ≥ 1.90",
        ),
        (
            Row("a ÷ b", "p99", 12.34, 99, False, False),
            "is 12.3 by p99, which misses the goal ≥ 99.0",
        ),
        (Row("a ÷ b", "CPU", 123.4, 1, True, False), "is 123 by CPU, which misses the goal ≤ 1.00"),
        (Row("a ÷ b", "CPU", 2, None, False, None), "is 2.00 by CPU"),
        (Row("a ÷ b", "CPU", None, 2, False, None), "was not measured"),
    ],
)
def test_a_citation(row: Row, said: str) -> None:
    """The ratio as the table shows it, and whether it is as good as it should be."""
    assert measured.sentence(row) == f"“a ÷ b” {said}"


@pytest.mark.parametrize(
    ("one", "defaults"),
    [
        (
            plan("apache/mod_wsgi", static=replace(FILES, twins=("gz",))),
            [
                *("gateway mod_wsgi", "a process for each CPU", "threads=5"),
                *("static files by the front", "their compressed twins"),
            ],
        ),
        (
            plan("apache/mod_wsgi", threads=15, processes=9, static=FILES),
            ["gateway mod_wsgi", "static files by the front"],
        ),
        (
            plan("nginx/http", "gunicorn"),
            [
                *("gateway http, gunicorn", "--gateway uwsgi instead", "threads=5"),
                "no connection to gunicorn is kept",
            ],
        ),
        (plan("nginx/uwsgi", "uwsgi"), ["gateway uwsgi, uWSGI"]),
        (plan("lighttpd/scgi", "uwsgi", static=FILES), ["static files by the front"]),
        (plan("apache/http", "gunicorn"), []),
        (plan("haproxy/http", "gunicorn"), []),
    ],
    ids=["apache", "apache-chosen", "nginx", "nginx-uwsgi", "lighttpd", "apache-http", "haproxy"],
)
def test_what_is_cited(one: Plan, defaults: list[str]) -> None:
    """Rows that speak of what this plan has: not of numbers that were chosen, or of files that it
    does not send; below them, where they were measured, and where to read more."""
    *lines, last = [*measured.explained(one)] or [""]
    found = dict.fromkeys(line.removeprefix("measured: ").partition(": “")[0] for line in lines)
    assert list(found) == defaults
    assert bool(last) is bool(defaults)
    if last:
        assert last.startswith("measured on ")
        assert last.endswith("docs/explanation/benchmark.md")
