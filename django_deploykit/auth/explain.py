"""Why a policy holds for a user, or does not: every rule with its answer."""

from __future__ import annotations

from django.http import HttpRequest

from django_deploykit import policies
from django_deploykit.auth.accounts import Account


def explain(account: Account, rule: policies.Rule, request: HttpRequest) -> tuple[bool, list[str]]:
    """Whether it holds, and one line for each rule. An error, as of a function, is a line too."""
    answers = [("yes" if account.is_active else "no", 0, "active user")]
    answers += [
        (_answer(one, account, request), depth, str(one)) for depth, one in policies.walk(rule)
    ]
    lines = [f"{'  ' * depth}{answer:5}  {text}" for answer, depth, text in answers]
    return account.is_active and _answer(rule, account, request) == "yes", lines


def _answer(rule: policies.Rule, account: Account, request: HttpRequest) -> str:
    try:
        return "yes" if rule.holds(account, request) else "no"
    except Exception as error:
        return f"error: {error}"
