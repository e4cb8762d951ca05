"""Application servers without a configuration file of their own: a Python file starts them.

What it says is what it runs: no shell quotes it, and no variable of the environment changes it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.renderer import Foreground, Needs, Plan, Rendered, site_access
from django_deploykit.config.syntax.printer import Line
from django_deploykit.config.syntax.python import python_lines
from django_deploykit.exceptions import CannotRun, ChoiceError

_START = """
    import os
    import sys

    # Each worker is an interpreter of its own, and runs this file but for its last lines.
    os.environ.update(<<locale>>)
    os.chdir(<<chdir>>)
    sys.path.insert(0, <<scripts>>)
"""


def site_of(plan: Plan, target: str) -> SiteFacts:
    """The only site. Raise ChoiceError where there are more."""
    if len(plan.sites) > 1:
        raise ChoiceError(f"target {target!r}: one {target} serves one site, not SITES.")
    return plan.sites[0]


def rendered(plan: Plan, target: str, *parts: str, **values: Any) -> Rendered:
    """The file that starts ``target``: texts of ours with ``values`` and those of the plan."""
    site, deployment, script = plan.sites[0], plan.deployment, plan.script(plan.sites[0])
    common = {
        "locale": {"LANG": deployment.locale, "LC_ALL": deployment.locale},
        "chdir": str(site.application.root),
        "scripts": str(script.parent),
        "application": f"{script.stem}:application",
        "workers": deployment.processes,
        "timeout": deployment.request_timeout,
        **_address(plan, site),
    }
    texts = [python_lines(part, **common, **values) for part in (_START, *parts)]
    return Rendered(
        filename=file_name(plan, target),
        lines=tuple(line for text in texts for line in (*text, Line("", None)))[:-1],
        needs=Needs(access=tuple(site_access(plan, site))),
    )


def file_name(plan: Plan, target: str) -> str:
    return f"{target}/{plan.sites[0].name}_{target}.py"


def foreground(plan: Plan, target: str, directory: Path, check: str) -> Foreground:
    """Run the file; ``check`` is Python that ends well if ``config``, its settings, is right."""
    if importlib.util.find_spec(target) is None:
        raise CannotRun(
            f"{target} is not installed here: pip install 'django-deploykit[{target}]'."
        )
    path = str(directory / file_name(plan, target))
    loaded = f"import runpy, sys; config = runpy.run_path(sys.argv[1])['config']; {check}"
    return Foreground(
        files={},
        command=(sys.executable, path),
        check=(sys.executable, "-c", loaded, path),
        drops=False,
    )


def _address(plan: Plan, site: SiteFacts) -> dict[str, Any]:
    socket = plan.socket(site)
    if isinstance(socket, Path):
        return {"path": str(socket)}
    return {"host": socket.host, "port": socket.port}
