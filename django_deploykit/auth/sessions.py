"""Who is logged in, by the session cookie: read, and never written.

An auth endpoint is asked for every image of a page, and its cookies get lost on the way. So its
sessions are not saved (SESSION_SAVE_EVERY_REQUEST), not prolonged, and their keys stay, even where
Django would change them after SECRET_KEY did (SECRET_KEY_FALLBACKS).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from django_deploykit.auth.accounts import Account, Accounts
from django_deploykit.auth.waiting import takes_time


@cache
def _store(engine: str) -> type[SessionBase]:
    """The session store of that engine, which writes nothing."""
    store = import_module(engine).SessionStore
    nothing = dict.fromkeys(("save", "create", "delete", "flush", "cycle_key"), _nothing)
    # Django signs what is stored with the qualified name of the class.
    return type(store.__name__, (store,), {**nothing, "__qualname__": store.__qualname__})


def _nothing(self: SessionBase, *args: Any, **kwargs: Any) -> None:
    """In place of whatever would write."""


def read_session(request: HttpRequest) -> SessionBase:
    """The session of the request's cookie; empty if there is none, or no such session."""
    return _store(settings.SESSION_ENGINE)(request.COOKIES.get(settings.SESSION_COOKIE_NAME))


def session_account(session: SessionBase, accounts: Accounts) -> Account | None:
    """The active user of a session, as ``django.contrib.auth.get_user`` finds it, or None."""
    if session.session_key:
        takes_time()
    path, key = str(session.get(BACKEND_SESSION_KEY)), session.get(SESSION_KEY)
    if key is None or path not in settings.AUTHENTICATION_BACKENDS:
        return None
    pk = get_user_model()._meta.pk.to_python(key)
    get_user = load_backend(path).get_user
    account = accounts.by_session(path, pk, get_user)
    if account.is_active and not _is_of(session, account.user):
        account = _read_anew(session, account, accounts, (path, pk, get_user))
    return account if account.is_active and _is_of(session, account.user) else None


def _read_anew(session: SessionBase, account: Account, accounts: Accounts, key: Any) -> Account:
    """The account as it is now: the known row may be older than the password, with which the
    session changed. But once for a session: those of before ask as often as any."""
    began_with = str(session.get(HASH_SESSION_KEY))
    if account.refused_session == began_with:
        return account
    path, pk, _ = key
    accounts.forget_session(path, pk)
    account = accounts.by_session(*key)
    account.refused_session = began_with
    return account


def _is_of(session: SessionBase, user: Any) -> bool:
    """Whether the session began under the password that the user has now."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    kept = session.get(HASH_SESSION_KEY) or ""
    valid = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return bool(kept) and any(constant_time_compare(kept, one) for one in valid)
