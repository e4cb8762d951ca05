"""What an attacker, a log or a curious backend gets to see (R9 to R14)."""

from __future__ import annotations

import base64
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.http import HttpRequest
from django.views.debug import ExceptionReporter
from hypothesis import given
from hypothesis import strategies as st

from django_deploykit import contract
from django_deploykit.auth import fastcgi, requests, state, throttle
from django_deploykit.auth.authorizer import Authorizer
from django_deploykit.auth.credentials import LOGIN_LENGTH, PASSWORD_LENGTH, from_header
from django_deploykit.auth.decision import Decision, Reason, line
from django_deploykit.auth.options import Throttle
from django_deploykit.auth.requests import AreaRequest, normalised
from django_deploykit.auth.signals import access_denied, access_granted
from django_deploykit.handlers.modwsgi import check_password, hooks
from tests.auth.conftest import PASSWORD, environ, hashes, user, wire
from tests.people.backends import Choosy, asked
from tests.people.models import Member

FILTER = Path(__file__).parents[2] / "docs" / "howto" / "fail2ban-django-deploykit.conf"


@pytest.mark.parametrize(
    ("login", "password", "policy"),
    [
        ("nobody", PASSWORD, "active"),
        ("alice", "wrong", "active"),
        ("inactive", PASSWORD, "active"),
        ("inactive", "wrong", "active"),
        ("unusable", PASSWORD, "active"),
        ("alice", PASSWORD, "staff"),
        ("alice", "wrong", "staff"),
        ("alice", "", "active"),
        ("", "", "active"),
        ("", PASSWORD, "active"),
        ("nobody", "", "active"),
        ("nul\0", PASSWORD, "active"),
        ("a" * (LOGIN_LENGTH + 1), PASSWORD, "active"),
        ("alice", "a" * (PASSWORD_LENGTH + 1), "active"),
    ],
    ids=ascii,
)
def test_r9_every_refusal_costs_one_hash(
    alice: User, login: str, password: str, policy: str
) -> None:
    """Time tells nobody whether a user exists, is active, or may pass."""
    user("inactive", is_active=False)
    user("unusable").set_unusable_password()
    User.objects.filter(username="unusable").update(password="!")
    hashes()
    assert not hooks(policy).check_password(environ(), login, password)
    assert hashes() == 1


def test_r9_a_wrong_password_costs_a_hash_beside_a_known_one(alice: User) -> None:
    """What is remembered of the right one saves nothing for another."""
    assert check_password(environ(), "alice", PASSWORD) is True
    hashes()
    assert check_password(environ(), "alice", "wrong") is False
    assert hashes() == 1
    assert check_password(environ(), "alice", PASSWORD) is True
    assert hashes() == 0


