"""granian behind a front server: ASGI or WSGI, as the project's settings say, over HTTP.

Manual: https://github.com/emmett-framework/granian
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import launcher
from django_deploykit.config.renderer import Foreground, Plan, Rendered, Renderer

_CONFIG = """
    from pathlib import Path

    from granian import Granian

    config = {
        "target": <<application>>,
        "interface": <<interface>>,
        "http": "1",
        "workers": <<workers>>,
        "blocking_threads": <<blocking_threads>>,
        "backlog": 1024,
        # A worker that dies is replaced; one that is to end may finish its requests.
        "respawn_failed_workers": True,
        "workers_kill_timeout": <<timeout>>,
        "log_access": True,
    }
"""

_UNIX = """
    if __name__ == "__main__":
        from multiprocessing import set_start_method

        # It would not start where an old one was left.
        Path(<<path>>).unlink(missing_ok=True)
        set_start_method("spawn")
        Granian(uds=Path(<<path>>), uds_permissions=0o660, **config).serve()
"""

_TCP = """
    if __name__ == "__main__":
        from multiprocessing import set_start_method

        set_start_method("spawn")
        Granian(address=<<host>>, port=<<port>>, **config).serve()
"""


class GranianRenderer(Renderer):
    """A Python file that starts granian for one site behind a front server."""

    name = "granian"
    summary = "granian behind a front server: ASGI, with websockets, or WSGI"
    gateways = ("http",)
    protocols = gateways
    interfaces = ("asgi", "wsgi")
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [(plan.interface(plan.sites[0]), plan)]

    def render(self) -> Rendered:
        site = launcher.site_of(self.plan, self.name)
        end = _UNIX if isinstance(self.plan.socket(site), Path) else _TCP
        # An event loop has one; it hands what blocks to threads of Django's own.
        threads = self.deployment.threads if self.plan.interface(site) == "wsgi" else 1
        return launcher.rendered(self.plan, self.name, _CONFIG, end, blocking_threads=threads)

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        load = "import_module(config['target'].partition(':')[0]); Granian(**config)"
        check = f"from granian import Granian; from importlib import import_module; {load}"
        return launcher.foreground(self.plan, self.name, directory, check)
