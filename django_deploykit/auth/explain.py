"""Why a policy holds for a user, or does not: every rule with its answer."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest

from django_deploykit import policies
from django_deploykit.auth.accounts import Account


def explain(account: Account, rule: policies.Rule, request: HttpRequest) -> Iterator[str]:
    """One line for each rule; ``account`` is somebody. Errors of the project's own are lines."""
    yield _line(account.is_active, 0, "active user")
    for depth, one in policies.walk(rule):
        try:
            held = one.holds(account, request)
        except Exception as error:
            yield f"{'  ' * depth}error  {one}: {error!r}"
        else:
            yield _line(held, depth, str(one))


def _line(held: bool, depth: int, text: str) -> str:
    return f"{'  ' * depth}{'yes' if held else 'no':5}  {text}"
