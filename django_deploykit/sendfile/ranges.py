"""The parts of a file that a client asks for (RFC 9110 14)."""

from __future__ import annotations

import re

# RFC 9110 17.15: a server should refuse to be made to send the same bytes again and again.
MOST_RANGES = 16

_SPEC = re.compile(r"([0-9]+)-([0-9]*)|-([0-9]+)")
_BEYOND = 10**18  # No file is larger; Python refuses to read numbers of more than 4300 digits.

# First and last byte, both inclusive.
Range = tuple[int, int]


def requested(header: str, size: int) -> list[Range] | None:
    """Read a Range header for a file of ``size`` bytes.

    None means that the whole file is sent: another unit, nonsense, or too many ranges. An empty
    list means that no range lies in the file. Overlapping and adjoining ranges become one.
    """
    unit, _, text = header.partition("=")
    specs = [spec.strip() for spec in text.split(",")] if text.count(",") < MOST_RANGES else []
    matches = [_SPEC.fullmatch(spec) for spec in specs if spec]
    if unit.strip().lower() != "bytes" or not matches:
        return None
    found = []
    for match in matches:
        if match is None:
            return None
        first, last = _bounds(match, size)
        if match[3] is None and match[2] and _number(match[2]) < first:
            return None
        if first <= last:
            found.append((first, last))
    return _joined(sorted(found))


def _bounds(match: re.Match[str], size: int) -> Range:
    if match[3] is not None:
        return max(size - _number(match[3]), 0), size - 1
    last = min(_number(match[2]), size - 1) if match[2] else size - 1
    return _number(match[1]), last


def _number(digits: str) -> int:
    return int(digits) if len(digits) < 19 else _BEYOND


def _joined(ranges: list[Range]) -> list[Range]:
    joined: list[Range] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
