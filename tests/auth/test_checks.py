"""System checks of AUTH, and the command that explains (R5, R20, R34)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.urls import path

from django_deploykit.auth import problems
from django_deploykit.views import AuthRequestView
from tests.auth.conftest import user
from tests.introspect.looking import urlconf


def ids(*, deploy: bool = False) -> list[str]:
    found = run_checks(include_deployment_checks=deploy)
    return [f"{one.id[10:]} {one.msg}" for one in found if one.id[10:12] in ("E0", "W0")]


def auth_ids(*, deploy: bool = False) -> list[str]:
    numbers = [*range(61, 80), *range(91, 100)]
    mine = {f"{level}{number:03}" for level in "EW" for number in numbers} - {
        f"W{number:03}" for number in range(61, 80)
    }
    return [text for text in ids(deploy=deploy) if text[:4] in mine]


def test_nothing_is_wrong_with_nothing() -> None:
    """Without the section there is no message."""
    assert auth_ids(deploy=True) == []


@pytest.mark.parametrize(
    ("auth_section", "message"),
    [
        ({"REVALIDATE": -1}, "E061 DEPLOYKIT['AUTH']['REVALIDATE']: -1 is not a number from 0 on."),
        ({"POLICIES": {"a": "stuff"}}, "E061 DEPLOYKIT['AUTH']['POLICIES']['a']: unknown rule"),
        ({"POLICIES": {"a": "no.such.thing"}}, "E061 DEPLOYKIT['AUTH']['POLICIES']['a']: 'no.such"),
        ({"CACHE": {"SHARED": "x"}}, "E063 DEPLOYKIT['AUTH']['CACHE']['SHARED']: CACHES has no"),
        ({"THROTTLE": {"SHARED": "x"}}, "E063 DEPLOYKIT['AUTH']['THROTTLE']['SHARED']: CACHES"),
    ],
    ids=str,
)
def test_values(auth: Callable[..., None], auth_section: dict[str, Any], message: str) -> None:
    """What the runtime refuses, the check has said before."""
    auth(**auth_section)
    (found,) = auth_ids()
    assert found.startswith(message)


async def _waits(user: Any, request: Any) -> bool:
    return True


@pytest.mark.parametrize(
    "rule", [_waits, "tests.auth.test_checks._waits"], ids=["function", "path"]
)
def test_an_asynchronous_policy(auth: Callable[..., None], rule: Any) -> None:
    """Nobody would wait for it: each request would end with an error."""
    auth(POLICIES={"a": rule})
    (found,) = auth_ids()
    assert found.startswith("E061 DEPLOYKIT['AUTH']['POLICIES']['a']: ")
    assert "_waits' is asynchronous" in found


@pytest.mark.parametrize("dialect", ["nginx", "forward"])
@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("gruop:press", "E061 ROOT_URLCONF['auth/']: unknown rule 'gruop:press'"),
        ("no.such.thing", "E061 ROOT_URLCONF['auth/']: 'no.such.thing' cannot be imported"),
        ("perm:auth.ad_user", "E062 ROOT_URLCONF['auth/']: no model has"),
    ],
)
def test_an_endpoint_with_a_policy_that_is_none(
    auth: Callable[..., None], settings: Any, policy: str, message: str, dialect: str
) -> None:
    """It stands with the URL, and is looked at before the first request ends with an error."""
    auth(POLICIES={"press": "staff"})
    view = AuthRequestView.as_view(policy=policy, dialect=dialect)
    settings.ROOT_URLCONF = urlconf(path("auth/", view))
    (found,) = auth_ids()
    assert found.startswith(message)


def test_an_endpoint_whose_policy_has_no_such_name(
    auth: Callable[..., None], settings: Any
) -> None:
    """A warning for the deployment: another site with the same URLconf may have that policy, and
    "migrate" is not to stop."""
    auth(POLICIES={"press": "staff"})
    settings.ROOT_URLCONF = urlconf(path("auth/", AuthRequestView.as_view(policy="pres")))
    assert auth_ids() == []
    (found,) = auth_ids(deploy=True)
    assert found.startswith("W095 ROOT_URLCONF['auth/']: unknown policy 'pres'")


@pytest.mark.parametrize("policy", ["press", "active", "group:editors"])
def test_an_endpoint_with_a_policy(auth: Callable[..., None], settings: Any, policy: str) -> None:
    """A name, or a rule with a colon, is one."""
    auth(POLICIES={"press": "staff"})
    settings.ROOT_URLCONF = urlconf(path("auth/", AuthRequestView.as_view(policy=policy)))
    assert auth_ids(deploy=True) == []


def test_what_cannot_be_imported_is_left_to_others(
    auth: Callable[..., None], settings: Any
) -> None:
    """A URLconf, a backend or a pattern that is none keeps no other finding from being said."""
    auth(POLICIES={"svn": "perm:auth.add_user"})
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = ["(bad"]
    settings.AUTHENTICATION_BACKENDS = ["no.such.Backend"]
    assert auth_ids() == []
    settings.ROOT_URLCONF = "no.such.urls"
    assert [one.kind for one in problems.deployment_problems()] == []


@pytest.mark.parametrize("rule", ["perm:auth.ad_user", "perm:shop.add_user", ["perm:x.y"]], ids=str)
def test_r34_a_permission_that_no_model_has(auth: Callable[..., None], rule: Any) -> None:
    """It would hold for superusers alone."""
    auth(POLICIES={"svn": {"any": ["staff", rule]}})
    (found,) = auth_ids()
    assert found.startswith("E062 DEPLOYKIT['AUTH']['POLICIES']['svn']: no model has")


def test_r34_a_permission_that_exists_or_may(auth: Callable[..., None], settings: Any) -> None:
    """A model's own, and any at all where another backend gives permissions."""
    auth(POLICIES={"svn": "perm:auth.add_user"})
    assert auth_ids() == []
    auth(POLICIES={"svn": "perm:rules.may_commit"})
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Recording"]
    assert auth_ids() == []


