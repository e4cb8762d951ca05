"""The hooks: what mod_wsgi is told (R1 to R8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from django_deploykit.auth import state
from django_deploykit.handlers import modwsgi
from django_deploykit.handlers.modwsgi import allow_access, check_password, groups_for_user, hooks
from tests.auth.conftest import PASSWORD, environ, user, wire
from tests.people.models import Member, Truthful

OLD, NEW = (4, 9, 4), (6, 1, 1)


def test_r1_yes_no_and_unknown(alice: User) -> None:
    """The very objects True, False and None: mod_wsgi takes no others."""
    assert check_password(environ(), "alice", PASSWORD) is True
    assert check_password(environ(), "alice", "wrong") is False
    assert check_password(environ(), "nobody", PASSWORD) is None


@pytest.mark.django_db
def test_r1_a_models_own_yes_is_true(settings: Any) -> None:
    """What is only as good as True to Python is made True."""
    settings.AUTH_USER_MODEL = "people.Truthful"
    Truthful.objects.create_user("tom", password=PASSWORD)
    state.reset()
    assert check_password(environ(), "tom", PASSWORD) is True
    assert check_password(environ(), "tom", "wrong") is False


@pytest.mark.parametrize("policy", ["staff", "perm:auth.add_user"])
def test_r2_who_is_known_is_refused(alice: User, policy: str) -> None:
    """A wrong password, an inactive user, a failing policy: False, so that Apache asks no other
    provider, where an old password file may wait."""
    assert hooks(policy).check_password(environ(), "alice", PASSWORD) is False
    alice.is_active = False
    alice.save()
    state.reset()
    assert check_password(environ(), "alice", PASSWORD) is False


def test_r2_an_inactive_user_may_be_left_to_the_next_provider(
    alice: User, auth: Callable[..., None]
) -> None:
    """Where that was asked for, as Django's own handler does; a wrong password still is one."""
    auth(INACTIVE_IS_UNKNOWN=True)
    assert check_password(environ(), "alice", "wrong") is False
    User.objects.update(is_active=False)
    state.reset()
    assert check_password(environ(), "alice", PASSWORD) is None


def test_r2_throttled_is_refused(alice: User, auth: Callable[..., None]) -> None:
    """Beyond the limit even the right password is False, for the one who guessed."""
    auth(THROTTLE={"FAILURES": 2})
    for password in ("one", "two"):
        assert check_password(environ(), "alice", password) is False
    assert check_password(environ(), "alice", PASSWORD) is False
    other = environ(REMOTE_ADDR="192.0.2.2")
    assert check_password(other, "alice", PASSWORD) is True


@pytest.fixture
def member(settings: Any, db: None) -> Member:
    settings.AUTH_USER_MODEL = "people.Member"
    return Member.objects.create_user(email="Ann@example.com", password=PASSWORD)


@pytest.mark.parametrize(
    ("version", "answer"), [(NEW, "Ann@example.com"), ((4, 3, 0), "Ann@example.com")]
)
def test_r3_the_proper_name_is_returned(
    member: Member, version: tuple[int, ...], answer: str
) -> None:
    """Whoever types another spelling goes by the one that rules are written for."""
    assert check_password(environ(version), "ANN@EXAMPLE.COM", PASSWORD) == answer
    assert check_password(environ(version), "Ann@example.com", PASSWORD) is True


@pytest.mark.parametrize("version", [(4, 2, 8), None])
def test_r3_without_that_only_the_proper_name_passes(
    member: Member, version: tuple[int, ...] | None
) -> None:
    """A mod_wsgi that cannot be told the proper name keeps the typed one."""
    assert check_password(environ(version), "ANN@EXAMPLE.COM", PASSWORD) is False
    assert check_password(environ(version), "Ann@example.com", PASSWORD) is True


@pytest.mark.parametrize("name", ["ad\0min", "ad\nmin", "ad\x7fmin", "\x85", "\ud800", ""])
def test_r3_a_name_with_control_characters_is_refused(name: str) -> None:
    """mod_wsgi would cut "admin\\0x" to "admin"."""
    assert modwsgi._named(name, "typed", NEW) is False


