"""The benchmark's table: ratios, goals, and what is said where nothing was measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import commands, figures, report, rounds, rows
from bench.__main__ import RESULTS
from bench.figures import Figure
from bench.load import Load
from bench.peers import django_docs, express
from bench.report import Report
from bench.rounds import Results
from bench.rows import CPU, RATE, Row
from bench.sides import Sample, Side, View

OURS, THEIRS, VIEW = rows.APACHE, django_docs.MOD_WSGI, View("page", "/page/")


def sample(cpu: float, rate: float, memory: float = 100.0) -> Sample:
    """A second of good answers."""
    return Sample(Load(int(rate), 0, 1.0, 10.0, 20.0), cpu, memory)


def results(*samples: tuple[Side, Sample | None]) -> Results:
    found = Results()
    for side, one in samples:
        found.add(side, VIEW, one, "" if one else "it did not start")
    return found


@pytest.mark.parametrize(
    ("ratio", "goal", "at_most", "holds"),
    [
        (2.3, 2.3, False, True),
        (2.296, 2.3, False, True),  # The table shows 2.30.
        (2.29, 2.3, False, False),
        (1.0, 1.0, True, True),
        (1.01, 1.0, True, False),
        (1.0, None, False, None),
        (None, 1.0, False, None),
    ],
)
def test_a_goal_holds_by_what_the_table_shows(
    ratio: float | None, goal: float | None, at_most: bool, holds: bool | None
) -> None:
    """Nothing is said where there is no goal, or no ratio."""
    assert Figure("row", CPU, ratio, goal=goal, at_most=at_most).holds is holds


def test_a_ratio_above_one_is_ours() -> None:
    """Less processor time, or more requests; the median of the rounds, with its spread."""
    measured = results(
        (OURS, sample(100, 400)),
        (THEIRS, sample(200, 100)),
        (OURS, sample(100, 300)),
        (THEIRS, sample(300, 100)),
        (OURS, sample(100, 200)),
        (THEIRS, sample(250, 100)),
    )
    (by_cpu, by_rate) = rounds.figures(
        [Row(OURS, THEIRS, VIEW, CPU, 2.0), Row(OURS, THEIRS, VIEW, RATE, 3.5, "why")], measured
    )
    assert (by_cpu.ratio, by_cpu.low, by_cpu.high, by_cpu.remark) == (2.5, 2.0, 3.0, "")
    assert by_cpu.beside == {RATE: 3.0, "p99": 1.0, "memory": 1.0}
    assert (by_rate.ratio, by_rate.holds, by_rate.remark) == (3.0, False, "why")


def test_a_side_that_cannot_run_is_a_row_that_says_so() -> None:
    """Only rounds in which both ran are compared; with none of them there is a reason."""
    row = Row(OURS, THEIRS, VIEW, CPU, 2.0)
    once = results((OURS, sample(100, 1)), (THEIRS, None), (OURS, sample(100, 1)))
    once.add(THEIRS, VIEW, sample(300, 1))
    (figure,) = rounds.figures([row], once)
    assert figure.ratio == 3.0
    (figure,) = rounds.figures([row], results((OURS, sample(1, 1)), (THEIRS, None)))
    assert (figure.ratio, figure.holds) == (None, None)
    assert figure.remark.endswith("it did not start")


def test_the_worst_restart_is_seen() -> None:
    """Against the median of all of them."""
    measured = results(*((OURS, sample(1, rate)) for rate in (100, 45, 110)))
    measured.add(rows.NGINX, VIEW, None, "it did not start")
    worst, missing = rounds.steadiness(measured)
    assert (worst.ratio, worst.holds, worst.remark) == (0.45, False, "of 3 restarts")
    assert missing.remark.endswith("it did not start")


def test_a_restart_in_which_everything_cost_more_says_so() -> None:
    """The machine was slower then: no worker waited while another had all the requests."""
    measured = results(*((OURS, sample(cost, 100 / cost)) for cost in (1, 2, 1)))
    worst = next(rounds.steadiness(measured))
    assert (worst.ratio, worst.holds) == (0.5, False)
    assert worst.remark == "of 3 restarts; a page took as much more processor time in the worst"


@pytest.mark.parametrize(
    ("low", "high", "at_most", "remark"),
    [
        (0.7, 0.8, False, ""),
        (0.7, 0.9, False, "some rounds met it"),
        (0.9, 1.2, True, "some rounds met it"),
        (1.0, 1.2, True, ""),
    ],
)
def test_what_misses_its_goal_for_no_known_reason(
    low: float, high: float, at_most: bool, remark: str
) -> None:
    """That the rounds lie on both sides of it is worth knowing."""
    ratio = 1.1 if at_most else 0.75
    figure = Figure("a row", CPU, ratio, low, high, goal=0.9, at_most=at_most)
    assert figure.because("").remark == remark
    assert figure.because("a reason").remark == "a reason"


def test_a_hello_of_each_of_our_stacks_is_known() -> None:
    """The median of what was measured; a stack that did not start has none, and no peer counts."""
    measured, hello = Results(), rows.HELLO
    for cpu in (900, 1000, 1400):
        measured.add(rows.NGINX, hello, sample(cpu, 1))
    measured.add(rows.APACHE, hello, None, "it did not start")
    measured.add(THEIRS, hello, sample(1, 1))
    assert list(rounds.hellos(measured)) == [(rows.NGINX.name, 1000)]


def test_memory_is_compared_with_a_peer_that_is_as_fast() -> None:
    """A leaner one that is slower does not count."""
    slower, as_fast = express.DEFAULTS, THEIRS
    measured = results(
        (OURS, sample(1, 100, 90)), (slower, sample(1, 90, 10)), (as_fast, sample(1, 96, 60))
    )
    (figure,) = rounds.memory(measured)
    assert (figure.ratio, figure.holds) == (1.5, False)
    assert as_fast.name in figure.remark
    (figure,) = rounds.memory(results((OURS, sample(1, 100)), (slower, sample(1, 94))))
    assert figure.remark == "not measured: no peer is within 5 % of its requests/s"


def test_what_each_site_more_costs() -> None:
    """The slope at many ÷ the slope at few; Python's own start is in neither."""
    figure = commands.slope({1: 1.0, 100: 10.9, 1000: 145.9})
    assert figure.ratio == pytest.approx(1.5)
    assert figure.holds is False
    assert figure.remark == "100 ms each up to 100 sites, 150 ms up to 1000"