def test_r9_a_known_and_an_unknown_name_ask_the_database_alike(alice: User) -> None:
    """A query more would be seen as well."""
    counts = []
    for login in ("alice", "nobody"):
        seen: list[str] = []

        def note(execute: Any, sql: str, *args: Any, seen: list[str] = seen) -> Any:
            seen.append(sql)
            return execute(sql, *args)

        with connection.execute_wrapper(note):
            check_password(environ(), login, "wrong")
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_r9_a_known_and_an_unknown_name_ask_a_shared_cache_alike(
    alice: User, settings: Any, auth: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CACHE["SHARED"], it is on the way to another host, or a query."""
    settings.CACHES = {"default": {"BACKEND": f"{LocMemCache.__module__}.LocMemCache"}}
    auth(CACHE={"SHARED": "default"})
    seen: list[str] = []
    get = LocMemCache.get

    def note(cache: LocMemCache, *args: Any) -> Any:
        seen.append(login)
        return get(cache, *args)

    monkeypatch.setattr(LocMemCache, "get", note)
    for login in ("alice", "nobody", "nul\0"):
        assert not check_password(environ(), login, "wrong")
    assert seen == ["alice", "alice", "nobody", "nobody", "nul\0", "nul\0"]


def test_r9_throttled_costs_nothing_and_is_logged(
    alice: User, auth: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond the limit nothing is hashed, not even for the right password."""
    auth(THROTTLE={"FAILURES": 3})
    for number in range(3):
        check_password(environ(), "alice", str(number))
    assert hashes() == 3
    caplog.clear()
    assert check_password(environ(), "alice", PASSWORD) is False
    assert hashes() == 0
    assert "access denied from 192.0.2.1: too many failures" in caplog.text


def test_what_is_remembered_cannot_be_guessed_at_full_speed(
    alice: User, auth: Callable[..., None]
) -> None:
    """A throttled address is refused before the memory is asked: looking up is no guessing."""
    auth(THROTTLE={"FAILURES": 3})
    assert check_password(environ(), "alice", PASSWORD) is True
    for number in range(3):
        check_password(environ(), "alice", str(number))
    assert check_password(environ(), "alice", PASSWORD) is False
    # The owner is somewhere else, and not kept out.
    assert check_password(environ(REMOTE_ADDR="198.51.100.7"), "alice", PASSWORD) is True


def test_the_throttle_counts_addresses_too(alice: User, auth: Callable[..., None]) -> None:
    """One password for many users is as much guessing as many for one."""
    auth(THROTTLE={"ADDRESS_FAILURES": 3})
    for number in range(3):
        check_password(environ(), f"user{number}", "spring")
    assert check_password(environ(), "alice", PASSWORD) is False


@pytest.mark.parametrize("domain", ["example.com", "EXAMPLE.com "])
def test_the_throttle_counts_a_name_in_all_spellings(
    db: None, settings: Any, auth: Callable[..., None], domain: str
) -> None:
    """Where a lookup overlooks case, they are one user, who has no more guesses for it."""
    settings.AUTH_USER_MODEL = "people.Member"
    auth(THROTTLE={"FAILURES": 2})
    Member.objects.create_user("ann@example.com", PASSWORD)
    hashes()
    for name in ("ann", "Ann", "aNN"):
        check_password(environ(), f"{name}@{domain}", "wrong")
    assert hashes() == 2
    assert check_password(environ(), "ann@example.com", PASSWORD) is False


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        (" Alice\u00a0", "alice"),
        ("ÁLÍCE", "alice"),
        ("a\u0301lice", "alice"),
        ("al\u00adi\u200bce", "alice"),
        ("\uff41lice", "alice"),
        ("STRASSE", "straße"),
        ("pauł.øđegård", "paul.odegard"),
        ("Æsir", "aesir"),
        ("bob", "bob"),
    ],
    ids=ascii,
)
def test_one_name_in_many_spellings(typed: str, same: str) -> None:
    """Case, accents, widths, blanks, and what nobody sees; another name is another."""
    assert throttle._folded(typed) == throttle._folded(same)
    assert throttle._folded(typed) != throttle._folded("mallory")


@pytest.mark.parametrize("letter", ["a", "\u0344", "\ufdfa"], ids=ascii)
def test_a_name_that_is_nobodys_is_not_looked_at(letter: str) -> None:
    """Letter by letter, what fits into a header would keep the thread of an authorizer busy."""
    assert throttle._folded(letter * (LOGIN_LENGTH + 1)) == ""
    assert throttle._folded("b" * LOGIN_LENGTH) != throttle._folded("c" * LOGIN_LENGTH)


def test_the_throttle_is_shared(alice: User, auth: Callable[..., None], settings: Any) -> None:
    """With SHARED, the next process has counted, too; and no name can be read there."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "throttle"}}
    auth(THROTTLE={"FAILURES": 2, "SHARED": "default"})
    for number in range(2):
        check_password(environ(), "alice", str(number))
        state.reset()
    assert check_password(environ(), "alice", PASSWORD) is False
    stored = repr(caches["default"]._cache)  # type: ignore[attr-defined]
    assert "alice" not in stored
    assert "192.0.2.1" not in stored
    caches["default"].clear()
    assert check_password(environ(), "alice", PASSWORD) is True


def test_the_window_ends(
    alice: User, auth: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is kept out for good; and failing goes on counting from its beginning."""
    auth(THROTTLE={"FAILURES": 2, "SECONDS": 60})
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for number in range(2):
        check_password(environ(), "alice", str(number))
        now[0] += 29
    assert check_password(environ(), "alice", PASSWORD) is False
    now[0] += 2
    assert check_password(environ(), "alice", PASSWORD) is True


