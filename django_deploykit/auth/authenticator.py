"""The order of things: throttle, memory, one turn, one place, the backends, the policy."""

from __future__ import annotations

import copy
import logging
import secrets
import threading
import traceback
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from django_deploykit import contract, policies
from django_deploykit.auth import backends, sessions
from django_deploykit.auth.accounts import Account, Accounts
from django_deploykit.auth.credentials import Credentials, is_login
from django_deploykit.auth.decision import Decision, Reason, announce
from django_deploykit.auth.hashing import Turns, acquired
from django_deploykit.auth.options import PLACE, Options
from django_deploykit.auth.requests import address
from django_deploykit.auth.throttle import Failures
from django_deploykit.auth.verified import Verified, digest
from django_deploykit.auth.waiting import takes_time

logger = logging.getLogger("django_deploykit.auth")

# Where Django finds the host of a request (HttpRequest.get_host).
_HOSTS = ("HTTP_HOST", contract.environ_key(contract.HOST_HEADER))


class Authenticator:
    """Decides for one process. Every method may be called by many threads at once.

    Errors of the database, of a backend or of a policy are raised: none is a refusal. A policy
    that does not exist raises PolicyError.
    """

    def __init__(self, options: Options) -> None:
        self._policies = options.policies
        self._verified = Verified(options.cache)
        self._accounts = Accounts(options.cache.ENTRIES, options.revalidate)
        self._failures = Failures(options.throttle) if options.throttle else None
        self._backends = backends.cacheable(options.cache.BACKENDS)
        self._turns, self._key = Turns(), secrets.token_bytes(32)
        self._inactive_is_unknown = options.inactive_is_unknown
        self._places = threading.BoundedSemaphore(options.concurrency)

    def behind_middleware(self, request: HttpRequest) -> Authenticator:
        """The same for a request for which middleware may have chosen one of several tables of
        users. All but these are shared: what is remembered of a password, and counted."""
        made = copy.copy(self)
        made._accounts = self._accounts.at(tuple(request.META.get(key, "") for key in _HOSTS))
        return made

    def by_password(self, credentials: Credentials, request: HttpRequest, policy: str) -> Decision:
        """Decide about a login name and a password."""
        rule = self.rule(policy)
        found = self._identify(credentials, request)
        if isinstance(found, Reason):
            return announce(Decision(found, None, credentials.login), request, policy)
        return self._judge(found, rule, request, policy, credentials.login)

    def by_session(self, request: HttpRequest, policy: str) -> Decision:
        """Decide about whoever is logged in by the session cookie."""
        rule = self.rule(policy)
        account = sessions.session_account(sessions.read_session(request), self._accounts)
        if account is None:
            return announce(Decision(Reason.MISSING), request, policy)
        return self._judge(account, rule, request, policy, account.name)

    def by_name(self, login: str, request: HttpRequest, policy: str) -> Decision:
        """Decide about a user for whom somebody else, the web server, vouches."""
        rule = self.rule(policy)
        account = self._account(login)
        if not account.is_active:
            return announce(Decision(Reason.UNKNOWN, None, login), request, policy)
        return self._judge(account, rule, request, policy, login)

    def groups(self, login: str, request: HttpRequest) -> list[str]:
        """The groups of a user, then one for each named policy that holds; none if inactive.

        Apache cuts names at NUL, and a row of Group may not pass for a policy. "active" is not
        among them: it goes without saying. All policies are asked for each area; so one that
        raises is logged and does not hold, and the areas of the others stay open.
        """
        account, prefix = self._account(login), contract.POLICY_GROUP_PREFIX
        if not account.is_active:
            return []
        rows = [name for name in account.groups if "\0" not in name and not name.startswith(prefix)]
        rules = [(name, rule) for name, rule in self._policies.items() if name != "active"]
        held = [name for name, rule in rules if _holds(name, rule, account, request)]
        return [*rows, *(prefix + name for name in held)]

    def rule(self, policy: str) -> policies.Rule:
        """The rule of a policy. Raise PolicyError if there is none."""
        return policies.find(self._policies, policy, f"{PLACE}['POLICIES']")

    def _account(self, login: str) -> Account:
        return self._accounts.by_login(login) if is_login(login) else Account(None)

    def _judge(
        self, account: Account, rule: policies.Rule, request: HttpRequest, policy: str, login: str
    ) -> Decision:
        if policies.runs_code(rule):
            takes_time()
        passes = account.is_active and rule.holds(account, request)
        reason = Reason.GRANTED if passes else Reason.FORBIDDEN
        return announce(Decision(reason, account, login), request, policy)

    def _identify(self, credentials: Credentials, request: HttpRequest) -> Account | Reason:
        """Whose the credentials are, or why they are nobody's.

        The throttle comes first, also before the memory: where guessing costs no hash, it would
        otherwise be as fast as a lookup.
        """
        who = address(request), credentials.login
        if self._failures and self._failures.too_many(*who):
            return Reason.THROTTLED
        if found := self._remembered(credentials):
            return found
        takes_time()
        with self._turns.turn(digest(self._key, credentials.login, credentials.password)):
            # Whoever had this turn before may have been the same client, with success.
            if found := self._remembered(credentials):
                return found
            with acquired(self._places):
                return self._verify(credentials, request)

    def _remembered(self, credentials: Credentials) -> Account | None:
        account = self._account(credentials.login)
        # Nobody is looked for as well: what it takes to look would tell who is somebody.
        for path, backend in self._backends:
            known = self._verified.knows(account.user, path, credentials.password)
            if known and backends.admits(backend, account.user):
                return account
        return None

    def _verify(self, credentials: Credentials, request: HttpRequest) -> Account | Reason:
        """Ask the backends, at the cost of a hash. What is no failure is not counted as one."""
        who = address(request), credentials.login
        if self._failures and not self._failures.reserve(*who):
            return Reason.THROTTLED
        try:
            user = _ask_backends(credentials, request)
        except BaseException as error:
            _empty_frames(error)
            self._give_back(who)
            raise
        if user is None:
            return Reason.WRONG if self._is_known(credentials.login) else Reason.UNKNOWN
        self._give_back(who)
        self._remember(user, credentials)
        return Account(user)

    def _is_known(self, login: str) -> bool:
        account = self._account(login)
        return account.is_active if self._inactive_is_unknown else account.user is not None

    def _give_back(self, who: tuple[str, str]) -> None:
        if self._failures:
            self._failures.give_back(*who)

    def _remember(self, user: Any, credentials: Credentials) -> None:
        if user.backend in dict(self._backends):
            self._verified.remember(user, user.backend, credentials.password)
        # The hash may have been upgraded: the row that is known is not the one that is stored.
        self._accounts.forget_login(credentials.login)


def _holds(name: str, rule: policies.Rule, account: Account, request: HttpRequest) -> bool:
    try:
        return rule.holds(account, request)
    except Exception:
        logger.exception("the policy %r raised, and so holds for nobody", name)
        return False


def _empty_frames(error: BaseException) -> None:
    """Take the variables out of what an error and its causes passed through.

    A backend has the password in a variable of its own, which ``sensitive_variables`` of a caller
    does not hide: Django's own, of ``authenticate``, stands between, and names none of it.
    """
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__


def _ask_backends(credentials: Credentials, request: HttpRequest) -> Any:
    if credentials.plausible:
        return authenticate(
            request,
            username=credentials.login,
            password=credentials.password,
        )
    make_password("")  # It takes as long as any refusal.
    # Receivers write names into databases, some of which take no NUL.
    failed = {"username": credentials.login if is_login(credentials.login) else ""}
    user_login_failed.send(sender=__name__, credentials=failed, request=request)
    return None
