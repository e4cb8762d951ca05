"""One line of the table: a ratio with its spread, its goal, and what stands beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TypedDict


@dataclass(frozen=True)
class Figure:
    """Ours ÷ theirs, or why there is none.

    ``goal`` is the least ratio that is good, or the most where ``at_most``. ``remark`` says why it
    was not measured, or why it misses its goal.
    """

    name: str
    by: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    goal: float | None = None
    at_most: bool = False
    beside: dict[str, float] = field(default_factory=dict)
    remark: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None where there is no goal, or no ratio."""
        if self.ratio is None or self.goal is None:
            return None
        # What the table shows decides: nobody should see "0.95 ≥ 0.95: no".
        shown = round(self.ratio, 2)
        return shown <= self.goal if self.at_most else shown >= self.goal

    def because(self, remark: str) -> Figure:
        """The same with the reason for which it misses its goal, if it does. Where none is known,
        it is worth saying that some rounds met it."""
        if self.holds is not False:
            return self
        return replace(self, remark=remark or ("some rounds met it" if self._was_met() else ""))

    def _was_met(self) -> bool:
        best = self.low if self.at_most else self.high
        return best is not None and bool(replace(self, ratio=best).holds)


class Spread(TypedDict):
    """What a Figure has of several ratios."""

    ratio: float
    low: float
    high: float


def spread(ratios: Sequence[float]) -> Spread:
    """The median of some ratios, and the lowest and highest of them."""
    return {"ratio": median(ratios), "low": min(ratios), "high": max(ratios)}


def write(figures: Iterable[Figure], path: Path) -> None:
    """Leave figures for another process."""
    path.write_text(json.dumps([asdict(one) for one in figures]), encoding="utf-8")


def read(path: Path) -> list[Figure]:
    """What another process has left."""
    return [Figure(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
