"""The names a site goes by: its own, its hosts, its URL prefix."""

from __future__ import annotations

import re
from typing import Any

from django_deploykit.config import findings
from django_deploykit.config.facts import Application, Hosts
from django_deploykit.config.introspect.context import Context, key

# What Django itself falls back to while DEBUG is on (django.http.request.HttpRequest.get_host).
DEBUG_HOSTS = [".localhost", "127.0.0.1", "[::1]"]

_HOST = re.compile(r"\.?(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*\Z")
_IPV6 = re.compile(r"\[[0-9a-f]*:[0-9a-f.:]+\]\Z")
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,16}\Z")


def site_name(context: Context, application: Application) -> str:
    """A short name for files, logs and process groups; by default that of the project."""
    default = application.settings_module.partition(".")[0]
    name = str(context.site.get("NAME", default))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name):
        message = f"{name!r} is not made of up to 32 letters, digits, '_' and '-'."
        context.find(findings.CONF_TYPE, key("NAME"), message)
    return name


def hosts(context: Context) -> Hosts | None:
    """The hosts of SITE, else ALLOWED_HOSTS, else what Django allows while DEBUG is on."""
    values, setting = _host_values(context)
    names = [str(value).lower() for value in values]
    bad = [name for name in names if not _is_host(name)]
    for name in bad:
        context.find(findings.BAD_HOST, setting, f"{name!r} is not a host.")
    if not names:
        message = "it is empty, so that Django would refuse every request."
        context.find(findings.NO_HOSTS, setting, message)
    if bad or not names:
        return None
    return Hosts(names=tuple(dict.fromkeys(names)), setting=setting)


def _host_values(context: Context) -> tuple[list[Any], str]:
    if "HOSTS" in context.site:
        return list(context.site["HOSTS"]), key("HOSTS")
    allowed = list(context.settings.ALLOWED_HOSTS)
    if not allowed and context.settings.DEBUG:
        return DEBUG_HOSTS, "ALLOWED_HOSTS"
    return allowed, "ALLOWED_HOSTS"


def _is_host(name: str) -> bool:
    return name == "*" or bool(_HOST.match(name) or _IPV6.match(name))


def prefix(context: Context) -> tuple[str | None, str]:
    """The URL prefix, '' for none, and the setting it came from; None if it is unusable."""
    forced = context.settings.FORCE_SCRIPT_NAME
    setting = key("PREFIX") if "PREFIX" in context.site else "FORCE_SCRIPT_NAME"
    value = context.site.get("PREFIX", forced)
    clean = str(value or "").rstrip("/")
    if clean and not _PREFIX.match(clean):
        context.find(findings.BAD_PREFIX, setting, f"{value!r} is not a URL prefix.")
        return None, setting
    if forced is not None and forced.rstrip("/") != clean:
        message = f"{value!r} contradicts FORCE_SCRIPT_NAME = {forced!r}."
        context.find(findings.PREFIX_CONFLICT, setting, message)
        return None, setting
    return clean, setting
