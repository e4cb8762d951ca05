"""What the command says about a rendered set: explanations, needs, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django_deploykit.config.access import Denied, server_group
from django_deploykit.config.findings import Finding
from django_deploykit.config.output import State, full_text
from django_deploykit.config.renderer import Access, Needs, Rendered
from django_deploykit.config.syntax.nodes import Directive

T = TypeVar("T")


def explained(rendered: Rendered) -> Iterator[str]:
    """Every line of the text; below each directive, its setting and its reason."""
    for line in rendered.lines:
        yield line.text
        if isinstance(line.node, Directive):
            indent = " " * (len(line.text) - len(line.text.lstrip()) + 4)
            origin = f"{line.node.setting}: " if line.node.setting else ""
            yield f"{indent}← {origin}{line.node.why}"


def merged(rendered: Sequence[Rendered]) -> Needs:
    """The needs of a whole set, each said once."""
    return Needs(
        modules=_once(name for one in rendered for name in one.needs.modules),
        packages=_once(name for one in rendered for name in one.needs.packages),
        access=_once(access for one in rendered for access in one.needs.access),
        steps=_once(step for one in rendered for step in one.needs.steps),
        remarks=_once(remark for one in rendered for remark in one.needs.remarks),
    )


def notes(needs: Needs, user: str | None, obstacles: Sequence[Denied]) -> Iterator[str]:
    """What else must be true on the host, as lines for a person.

    ``user`` is whoever the server's processes run as, or None if nobody here is.
    """
    if needs.packages:
        yield f"packages: {' '.join(needs.packages)}"
    if needs.modules:
        yield f"modules to enable: {' '.join(needs.modules)}"
    for step in needs.steps:
        yield f"run: {step}"
    for access in needs.access:
        if access.write:
            yield f"directory: {access.path}, {_ownership(access, user)} ({access.why})"
    yield from needs.remarks
    if user is None and needs.access:
        yield "permissions were not looked at: the server's user does not exist here"
    for obstacle in obstacles:
        yield f"403 for {obstacle.user}: {obstacle}"


def _ownership(access: Access, user: str | None) -> str:
    group = f", group {server_group()}" if access.private else ""
    return f"owner {user or 'the server'}{group}, mode {access.mode}"


def as_json(
    rendered: Sequence[Rendered],
    said: Sequence[str],
    whole: Mapping[str, Sequence[str]],
    invocation: str,
    findings: Sequence[Finding],
    user: str | None,
    obstacles: Sequence[Denied],
    states: Mapping[str, State],
) -> str:
    """The whole set as one JSON document. ``said`` are the warnings, ``whole`` is what is explained
    of the whole stack; ``states`` by file name, where files are compared."""
    needs = merged(rendered)
    document = {
        "files": [_file(one, invocation, states.get(one.filename)) for one in rendered],
        "warnings": [
            *({"id": f.kind.id, "setting": f.setting, "message": str(f)} for f in findings),
            *({"message": text} for text in said),
        ],
        **whole,
        "needs": {
            "packages": needs.packages,
            "modules": needs.modules,
            "steps": needs.steps,
            "remarks": needs.remarks,
            "access": [_access(access, user) for access in needs.access],
        },
        "user": user,
        "denied": [
            {
                "path": str(one.access.path),
                "component": str(one.component),
                "problem": one.problem,
                "user": one.user,
                "why": one.access.why,
            }
            for one in obstacles
        ],
    }
    return json.dumps(document, indent=2)


def _file(one: Rendered, invocation: str, state: State | None) -> dict[str, Any]:
    return {
        "path": one.filename,
        **({"state": state.value} if state else {}),
        "mode": f"{one.mode:04o}",
        "text": full_text(one, invocation),
        "explain": [
            {"line": line.text.strip(), "setting": line.node.setting, "why": line.node.why}
            for line in one.lines
            if isinstance(line.node, Directive)
        ],
    }


def _access(access: Access, user: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"path": str(access.path), "why": access.why, "write": access.write}
    if access.private:
        found["group"] = server_group()
    return {**found, "owner": user, "mode": access.mode} if access.write else found


def _once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
