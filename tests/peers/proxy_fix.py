"""A pytest plugin: werkzeug's tests of ProxyFix get ours instead.

Their counts of proxies, one for each header, become one policy: whoever connects is trusted, as
ProxyFix trusts; a count above 0 allows the header, and that of X-Forwarded-For is the hops.
"""

from __future__ import annotations

from typing import Any

import werkzeug.middleware.proxy_fix as theirs

from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.wsgi import WsgiDoor, refuse
from django_deploykit.trust import Policy


class ProxyFix:
    """What ``werkzeug.middleware.proxy_fix.ProxyFix`` takes, decided by our core."""

    def __init__(
        self,
        app: Any,
        x_for: int = 1,
        x_proto: int = 1,
        x_host: int = 0,
        x_port: int = 0,
        x_prefix: int = 0,
    ) -> None:
        counts = {"For": x_for, "Proto": x_proto, "Host": x_host, "Port": x_port}
        counts["Prefix"] = x_prefix
        headers = tuple(f"X-Forwarded-{name}" for name, count in counts.items() if count)
        policy = Policy("werkzeug", (("front",),), headers=headers, hops=x_for or 1)
        self._app, self._door = app, WsgiDoor(Judge(policy))

    def __call__(self, environ: Any, start_response: Any) -> Any:
        try:
            self._door.enter(environ)
        except Refused as refused:
            return refuse(refused, start_response)
        return self._app(environ, start_response)


theirs.ProxyFix = ProxyFix  # type: ignore[misc,assignment]