def test_success_is_not_counted(alice: User, auth: Callable[..., None], settings: Any) -> None:
    """Neither is an error. But success does not wipe out what others failed."""
    auth(THROTTLE={"FAILURES": 2, "ADDRESS_FAILURES": 3}, CACHE={"SECONDS": 0})
    for _ in range(5):
        assert check_password(environ(), "alice", PASSWORD) is True
    failures = state.authenticator()._failures
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Broken"]
    state.authenticator()._failures = failures
    for _ in range(5):
        with pytest.raises(RuntimeError):
            check_password(environ(), "alice", PASSWORD)
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    state.authenticator()._failures = failures
    for number in range(3):
        check_password(environ(), f"user{number}", "spring")
        check_password(environ(), "alice", PASSWORD)
    assert check_password(environ(), "alice", PASSWORD) is False


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "192.0.2.2", False),
    ],
)
def test_who_counts_as_one_address(
    alice: User, auth: Callable[..., None], one: str, other: str, same: bool
) -> None:
    """An IPv6 customer has a /64 of them."""
    auth(THROTTLE={"FAILURES": 1})
    check_password(environ(REMOTE_ADDR=one), "alice", "wrong")
    expected = not same
    assert check_password(environ(REMOTE_ADDR=other), "alice", PASSWORD) is expected


def test_an_attempt_that_is_not_let_in_does_not_count() -> None:
    """Those with other names, at the same address, would pay for it."""
    failures = throttle.Failures(Throttle(FAILURES=1, ADDRESS_FAILURES=2))
    assert [failures.reserve("192.0.2.1", "alice") for _ in range(4)] == [True, False, False, False]
    assert not failures.too_many("192.0.2.1", "bob")
    assert failures.reserve("192.0.2.1", "bob")


def test_r14_only_the_connection_says_who_it_is(alice: User, auth: Callable[..., None]) -> None:
    """A new X-Forwarded-For for each guess is no new address."""
    auth(THROTTLE={"FAILURES": 2})
    for number in range(2):
        forged = environ(HTTP_X_FORWARDED_FOR=f"10.0.0.{number}", HTTP_X_REAL_IP="10.0.0.9")
        check_password(forged, "alice", str(number))
    assert check_password(environ(HTTP_X_FORWARDED_FOR="10.0.0.3"), "alice", PASSWORD) is False


@pytest.mark.parametrize(
    ("login", "password"), [("alice", "secret-a"), ("nobody", "secret-b"), ("x\0", "secret-c")]
)
def test_r10_no_password_in_any_log(
    alice: User, caplog: pytest.LogCaptureFixture, login: str, password: str
) -> None:
    """Nor in what signals carry."""
    carried: list[Any] = []

    def keep(**kwargs: Any) -> None:
        carried.append({name: str(value) for name, value in kwargs.items()})
        carried.append(vars(kwargs["request"]))

    for signal in (access_denied, user_login_failed):
        signal.connect(keep, weak=False)
    try:
        with caplog.at_level(logging.DEBUG):
            check_password(environ(), login, password)
    finally:
        for signal in (access_denied, user_login_failed):
            signal.disconnect(keep)
    assert len(carried) == 4
    assert password not in caplog.text
    assert password not in repr(carried)