@pytest.mark.parametrize(
    ("version", "login", "password"),
    [
        (NEW, wire("zoé"), wire("pässwörd 日本")),
        ((5, 0, 1), wire("zoé"), wire("pässwörd 日本")),
        ((5, 0, 0), "zoé", "pässwörd 日本"),
        (OLD, "zoé", "pässwörd 日本"),
    ],
)
def test_r4_names_and_passwords_beyond_ascii(
    db: None, version: tuple[int, ...], login: str, password: str
) -> None:
    """What the client sent in UTF-8 is what is compared, in every version of mod_wsgi."""
    made = User.objects.create_user("zoé", password="pässwörd 日本")
    made.groups.add(Group.objects.create(name="editors"))
    assert check_password(environ(version), login, password) is True
    assert groups_for_user(environ(version), login) == [b"editors"]


@pytest.mark.django_db
@pytest.mark.parametrize("version", [NEW, OLD, None])
@pytest.mark.parametrize("login", ["zo\xe9", "\xff\xfe", "日本", "\udce9", "a\0b", "\x85"])
def test_r4_never_raises(login: str, version: tuple[int, ...] | None) -> None:
    """Bytes that are no UTF-8 are Latin-1, and whatever else comes is nobody."""
    User.objects.create_user("zoé", password="é")
    expected = True if login == "zo\xe9" else None
    assert check_password(environ(version), login, "\xe9") is expected


def test_r5_groups(alice: User) -> None:
    """UTF-8 bytes; no name that Apache would cut, and none that passes for a policy."""
    for name in ("editors", "rédaction", "日本", "admins\0x", "@staff", "@superuser"):
        alice.groups.add(Group.objects.create(name=name))
    named = groups_for_user(environ(), "alice")
    assert sorted(named) == sorted([b"editors", "rédaction".encode(), "日本".encode()])


def test_r5_nobody_has_groups(alice: User) -> None:
    """Neither an unknown nor an inactive user is in any, not even in that of a policy."""
    alice.groups.add(Group.objects.create(name="editors"))
    assert groups_for_user(environ(), "nobody") == []
    User.objects.update(is_active=False, is_superuser=True)
    assert groups_for_user(environ(), "alice") == []


def test_r5_named_policies_are_groups(alice: User, auth: Callable[..., None]) -> None:
    """Each policy that holds is a group, with "@" in front."""
    auth(POLICIES={"svn": "group:editors", "none": "superuser"})
    alice.groups.add(Group.objects.create(name="editors"))
    User.objects.update(is_staff=True)
    assert groups_for_user(environ(), "alice") == [b"editors", b"@staff", b"@svn"]


def test_r6_session_access(alice: User, client: Client) -> None:
    """True for a session of Django's, False for everything else: None would be a yes."""
    client.force_login(alice)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    assert allow_access(environ(HTTP_COOKIE=cookie), None) is True
    assert hooks("staff").allow_access(environ(HTTP_COOKIE=cookie), None) is False
    assert allow_access(environ(), None) is False
    assert allow_access(environ(HTTP_COOKIE="sessionid=made-up"), None) is False
    SessionStore(client.cookies["sessionid"].value).delete()
    assert allow_access(environ(HTTP_COOKIE=cookie), None) is False


@pytest.mark.django_db
def test_r7_errors_are_raised(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A backend that fails is no refusal; Apache answers 500. Nothing is remembered of it."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Broken"]
    user("alice")
    with pytest.raises(RuntimeError, match="does not answer") as error:
        check_password(environ(), "alice", "a secret")
    assert "a secret" not in repr(error.value)
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    assert check_password(environ(), "alice", PASSWORD) is True


def test_r8_a_mistaken_import_is_explained() -> None:
    """Editors complete "check_password" to this one."""
    for call in (check_password, lambda *args: groups_for_user(args[0], "x")):
        with pytest.raises(TypeError, match=r"django\.contrib\.auth\.hashers\.check_password"):
            call("password", "md5$hash", "")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="hashers"):
        allow_access("password", None)  # type: ignore[arg-type]
