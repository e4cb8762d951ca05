"""Users and their groups, as the database knew them at most REVALIDATE seconds ago."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models.manager import BaseManager
from django.utils.functional import cached_property  # That of functools locks (Python 3.11).

from django_deploykit import contract
from django_deploykit.auth.bounded import Bounded
from django_deploykit.auth.waiting import takes_time

_Key = tuple[object, ...]


class Account:
    """A row of the user model, or nobody (``user`` is None)."""

    def __init__(self, user: Any) -> None:
        self.user = user
        # By its hash, the last session that this row, just read, did not open.
        self.refused_session = ""

    @property
    def is_active(self) -> bool:
        """Whether there is such a user, and not a deactivated one."""
        return self.user is not None and bool(getattr(self.user, "is_active", True))

    @property
    def name(self) -> str:
        """The one spelling of the user's name, whatever was typed."""
        return str(self.user.get_username())

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The names of the user's groups; none if the user model has no groups."""
        takes_time()
        groups = getattr(self.user, "groups", None)
        return tuple(groups.values_list("name", flat=True)) if groups is not None else ()

    @cached_property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """Who it is, in headers of percent-encoded UTF-8; all of them, so that each replaces a
        client's own."""
        user = self.user
        full_name = getattr(user, "get_full_name", str)()
        email = getattr(user, user.get_email_field_name(), "")
        groups = ",".join(map(_encoded, self.groups))
        values = (_encoded(self.name), groups, _encoded(full_name), _encoded(email))
        return tuple(zip(contract.AUTH_IDENTITY_HEADERS, values, strict=True))


def _encoded(text: Any) -> str:
    """Text, also a lazy one; None is empty, as where a column may be NULL."""
    return quote(str(text or ""), safe="@")


class Accounts:
    """Accounts by what identifies them; one that was read is not read again for a moment.

    Nobody is remembered as well, for as long: otherwise an unknown name would cost one query
    more than a known one.
    """

    def __init__(self, entries: int, seconds: float) -> None:
        self._seconds = seconds
        self._hosts: tuple[str, ...] = ()
        self._known: Bounded[_Key, Account] = Bounded(entries)

    def __len__(self) -> int:
        return len(self._known)

    def by_login(self, login: str) -> Account:
        """The account of that natural key."""
        return self._get(("login", login, self._hosts), lambda: by_natural_key(login))

    def by_session(self, path: str, pk: Any, get_user: Callable[[Any], Any]) -> Account:
        """The account of that primary key, as a session's backend knows it."""
        return self._get(("session", path, str(pk), self._hosts), lambda: get_user(pk))

    def forget_login(self, login: str) -> None:
        """Read the account anew the next time."""
        self._known.pop(("login", login, self._hosts))

    def forget_session(self, path: str, pk: Any) -> None:
        """Read the account anew the next time."""
        self._known.pop(("session", path, str(pk), self._hosts))

    def at(self, hosts: tuple[str, ...]) -> Accounts:
        """Those of a request for these hosts, before which middleware ran: it may have chosen
        another schema for each host, and with it another user of that name or key.

        What a router or a manager of the project's own chooses by, nobody knows: none is kept.
        """
        if _are_chosen():
            return Accounts(self._known.entries, self._seconds)
        made = copy.copy(self)
        made._hosts = hosts
        return made

    def _get(self, key: _Key, read: Callable[[], Any]) -> Account:
        found = self._known.get(key)
        if found is None:
            takes_time()
            until = time.monotonic() + self._seconds  # counted from before it is read
            found = Account(read())
            self._known.put(key, found, until)
        return found


def _are_chosen() -> bool:
    """Whether code of the project says in which database, or among which rows, users are."""
    manager = get_user_model()._default_manager
    is_own = type(manager).get_queryset is not BaseManager.get_queryset
    return bool(settings.DATABASE_ROUTERS) or is_own


def by_natural_key(login: str) -> Any:
    """The user of that name, or None."""
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(login)
    except model.DoesNotExist:
        return None
