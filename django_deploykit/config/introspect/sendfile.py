"""What is wrong with the settings about protected files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from django.middleware.cache import UpdateCacheMiddleware
from django.middleware.gzip import GZipMiddleware
from django.middleware.http import ConditionalGetMiddleware

from django_deploykit import conf, contract
from django_deploykit.config import findings
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.introspect.application import is_middleware
from django_deploykit.config.introspect.context import Context, contains
from django_deploykit.exceptions import unknown

# The door of the runtime, which this side of the package does not import.
_DECIDES_LAST = "django_deploykit.middleware.SendfileMiddleware"
# RFC 6838, 4.2, without parameters, and as it is compared: in lower case.
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*\Z")
# What would change a part of a file, or keep one.
_CHANGE_FILES = (ConditionalGetMiddleware, GZipMiddleware, UpdateCacheMiddleware)


def check(context: Context, facts: SiteFacts) -> None:
    """Find backends and types that cannot be, directories in a wrong place, a wrong order."""
    section = conf.read().sendfile
    _check_backend(context, section.get("BACKEND", contract.SENDFILE_BACKENDS[0]))
    _check_inline(context, section.get("INLINE", ()))
    _check_directories(context, facts)
    _check_order(context, [str(path) for path in context.settings.MIDDLEWARE])


def stores(context: Context) -> tuple[str, ...]:
    """The origins of object storage out of which the web server may fetch."""
    value, setting = conf.read().sendfile.get("STORES", ()), "DEPLOYKIT['SENDFILE']['STORES']"
    if not isinstance(value, (list, tuple)):
        context.find_type(setting, value, "a list of origins")
        return ()
    for origin in value:
        if not contract.STORE.fullmatch(str(origin)):
            context.find(findings.BAD_STORE, setting, f"{origin!r} is not such an origin.")
    return tuple(str(origin) for origin in value if contract.STORE.fullmatch(str(origin)))


def _check_backend(context: Context, value: object) -> None:
    if value not in contract.SENDFILE_BACKENDS:
        setting = "DEPLOYKIT['SENDFILE']['BACKEND']"
        message = unknown("value", str(value), setting, contract.SENDFILE_BACKENDS)
        context.find(findings.BAD_BACKEND, setting, message.removeprefix(f"{setting}: "))


def _check_inline(context: Context, value: object) -> None:
    setting = "DEPLOYKIT['SENDFILE']['INLINE']"
    if not isinstance(value, (list, tuple, set)):
        context.find_type(setting, value, "a list of media types")
        return
    for kind in value:
        if not isinstance(kind, str) or not _TYPE.match(kind):
            message = f"{kind!r} is not a media type, such as 'application/pdf'."
            context.find(findings.CONF_TYPE, setting, message)
        elif contract.ACTIVE_TYPES.search(kind):
            context.find(findings.ACTIVE_INLINE, setting, f"{kind!r} can hold scripts.")


def _check_directories(context: Context, facts: SiteFacts) -> None:
    for one, other in combinations(facts.protected, 2):
        if contains(one.directory, other.directory) or contains(other.directory, one.directory):
            message = f"{str(one.directory)!r} and {str(other.directory)!r} overlap."
            context.find(findings.PROTECTED_OVERLAP, one.setting, message)
    for mount in facts.protected:
        for label, path in _never_sent(facts):
            if contains(mount.directory, path):
                message = f"{str(mount.directory)!r} holds {label}."
                context.find(findings.PROTECTED_CODE, mount.setting, message)
                break


def _never_sent(facts: SiteFacts) -> list[tuple[str, Path]]:
    found = [
        ("the project's code", facts.application.root),
        ("the virtual environment", facts.interpreter.prefix),
    ]
    if facts.application.env_file:
        found.append(("the environment file", facts.application.env_file))
    if facts.tls:
        found.append(("the private key", facts.tls.key))
    return [*found, *((f"the database {str(path)!r}", path) for path in facts.databases)]


def _check_order(context: Context, listed: Sequence[str]) -> None:
    if _DECIDES_LAST not in listed:
        return
    for path in listed[: listed.index(_DECIDES_LAST)]:
        if any(is_middleware(path, wanted) for wanted in _CHANGE_FILES):
            message = f"{path!r} stands above SendfileMiddleware."
            context.find(findings.ABOVE_SENDFILE, "MIDDLEWARE", message)
