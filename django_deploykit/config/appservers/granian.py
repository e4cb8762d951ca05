"""granian behind a front server: ASGI over HTTP.

Not WSGI: granian 2.8 hands the value of a header that is not ASCII to WSGI as an empty one.

Manual: https://github.com/emmett-framework/granian
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import launcher
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered, Renderer

_CONFIG = """
    from pathlib import Path

    from granian import Granian

    config = {
        "target": <<application>>,
        "interface": "asgi",
        "http": "1",
        "workers": <<workers>>,
        "backlog": <<backlog>>,
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
    summary = "granian behind a front server: ASGI, with websockets"
    gateways = ("http",)
    protocols = gateways
    reload = "HUP"
    interface = "asgi"
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("asgi", plan)]

    def render(self) -> Rendered:
        site = launcher.only_site(self.plan, self.name)
        end = _UNIX if isinstance(self.plan.socket(site), Path) else _TCP
        lines = launcher.spawning(self.plan, site, _CONFIG, end)
        return launcher.rendered(self.plan, site, self._file_name(), lines)

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        load = "import_module(config['target'].partition(':')[0]); Granian(**config)"
        check = f"from granian import Granian; from importlib import import_module; {load}"
        return launcher.foreground(self.plan, self.name, directory / self._file_name(), check)

    def _file_name(self) -> str:
        return f"granian/{self.plan.name(self.plan.sites[0])}_granian.py"
