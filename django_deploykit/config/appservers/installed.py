"""Which application servers the project's Python has."""

from __future__ import annotations

from importlib.util import find_spec

from django_deploykit.config.plan import Plan

# The module by which each is found.
_MODULES = {
    "flup": "flup",
    "granian": "granian",
    "gunicorn": "gunicorn",
    "twisted": "twisted",
    "uvicorn": "uvicorn",
    "uwsgi": "pyuwsgi",
}


def missing(name: str) -> str:
    """What to do before the server ``name`` runs here; "" where it does, or is no package."""
    module = _MODULES.get(name)
    if module is None or find_spec(module):
        return ""
    return f"{name} is not installed here: pip install 'django-deploykit[{name}]'."


def misfits(plan: Plan) -> tuple[str, ...]:
    """A warning of what is missing here; none if the plan is for another machine."""
    if plan.in_container or plan.deployment.python_home:
        return ()
    return tuple(filter(None, map(missing, (plan.front, plan.app_server))))
