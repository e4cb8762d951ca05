"""The doors as settings have them: which policy holds in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

from django_deploykit import conf, contract, trust
from django_deploykit.proxy.asgi import AsgiDoor, Scope
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision, logger
from django_deploykit.proxy.peer import BadSecret
from django_deploykit.proxy.urls import follow_script_prefix
from django_deploykit.proxy.wsgi import WsgiDoor, take_back

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def judge(stack: str) -> Judge:
    """The judge by DEPLOYKIT["PROXY"], else by the stack that the process was emitted for.

    Raise ImproperlyConfigured, with all that is wrong: half a policy is none.
    """
    policy, found_wrong = trust.configured(stack)
    problems = [f"{place}: {text}" for place, text in found_wrong]
    problems += conf.complaints(trust.PROXY)
    if problems:
        raise ImproperlyConfigured("\n".join(problems))
    try:
        found = Judge(policy)
    except BadSecret as error:
        raise ImproperlyConfigured(str(error)) from None
    if policy.moves_urls:
        follow_script_prefix()
    return found


class ConfiguredDoor:
    """Both doors by the policy of this process, and what the log is told."""

    def __init__(self, take_back: Callable[[WSGIEnvironment], None] = take_back) -> None:
        found = judge(os.environ.get(contract.STACK_KEY, ""))
        self._take_back = take_back
        self._wsgi, self._asgi = WsgiDoor(found, take_back), AsgiDoor(found)
        self.hides_paths = found.policy.hides_paths  # And no front's does.
        # Decide on a request, and write its environ or scope anew. Raise Refused.
        self.wsgi, self.asgi = self._wsgi.enter, self._asgi.enter
        if not found.policy.trusted:
            self.wsgi, self.asgi = self._distrust_wsgi, self._distrust_asgi
        # Nothing said so far: then the front, where it is itself the gateway, may tell its name.
        self._asks_front = found.policy == trust.Policy(found.policy.origin)
        self._fronts: dict[str, WsgiDoor] = {}
        self._says_removed = True

    def _distrust_wsgi(self, environ: WSGIEnvironment) -> Decision:
        label = environ.get(contract.STACK_KEY) if self._asks_front else None
        door = self._of_front(label) if label else self._wsgi
        decision = door.enter(environ)
        if self._says_removed:
            self._say_removed(decision)
        return decision

    def _distrust_asgi(self, scope: Scope) -> Scope:
        new = self._asgi.enter(scope)
        if self._says_removed:
            self._say_removed(new[contract.DECISION_KEY])
        return new

    def _of_front(self, label: str) -> WsgiDoor:
        if label not in self._fronts:
            policy = trust.of_stack(label)
            # A request variable comes from a gateway; over HTTP nothing could have set it.
            own = self._wsgi if policy.headers else WsgiDoor(Judge(policy), self._take_back)
            self._fronts[label] = own
        return self._fronts[label]

    def _say_removed(self, decision: Decision) -> None:
        """Say once per process that something was removed and nobody is trusted: a forgotten
        setting looks the same as an attack, which must not fill the log."""
        if decision.original:
            self._says_removed = False
            names = ", ".join(sorted(decision.original))
            logger.warning(
                "Removed %s from a request: DEPLOYKIT['PROXY'] trusts nobody. Said once.", names
            )
