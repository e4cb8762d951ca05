"""Links that let whoever has one fetch one file for some time, without an account.

A link is bound to the path of the view, the name under which the file is saved, and its expiry; to
one user and to one host too, if it names them. The rest of its query is not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlencode

from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

_SALT = "django_deploykit.sendfile.links"
_KEY = "signed"


def signed(
    path: str,
    *,
    expires: timedelta,
    filename: str = "",
    user: object = None,
    host: str = "",
) -> str:
    """Return ``path`` with a signature that holds until ``expires`` from now.

    ``path`` is encoded, as ``reverse()`` returns it. ``filename`` is the name under which the file
    is saved; with ``user`` (anything with a ``pk``), nobody else can use the link. With ``host``,
    as ``request.get_host()`` returns it, it holds there alone: for projects that have another file
    at the same path of another host. Raise ValueError for a user without a primary key, whose link
    would be everybody's.
    """
    token = signing.TimestampSigner(salt=_SALT)
    claims = {
        "path": unquote(path),  # as the request will have it
        "name": filename,
        "for": _bound(user),
        "last": expires.total_seconds(),
        "host": host,
    }
    return f"{path}?{urlencode({_KEY: token.sign_object(claims)})}"


def is_signed(request: HttpRequest) -> bool:
    """Tell whether a request claims to be allowed by its link."""
    return _KEY in request.GET


def filename(request: HttpRequest) -> str:
    """Check the link of a request, and return the name that it was made for.

    Raise PermissionDenied if anything about it is not as it was signed, or it has expired.
    """
    signer = signing.TimestampSigner(salt=_SALT)
    try:
        claims = signer.unsign_object(request.GET.get(_KEY, ""))
        fresh = signer.unsign_object(request.GET.get(_KEY, ""), max_age=claims["last"])
    except (signing.BadSignature, KeyError, TypeError, ValueError) as error:
        raise PermissionDenied("This link is not valid, or not any more.") from error
    if not (_leads_here(fresh, request) and _is_held(fresh, request)):
        raise PermissionDenied("This link is for something else.")
    return str(fresh["name"])


def _leads_here(claims: Mapping[str, Any], request: HttpRequest) -> bool:
    host = claims.get("host", "")  # Links from before had none.
    here = not host or host == request.get_host()
    return here and constant_time_compare(str(claims["path"]), request.path)


def _is_held(claims: Mapping[str, Any], request: HttpRequest) -> bool:
    """Whether it is in the hands of the one whom it names, if it does."""
    return claims["for"] in ("", _pk(getattr(request, "user", None)))


def _bound(user: object) -> str:
    """Whose the link is: nobody's but that user's, or everybody's for None."""
    if user is not None and not _pk(user):
        raise ValueError(
            f"user={user!r} has no primary key. Give one who is saved and logged in, or None for a "
            "link that whoever has it may use."
        )
    return _pk(user)


def _pk(user: object) -> str:
    pk = getattr(user, "pk", None)
    return "" if pk is None else str(pk)
