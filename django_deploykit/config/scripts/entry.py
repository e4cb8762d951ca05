"""The text that both entry scripts share."""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.syntax.printer import Line
from django_deploykit.config.syntax.python import python_lines
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue

_FACTORY = "django.core.asgi.get_asgi_application"

_BOOTSTRAP = """
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
"""

_APPLICATION = """
    from {module} import {name}
"""


def site_of(plan: Plan, target: str) -> SiteFacts:
    """The site of this script. Raise ChoiceError where only one of several would be printed."""
    if len(plan.sites) > 1 and not plan.directory:
        names = ", ".join(site.name for site in plan.sites)
        raise ChoiceError(
            f"target {target!r}: the sites {names} have a script each. "
            "Write them all: add --output DIRECTORY."
        )
    return plan.sites[0]


def other_sites(plan: Plan, target: str) -> list[tuple[str, Plan]]:
    """The scripts of all sites but the first, as companions of the first one's."""
    return [(target, plan.for_site(site)) for site in plan.sites[1:]]


def entry_lines(
    plan: Plan, site: SiteFacts, dotted: str, setting: str, wrappers: str = ""
) -> tuple[Line, ...]:
    """The script that loads the application ``dotted``, named by ``setting``, of one site.

    ``wrappers`` is more text of ours, below it.
    """
    module, _, name = dotted.rpartition(".")
    if not all(part.isidentifier() and not iskeyword(part) for part in [*module.split("."), name]):
        raise UnrepresentableValue(dotted, "Python", "it is no dotted name", setting)
    text = _APPLICATION.format(module=module, name=name)
    if dotted == _FACTORY:
        text += f"\n    application = {name}()\n"
    elif name != "application":
        text += f"\n    application = {name}\n"
    return bootstrapped(
        plan,
        site,
        text + wrappers,
        limit=plan.deployment.body_limit,
        files={mount.url: str(mount.directory) for mount in plan.static_mounts(site)},
        hashed=bool(site.static and site.static.hashed),
        environ=dict(site.environ),
        data=[name for name, _ in site.environ],
        front=plan.front,
        gateway=plan.gateway,
        server=plan.front if plan.stands_alone else plan.app_server,
    )


def bootstrapped(plan: Plan, site: SiteFacts, text: str, **values: Any) -> tuple[Line, ...]:
    """``text`` below what sets Django up for one site, whatever the environment says."""
    home = plan.deployment.python_home
    app = site.application
    packages = site.interpreter.packages
    if home:
        packages = home / packages.relative_to(site.interpreter.prefix)
    return python_lines(
        _BOOTSTRAP + text,
        packages=str(packages),
        root=str(app.root),
        settings=app.settings_module,
        # Into a container, variables come without a file.
        env_file=str(app.env_file) if app.env_file and not plan.in_container else None,
        prefix=site.prefix,
        stack=plan.label,
        **values,
    )