def test_r10_no_password_in_a_report_of_an_error(alice: User, settings: Any) -> None:
    """Whoever reports what a hook raises, with variables."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Broken"]
    header = "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
    with pytest.raises(RuntimeError) as error:
        check_password(environ(HTTP_AUTHORIZATION=header), "alice", PASSWORD)
    # What called the hook is not the hook.
    within = error.value.with_traceback(error.tb.tb_next)
    report = ExceptionReporter(None, error.type, within, within.__traceback__).get_traceback_html()
    assert "the directory does not answer" in report
    assert PASSWORD not in report
    assert header not in report


def test_r11_backends_see_the_request(alice: User, settings: Any) -> None:
    """It has the path that Apache means, the address, and no password."""
    settings.AUTHENTICATION_BACKENDS = [
        "tests.people.backends.Recording",
        "django.contrib.auth.backends.ModelBackend",
    ]
    seen = environ(
        SCRIPT_NAME="/repo", PATH_INFO=wire("/tränk"), HTTP_COOKIE="a=b", QUERY_STRING="q=1"
    )
    assert check_password(seen, "alice", PASSWORD) is True
    (request,) = asked
    assert isinstance(request, HttpRequest)
    assert (request.path, request.method, request.body) == ("/repo/tränk", "GET", b"")
    assert request.META["REMOTE_ADDR"] == "192.0.2.1"
    assert (request.is_secure(), request.COOKIES, request.GET["q"]) == (True, {"a": "b"}, "1")


def test_r11_what_a_backend_says_of_a_user_holds_at_once(
    alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the password is remembered: it is asked each time whom it admits."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Choosy"]
    assert check_password(environ(), "alice", PASSWORD) is True
    monkeypatch.setattr(Choosy, "user_can_authenticate", lambda self, user: False)
    assert check_password(environ(), "alice", PASSWORD) is False


@pytest.fixture(params=["hook", "authorizer"])
def told(
    request: pytest.FixtureRequest, alice: User, settings: Any
) -> Callable[[dict[str, str]], dict[str, Any]]:
    """What backends see of a request with these variables, of whoever asks them."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Recording"]

    def tell(more: dict[str, str]) -> dict[str, Any]:
        if request.param == "hook":
            check_password(environ(**more), "alice", "x")
        else:
            known = {"REQUEST_URI": "/", "REMOTE_USER": "alice", "REMOTE_PASSWD": "x"}
            token = more.get(contract.AUTH_TOKEN_KEY, "")
            Authorizer("active", "x", token)(fastcgi.AUTHORIZER, {**known, **more})
        (seen,) = asked
        return seen.META

    return tell


def test_r11_backends_are_not_told_what_a_client_claims(told: Callable[..., Any]) -> None:
    """Of scheme, host, address and name, where only a proxy may say it: nobody is trusted here."""
    proof = contract.environ_key(contract.PROOF_HEADER)
    claims = dict.fromkeys((*contract.CLIENT_FORBIDDEN_KEYS, proof), "evil")
    assert not claims.keys() & told(claims).keys()


def test_r10_backends_are_told_no_secret(told: Callable[..., Any]) -> None:
    """A password is what they are asked about; in META it would stand in every report of theirs."""
    keys = ("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", contract.AUTH_TOKEN_KEY)
    seen = told(dict.fromkeys(keys, "secret"))
    assert not {*keys, "REMOTE_PASSWD"} & seen.keys()
    assert "secret" not in seen.values()


def test_r11_the_request_outlives_the_hook(alice: User, settings: Any) -> None:
    """What mod_wsgi takes back at the end of a call is not kept."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Recording"]
    check_password(environ(**{"wsgi.errors": object()}), "alice", "x")
    (request,) = asked
    assert all(isinstance(value, str) for value in request.META.values())


@pytest.mark.parametrize(
    ("login", "password", "name"),
    [
        ("alice", "wrong", "alice"),
        ("nobody", "x", "nobody"),
        ("alice", "", "alice"),
        ("", "x", ""),
        # Nothing that a lock-out could not write into its table.
        ("a\0b", "x", ""),
        ("a" * 2000, "x", ""),
    ],
    ids=ascii,
)
def test_r11_a_failure_is_told_once(alice: User, login: str, password: str, name: str) -> None:
    """user_login_failed, as lock-outs and audit logs want it: with a request, and once."""
    told = []

    def note(**kwargs: Any) -> None:
        told.append((kwargs["credentials"]["username"], kwargs["request"].META["REMOTE_ADDR"]))

    user_login_failed.connect(note)
    try:
        check_password(environ(), login, password)
    finally:
        user_login_failed.disconnect(note)
    assert told == [(name, "192.0.2.1")]


def test_r11_a_backend_can_refuse(alice: User, settings: Any) -> None:
    """PermissionDenied is a no for everybody behind it."""
    settings.AUTHENTICATION_BACKENDS = [
        "tests.people.backends.Closed",
        "django.contrib.auth.backends.ModelBackend",
    ]
    assert check_password(environ(), "alice", PASSWORD) is False


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("", "x"),
        ("alice", ""),
        ("", ""),
        ("alice", "a\0b"),
        ("al\nice", "x"),
        ("a" * 1025, "x"),
        ("alice", "x" * 4097),
    ],
    ids=ascii,
)
def test_r12_r13_what_no_backend_sees(
    alice: User, settings: Any, login: str, password: str
) -> None:
    """LDAP lets in whoever has no password; nobody has one of 4,097 characters."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Directory"]
    check_password(environ(), login, password)
    assert asked == []
    assert hashes() == 1