def test_a_cache_that_is_not_shared(auth: Callable[..., None]) -> None:
    """LocMemCache belongs to one process. It works, so that it matters only in service."""
    auth(CACHE={"SHARED": "default"})
    assert auth_ids() == []
    (found,) = auth_ids(deploy=True)
    assert found.startswith("W091 DEPLOYKIT['AUTH']['CACHE']['SHARED']: 'default' is a ")


def test_r20_an_endpoint_that_is_redirected(settings: Any) -> None:
    """nginx takes a redirect for an error; other servers hand it on."""
    settings.ROOT_URLCONF = "tests.auth.urls"
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_REDIRECT_EXEMPT = [r"^nginx/s", r"^async/"]
    found = [text for text in auth_ids(deploy=True) if text.startswith("W092")]
    assert [text.partition("'")[2].partition("'")[0] for text in found] == [
        "nginx/",
        "nginx/basic/",
    ]
    settings.DEPLOYKIT = {"SITE": {"TLS": {"CERTIFICATE": "/c", "KEY": "/k"}}}
    assert auth_ids(deploy=True) == []  # It is over TLS that the emitted nginx asks.
    settings.DEPLOYKIT = {}
    settings.SECURE_SSL_REDIRECT = False
    assert auth_ids(deploy=True) == []
    settings.PREPEND_WWW, settings.MIDDLEWARE = True, ["django.middleware.common.CommonMiddleware"]
    (found_www,) = auth_ids(deploy=True)
    assert found_www.startswith("W092 PREPEND_WWW: redirects the auth endpoint")
    settings.MIDDLEWARE = []
    assert auth_ids(deploy=True) == []


def test_keys_that_change(settings: Any) -> None:
    """LoginRequiredMiddleware looks up the user before the view is asked, and changes the key."""
    settings.ROOT_URLCONF = "tests.auth.urls"
    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, required]
    assert auth_ids(deploy=True) == []
    settings.SECRET_KEY_FALLBACKS = ["old"]
    assert [text[:4] for text in auth_ids(deploy=True)] == ["W093"]


@pytest.mark.django_db
def test_r5_groups_that_apache_takes_for_one() -> None:
    """It compares names without regard to the case of ASCII letters."""
    for name in ("Admins", "admins", "É", "é"):
        Group.objects.create(name=name)
    found = run_checks(tags=[Tags.database], databases=["default"])
    assert [(one.id, one.msg) for one in found] == [
        ("deploykit.W094", "auth.Group: ['Admins', 'admins'] are one to Apache.")
    ]


@pytest.mark.django_db
def test_r5_before_there_are_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """``migrate`` checks the database first; what is not there yet is not wrong."""
    monkeypatch.setattr(Group._meta, "db_table", "auth_group_to_be")
    assert run_checks(tags=[Tags.database], databases=["default"]) == []


# deployauth


def explain(*args: str) -> tuple[int, list[str]]:
    out = StringIO()
    try:
        call_command("deployauth", *args, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def test_a_decision_is_explained(alice: User, auth: Callable[..., None]) -> None:
    """Every rule with its answer, the groups that Apache is told, and the outcome."""
    auth(POLICIES={"svn": ["staff", {"any": ["perm:auth.add_user", "group:editors"]}]})
    alice.groups.add(Group.objects.create(name="editors"))
    assert explain("alice", "--policy", "svn") == (
        1,
        [
            "yes    active user",
            "no     all of",
            "  no     staff",
            "  yes    any of",
            "    no     perm:auth.add_user",
            "    yes    group:editors",
            "groups: editors",
            "alice is refused",
        ],
    )
    User.objects.update(is_staff=True)
    status, lines = explain("alice", "--policy", "svn")
    assert (status, lines[-1]) == (0, "alice passes")


def test_a_rule_without_a_name_is_explained(alice: User, auth: Callable[..., None]) -> None:
    """A partial passes for a function, and is shown as Python shows it."""
    auth(POLICIES={"mine": functools.partial(_is, "alice")})
    status, lines = explain("alice", "--policy", "mine")
    assert status == 0
    assert lines[1].startswith("yes    functools.partial(")


def _is(name: str, user: Any, request: Any) -> bool:
    return bool(user.username == name)


def test_a_function_that_fails_is_explained(alice: User, auth: Callable[..., None]) -> None:
    """Its error is what stands there, and nobody passes."""
    auth(POLICIES={"svn": "tests.auth.test_policies.truthy"})
    status, lines = explain("alice", "--policy", "svn")
    assert status == 1
    assert "a policy returns True or False" in lines[1]
    assert lines[-1] == "alice is refused"


def test_nobody_is_explained(db: None) -> None:
    """An unknown user is status 1, an unknown policy is a mistake."""
    user("alice")
    with pytest.raises(CommandError, match="There is no user 'bob'") as error:
        explain("bob")
    assert error.value.returncode == 1
    with pytest.raises(CommandError, match="unknown policy") as mistake:
        explain("alice", "--policy", "stuff")
    assert mistake.value.returncode == 2
