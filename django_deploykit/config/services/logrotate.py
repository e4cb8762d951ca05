"""Rotation of a front's logs in a directory that was chosen.

Debian's own files rotate the usual directories, and what application servers say goes to the
journal, which rotates itself. Manual: logrotate(8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from django_deploykit.config.fronts import groups
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Needs, Rendered, Renderer
from django_deploykit.config.services.accounts import file_name
from django_deploykit.config.syntax import logrotate
from django_deploykit.config.syntax.nodes import Comment, Glob, Node, Raw, block, directive
from django_deploykit.config.syntax.printer import Dialect, print_lines

dialect = cast(Dialect, logrotate)
# As the fronts name them; lighttpd has one error log for all hosts.
_KINDS = ("access", "error")


class LogrotateRenderer(Renderer):
    """What logrotate does with the logs of a front server, where the distribution does nothing."""

    name = "logrotate"
    summary = "rotation of a front server's logs in a directory of their own"
    gateways = ("file",)

    @classmethod
    def accompanies(cls, stack: Plan, sites: Sequence[Plan]) -> Sequence[Plan]:
        return [stack] if stack.logs and stack.deployment.log_directory else []

    def render(self) -> Rendered:
        name = file_name(self.plan)
        return Rendered(
            filename=f"logrotate.d/{name}",
            lines=tuple(print_lines(self._nodes(), dialect)),
            needs=Needs(packages=("logrotate",)),
        )

    def _nodes(self) -> list[Node]:
        if self.deployment.log_directory is None:
            return [Comment("Nothing is needed here: the distribution rotates its own directory.")]
        names = ", ".join(site.name for site in self.plan.sites)
        return [
            Comment(f"{names}: logs of the front server"),
            *(self._logs(group.name) for group in groups(self.plan.sites)),
        ]

    def _logs(self, name: str) -> Node:
        """By name: a pattern would take those of a site whose name begins alike."""
        return block(
            logrotate.FILES,
            *(Glob(f"{self.deployment.log_directory}/{name}-{kind}.log") for kind in _KINDS),
            children=self._rules(),
            why="the logs of this host",
            setting="log_directory",
        )

    def _rules(self) -> list[Node]:
        rules: list[Node] = [
            directive("daily", why="as the distribution does with the front's other logs"),
            directive("rotate", 14, why="two weeks are kept"),
            directive("compress", why="old logs are small"),
            directive("delaycompress", why="the last one may still be written to"),
            directive("missingok", why="a site without requests has none"),
            directive("notifempty", why="nothing to rotate"),
            directive("sharedscripts", why="one reopening for all logs"),
        ]
        logs = self.plan.logs
        if logs is None:
            why = "no front is known that could be told to reopen them"
            return [*rules, directive("copytruncate", why=why)]
        if self.plan.gateway in logs.costly:
            why = "to open them anew, the front would cut requests off that run for seconds"
            return [*rules, directive("copytruncate", why=why)]
        reopen = directive(logs.reopen, why="it goes on in new files, and no request is lost")
        why = "the front cannot make them after it has dropped root"
        return [
            *rules,
            directive("create", Raw(f"0640 {logs.owner} {logs.group}"), why=why),
            block(logrotate.SCRIPT, children=[reopen], why="the old files are still open"),
        ]