def test_r13_the_longest_that_is_taken(alice: User, settings: Any) -> None:
    """1,024 and 4,096 characters still are."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Directory"]
    check_password(environ(), "a" * LOGIN_LENGTH, "x" * PASSWORD_LENGTH)
    assert len(asked) == 1


def test_signals(alice: User) -> None:
    """Who passed, and who did not and why."""
    told: list[Any] = []

    def granted(**kwargs: Any) -> None:
        told.append((kwargs["user"].username, kwargs["policy"], kwargs["request"].path))

    def denied(**kwargs: Any) -> None:
        told.append((kwargs["login"], kwargs["reason"]))

    access_granted.connect(granted)
    access_denied.connect(denied)
    try:
        check_password(environ(), "alice", PASSWORD)
        hooks("staff").check_password(environ(), "alice", PASSWORD)
        check_password(environ(), "nobody", PASSWORD)
    finally:
        access_granted.disconnect(granted)
        access_denied.disconnect(denied)
    assert told == [
        ("alice", "active", "/repo/trunk"),
        ("alice", Reason.FORBIDDEN),
        ("nobody", Reason.UNKNOWN),
    ]


# Basic


@pytest.mark.parametrize(
    ("header", "login", "password"),
    [
        ("Basic YWxpY2U6c2VjcmV0", "alice", "secret"),
        ("basic  YWxpY2U6c2VjcmV0 ", "alice", "secret"),
        ("Basic YTpiOmM=", "a", "b:c"),
        ("Basic em/DqTrDpA==", "zoé", "ä"),
        ("Basic em/pOuQ=", "zoé", "ä"),
        ("Basic ", "", ""),
        ("Basic YWxpY2U=", "", ""),
        ("Basic !!!!", "", ""),
        ("Basic YWxpY2U6c2VjcmV0 YWxpY2U6c2VjcmV0", "", ""),
    ],
)
def test_a_basic_header(header: str, login: str, password: str) -> None:
    """UTF-8, or else Latin-1; what cannot be read is nobody, who is refused."""
    found = from_header(header)
    assert found
    assert (found.login, found.password) == (login, password)


@pytest.mark.parametrize("header", ["", "Bearer YWxpY2U6c2VjcmV0", "Digest x", "Basicx YTpi"])
def test_another_scheme_is_no_basic_header(header: str) -> None:
    """It is somebody else's business."""
    assert from_header(header) is None


# Paths


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/b?c=/d", "/a/b"),
        ("/", "/"),
        ("//a///b/", "/a/b/"),
        ("/a/../b/./c", "/b/c"),
        ("/../../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/..", "/"),
        ("/a/..b/c..", "/a/..b/c.."),
        ("/a/.b", "/a/.b"),
        ("/a\n", None),
        ("/a/b/..", "/a/"),
        ("/a%20b%C3%A9", "/a bé"),
        ("/%252e%252e/b", "/%2e%2e/b"),
        # Bytes as they are, which a gateway reads as Latin-1 (PEP 3333).
        ("/geheim-Ã¤/x", "/geheim-ä/x"),
        ("/geheim-Ã¤/%C3%A4", "/geheim-ä/ä"),
        ("/€", None),
        # Some take ".." to leave the empty segment, others never see that one.
        ("/a//../b", None),
        ("/a//%2e%2e/b", None),
        ("/a/.//../b", None),
        ("/a/..//b", None),
        ("//a/b/..", None),
        ("/a//..b/./c", "/a/..b/c"),
        ("/a%2fb", None),
        ("/a%2Fb", None),
        ("/a\\b", None),
        ("/a%5cb", None),
        ("/a%00b", None),
        ("/a%0ab", None),
        ("/a#b", None),
        ("/a%23b", None),
        ("http://evil.example/a", None),
        ("*", None),
        ("", None),
    ],
)
def test_r18_one_reading_of_a_path(target: str, path: str | None) -> None:
    """Decoded once; what servers read in different ways is nobody's path."""
    assert normalised(target) == path


