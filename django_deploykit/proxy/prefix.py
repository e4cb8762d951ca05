"""The URL prefix of a request: what a proxy may name, and how a path is split at it."""

from __future__ import annotations

from collections.abc import Collection

from django_deploykit.proxy.decision import Refused
from django_deploykit.trust import clean_prefix


def clean(text: str, allowed: Collection[str]) -> str:
    """The prefix that a proxy named, '' for none. Raise Refused for one that is not allowed."""
    found = clean_prefix(text)
    if found is None:
        raise Refused(400, f"{text!r} is no URL prefix")
    if allowed and found and found not in allowed:
        raise Refused(400, f"the prefix {found!r} is not among PREFIX['ALLOWED']")
    return found


def is_below(path: str, prefix: str) -> bool:
    """Tell whether ``path`` is ``prefix`` or lies below it: /app is, /application is not."""
    return path == prefix or path.startswith(f"{prefix}/")


def split(prefix: str, script_name: str, path: str) -> tuple[str, str]:
    """The two parts of a path that still has the prefix. Raise Refused (404) for another one."""
    whole = script_name + path
    if not is_below(whole, prefix):
        raise Refused(404, f"{whole!r} does not lie below {prefix!r}")
    # A server that is mounted deeper than the proxy's prefix knows better where.
    mount = script_name if is_below(script_name, prefix) else prefix
    return mount, whole[len(mount) :] or "/"
