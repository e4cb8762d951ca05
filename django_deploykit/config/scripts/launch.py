"""The text that all files have in common which load a site's WSGI script and serve it."""

from __future__ import annotations

import os
import re
from typing import Any

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.renderer import Plan
from django_deploykit.config.syntax.printer import Line
from django_deploykit.config.syntax.python import python_lines
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue

# Linux reads so many bytes of a script's first line since 5.1 (execve(2)).
_FIRST_LINE = 255

# A program that loads such a file, but does not serve it.
CHECK = "import runpy, sys; runpy.run_path(sys.argv[1])"

_LOAD = """
    import sys
    from importlib import import_module

    # This script forces the settings of its site, and believes only what the front may say.
    sys.path.insert(0, <<scripts>>)
    application = import_module(<<module>>).application
"""


def only_site(plan: Plan, target: str) -> SiteFacts:
    """The site to serve. Raise ChoiceError for several, and for one without WSGI."""
    if len(plan.sites) > 1:
        raise ChoiceError(f"target {target!r}: one file serves one site, not SITES.")
    site = plan.sites[0]
    if site.application.wsgi is None:
        raise ChoiceError(f"{site.name}: WSGI_APPLICATION is unset; nothing to run here.")
    return site


def launching(plan: Plan, site: SiteFacts, text: str, **values: Any) -> tuple[Line, ...]:
    """Text that loads ``application``, then serves it as ``text`` says."""
    return loading(plan, site, f"{_LOAD}{text}", **values)


def loading(plan: Plan, site: SiteFacts, text: str, **values: Any) -> tuple[Line, ...]:
    """Text in which the WSGI script is known as ``module`` in the directory ``scripts``."""
    script = plan.script(site)
    return python_lines(text, scripts=str(script.parent), module=script.stem, **values)


def interpreter(plan: Plan, site: SiteFacts) -> str:
    """The Python of the site's environment."""
    return str((plan.deployment.python_home or site.interpreter.prefix) / "bin" / "python")


def first_line(plan: Plan, site: SiteFacts) -> Line:
    """What lets a file be started by its name. Raise UnrepresentableValue where nothing does."""
    python = interpreter(plan, site)
    setting = "python_home" if plan.deployment.python_home else "sys.prefix"
    if re.search(r"\s", python):
        raise UnrepresentableValue(python, "a script's first line", "a blank ends it", setting)
    if len(os.fsencode(f"#!{python}")) > _FIRST_LINE:
        reason = f"it holds {_FIRST_LINE} bytes"
        raise UnrepresentableValue(python, "a script's first line", reason, setting)
    return Line(f"#!{python}", None)


def locale_variables(plan: Plan) -> dict[str, str]:
    """What makes Python store a file of any name."""
    return dict.fromkeys(("LANG", "LC_ALL"), plan.deployment.locale)
