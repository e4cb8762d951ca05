"""The table of stacks: which rows of the behaviour table hold, and which do not apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from tests.servers import rows
from tests.servers.stacks import SITES, Cell, Site

# What a test says about itself: the cell of its stack and the number of its row.
PROPERTY = "row of the behaviour table"


@dataclass
class Outcomes:
    """What became of each row on each stack."""

    passed: dict[Cell, set[int]] = field(default_factory=dict)
    failed: dict[Cell, set[int]] = field(default_factory=dict)

    def add(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test; its server may fail before and after it."""
        for name, value in report.user_properties:
            if name == PROPERTY and (report.failed or report.when == "call"):
                cell, number = value
                kind = self.failed if report.failed else self.passed
                kind.setdefault(tuple(cell), set()).add(number)

    def lines(self) -> list[str]:
        """The table as it was measured, with the number of rows that passed and failed."""
        heading = ["front", "gateway", "application server", "passed", "failed", "not applicable"]
        return markdown(heading, map(self._row, sorted(self.passed.keys() | self.failed.keys())))

    def _row(self, cell: Cell) -> list[str]:
        failed = self.failed.get(cell, set())
        passed = self.passed.get(cell, set()) - failed
        return [*cell, str(len(passed)), str(len(failed)), _left_out(cell)]


def promised() -> list[str]:
    """The table of the README: on every stack, every row that applies holds."""
    heading = ["front", "gateway", "application server", "rows that hold", "not applicable"]
    cells = sorted({site.stack.cell for site in SITES})
    return markdown(
        heading, [[*cell, _spans(rows.proved(_sites(cell))), _left_out(cell)] for cell in cells]
    )


def markdown(heading: list[str], body: Iterable[list[str]]) -> list[str]:
    """A table in Markdown, line by line."""
    table = [heading, ["---"] * len(heading), *body]
    return [f"| {' | '.join(cells)} |" for cells in table]


def _sites(cell: Cell) -> list[Site]:
    return [site for site in SITES if site.stack.cell == cell]


def _left_out(cell: Cell) -> str:
    """The rows, or parts of rows, that this stack does not have, each with the reason."""
    found = rows.left_out(_sites(cell))
    return "; ".join(f"{number}: {', '.join(reasons)}" for number, reasons in found.items())


def _spans(numbers: set[int]) -> str:
    """1, 2, 3 and 5 as "1–3, 5"."""
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    return ", ".join(f"{a}–{b}" if a < b else str(a) for a, b in zip(starts, ends, strict=True))
