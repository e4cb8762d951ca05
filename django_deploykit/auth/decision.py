"""What was decided, why, and how it is said in the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum

from django.http import HttpRequest

from django_deploykit.auth.accounts import Account
from django_deploykit.auth.requests import address
from django_deploykit.auth.signals import access_denied, access_granted
from django_deploykit.auth.waiting import takes_time

logger = logging.getLogger("django_deploykit.auth")

_SHOWN = 100


class Reason(Enum):
    """Why somebody passes or not; the values stand in the log, where fail2ban reads them."""

    GRANTED = "granted"
    MISSING = "no credentials"
    UNKNOWN = "unknown user"
    WRONG = "wrong password"  # or a deactivated user's
    THROTTLED = "too many failures"
    FORBIDDEN = "not allowed"


@dataclass(frozen=True)
class Decision:
    """The reason, the account if it is known who asks, and the login name that was given."""

    reason: Reason
    account: Account | None = None
    login: str = ""

    @property
    def granted(self) -> bool:
        return self.reason is Reason.GRANTED


def announce(decision: Decision, request: HttpRequest, policy: str) -> Decision:
    """Log a decision and send its signal; return it."""
    if decision.granted and decision.account:
        if access_granted.receivers:
            takes_time()
        access_granted.send(Decision, user=decision.account.user, request=request, policy=policy)
        return decision
    is_logged = decision.reason is not Reason.MISSING  # With that, every visit begins.
    if is_logged or access_denied.receivers:
        takes_time()
    if is_logged:
        logger.warning("%s", line(decision, request, policy))
    access_denied.send(
        Decision, login=decision.login, reason=decision.reason, request=request, policy=policy
    )
    return decision


def line(decision: Decision, request: HttpRequest, policy: str) -> str:
    """One line, whatever the client wrote: ascii() escapes, and comes after what is ours."""
    return (
        f"access denied from {address(request) or '-'}: {decision.reason.value} "
        f"(policy {policy}, {request.method} {ascii(request.path)[:_SHOWN]}, "
        f"user {ascii(decision.login)[:_SHOWN]})"
    )
