"""What is wrong with DEPLOYKIT["AUTH"] and with the endpoints of a project, for system checks."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group
from django.db import connections, router
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string

from django_deploykit import conf, policies
from django_deploykit.auth.options import PLACE, Options, read
from django_deploykit.auth.views import AuthRequestView
from django_deploykit.exceptions import unknown

_COMMON = "django.middleware.common.CommonMiddleware"
_NOT_SHARED = ("DummyCache", "LocMemCache", "FileBasedCache")


class Problem(NamedTuple):
    """The name of a kind in config/findings.py, the setting, and what it says there."""

    kind: str
    setting: str
    message: str


def settings_problems() -> Iterator[Problem]:
    """What is wrong wherever the project runs."""
    found, wrong = read()
    for text in wrong:
        setting, _, message = text.partition(": ")
        yield Problem("BAD_AUTH", setting, message)
    for name, rule in found.policies.items():
        for _, one in policies.walk(rule):
            yield from _rule_problems(f"{PLACE}['POLICIES'][{name!r}]", one)
    for path, view in _endpoints():
        yield from _spelled_out_problems(path, _argument(view, "policy"))
    yield from _cache_problems(found)


def deployment_problems() -> Iterator[Problem]:
    """What matters where the site is served."""
    yield from _unknown_policies()
    # Only nginx asks within the server itself; others hand an answer on, a redirect too.
    paths = [path for path, view in _endpoints() if _argument(view, "dialect") == "nginx"]
    for path in _sent_to_https(paths):
        message = f"redirects the auth endpoint {path!r}, where a redirect is an error."
        yield Problem("ENDPOINT_REDIRECTED", "SECURE_SSL_REDIRECT", message)
    if paths and settings.PREPEND_WWW and _COMMON in settings.MIDDLEWARE:
        message = f"redirects the auth endpoint {paths[0]!r}, where a redirect is an error."
        yield Problem("ENDPOINT_REDIRECTED", "PREPEND_WWW", message)
    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    if paths and required in settings.MIDDLEWARE and settings.SECRET_KEY_FALLBACKS:
        message = "changes session keys in answers that an auth endpoint's client never sees."
        yield Problem("KEYS_CHANGE", "SECRET_KEY_FALLBACKS", message)


def database_problems(aliases: Iterable[str]) -> Iterator[Problem]:
    """What only the database can tell: Apache compares names of groups without regard to case."""
    alike = defaultdict(list)
    alias = router.db_for_read(Group)
    # "migrate" runs these checks before it makes the table.
    known = (
        alias in aliases and Group._meta.db_table in connections[alias].introspection.table_names()
    )
    for name in Group.objects.values_list("name", flat=True) if known else ():
        alike[re.sub("[A-Z]", lambda letter: letter[0].lower(), name)].append(name)
    for names in alike.values():
        if len(names) > 1:
            yield Problem("GROUPS_ALIKE", "auth.Group", f"{sorted(names)} are one to Apache.")


def _rule_problems(place: str, rule: policies.Rule) -> Iterator[Problem]:
    if isinstance(rule, policies.Permission) and not _may_exist(rule.name):
        yield Problem("UNKNOWN_PERMISSION", place, f"no model has the permission {rule.name!r}.")
    if isinstance(rule, policies.Call):
        try:
            function = rule.load()
        except (ImportError, AttributeError) as error:
            yield Problem("BAD_AUTH", place, f"{str(rule)!r} cannot be imported: {error}.")
            return
        if inspect.iscoroutinefunction(function):
            why = "is asynchronous, and nobody waits for it: a policy is a plain function."
            yield Problem("BAD_AUTH", place, f"{str(rule)!r} {why}")


def _spelled_out_problems(path: str, policy: str) -> Iterator[Problem]:
    """What is wrong with a rule that stands with the URL of an endpoint."""
    if not policies.is_spelled_out(policy):
        return
    place = _place(path)
    try:
        yield from _rule_problems(place, policies.parse(policy, place))
    except policies.PolicyError as error:
        yield Problem("BAD_AUTH", place, str(error).removeprefix(f"{place}: "))


def _unknown_policies() -> Iterator[Problem]:
    """The endpoints whose policy has no such name. No error: sites that share a URLconf need not
    have the same policies, and whoever asks there is not let in."""
    named = read()[0].policies
    for path, view in _endpoints():
        policy = _argument(view, "policy")
        if policy not in named and not policies.is_spelled_out(policy):
            place = _place(path)
            message = unknown("policy", policy, place, named).removeprefix(f"{place}: ")
            yield Problem("UNKNOWN_POLICY", place, message)


def _place(path: str) -> str:
    return f"ROOT_URLCONF[{path!r}]"


def _may_exist(name: str) -> bool:
    """Whether some model declares a permission; backends of other kinds have their own."""
    try:
        backends = [import_string(name) for name in settings.AUTHENTICATION_BACKENDS]
    except ImportError:  # Nobody logs in, and Django says so.
        return True
    if not all(issubclass(backend, ModelBackend) for backend in backends):
        return True
    label, _, codename = name.partition(".")
    return any(codename in _codenames(model) for model in _models(label))


def _models(label: str) -> Iterable[Any]:
    return apps.get_app_config(label).get_models() if label in apps.app_configs else ()


def _codenames(model: Any) -> set[str]:
    options = model._meta
    own = {codename for codename, _ in options.permissions}
    return own | {f"{action}_{options.model_name}" for action in options.default_permissions}


def _cache_problems(found: Options) -> Iterator[Problem]:
    for part, alias in (
        ("CACHE", found.cache.SHARED),
        ("THROTTLE", found.throttle.SHARED if found.throttle else None),
    ):
        place = f"{PLACE}[{part!r}]['SHARED']"
        if alias is None:
            continue
        if alias not in settings.CACHES:
            yield Problem("NO_SUCH_CACHE", place, f"CACHES has no {alias!r}.")
            continue
        backend = settings.CACHES[alias].get("BACKEND", "")
        if backend.rpartition(".")[2] in _NOT_SHARED:
            yield Problem("CACHE_NOT_SHARED", place, f"{alias!r} is a {backend!r}.")


def _sent_to_https(paths: Iterable[str]) -> Iterator[str]:
    """The endpoints that SecurityMiddleware redirects: none with SITE["TLS"], for then the emitted
    server asks about what came over HTTPS, and says so."""
    if not settings.SECURE_SSL_REDIRECT or conf.read().site.get("TLS"):
        return
    exempt = list(_patterns(settings.SECURE_REDIRECT_EXEMPT))
    yield from (path for path in paths if not any(one.search(path) for one in exempt))


def _patterns(texts: Iterable[str]) -> Iterator[re.Pattern[str]]:
    """Those that are some; SecurityMiddleware itself does not start with others."""
    for text in texts:
        with contextlib.suppress(re.error):
            yield re.compile(text)


def _endpoints() -> list[tuple[str, Any]]:
    """The paths of the auth endpoints, without the leading slash, and their views."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    try:
        return list(_walk(get_resolver().url_patterns, ""))
    except Exception:  # An import may raise anything; config/introspect/urls.py reports it.
        return []


def _walk(patterns: Iterable[Any], before: str) -> Iterator[tuple[str, Any]]:
    for one in patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, path)
        elif isinstance(one, URLPattern) and _is_endpoint(one.callback):
            yield path, one.callback


def _is_endpoint(view: Any) -> bool:
    return issubclass(getattr(view, "view_class", object), AuthRequestView)


def _argument(view: Any, name: str) -> Any:
    """What as_view() was told, or the class says."""
    return view.view_initkwargs.get(name, getattr(view.view_class, name))