def test_figures_survive_a_file(tmp_path: Path) -> None:
    """As one process leaves them for another."""
    found = [Figure("row", CPU, 1.0, 0.9, 1.1, goal=1.0, beside={RATE: 2.0}, remark="why")]
    figures.write(found, tmp_path / "figures")
    assert figures.read(tmp_path / "figures") == found


def test_the_table() -> None:
    """A line for each figure, whatever is in it, and one for each side and view."""
    found = [
        Figure("ours ÷ theirs", CPU, 1.234, 1.1, 12.34, goal=1.3, beside={"p99": 123.4}),
        Figure("memory", "memory", goal=1.0, at_most=True, remark="a | b\nc"),
    ]
    measured = results((OURS, sample(100, 400)), (THEIRS, None))
    text = report.markdown(
        Report({"cores": "2"}, {"Stacks": found}, measured, {"ours": "here"}, "busy")
    )
    lines = text.splitlines()
    assert "**busy**" in lines
    assert "| ours ÷ theirs | CPU | 1.23 | 1.10 – 12.3 | ≥ 1.30 | **no** | p99 123 |  |" in lines
    assert "| memory | memory |  |  | ≤ 1.00 |  |  | a ¦ b c |" in lines
    assert f"| {OURS.name} | page | 100 | 400 | 400 | 10.0 | 20.0 | 100 | 0 |" in lines
    assert f"| {THEIRS.name} | page | not measured |  |  |  |  |  |  |" in lines
    assert "- ours: here" in lines


def test_both_forms_are_written(tmp_path: Path) -> None:
    """The second holds every sample, for programs."""
    done = Report({}, {"Stacks": [Figure("row", CPU, 1.0)]}, results((OURS, sample(100, 400))))
    report.write(done, tmp_path)
    found = json.loads((tmp_path / "latest.json").read_text())
    assert found["sections"]["Stacks"][0]["ratio"] == 1.0
    assert found["samples"][f"{OURS.name}, page"][0]["load"]["answers"] == 400
    assert (tmp_path / "latest.md").read_text() == report.markdown(done)


def test_every_row_is_another_comparison_of_ours() -> None:
    """A quick run asks for some of them; every side says where it is from."""
    every = rows.rows()
    assert len({one.name for one in every}) == len(every)
    assert all(one.ours.ours and not one.theirs.ours for one in every)
    assert all(side.source for one in every for side in (one.ours, one.theirs))
    quick = rows.rows(quick=True)
    assert set(quick) < set(every)
    assert all(one.goal for one in quick)


@pytest.mark.parametrize("row", rows.rows(), ids=lambda row: row.name)
def test_a_reason_states_no_figure(row: Row) -> None:
    """It stands beside what this machine found, and would state what another one did."""
    assert not re.search(r"\d\.\d|\d ?%|\dth\b|would be \d", row.remark)


def test_the_table_that_is_kept_has_the_reasons_of_today() -> None:
    """A row that misses its goal says why in the words of ``bench/rows.py``."""
    kept = json.loads((RESULTS / "latest.json").read_text(encoding="utf-8"))
    reasons = {one.name: one.remark for one in rows.rows() if one.remark}
    missed = [one for one in kept["sections"][report.STACKS] if one["holds"] is False]
    said = {one["name"]: one["remark"] for one in missed if one["name"] in reasons}
    assert said == {name: reasons[name] for name in said}
