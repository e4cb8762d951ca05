"""gunicorn without a front server: for development, containers and intranets.

Manual: https://docs.gunicorn.org/en/stable/settings.html
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config.renderer import (
    Access,
    Foreground,
    Needs,
    Plan,
    Rendered,
    Renderer,
)
from django_deploykit.config.syntax.python import python_lines
from django_deploykit.exceptions import CannotRun, ChoiceError

_TEXT = """
    # gunicorn alone: it is the edge, so it believes no proxy and no header.
    bind = <<bind>>
    wsgi_app = <<wsgi_app>>
    pythonpath = <<pythonpath>>
    chdir = <<chdir>>

    workers = <<workers>>
    threads = <<threads>>
    timeout = <<timeout>>
    graceful_timeout = 30
    keepalive = 5
    backlog = 1024

    # Whoever connects is the client: nothing may speak for somebody else.
    forwarded_allow_ips = ""
    forwarder_headers = ""
    secure_scheme_headers = {}
    header_map = "drop"

    raw_env = <<raw_env>>
    accesslog = "-"
    errorlog = "-"
    control_socket_disable = True
"""

_ACCOUNT = """
    user = <<user>>
    group = <<group>>
"""


class GunicornRenderer(Renderer):
    """A gunicorn.conf.py that serves one site alone, static files through WhiteNoise."""

    name = "gunicorn"
    summary = "gunicorn alone, with WhiteNoise for static files (no front server)"
    gateways = ("http",)
    stands_alone = True

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("wsgi", plan)]

    def render(self) -> Rendered:
        if len(self.plan.sites) > 1:
            raise ChoiceError("target 'gunicorn': one gunicorn serves one site, not SITES.")
        site, deployment = self.plan.sites[0], self.deployment
        if site.tls:
            raise ChoiceError("target 'gunicorn': it does not end TLS; use target 'apache'.")
        lines = python_lines(
            _TEXT,
            bind=[str(address).removeprefix("*") for address in deployment.listen],
            wsgi_app=f"{self.plan.script(site).stem}:application",
            pythonpath=str(self.plan.script(site).parent),
            chdir=str(site.application.root),
            workers=deployment.processes,
            threads=deployment.threads,
            timeout=deployment.request_timeout,
            raw_env=[f"LANG={deployment.locale}", f"LC_ALL={deployment.locale}"],
        )
        if deployment.user:
            group = deployment.group or deployment.user
            lines += python_lines(_ACCOUNT, user=deployment.user, group=group)
        needs = Needs(access=(Access(site.application.root, "the application's code"),))
        return Rendered(filename=self._file_name(), lines=lines, needs=needs)

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        if importlib.util.find_spec("gunicorn") is None:
            raise CannotRun(
                "gunicorn is not installed here: pip install 'django-deploykit[gunicorn]'."
            )
        command = (sys.executable, "-m", "gunicorn", "-c", str(directory / self._file_name()))
        # gunicorn drops to the user that its configuration names.
        return Foreground(files={}, command=command, check=(*command, "--check-config"))

    def _file_name(self) -> str:
        return f"gunicorn/{self.plan.sites[0].name}_gunicorn.py"
