"""Django's released tests of its remote-user login hold for ours, but for two differences.

They run with the source that each of Django's test cases means, once as a key of the environ and
once as a header of a trusted proxy; CREATE is on, as Django has it. Not run are the tests of what
is Django's alone: the wording of its errors, and its deprecated ways to subclass the middleware.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.sources import source
from tests.servers import harness

pytestmark = pytest.mark.xdist_group("peers")
ROOT = Path(__file__).resolve().parents[2]
Outcomes = dict[str, str | None]

# Under ASGI there is no environ, so a key of it never names anybody. Django's middleware reads a
# header instead, which any client can send; ours does not (I1). The tests that begin with somebody
# signing in that way therefore find nobody.
NOT_UNDER_ASGI = {
    "test_header_disappears_async",
    "test_known_user_async",
    "test_last_login_async",
    "test_unknown_user_async",
    "test_user_switch_forces_new_login_async",
}
# Of these two cases, one wants nobody for an unknown user, and one somebody for an inactive one.
_CONTENT = {"KeyRemoteUserNoCreateTest.test_unknown_user_async"}
_MORE = {"KeyAllowAllUsersRemoteUserBackendTest.test_inactive_user_async"}

# A backend of Django's tests reads an address from META itself. Since Django 6.1 the tests put it
# into a header, Remote-Email, which TrustedProxyMiddleware removes whoever sent it: what is copied
# from a front is named in IDENTITY["ATTRIBUTES"].
NOT_IN_META = {
    "HeaderRemoteUserCustomTest.test_unknown_user",
    "HeaderRemoteUserCustomTest.test_unknown_user_async",
}


@pytest.fixture(scope="module")
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Outcomes, str]:
    """What each of Django's tests said, and where they put the address."""
    directory = source(
        "django", request.config.cache.mkdir("peers"), tmp_path_factory.mktemp("django")
    )
    harness.require("the source distribution of Django", directory)
    command = [sys.executable, "-m", "tests.peers.remote_user", str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcomes, email_key = json.loads(done.stdout)
    return outcomes, email_key


@pytest.fixture
def outcomes(ran: tuple[Outcomes, str]) -> Outcomes:
    return ran[0]


@pytest.fixture
def not_in_meta(ran: tuple[Outcomes, str]) -> set[str]:
    """The tests whose address is a header, in the version of Django that is installed."""
    return NOT_IN_META if ran[1].startswith("HTTP_") else set()


def test_every_case_ran(outcomes: Outcomes) -> None:
    """Six cases of Django's at least, most of them for both sources, in both ways."""
    for name in ("RemoteUserTest", "RemoteUserNoCreateTest", "RemoteUserCustomTest"):
        for kind in ("Key", "Header"):
            assert f"{kind}{name}.test_known_user" in outcomes
            assert f"{kind}{name}.test_known_user_async" in outcomes
    assert "HeaderCustomHeaderRemoteUserTest.test_known_user" in outcomes
    assert "KeyPersistentRemoteUserTest.test_header_disappears" in outcomes


def test_nothing_else_differs(outcomes: Outcomes, not_in_meta: set[str]) -> None:
    """Whatever is not listed here passes."""
    listed = _not_under_asgi() | not_in_meta
    assert {name: text for name, text in outcomes.items() if text and name not in listed} == {}


def test_a_key_names_nobody_under_asgi(outcomes: Outcomes, not_in_meta: set[str]) -> None:
    """The listed tests fail, for that reason; and pass with a trusted header."""
    names = _not_under_asgi() & outcomes.keys()
    assert {name.partition(".")[2] for name in names} >= NOT_UNDER_ASGI
    for name in names:
        text = outcomes[name]
        assert text, f"{name} passes: take it off the list"
        assert "'' != " in text or "'AnonymousUser' object has no attribute" in text, text
        twin = name.replace("Key", "Header", 1)
        assert outcomes[twin] is None or twin in not_in_meta


def test_an_identity_header_is_not_in_meta(outcomes: Outcomes, not_in_meta: set[str]) -> None:
    """The listed tests sign the user in, and miss nothing but the address."""
    for name in not_in_meta:
        text = outcomes[name]
        assert text, f"{name} passes: take it off the list"
        assert "'' != 'user@example.com'" in text, text


def _not_under_asgi() -> set[str]:
    cases = ("", "NoCreate", "Custom")
    names = {f"KeyRemoteUser{case}Test.{test}" for case in cases for test in NOT_UNDER_ASGI}
    others = ("AllowAllUsersRemoteUserBackend", "PersistentRemoteUser", "ASGISyncPathRemoteUser")
    names |= {f"Key{case}Test.{test}" for case in others for test in NOT_UNDER_ASGI}
    return (names | _MORE) - _CONTENT
