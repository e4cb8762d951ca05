"""The only reader of the ``DEPLOYKIT`` setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from django_deploykit.exceptions import unknown

IDENTITY_KEYS = (
    "ATTRIBUTES",
    "CREATE",
    "FLAGS",
    "GROUPS",
    "GROUP_MAP",
    "JWT",
    "MAX_AGE",
    "MODE",
    "PRESET",
    "PRIVILEGED",
    "REQUIRED",
    "SEPARATOR",
    "SIGN_OUT",
    "USER",
)
SITE_KEYS = (
    "AUTH_AREAS",
    "AUTHORIZATION",
    "DOCUMENTS",
    "ENVIRON",
    "ENV_FILE",
    "HOSTS",
    "MEDIA",
    "NAME",
    "POOLS",
    "PREFIX",
    "PROTECTED",
    "ROOT_FILES",
    "ROUTES",
    "TLS",
    "WEBSOCKETS",
)
PROXY_KEYS = ("HEADERS", "HOPS", "PREFIX", "REQUIRED", "STRICT", "TRUSTED", "VHOST")
SITES_KEYS = ("hosts", "prefix", "settings")
SENDFILE_KEYS = ("BACKEND", "INLINE", "STORES")
AUTH_KEYS = (
    "CACHE",
    "CONCURRENCY",
    "INACTIVE_IS_UNKNOWN",
    "POLICIES",
    "REVALIDATE",
    "THROTTLE",
)


@dataclass(frozen=True)
class Unusable:
    """A part of DEPLOYKIT that cannot be used: its place, its value, and what is allowed.

    ``allowed`` names the keys where a key is unknown, and is empty where a type is wrong.
    """

    place: str
    value: Any
    expected: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.allowed:
            return unknown("key", str(self.value), self.place, self.allowed)
        return f"{self.place}: {self.value!r} is not {self.expected}."


@dataclass(frozen=True)
class Conf:
    """The sections of DEPLOYKIT as plain mappings, and whatever of it is unusable."""

    site: Mapping[str, Any] = field(default_factory=dict)
    deployment: Mapping[str, Any] = field(default_factory=dict)
    sites: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unusable: tuple[Unusable, ...] = ()
    proxy: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    auth: Mapping[str, Any] = field(default_factory=dict)
    sendfile: Mapping[str, Any] = field(default_factory=dict)


SECTIONS = ("AUTH", "DEPLOYMENT", "IDENTITY", "PROXY", "SENDFILE", "SITE", "SITES")

# The prefix that this process was told by the script that started it (handlers/startup.py).
_told_prefix: str | None = None


def read() -> Conf:
    """Read ``settings.DEPLOYKIT``; absent means empty. Never raises: see ``Conf.unusable``."""
    raw = getattr(settings, "DEPLOYKIT", {})
    unusable: list[Unusable] = []
    top = _mapping(raw, "DEPLOYKIT", SECTIONS, unusable)
    site = _mapping(top.get("SITE", {}), "DEPLOYKIT['SITE']", SITE_KEYS, unusable)
    # The keys of DEPLOYMENT are known to config/deployment.py, on a floor above this one.
    deployment = _mapping(top.get("DEPLOYMENT", {}), "DEPLOYKIT['DEPLOYMENT']", None, unusable)
    sites = _mapping(top.get("SITES", {}), "DEPLOYKIT['SITES']", None, unusable)
    each = {
        str(name): _mapping(value, f"DEPLOYKIT['SITES'][{name!r}]", SITES_KEYS, unusable)
        for name, value in sites.items()
    }
    # What its values mean is said in trust.py.
    proxy = _mapping(top.get("PROXY", {}), "DEPLOYKIT['PROXY']", PROXY_KEYS, unusable)
    # And what those of this one mean, in sso.py.
    identity = _mapping(top.get("IDENTITY", {}), "DEPLOYKIT['IDENTITY']", IDENTITY_KEYS, unusable)
    # Those of this one, in auth/options.py.
    auth = _mapping(top.get("AUTH", {}), "DEPLOYKIT['AUTH']", AUTH_KEYS, unusable)
    # And of this one, in sendfile/policy.py.
    sendfile = _mapping(top.get("SENDFILE", {}), "DEPLOYKIT['SENDFILE']", SENDFILE_KEYS, unusable)
    return Conf(site, deployment, each, tuple(unusable), proxy, identity, auth, sendfile)


def tell_prefix(prefix: str) -> None:
    """Make ``prefix`` the one by which this process is reached, whatever settings say."""
    global _told_prefix
    _told_prefix = prefix


def prefix() -> str:
    """The URL prefix by which the web server knows this site, without a slash at its end.

    It is the one that the script was written with, as the server's own files were: SITES may
    replace what the site's settings say. Without such a script it is FORCE_SCRIPT_NAME, which no
    emitted configuration contradicts; else SITE["PREFIX"].
    """
    if _told_prefix is not None:
        return _told_prefix
    forced = settings.FORCE_SCRIPT_NAME
    return str((read().site.get("PREFIX") if forced is None else forced) or "").rstrip("/")


def complaints(place: str) -> list[str]:
    """What is unusable of one section: a key that nobody reads was meant to forbid or to allow
    something, so that the runtime does not start with it."""
    return [str(part) for part in read().unusable if part.place == place]


def _mapping(
    value: Any, place: str, allowed: tuple[str, ...] | None, unusable: list[Unusable]
) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        unusable.append(Unusable(place, value, "a dict"))
        return {}
    strange = [key for key in value if allowed is not None and key not in allowed]
    unusable += [Unusable(place, key, "a known key", allowed or ()) for key in strange]
    return {key: item for key, item in value.items() if key not in strange}
