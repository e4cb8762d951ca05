"""What the benchmark reads: wrk's line, and files of /proc."""

from __future__ import annotations

import json
import os
import time

import pytest

from bench import cost, load
from bench.load import NotMeasured

LINE = {
    **{"requests": 1010, "duration": 2_000_000, "bytes": 9, "p50": 1500, "p99": 20_000},
    **{"connect": 1, "read": 2, "write": 3, "status": 10, "timeout": 4},
}
# proc(5): a name with a parenthesis, then state and parent; fields 14 to 17 are utime to cstime.
STAT = "42 (a) b) S 7 " + " ".join(["0"] * 9) + " 100 20 30 4 " + " ".join(["0"] * 35)


def test_bad_answers_are_none() -> None:
    """wrk counts an answer with another status among its requests, and no other error."""
    found = load.parse(f"Running 2s test\n  10 threads\n{json.dumps(LINE)}\n")
    assert (found.answers, found.errors, found.rate) == (1000, 20, 500.0)
    assert (found.p50_ms, found.p99_ms) == (1.5, 20.0)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("cannot open /home/ann/shop/a.conf: gone", "cannot open …: gone"),
        (
            "see https://example.com/a/b, 3/4 and /page/",
            "see https://example.com/a/b, 3/4 and /page/",
        ),
    ],
)
def test_a_reason_names_no_path_of_the_machine(said: str, told: str) -> None:
    """The table is for others; URLs stay."""
    assert str(NotMeasured(said)) == told


@pytest.mark.parametrize("output", ["", "unable to connect", '{"requests": 1}'])
def test_what_cannot_be_read_is_not_measured(output: str) -> None:
    """The reason holds what was said."""
    with pytest.raises(NotMeasured, match="wrk said"):
        load.parse(output)


def test_processor_time_holds_that_of_ended_children() -> None:
    """cutime and cstime, whatever the process is called."""
    ticks = os.sysconf("SC_CLK_TCK")
    assert cost.reaped_seconds(STAT) == pytest.approx(34 / ticks)
    assert cost.parent(STAT) == 7


def test_a_process_has_a_clock_of_its_own() -> None:
    """The one that Python shows of itself; a process that is gone has used nothing."""
    before = time.process_time()
    seen = cost.own_seconds(os.getpid())
    assert before <= seen <= time.process_time()
    assert cost.own_seconds(2**22 + 1) == 0


def test_shared_memory_counts_in_parts() -> None:
    """The line Pss alone: those of its kinds are in it. A process that has ended has none."""
    rollup = "Rss:  9000 kB\nPss:  1234 kB\nPss_Anon: 1000 kB\n"
    assert (cost.pss_kib(rollup), cost.pss_kib("")) == (1234, 0)


def test_a_tree_is_a_process_with_all_below_it() -> None:
    """This process is below its parent, whose time includes its own."""
    assert os.getpid() in cost.tree([os.getppid()])
    assert cost.spent([os.getppid()]) > cost.spent([os.getpid()]) > 0
    assert cost.memory_mib([os.getpid()]) > 1
    assert cost.tree([2**22 + 1]) == {}
