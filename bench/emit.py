"""Inside of the project: lay a stack out as ``manage.py deployrun`` does, and say how to run it.

``python -m bench.emit TARGET GATEWAY APP-SERVER DIRECTORY USER [KEY=VALUE...]`` prints JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import django

from django_deploykit.config.deployment import parse_choices
from django_deploykit.config.stack import resolve
from django_deploykit.management import choices
from django_deploykit.run.directory import lay_out


def emitted(
    target: str, gateway: str, app_server: str, directory: Path, user: str, *chosen: str
) -> dict[str, Any]:
    """Write the stack's files; the front's own, its modules, and what runs behind it."""
    project = choices.read_project({"choices": []})
    stack = resolve(target, gateway or None, app_server or None, sites=project.sites)
    picked = parse_choices(dict(pair.split("=", 1) for pair in chosen), "bench")
    deployment = replace(project.deployment, log_directory=directory / "log", **picked)
    if user and stack.app_server:
        deployment = replace(deployment, user=user)
    plan = stack.plan(project.sites, deployment, directory)
    if stack.app_server and not deployment.socket:
        plan = replace(plan, sockets=directory / "run")
    *behind, _ = lay_out(stack, plan, directory, user or None)
    front = stack.renderer(plan).render()
    return {
        "site": str(directory / front.filename),
        "modules": sorted(front.needs.modules),
        "behind": [
            {
                "words": one.foreground.command,
                "environment": dict(one.foreground.environment),
                "socket": str(one.socket) if isinstance(one.socket, Path) else "",
                "drops": one.user is None,
            }
            for one in behind
        ],
    }


if __name__ == "__main__":
    django.setup()
    target, gateway, app_server, directory, user, *chosen = sys.argv[1:]
    print(json.dumps(emitted(target, gateway, app_server, Path(directory), user, *chosen)))
