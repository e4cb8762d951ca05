"""Python files that start an application server, or that a front server starts.

What they say is what they run: no shell quotes it, and no variable of the environment changes it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from django_deploykit.config import limits
from django_deploykit.config.appservers import installed
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Needs, Rendered, site_access
from django_deploykit.config.syntax.printer import Line
from django_deploykit.config.syntax.python import python_lines
from django_deploykit.exceptions import CannotRun, ChoiceError, UnrepresentableValue

# Linux reads so many bytes of a script's first line since 5.1 (execve(2)).
_FIRST_LINE = 255

# A program that loads such a file, but does not serve it.
CHECK = "import runpy, sys; config = runpy.run_path(sys.argv[1]).get('config')"

_LOAD = """
    import sys
    from importlib import import_module

    # This script forces the settings of its site, and believes only what the front may say.
    sys.path.insert(0, <<scripts>>)
    application = import_module(<<module>>).application
"""

_SPAWN = """
    import os
    import sys

    # Each worker is an interpreter of its own, and runs this file but for its last lines.
    os.environ.update(<<locale>>)
    os.chdir(<<chdir>>)
    sys.path.insert(0, <<scripts>>)
"""


def only_site(plan: Plan, target: str) -> SiteFacts:
    """The site to serve. Raise ChoiceError for several, and for one that cannot be called so."""
    if len(plan.sites) > 1:
        raise ChoiceError(f"target {target!r}: one file serves one site, not SITES.")
    site = plan.sites[0]
    if plan.interface == "wsgi" and site.application.wsgi is None:
        raise ChoiceError(f"{site.name}: WSGI_APPLICATION is unset; nothing to run here.")
    return site


def loading(plan: Plan, site: SiteFacts, text: str, **values: Any) -> tuple[Line, ...]:
    """Text in which the entry script is known as ``module`` in the directory ``scripts``."""
    script = plan.script(site)
    return python_lines(text, scripts=str(script.parent), module=script.stem, **values)


def serving(plan: Plan, site: SiteFacts, text: str, **values: Any) -> tuple[Line, ...]:
    """Text that loads ``application``, then serves it as ``text`` says."""
    return loading(plan, site, f"{_LOAD}{text}", **values)


def spawning(plan: Plan, site: SiteFacts, *texts: str, **values: Any) -> tuple[Line, ...]:
    """Texts for a server that starts workers of its own, each of which loads ``application``."""
    deployment, script = plan.deployment, plan.script(site)
    common = {
        "locale": locale_variables(plan),
        "chdir": str(site.application.root),
        "scripts": str(script.parent),
        "application": f"{script.stem}:application",
        "workers": deployment.processes,
        "backlog": limits.BACKLOG,
        "keep_alive": limits.FRONT_KEEP_ALIVE,
        "timeout": limits.reload_timeout(deployment),
        **_address(plan, site),
    }
    parts = [python_lines(text, **common, **values) for text in (_SPAWN, *texts)]
    return tuple(line for part in parts for line in (*part, Line("", None)))[:-1]


def rendered(plan: Plan, site: SiteFacts, name: str, lines: tuple[Line, ...]) -> Rendered:
    """The emitted file, called ``name`` in the written set."""
    return Rendered(filename=name, lines=lines, needs=Needs(access=tuple(site_access(plan, site))))


def executable(plan: Plan, site: SiteFacts, name: str, lines: tuple[Line, ...]) -> Rendered:
    """The same for a file that is started by its name. Raise UnrepresentableValue where the
    interpreter's does not fit into a first line."""
    return Rendered(
        filename=name,
        lines=(_first_line(plan, site), *lines),
        mode=0o755,
        needs=Needs(access=tuple(site_access(plan, site))),
    )


def foreground(plan: Plan, server: str, path: Path, check: str = "") -> Foreground:
    """Run the file at ``path``; ``check`` is Python that ends well if ``config``, which the file
    may define, is right. Raise CannotRun where ``server`` is not installed."""
    if problem := installed.missing(server):
        raise CannotRun(problem)
    return Foreground(
        files={},
        command=(sys.executable, str(path)),
        check=(sys.executable, "-c", f"{CHECK}; {check}", str(path)),
        environment=locale_variables(plan),
        drops=False,
    )


def locale_variables(plan: Plan) -> dict[str, str]:
    """What makes Python store a file of any name."""
    return dict.fromkeys(("LANG", "LC_ALL"), plan.deployment.locale)


def _first_line(plan: Plan, site: SiteFacts) -> Line:
    python = str(plan.python(site))
    setting = "python_home" if plan.deployment.python_home else "sys.prefix"
    if re.search(r"\s", python):
        raise UnrepresentableValue(python, "a script's first line", "a blank ends it", setting)
    if len(os.fsencode(f"#!{python}")) > _FIRST_LINE:
        reason = f"it holds {_FIRST_LINE} bytes"
        raise UnrepresentableValue(python, "a script's first line", reason, setting)
    return Line(f"#!{python}", None)


def _address(plan: Plan, site: SiteFacts) -> dict[str, Any]:
    socket = plan.socket(site)
    if isinstance(socket, Path):
        return {"path": str(socket)}
    return {"host": socket.host, "port": socket.port}
