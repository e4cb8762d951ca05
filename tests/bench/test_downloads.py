"""What the table says of a download: each round's ratio, what is possible, what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import sendfile
from bench.figures import Figure


def test_a_ratio_is_that_of_each_rounds_own_pair() -> None:
    """A round in which the machine was slow was so for both files."""
    taken = {"static": [1.0, 10.0, 1.0], "empty": [1.0, 10.0, 3.0], "ours": [2.0, 20.0, 4.0]}
    found = sendfile._figure("a stack", taken, goal=0.5, streams=False)
    assert (found.low, found.ratio, found.high) == (0.25, 0.5, 0.5)
    assert found.beside == {"at best": 0.5}
    assert found.holds
    assert not found.remark


@pytest.mark.parametrize(
    ("empty", "streams", "remark"),
    [
        (0.1, False, ""),
        (9.0, False, "the file and an empty answer of Django's take longer than that"),
        (9.0, True, "Python sends it: only mod_xsendfile could over this gateway"),
    ],
)
def test_a_missed_goal_has_its_reason(empty: float, streams: bool, remark: str) -> None:
    """Where nothing could meet it, or where Python has to send the file."""
    taken = {"static": [1.0], "empty": [empty], "ours": [10.0]}
    assert sendfile._figure("a stack", taken, goal=0.5, streams=streams).remark == remark


@pytest.mark.parametrize("error", [AssertionError, ConnectionError])
def test_what_fails_is_a_row_and_ends_nothing(error: type[Exception]) -> None:
    """The stacks that come after it are measured, and what was found before is kept."""

    def found() -> Iterator[Figure]:
        yield Figure("a row", "time", 1.0)
        raise error("it is gone")

    kept = list(sendfile._kept("a stack", found()))
    assert [one.ratio for one in kept] == [1.0, None]
    assert kept[1].remark == "not measured: it is gone"


def test_a_front_that_sends_no_files_is_left_out() -> None:
    """HAProxy has no static file to compare with."""
    targets = {stack.target for stack, _ in sendfile._stacks("")}
    assert targets == {"apache", "lighttpd", "nginx"}
