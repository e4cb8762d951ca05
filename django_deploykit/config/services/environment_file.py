"""A template of the file that SITE["ENV_FILE"] names, without any value in it.

Two readers have to agree on it: systemd (``EnvironmentFile=``, systemd.exec(5)) and the entry
script (django-environ), so it explains what both read alike.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Needs, Rendered, Renderer
from django_deploykit.config.scripts.entry import site_of
from django_deploykit.config.services.accounts import USUAL, group, unit_name
from django_deploykit.config.syntax.printer import Line

# The reader of the file may be the server's group; the rest of the world may not.
_MODE = 0o640

_TEXT = """\
# NAME=value, one on a line; names in upper case. Values without spaces, quotes, backslashes,
# "$" and "#" mean the same to everybody who reads this file. No "export" and no blank
# around "=".
# What is secret stands here and nowhere else: its owner and the application's group read it.
#SECRET_KEY=
#DATABASE_URL="""


class EnvironmentFileRenderer(Renderer):
    """A template for the environment file of one site: names only, and every one a comment."""

    name = "environment-file"
    summary = "a template of the environment file, without values"
    gateways = ("file",)

    @classmethod
    def accompanies(cls, stack: Plan, sites: Sequence[Plan]) -> Sequence[Plan]:
        return [plan for plan in sites if plan.sites[0].application.env_file and not plan.pool]

    def render(self) -> Rendered:
        site = site_of(self.plan, self.name)
        text = [f"# Environment of the site {site.name}", *_TEXT.splitlines()]
        path = site.application.env_file
        return Rendered(
            filename=f"environment/{unit_name(self.plan, site)}.env",
            lines=tuple(Line(line, None) for line in text),
            mode=_MODE,
            needs=Needs(steps=(self._protect(path),) if path else ()),
        )

    def _protect(self, path: Path) -> str:
        reader = group(self.deployment) or self.deployment.user or USUAL
        quoted = shlex.quote(str(path))
        # Its owner stays: whoever runs manage.py has to read it, too.
        return f"chgrp {reader} {quoted} && chmod {_MODE:04o} {quoted}"
