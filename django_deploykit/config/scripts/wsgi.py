"""A wsgi.py for one site that assigns its settings module, whatever the environment says."""

from __future__ import annotations

from collections.abc import Sequence

from django_deploykit.config.plan import Plan, script_name
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.scripts.entry import entry_lines, other_sites, site_of
from django_deploykit.exceptions import ChoiceError

_WATCHED = """
    from django_deploykit.handlers.hanging import watched

    # A request that hangs costs its process; the server itself overlooks one thread of several.
    application = watched(application, server=<<server>>)
"""

_FORKED = """
    from django_deploykit.handlers.workers import close_databases

    # The processes that are made of this one share no connection.
    close_databases()
"""

_MEASURED = """
    from django_deploykit.handlers.chunked import measured

    # Django would take a body without a length (chunked) for an empty one.
    application = measured(application, <<limit>>)
"""

_ALONE = """
    from django_deploykit.handlers.standalone import standalone

    # What a web server in front would do.
    application = standalone(
        application,
        prefix=<<prefix>>,
        files=<<files>>,
        hashed=<<hashed>>,
        environ=<<environ>>,
    )
"""

_BEHIND = """
    from django_deploykit.handlers.behind import behind_front

    # What the front server says, and nothing that a client says.
    application = behind_front(
        application,
        front=<<front>>,
        gateway=<<gateway>>,
        prefix=<<prefix>>,
        data=<<data>>,
    )
"""


_FILES = """
    from django_deploykit.handlers.standalone import with_static_files

    # The front sends no files.
    application = with_static_files(application, files=<<files>>, hashed=<<hashed>>)
"""

# flup and Twisted run in the package's own processes, which have a limit (handlers/workers.py).
_OVERLOOK = ("gunicorn", "uwsgi")
# It loads the application once, and forks then, as flup and Twisted do here by themselves.
_FORKS = "uwsgi"


class WsgiScriptRenderer(Renderer):
    """The WSGI script that Apache, or any WSGI server, loads."""

    name = "wsgi"
    summary = "a wsgi.py that forces the settings module of its site"
    gateways = ("script",)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return other_sites(plan, cls.name)

    def render(self) -> Rendered:
        site = site_of(self.plan, self.name)
        if site.application.wsgi is None:
            raise ChoiceError(f"{site.name}: WSGI_APPLICATION is unset, so there is no script.")
        dotted, setting = site.application.wsgi, "WSGI_APPLICATION"
        wrappers = _WATCHED + _MEASURED if self._needs_watch else _MEASURED
        if self.plan.stands_alone:
            wrappers += _ALONE
        elif self.plan.app_server:
            wrappers += _BEHIND if self.plan.front_sends_files else _BEHIND + _FILES
        if self.plan.app_server == _FORKS:
            wrappers += _FORKED
        return Rendered(
            filename=script_name(self.plan, site),
            lines=entry_lines(self.plan, site, dotted, setting, wrappers),
        )

    @property
    def _needs_watch(self) -> bool:
        """Whether the server's own limits overlook a thread."""
        return self.plan.stands_alone or self.plan.app_server in _OVERLOOK
