"""Words for requests, policies and what came of them."""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from typing import Any

from django_deploykit import contract, trust
from django_deploykit.proxy.asgi import AsgiDoor
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision
from django_deploykit.proxy.wsgi import WsgiDoor
from django_deploykit.trust import Policy

PROXY = "10.0.0.1"
VISITOR = "203.0.113.9"
EVERY_X = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"]


def policy(**section: Any) -> Policy:
    """The policy of a PROXY section that has no problem; by default 10.0.0.0/8 is trusted."""
    reader = trust._Reader({"TRUSTED": ["10.0.0.0/8"], "HEADERS": EVERY_X, **section})
    found = reader.policy()
    assert reader.problems == []
    return found


def problems(**section: Any) -> list[str]:
    """What is wrong with a PROXY section."""
    reader = trust._Reader(section)
    reader.policy()
    return [f"{place}: {text}" for place, text in reader.problems]


def environ(*, peer: str = PROXY, path: str = "/", **keys: Any) -> dict[str, Any]:
    """A WSGI environ; headers are given as X_Forwarded_For."""
    more = {
        key if "." in key or key.isupper() else f"HTTP_{key.upper()}": value
        for key, value in keys.items()
    }
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "backend",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "40000",
        "HTTP_HOST": "example.com",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        **more,
    }


def scope(
    *headers: tuple[str, str], peer: str | None = PROXY, path: str = "/", **keys: Any
) -> dict[str, Any]:
    """An ASGI scope; the Host header comes first."""
    return {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "client": (peer, 40000) if peer else None,
        "server": ("backend", 8000),
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in (("Host", "example.com"), *headers)
        ],
        **keys,
    }


def ask(policy: Policy, **keys: Any) -> Decision:
    """The decision on a WSGI request."""
    return WsgiDoor(Judge(policy)).enter(environ(**keys))


def written(policy: Policy, **keys: Any) -> dict[str, Any]:
    """The environ of a WSGI request, written anew."""
    made = environ(**keys)
    WsgiDoor(Judge(policy)).enter(made)
    return made


def written_scope(policy: Policy, *headers: tuple[str, str], **keys: Any) -> Mapping[str, Any]:
    """The scope of an ASGI request, written anew."""
    return AsgiDoor(Judge(policy)).enter(scope(*headers, **keys))


def decided(scope: Mapping[str, Any]) -> Decision:
    found = scope[contract.DECISION_KEY]
    assert isinstance(found, Decision)
    return found


def unix_listener() -> socket.socket:
    """A socket of the family that gunicorn shows for --bind unix:."""
    return socket.socket(socket.AF_UNIX)
