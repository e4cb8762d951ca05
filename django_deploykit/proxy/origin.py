"""Scheme, host, port and path: the parts of a URL, strictly read."""

from __future__ import annotations

import re

from django_deploykit.proxy.decision import Refused

PORTS = {"http": 80, "https": 443}
# A websocket begins as a request of HTTP, over the same connection.
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
# Django's own idea of a host (django/http/request.py): no user, blank or comma fits in.
_HOST = re.compile(r"([a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(?::([0-9]+))?\Z", re.IGNORECASE)
_ABSOLUTE_FORM = re.compile(r"\A[a-z][a-z0-9+.-]*://[^/]*", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,5}\Z")


def scheme(text: str) -> str:
    """``http`` or ``https``. Raise Refused for anything else."""
    found = _SCHEMES.get(text.lower())
    if found is None:
        raise Refused(400, f"the scheme {text!r} is neither http nor https")
    return found


def port(text: str) -> int:
    """A TCP port. Raise Refused for anything else."""
    if not _NUMBER.match(text) or not 1 <= int(text) <= 65535:
        raise Refused(400, f"the port {text!r} is no number from 1 to 65535")
    return int(text)


def host(text: str) -> tuple[str, int | None]:
    """A host, in brackets if it is an IPv6 address, and its port. Raise Refused otherwise."""
    match = _HOST.match(text)
    if match is None:
        raise Refused(400, f"{text!r} is no host")
    return match[1], port(match[2]) if match[2] else None


def authority(scheme: str, name: str, port: int | None) -> str:
    """Host and port as a browser sends them: without the port that the scheme implies."""
    return name if port in (None, PORTS[scheme]) else f"{name}:{port}"


def relative(target: str) -> str:
    """The target of a request without scheme and host, which it may have (RFC 9112 3.2.2)."""
    if target.startswith("/"):
        return target
    path, mark, query = target.partition("?")
    return f"{_ABSOLUTE_FORM.sub('', path)}{mark}{query}"


def request_path(target: str) -> str:
    """The path of a request's target."""
    return relative(target).partition("?")[0]
