"""Connections, outages, read-only databases (R29 to R31)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, OperationalError, connection, connections
from django.db.models.signals import pre_save

from django_deploykit.handlers.modwsgi import allow_access, check_password, groups_for_user
from tests.auth.conftest import PASSWORD, CountedHasher, environ, user

CALLS: dict[str, Callable[[], Any]] = {
    "check_password": lambda: check_password(environ(), "alice", PASSWORD),
    "groups_for_user": lambda: groups_for_user(environ(), "alice"),
    "allow_access": lambda: allow_access(environ(HTTP_COOKIE=f"sessionid={'x' * 32}"), None),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failing", [False, True])
def test_r29_around_each_call(
    alice: User, monkeypatch: pytest.MonkeyPatch, call: str, failing: bool
) -> None:
    """Old connections go before and after, whatever happens between."""
    done: list[str] = []
    where = "django_deploykit.auth.database"
    monkeypatch.setattr(f"{where}.close_old_connections", lambda: done.append("close"))
    monkeypatch.setattr(f"{where}.reset_queries", lambda: done.append("reset"))

    def fail(*args: Any) -> Any:
        raise OperationalError("gone")

    if failing:
        with connection.execute_wrapper(fail), pytest.raises(OperationalError):
            CALLS[call]()
    else:
        CALLS[call]()
    assert done == ["reset", "close", "reset", "close"]


def test_r29_what_is_known_asks_for_no_connection(
    alice: User, auth: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who needs no database does not look at its connections, which costs more than to know."""
    auth(REVALIDATE=300)
    for _ in range(2):  # The row is read anew once after its hash was verified.
        assert check_password(environ(), "alice", PASSWORD) is True
    monkeypatch.setattr("django_deploykit.auth.database.close_old_connections", None)
    assert check_password(environ(), "alice", PASSWORD) is True
    with pytest.raises(TypeError):  # The test can fail: here it is asked for.
        check_password(environ(), "alice", "wrong")


@pytest.mark.django_db(transaction=True)
def test_r29_an_old_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of Apache's that slept past CONN_MAX_AGE begins with a new one."""
    user("alice", is_staff=True)
    closed = []
    wrapper = connections["default"]  # not the proxy: undoing would delete what it hands on
    monkeypatch.setattr(wrapper, "close_at", 0.0)
    monkeypatch.setattr(wrapper, "close", lambda: closed.append(True))
    assert groups_for_user(environ(), "alice") == [b"@staff"]
    assert closed


@pytest.mark.django_db(transaction=True)
def test_r29_every_alias_and_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of each alias is looked at, and one that is done with is closed by its own
    wrapper: that hands a pooled one back, and asks an old one for its health."""
    user("alice")
    looked_at: list[str] = []
    for alias in connections:
        wrapper = connections[alias]
        wrapper.ensure_connection()
        # On the class: taken back from an instance, the method would stay there for other tests.
        seen = lambda self: looked_at.append(self.alias)  # noqa: E731
        monkeypatch.setattr(type(wrapper), "close_if_unusable_or_obsolete", seen)
    assert check_password(environ(), "alice", PASSWORD) is True
    assert looked_at == [*connections] * 2


@pytest.mark.django_db
def test_r30_an_outage_is_an_error_and_ends() -> None:
    """A database that does not answer refuses nobody; when it is back, so are the users."""
    user("alice")

    def gone(*args: Any) -> Any:
        raise OperationalError("gone")

    for call in CALLS.values():
        with connection.execute_wrapper(gone), pytest.raises(OperationalError):
            call()
    assert check_password(environ(), "alice", PASSWORD) is True


def test_r31_a_read_only_database(alice: User, settings: Any) -> None:
    """Django's own check_password writes a new hash where the old one is outdated; where it may
    not, that is an error and no refusal. It is the backend's business (docs/reference/auth.md)."""
    old = "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher"
    settings.PASSWORD_HASHERS = [old]
    alice.set_password(PASSWORD)
    alice.save()

    def refuse(**kwargs: Any) -> None:
        raise DatabaseError("read-only")

    settings.PASSWORD_HASHERS = [f"{CountedHasher.__module__}.CountedHasher", old]
    pre_save.connect(refuse, sender=User)
    try:
        with pytest.raises(DatabaseError, match="read-only"):
            check_password(environ(), "alice", PASSWORD)
    finally:
        pre_save.disconnect(refuse, sender=User)
    assert check_password(environ(), "alice", PASSWORD) is True
