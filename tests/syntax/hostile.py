"""Values that break naive configuration writers: every pair of awkward pieces, and long ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

# ``defined`` exists as a Define, ``HOME`` in the environment; each would be replaced.
DEFINED = "deploykit_defined"

PIECES = (
    *("", "a", "Z9", "-", "-f", ".", "..", "/", "//", "~", "é", "e\u0301", "日本", "😀", "\u2028"),
    *(" ", "  ", '"', '""', "'", '\\"', "\\", "\\\\", "\\n", "\\1", "\\$", "\\ ", "`", "#", "# "),
    *("$", "$$", "$1", "$0", "$HOME", "${HOME}", f"${{{DEFINED}}}", "${unknown}", "${", "}", "{"),
    *("%", "%%", "%1", "%h", "%{", "%{GLOBAL}", "%{HTTP_HOST}", "%{env:HOME}e", "%25", "%2F"),
    *("&", "\\&", ";", "<", ">", "</", "/>", "(", ")", "(?x)", "[", "]", "[a]", "*", "?", "+", "^"),
    *("|", "=", "!", ",", ":", "@", "expr=", "expr=true", "EXPR=", "early", "env=HOME", "syslog:"),
    *("\t", "\n", "\r", "\r\n", "\\\n", "\0", "\x0b", "\x1b", "\x7f", "\x85", "\ud800", "\udcff"),
)

_SEED = 20


def values() -> list[str]:
    """Every pair of pieces, mixtures of up to twelve, and values of 4, 8 and 9 KiB."""
    repeatable = random.Random(_SEED)  # noqa: S311 - the same values on every run
    pairs = ["".join(pair) for pair in product(PIECES, repeat=2)]
    mixtures = ["".join(repeatable.choices(PIECES, k=12)) for _ in range(500)]
    calm = [piece for piece in PIECES if piece.isprintable() and "${" not in piece]
    mixtures += ["".join(repeatable.choices(calm, k=12)) for _ in range(500)]
    long = [piece * (4096 // len(piece)) for piece in calm if piece]
    edge = ["a" * 8192, "a" * 8193, "é" * 4096, "é" * 4097, '"' * 8192, "a" * 9216]
    return list(dict.fromkeys([*pairs, *mixtures, *long, *edge]))


def some(usable: Callable[[str], bool], count: int) -> list[str]:
    """Every single piece that is usable, and others up to ``count``, the same on every run."""
    repeatable = random.Random(_SEED)  # noqa: S311 - the same values on every run
    rest = [value for value in values() if value not in PIECES and usable(value)]
    singles = [piece for piece in PIECES if usable(piece)]
    return [*singles, *repeatable.sample(rest, count - len(singles))]


def is_file_name(value: str) -> bool:
    """Tell whether a directory could hold a file of this name."""
    size = len(value.encode("utf-8", "surrogatepass"))
    return value not in ("", ".", "..") and "/" not in value and size <= 200
