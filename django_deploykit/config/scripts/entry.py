"""The text that both entry scripts share."""

from __future__ import annotations

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.renderer import Plan
from django_deploykit.config.syntax.printer import Line
from django_deploykit.config.syntax.python import python_lines

_FACTORY = "django.core.asgi.get_asgi_application"

_SCRIPT = """
    import sys

    # The project's code, and the packages of its environment, come before anything else.
    for directory in (<<packages>>, <<root>>):
        if directory in sys.path:
            sys.path.remove(directory)
        sys.path.insert(0, directory)

    from django_deploykit.handlers import bootstrap

    # Assigned, not defaulted: the site of this script can never be another one.
    bootstrap(
        <<settings>>,
        env_file=<<env_file>>,
        prefix=<<prefix>>,
        stack=<<stack>>,
    )

    from {module} import {name} as {alias}
"""


_ALONE = """

    from django_deploykit.handlers.standalone import standalone

    application = standalone(
        application,
        prefix=<<prefix>>,
        files=<<files>>,
        hashed=<<hashed>>,
        environ=<<environ>>,
    )
"""


def entry_lines(plan: Plan, site: SiteFacts, dotted: str) -> tuple[Line, ...]:
    """The script that loads the application ``dotted`` of one site."""
    module, _, name = dotted.rpartition(".")
    alias = "get_application" if dotted == _FACTORY else "application"
    text = _SCRIPT.format(module=module, name=name, alias=alias)
    if alias != "application":
        text += "\n    application = get_application()\n"
    elif plan.stands_alone:
        text += _ALONE
    home = plan.deployment.python_home
    app = site.application
    mounts = site.static.mounts if site.static else ()
    packages = site.interpreter.packages
    if home:
        packages = home / packages.relative_to(site.interpreter.prefix)
    return python_lines(
        text,
        packages=str(packages),
        root=str(app.root),
        settings=app.settings_module,
        env_file=str(app.env_file) if app.env_file else None,
        prefix=site.prefix,
        stack=plan.label,
        files={mount.url: str(mount.directory) for mount in mounts},
        hashed=bool(site.static and site.static.hashed),
        environ=dict(site.environ),
    )
