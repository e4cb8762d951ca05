"""URLs for those alone whom Django lets in: SITE["AUTH_AREAS"]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.apps import apps

from django_deploykit import conf, policies
from django_deploykit.config import findings
from django_deploykit.config.facts import Area
from django_deploykit.config.introspect.context import Context, is_directory
from django_deploykit.exceptions import unknown

KEYS = ("DIRECTORY", "POLICY")

# No two servers read such a path in different ways: what one guards is what another looks up.
_URL = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*\Z")


def areas(context: Context, prefix: str) -> tuple[Area, ...]:
    """Every area, sorted by its URL. One that cannot be guarded as written is an error."""
    raw, setting = context.site.get("AUTH_AREAS", {}), context.key("AUTH_AREAS")
    if not isinstance(raw, Mapping):
        context.find_type(setting, raw, "a dict of URLs and policies")
        return ()
    if raw and not apps.is_installed("django.contrib.auth"):
        message = "it needs 'django.contrib.auth' in INSTALLED_APPS: there are no users to ask for."
        context.find(findings.BAD_AREA, setting, message)
    found = [_area(context, setting, url, value, prefix) for url, value in raw.items()]
    return tuple(sorted(found, key=lambda area: area.url))


def _area(context: Context, setting: str, url: Any, value: Any, prefix: str) -> Area:
    here = f"{setting}[{url!r}]"
    if not isinstance(url, str) or not _URL.match(url):
        message = f"{url!r} is not such a path in plain ASCII letters, without '%', '//' or dots."
        context.find(findings.BAD_URL, setting, message)
    parts = value if isinstance(value, Mapping) else {"POLICY": value}
    if url == "/" and "DIRECTORY" in parts:
        message = "'/' is the whole site, and a directory would hide it."
        context.find(findings.BAD_URL, here, message)
    for key in parts:
        if key not in KEYS:
            _find(context, here, unknown("key", str(key), here, KEYS))
    return Area(
        url=f"{prefix}{url}",
        policy=_policy(context, here, parts),
        setting=here,
        directory=_directory(context, here, parts.get("DIRECTORY")),
    )


def _policy(context: Context, here: str, parts: Mapping[str, Any]) -> str:
    """The name of a policy: a rule written out has none by which a server could ask for it."""
    raw = conf.read().auth.get("POLICIES", {})
    # What is wrong with those themselves is said by the checks of AUTH.
    known, _ = policies.read(raw if isinstance(raw, Mapping) else {}, "POLICIES")
    policy = parts.get("POLICY")
    if "POLICY" not in parts:
        _find(context, here, f"it names no policy. Allowed: {', '.join(sorted(known))}.")
    elif not isinstance(policy, str) or policy not in known:
        _find(context, here, unknown("policy", repr(policy).strip("'"), here, known))
    return str(policy)


def _directory(context: Context, here: str, directory: Any) -> Path | None:
    if directory is None:
        return None
    path = Path(str(directory))
    if not path.is_absolute() or not is_directory(path):
        message = f"{str(directory)!r} is not an existing directory, by its absolute path."
        context.find(findings.MISSING_PATH, here, message)
    return path


def _find(context: Context, here: str, message: str) -> None:
    context.find(findings.BAD_AREA, here, message.removeprefix(f"{here}: "))
