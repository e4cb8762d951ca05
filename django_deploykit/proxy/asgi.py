"""The door for ASGI: a scope is read, decided upon, and a new one handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from django_deploykit import contract
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision, Peer, Refused, Target
from django_deploykit.proxy.prefix import is_below

Scope = Mapping[str, Any]
Header = tuple[bytes, bytes]

_HEADERS = {
    name.lower().encode(): name
    for name in (*contract.CLIENT_FORBIDDEN_HEADERS, contract.PROOF_HEADER)
}
_WEBSOCKET = {"http": "ws", "https": "wss"}


class AsgiDoor:
    """Makes scopes say what one judge decides."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        data = map(contract.data_header, judge.policy.data)
        self._headers = {**_HEADERS, **{name.lower().encode(): name for name in data}}

    def enter(self, scope: Scope) -> Scope:
        """Decide on a request or websocket, once, and return its scope written anew. Raise Refused.

        Whatever is decided, every header that only a proxy may set is removed.
        """
        if isinstance(scope.get(contract.DECISION_KEY), Decision):
            return scope
        removed, headers = self._sorted(scope["headers"])
        decision = self._judge.decide(_peer(scope), _host(scope), _target(scope), removed)
        return _written(scope, headers, decision)

    def _sorted(self, headers: Iterable[Header]) -> tuple[dict[str, str], list[Header]]:
        """The headers that only a proxy may set, folded and joined; and the others.

        X_Forwarded_For and X-Forwarded-For are one to whoever folds names as CGI does. An
        underscore never counts (CVE-2015-0219), and with both of them somebody is lying.
        """
        said: dict[str, list[str]] = {}
        others, underscored = [], set()
        for key, value in headers:
            name = self._headers.get(key.lower().replace(b"_", b"-"))
            if name is None:
                others.append((key, value))
            elif b"_" in key:
                underscored.add(name)
            else:
                said.setdefault(name, []).append(value.decode("latin-1"))
        if twice := underscored & said.keys():
            raise Refused(400, f"{min(twice)} came in two spellings")
        return {name: ",".join(values) for name, values in said.items()}, others


async def refuse(
    refused: Refused, scope: Scope, send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Answer a refused request; why is for the log, not for the client."""
    refused.log()
    if scope["type"] == "websocket":  # Before it is accepted, the server answers this with 403.
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{refused.phrase}\n".encode()})


def _host(scope: Scope) -> str:
    found = next((value for key, value in scope["headers"] if key.lower() == b"host"), b"")
    return found.decode("latin-1")


def _server_name(scope: Scope, decision: Decision) -> str:
    """The host that a proxy stated, without its port, else the server's own name; where that is
    the path of a socket, the one that was asked for."""
    own = str((scope.get("server") or ("",))[0])
    host = decision.place.host or (decision.host if own.startswith("/") else "")
    return (host if host.endswith("]") else host.rpartition(":")[0] or host) or own


def _peer(scope: Scope) -> Peer:
    """No client is no proof of a unix socket; a server that names its socket's path is."""
    client, (name, port) = scope.get("client"), scope.get("server") or ("", 0)
    is_unix = not client and port is None and name.startswith("/")
    scheme = "https" if scope.get("scheme") in ("https", "wss") else "http"
    return Peer(client[0] if client else "", is_unix, True, scheme)


def _target(scope: Scope) -> Target:
    """Mount and path: some servers put root_path in front of the path, some do not."""
    root, path = scope.get("root_path", "").rstrip("/"), scope["path"]
    if root and is_below(path, root):
        path = path[len(root) :]
    raw = (scope.get("raw_path") or b"").partition(b"?")[0]  # Some had the query in it.
    return root, path or "/", raw.decode("latin-1")


def _written(scope: Scope, headers: list[Header], decision: Decision) -> Scope:
    client, place = decision.client, decision.place
    mount, path, raw = decision.target
    new = {
        **scope,
        "headers": headers,
        "root_path": mount,
        "path": mount + path,
        contract.DECISION_KEY: decision,
    }
    if client.hops:
        # ASGI wants a port; 0 is none.
        new["client"] = (client.address, 0) if client.address else None
    if raw:
        new["raw_path"] = raw.encode("latin-1")
    if place.scheme:
        is_websocket = scope["type"] == "websocket"
        new["scheme"] = _WEBSOCKET[place.scheme] if is_websocket else place.scheme
    if place.host:
        others = [header for header in headers if header[0].lower() != b"host"]
        new["headers"] = [(b"host", place.host.encode("latin-1")), *others]
    if place.port:
        new["server"] = (_server_name(scope, decision), place.port)
    return new
