"""The names a site goes by: its own, its hosts, its URL prefix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.http.request import validate_host

from django_deploykit import conf, contract, trust
from django_deploykit.config import findings
from django_deploykit.config.facts import Application, Hosts
from django_deploykit.config.introspect.context import Context

# What Django itself falls back to while DEBUG is on (django.http.request.HttpRequest.get_host).
DEBUG_HOSTS = [".localhost", "127.0.0.1", "[::1]"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")
_HOST = re.compile(r"\.?(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*\Z")
_IPV6 = re.compile(r"\[[0-9a-f]*:[0-9a-f.:]+\]\Z")
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,16}\Z")


def site_name(context: Context, application: Application) -> str:
    """A short name for files, logs and process groups; by default that of the project."""
    default = application.settings_module.partition(".")[0] or "site"
    name = context.site.get("NAME", default)
    if not isinstance(name, str) or not _NAME.match(name):
        message = f"{name!r} is not made of up to 32 letters, digits, '_' and '-'."
        context.find(findings.CONF_TYPE, context.key("NAME"), message)
    return str(name)


def hosts(context: Context) -> Hosts:
    """The hosts of SITE, else ALLOWED_HOSTS, else what Django allows while DEBUG is on."""
    values, setting = _host_values(context)
    names = [str(value).lower() for value in values]
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, str):
            context.find(findings.BAD_HOST, setting, f"{value!r} is not a host.")
        elif not _is_host(name):
            context.find(findings.BAD_HOST, setting, f"{name!r} is not a host.{_ascii(name)}")
    if not names:
        message = "it is empty, so that Django would refuse every request."
        context.find(findings.NO_HOSTS, setting, message)
    return Hosts(names=tuple(dict.fromkeys(names)), setting=setting)


def check(context: Context, hosts: Hosts) -> None:
    """Report names of HOSTS that Django would refuse, unless a proxy tells it the host."""
    stated, allowed = context.site.get("HOSTS"), [str(one) for one in _allowed(context)]
    policy, _ = trust.configured()
    if not isinstance(stated, (list, tuple)) or policy.is_told(contract.HOST_HEADER):
        return
    names = filter(_is_host, hosts.names)
    if refused := [repr(name) for name in names if not validate_host(name, allowed)]:
        message = f"ALLOWED_HOSTS has no {', '.join(refused)}, so that Django answers 400 there."
        context.find(findings.HOST_REFUSED, hosts.setting, message)


def prefix(context: Context) -> tuple[str, str]:
    """The URL prefix, '' for none, and the setting it came from."""
    forced = context.settings.FORCE_SCRIPT_NAME
    setting = context.key("PREFIX") if "PREFIX" in context.site else "FORCE_SCRIPT_NAME"
    value = context.site.get("PREFIX", forced)
    clean = _without_slash(value)
    if not isinstance(value, str | None) or (clean and not _PREFIX.match(clean)):
        context.find(findings.BAD_PREFIX, setting, f"{value!r} is not a URL prefix.")
        return "", setting
    if forced is not None and _without_slash(forced) != clean:
        message = f"{value!r} contradicts FORCE_SCRIPT_NAME = {forced!r}."
        context.find(findings.PREFIX_CONFLICT, setting, message)
    return clean, setting


def is_known(context: Context, prefix: str) -> bool:
    """Tell whether the project goes by ``prefix`` without being told: Django by FORCE_SCRIPT_NAME,
    protected files by SITE["PREFIX"] too, which that of SITES, even "", may replace."""
    return context.settings.FORCE_SCRIPT_NAME is not None or not (prefix or conf.prefix())


def _host_values(context: Context) -> tuple[Sequence[Any], str]:
    if "HOSTS" in context.site:
        value, setting = context.site["HOSTS"], context.key("HOSTS")
        if not isinstance(value, (list, tuple)):
            context.find_type(setting, value, "a list of host names")
            return DEBUG_HOSTS, setting
        return value, setting
    return _allowed(context), "ALLOWED_HOSTS"


def _allowed(context: Context) -> list[Any]:
    """What Django itself allows."""
    allowed = list(context.settings.ALLOWED_HOSTS)
    return allowed or (DEBUG_HOSTS if context.settings.DEBUG else [])


def _is_host(name: str) -> bool:
    return name == "*" or bool(_HOST.match(name) or _IPV6.match(name))


def _ascii(name: str) -> str:
    """What browsers send for a name in another script, as the rest of a message."""
    try:
        spelling = name.encode("idna").decode()
    except UnicodeError:
        return ""
    return f" Browsers send {spelling!r}." if spelling != name and _is_host(spelling) else ""


def _without_slash(value: object) -> str:
    return str(value or "").rstrip("/")