@given(st.text("ab./%2eE~-_0", max_size=12))
def test_r18_a_plain_path_is_read_as_any_other(rest: str) -> None:
    """What is known to be plain at a glance is what reading it at length makes of it."""
    path, nothing = f"/{rest}", re.compile(r"(?!)")
    with mock.patch.object(requests, "_PLAIN", nothing):
        at_length = normalised(path)
    assert normalised(path) == at_length


@pytest.mark.parametrize("target", ["/ä", "/%E4"], ids=ascii)
def test_r18_bytes_that_are_no_text_are_kept(target: str) -> None:
    """They are the name that the server looks up, and not that of another file."""
    assert os.fsencode(normalised(target) or "") == b"/\xe4"


def test_what_is_not_ascii_is_read_as_it_was_meant() -> None:
    """The query and the cookies as Django reads them: bytes, not what a gateway makes of them."""
    seen = {"QUERY_STRING": wire("q=ä"), "HTTP_COOKIE": wire("name=zoé")}
    request = AreaRequest(seen, "/", "GET", secure=False)
    assert (request.GET["q"], request.COOKIES["name"]) == ("ä", "zoé")


# fail2ban


def failregex() -> re.Pattern[str]:
    """The expression of the filter, with an address where fail2ban puts one."""
    text = FILTER.read_text(encoding="utf-8")
    found = re.search(r"^failregex = (.+)$", text, re.MULTILINE)
    assert found
    return re.compile(found[1].replace("<ADDR>", r"(?P<address>[0-9a-fA-F:.]+)"))


def said(reason: Reason, login: str = "x", address: str = "192.0.2.1") -> str:
    request = AreaRequest({"REMOTE_ADDR": address}, "/a b", "GET", secure=False)
    return line(Decision(reason, None, login), request, "svn")


# What stands before a line, after fail2ban took the date away.
PREFIXES = [
    "",
    "[] [wsgi:error] [pid 7:tid 9] [client 203.0.113.9:4711] ",
    "[] [wsgi:error] [pid 7:tid 9] [remote 203.0.113.9:4711] ",
    "WARNING django_deploykit.auth ",
    "WARNING:django_deploykit.auth:",
    "WARNING ",
    "web1 python3[812]: ",
    "web1.example.com gunicorn[812]: WARNING django_deploykit.auth ",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("reason", [Reason.UNKNOWN, Reason.WRONG, Reason.THROTTLED])
def test_fail2ban_reads_a_failure(prefix: str, reason: Reason) -> None:
    """In Apache's log as in Python's and in the journal."""
    found = failregex().search(prefix + said(reason))
    assert found
    assert found["address"] == "192.0.2.1"


@pytest.mark.parametrize("reason", [Reason.FORBIDDEN, Reason.MISSING, Reason.GRANTED])
def test_fail2ban_leaves_users_alone(reason: Reason) -> None:
    """Whoever is known, or has not said anything yet, guesses nothing."""
    assert not failregex().search(said(reason))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "login",
    [
        "access denied from 10.0.0.1: wrong password (policy",
        "x\naccess denied from 10.0.0.1: wrong password (policy",
        "x')\r\n[] access denied from 10.0.0.1: unknown user (policy",
    ],
    ids=ascii,
)
def test_no_name_gets_somebody_else_banned(prefix: str, login: str) -> None:
    """A line is one line, and what a client wrote stands behind the address."""
    text = prefix + said(Reason.WRONG, login)
    assert len(text.splitlines()) == 1
    assert [found["address"] for found in failregex().finditer(text)] == ["192.0.2.1"]
    # Others write names into lines of their own, next to ours.
    apache = f"[] [auth_basic:error] [client 203.0.113.9:1] AH01618: user {login} not found: /"
    ssh = f"web1 sshd[7]: Failed password for invalid user {login} from 203.0.113.9"
    for said_by_others in (apache, ssh):
        assert not failregex().search(said_by_others.splitlines()[0])
