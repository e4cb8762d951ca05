"""The backends of AUTHENTICATION_BACKENDS that take a name and a password."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model, load_backend

from django_deploykit.auth.waiting import takes_time

# Where Django's own test is, which looks at the user alone.
_DJANGO = "django.contrib.auth.backends"


def cacheable(trusted: Iterable[str]) -> tuple[tuple[str, Any], ...]:
    """Those of which it is enough to know that the stored hash matched, with their paths.

    They are ModelBackend and its subclasses that authenticate as it does, unless the user model
    has a ``check_password`` of its own; and ``trusted`` ones. A backend of any other kind ends the
    list: it may refuse (as a lock-out does) what the ones behind it would accept, and so has to be
    asked every time.
    """
    found = []
    for path, backend in _asked():
        if not _compares_hashes(backend) and path not in set(trusted):
            break
        found.append((path, backend))
    return tuple(found)


def _asked() -> Iterator[tuple[str, Any]]:
    for path in settings.AUTHENTICATION_BACKENDS:
        backend = load_backend(path)
        try:
            inspect.signature(backend.authenticate).bind(None, username="", password="")
        except TypeError:
            continue  # Django passes over it, too.
        yield path, backend


def _compares_hashes(backend: Any) -> bool:
    # Not before Django is set up.
    from django.contrib.auth.backends import ModelBackend
    from django.contrib.auth.base_user import AbstractBaseUser

    # The backend leaves it to the user model, which may look at more than the hash.
    compares = getattr(get_user_model(), "check_password", None)
    own = type(backend).authenticate
    is_djangos = isinstance(backend, ModelBackend) and own is ModelBackend.authenticate
    return is_djangos and compares is AbstractBaseUser.check_password


def admits(backend: Any, user: Any) -> bool:
    """Whether a backend lets this user in at all: by default an active one."""
    test = getattr(backend, "user_can_authenticate", None)
    if test is None:
        return bool(getattr(user, "is_active", True))
    if test.__module__ != _DJANGO:
        takes_time()
    return bool(test(user))
