"""Hooks of Apache's mod_wsgi: who is it, which groups, and may they pass?

A drop-in for django.contrib.auth.handlers.modwsgi. A script for WSGIAuthUserScript,
WSGIAuthGroupScript and WSGIAccessScript is::

    from django_deploykit.handlers import bootstrap

    bootstrap("mysite.settings")

    from django_deploykit.handlers.modwsgi import allow_access, check_password, groups_for_user

These admit every active user; ``hooks("svn")`` returns the same three for a policy of
DEPLOYKIT["AUTH"]. An exception makes Apache answer 500, log it, and let nobody in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from django.apps import apps
from django.views.decorators.debug import sensitive_variables

from django_deploykit.auth import authenticator, requests
from django_deploykit.auth.credentials import Credentials, from_mod_wsgi, is_one_line
from django_deploykit.auth.database import fresh_connections
from django_deploykit.auth.decision import Decision, Reason
from django_deploykit.auth.waiting import MustWait, at_once
from django_deploykit.handlers.startup import bootstrap

# From this version on a hook may return another spelling of the name.
_NAMES_SINCE = (4, 3)


class Hooks(NamedTuple):
    """What mod_wsgi looks for in a script, by these names."""

    check_password: Callable[[Mapping[str, Any], str, str], bool | str | None]
    groups_for_user: Callable[[Mapping[str, Any], str], list[bytes]]
    allow_access: Callable[[Mapping[str, Any], str | None], bool]


def hooks(policy: str) -> Hooks:
    """The hooks for a policy: the name of one, or a rule such as ``"perm:repo.commit"``.

    ``check_password`` and ``allow_access`` admit those for whom it holds; ``groups_for_user`` is
    the same for every policy.
    """

    @sensitive_variables()
    def check_password(environ: Mapping[str, Any], user: str, password: str) -> bool | str | None:
        """Basic authentication: True, or the user's proper name; False; None if unknown."""
        request = _request(environ)
        version = environ.get("mod_wsgi.version")
        login = from_mod_wsgi(user, version)
        credentials = Credentials(login, from_mod_wsgi(password, version))
        decision = _decided(lambda: authenticator().by_password(credentials, request, policy))
        if decision.granted and decision.account:
            return _named(decision.account.name, login, version)
        # Apache asks its next provider about one who is unknown, and about nobody else.
        return None if decision.reason is Reason.UNKNOWN else False

    def allow_access(environ: Mapping[str, Any], host: str | None) -> bool:
        """Access by Django's session cookie; never None, which "Satisfy Any" takes for a yes."""
        request = _request(environ)
        return _decided(lambda: authenticator().by_session(request, policy)).granted

    return Hooks(check_password, groups_for_user, allow_access)


def groups_for_user(environ: Mapping[str, Any], user: str) -> list[bytes]:
    """The groups for "Require wsgi-group", and "@name" for each named policy that holds."""
    request = _request(environ)
    login = from_mod_wsgi(user, environ.get("mod_wsgi.version"))
    with fresh_connections():
        return [name.encode() for name in authenticator().groups(login, request)]


def _named(name: str, login: str, version: tuple[int, ...] | None) -> bool | str:
    """True, or the proper name where it is another, so that rules see the one they mean."""
    if name == login:
        return True
    can_tell = version is not None and version >= _NAMES_SINCE
    return name if can_tell and name and is_one_line(name) else False


def _request(environ: Any) -> requests.AreaRequest:
    """What is asked. A script without bootstrap() is set up here."""
    if not isinstance(environ, Mapping):
        raise TypeError(
            f"The first argument is mod_wsgi's environ, not {type(environ).__name__}. To compare "
            "a password with a hash, import django.contrib.auth.hashers.check_password."
        )
    if not apps.ready:
        bootstrap(os.environ["DJANGO_SETTINGS_MODULE"])
    return requests.from_mod_wsgi(environ)


def _decided(decide: Callable[[], Decision]) -> Decision:
    """The decision, by what is known; else with what Django does around a request, which costs
    more than to know it."""
    try:
        with at_once:
            return decide()
    except MustWait:
        with fresh_connections():
            return decide()


check_password, _, allow_access = hooks("active")
