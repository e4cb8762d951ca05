"""What was promised of authentication at the web server, by number: each has a test that says so.

A test carries a number in its name (``test_r25_...``). ``BOUNDS`` says of which promises a part is
not tested, and why.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

PROMISES = {
    1: "check_password returns True, False, None or a name, and nothing else",
    2: "an unknown user is None; a known one who may not pass is False, or None if asked for",
    3: "the proper name is returned where another spelling was typed",
    4: "names and passwords beyond ASCII, in every version of mod_wsgi",
    5: "groups are UTF-8 bytes; nobody's name passes for a policy",
    6: "access by session is True or False, never None",
    7: "an error is raised, not taken for a refusal, and holds no password",
    8: "a mistaken import is explained",
    9: "every refusal costs one hash",
    10: "no password in any log, error, cache or representation",
    11: "backends get a real request; signals and lock-outs work",
    12: "an empty name or password reaches no backend",
    13: "what is too long reaches no backend",
    14: "the throttle counts REMOTE_ADDR",
    15: "every answer of the authorizer begins with its status",
    16: "the authorizer is for this host, and may want a token",
    17: "an endpoint reads one dialect",
    18: "a URL is normalised before a rule sees it",
    19: "nothing writes a session or sets a cookie",
    20: "an endpoint for nginx answers 200, 401 or 403, and nothing else",
    21: "who is known and may not pass gets 403",
    22: "the way to log in leads back to this host alone",
    23: "identity headers have one encoding, and are always all there",
    24: "a password that is remembered costs no hash and next to no query",
    25: "a WebDAV listing costs one hash",
    26: "clients that come together cost one hash",
    27: "so many hashes at a time, and an error beyond",
    28: "memory is bounded, whatever is tried",
    29: "no connection that is too old, before or after",
    30: "an outage is an error and ends",
    31: "a read-only database is the backend's business",
    32: "user models of any kind",
    33: "policies, on a row that is at most REVALIDATE seconds old",
    34: "an unknown permission is an error of the check",
    35: "a group's name cannot pass for a policy",
    36: "each interpreter belongs to one site",
    37: "the first error is the one that is reported",
    38: "state outlives a script, begins anew in a child, and is safe among threads",
    39: "no hash on the event loop; a slow server keeps nobody waiting",
    40: "emitted rules all have to hold, and say 403",
}

BOUNDS = {
    13: "the lengths are constants: nobody has asked for others",
    29: "no pool of psycopg's is opened, which takes a PostgreSQL: what closes a connection is "
    "Django's own wrapper",
    38: "no interpreter without a GIL is among those that the suite runs on",
}


def _carried() -> set[int]:
    """The numbers in the names of tests."""
    names = [
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_r")
    ]
    return {int(number) for name in names for number in re.findall(r"_r(\d+)(?=_)", name)}


@pytest.mark.parametrize("number", PROMISES)
def test_a_test_says_so(number: int) -> None:
    """No promise without a test that carries its number."""
    assert number in _CARRIED


def test_no_number_means_nothing() -> None:
    """What a test carries is promised, and what is bounded is."""
    assert set(PROMISES) == set(range(1, 41)) == _CARRIED
    assert set(BOUNDS) <= set(PROMISES)


_CARRIED = _carried()
