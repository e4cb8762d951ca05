"""uvicorn behind a front server: ASGI over HTTP.

Manual: https://uvicorn.dev/settings/
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import launcher, limits
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered, Renderer

_CONFIG = """
    import uvicorn

    config = {
        "app": <<application>>,
        "workers": <<workers>>,
        "backlog": <<backlog>>,
        # Longer than any front keeps an idle connection, so that none is closed under it.
        "timeout_keep_alive": <<keep_alive>>,
        # Requests that run, or are on their way, end before a worker does.
        "http": "django_deploykit.handlers.uvicorn:Protocol",
        "timeout_graceful_shutdown": <<timeout>>,
        # A new worker that is not ready by then is given up, and the old one keeps its old code.
        "timeout_worker_healthcheck": <<start_timeout>>,
        # Sooner than a front gives a websocket up that says nothing.
        "ws_ping_interval": <<ping>>,
        # Headers are believed, if at all, by the script that it loads: never by uvicorn itself.
        "proxy_headers": False,
        "server_header": False,
    }
"""

_UNIX = """
    if __name__ == "__main__":
        from socket import AF_UNIX, socket

        # uvicorn itself would open it to everybody, and not start where an old one was left.
        if os.path.exists(<<path>>):
            os.unlink(<<path>>)
        listener = socket(AF_UNIX)
        listener.bind(<<path>>)
        os.chmod(<<path>>, 0o660)
        uvicorn.run(fd=listener.fileno(), **config)
"""

_TCP = """
    if __name__ == "__main__":
        uvicorn.run(host=<<host>>, port=<<port>>, **config)
"""

# Seconds; uvicorn's own default.
_PING = 20


class UvicornRenderer(Renderer):
    """A Python file that starts uvicorn for one site behind a front server."""

    name = "uvicorn"
    summary = "uvicorn behind a front server: ASGI, with websockets"
    gateways = ("http",)
    protocols = gateways
    interface = "asgi"
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("asgi", plan)]

    def render(self) -> Rendered:
        site = launcher.only_site(self.plan, self.name)
        end = _UNIX if isinstance(self.plan.socket(site), Path) else _TCP
        ping = min(_PING, self.deployment.request_timeout)
        start = limits.start_timeout(self.deployment)
        lines = launcher.spawning(self.plan, site, _CONFIG, end, ping=ping, start_timeout=start)
        return launcher.rendered(self.plan, site, self._file_name(), lines)

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        check = "import uvicorn; uvicorn.Config(**config).load()"
        return launcher.foreground(self.plan, self.name, directory / self._file_name(), check)

    @property
    def reload(self) -> str:
        # A single process has nobody who replaces it, and SIGHUP would end it.
        return "HUP" if self.deployment.processes > 1 else ""

    def _file_name(self) -> str:
        return f"uvicorn/{self.plan.name(self.plan.sites[0])}_uvicorn.py"
