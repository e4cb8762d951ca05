"""The language of policies (R33 to R35)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ImproperlyConfigured

from django_deploykit import policies
from django_deploykit.handlers.modwsgi import groups_for_user, hooks
from django_deploykit.policies import PolicyError
from tests.auth.conftest import PASSWORD, environ


def is_alice(user: Any, request: Any) -> bool:
    return bool(user.username == "alice" and request.path.startswith("/repo/"))


async def later(user: Any, request: Any) -> bool:
    return False


def truthy(user: Any, request: Any) -> Any:
    return "no"


def broken(user: Any, request: Any) -> bool:
    raise LookupError("the directory does not answer")


def _spelled(value: Any) -> str:
    """The id of a parameter, the same in every process."""
    return (
        value.__name__ if callable(value) else re.sub(r"<function (\w+)[^>]*>", r"\1", str(value))
    )


def passes(policy: str, **more: str) -> bool:
    return bool(hooks(policy).check_password(environ(**more), "alice", PASSWORD))


@pytest.fixture
def editor(alice: User) -> User:
    """Staff, in the group "editors", may add users."""
    alice.is_staff = True
    alice.save()
    alice.groups.add(Group.objects.create(name="editors"))
    alice.user_permissions.add(Permission.objects.get(codename="add_user"))
    return alice


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("active", True),
        ("staff", True),
        ("superuser", False),
        ("perm:auth.add_user", True),
        ("perm:auth.delete_user", False),
        ("group:editors", True),
        ("group:Editors", False),
        ("group:readers", False),
        (["staff", "group:editors"], True),
        (["staff", "superuser"], False),
        ({"all": ["staff", "superuser"]}, False),
        ({"any": ["staff", "superuser"]}, True),
        ({"any": ["superuser", "group:readers"]}, False),
        (["staff", {"any": ["superuser", "perm:auth.add_user"]}], True),
        (is_alice, True),
        ("tests.auth.test_policies.is_alice", True),
        ([is_alice, "superuser"], False),
    ],
    ids=_spelled,
)
def test_r33_rules(editor: User, auth: Callable[..., None], rule: Any, expected: bool) -> None:
    """Each rule, lists as all of them, "any" and "all"; asked again on every call."""
    auth(POLICIES={"mine": rule})
    assert [passes("mine"), passes("mine")] == [expected, expected]


def test_r33_a_function_sees_the_path(editor: User, auth: Callable[..., None]) -> None:
    """It gets the user and the request of the moment, also where the password is remembered."""
    auth(POLICIES={"mine": is_alice})
    assert passes("mine", SCRIPT_NAME="/repo/x")
    assert not passes("mine", SCRIPT_NAME="/elsewhere")


@pytest.mark.parametrize("rule", [later, truthy, "tests.auth.test_policies.truthy"], ids=_spelled)
@pytest.mark.filterwarnings("ignore:coroutine")
def test_r33_a_function_says_true_or_false(
    editor: User, auth: Callable[..., None], rule: Any
) -> None:
    """A coroutine is true to Python; it lets nobody in."""
    auth(POLICIES={"mine": rule})
    with pytest.raises(TypeError, match="a policy returns True or False"):
        passes("mine")


def test_an_inactive_superuser_passes_no_policy(editor: User, settings: Any) -> None:
    """Not even where a backend admits the inactive."""
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    User.objects.update(is_active=False, is_superuser=True)
    assert not passes("active")
    assert not passes("superuser")


def test_a_rule_may_stand_for_a_policy(editor: User) -> None:
    """``hooks("perm:auth.add_user")`` needs no name in settings."""
    assert passes("perm:auth.add_user")
    assert not passes("group:readers")


def test_r35_no_row_is_a_policy(editor: User) -> None:
    """A group called "@superuser" does not make one."""
    editor.groups.add(Group.objects.create(name="@superuser"))
    assert b"@superuser" not in groups_for_user(environ(), "alice")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("stuff", "Did you mean 'staff'?"),
        ("perm:add_user", "unknown rule 'perm:add_user'"),
        ("perm:", "unknown rule"),
        ("group:", "unknown rule"),
        ("group: ", "unknown rule"),
        ("role:x", "unknown rule"),
        ("role:auth.add_user", "unknown rule"),
        ("", "unknown rule"),
        ([], "is not a list of rules with at least one"),
        ({"any": []}, "is not a list of rules with at least one"),
        ({"any": "staff"}, "is not a list of rules"),
        ({"none": ["staff"]}, "is neither"),
        ({"any": ["staff"], "all": ["staff"]}, "is neither"),
        ({}, "is neither"),
        (None, "is no rule"),
        (True, "is no rule"),
        (["staff", ["stuff"]], "DEPLOYKIT['AUTH']['POLICIES']['mine'][1][0]"),
    ],
    ids=_spelled,
)
def test_what_is_no_rule(db: None, auth: Callable[..., None], rule: Any, message: str) -> None:
    """An empty list would hold for everybody; it and everything unknown is refused by name."""
    auth(POLICIES={"mine": rule})
    with pytest.raises(ImproperlyConfigured) as error:
        passes("active")
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["SVN", "a b", "", "1a", "a" * 65, "@a", "staff", 5, "é"])
def test_what_is_no_name(name: Any) -> None:
    """Apache compares groups without regard to case, and a word means itself."""
    found, (wrong,) = policies.read({name: "staff"}, "HERE")
    assert "HERE" in wrong
    assert set(found) == set(policies.WORDS)


def test_an_unknown_policy_is_an_error(alice: User, auth: Callable[..., None]) -> None:
    """It lets nobody in, and says what there is."""
    auth(POLICIES={"svn": "staff"})
    with pytest.raises(PolicyError, match=r"unknown policy 'svm'. Did you mean 'svn'\?"):
        passes("svm")


@pytest.mark.parametrize(
    ("auth_section", "message"),
    [
        ({"REVALIDATE": -1}, "['REVALIDATE']: -1 is not a number from 0 on."),
        ({"REVALIDATE": float("nan")}, "['REVALIDATE']: nan is not a number from 0 on."),
        ({"REVALIDATE": "1"}, "['REVALIDATE']: '1' is not a number from 0 on."),
        ({"CONCURRENCY": 0}, "['CONCURRENCY']: 0 is not a whole number from 1 on."),
        ({"INACTIVE_IS_UNKNOWN": "no"}, "['INACTIVE_IS_UNKNOWN']: 'no' is neither True nor False."),
        ({"CONCURRENCY": True}, "['CONCURRENCY']: True is not a whole number from 1 on."),
        ({"CACHE": {"SECONDS": -5}}, "['CACHE']['SECONDS']: -5 is not a number from 0 on."),
        ({"CACHE": {"ENTRIES": 0}}, "['CACHE']['ENTRIES']: 0 is not a whole number from 1 on."),
        ({"CACHE": {"TTL": 5}}, "['CACHE']: unknown key 'TTL'."),
        ({"CACHE": {"SHARED": 5}}, "['CACHE']['SHARED']: 5 is not an alias of CACHES."),
        ({"CACHE": {"BACKENDS": "x"}}, "['CACHE']['BACKENDS']: 'x' is not a list"),
        ({"CACHE": None}, "['CACHE']: None is not a dict."),
        ({"THROTTLE": {"SECONDS": 0}}, "['SECONDS']: 0 is not a whole number from 1 on."),
        ({"THROTTLE": []}, "['THROTTLE']: [] is not a dict."),
        ({"POLICIES": []}, "['POLICIES']: [] is not a dict."),
        ({"THROTLE": {}}, "'THROTLE' is not a known key"),
    ],
    ids=_spelled,
)
def test_a_value_that_cannot_be_used_lets_nobody_in(
    alice: User, auth: Callable[..., None], auth_section: dict[str, Any], message: str
) -> None:
    """A misspelt throttle is not one that is not there: the error names the setting."""
    auth(**auth_section)
    with pytest.raises(ImproperlyConfigured) as error:
        passes("active")
    assert message in str(error.value)
    assert "DEPLOYKIT['AUTH']" in str(error.value)


def test_no_throttle(alice: User, auth: Callable[..., None]) -> None:
    """None switches it off, for projects that have a lock-out of their own."""
    auth(THROTTLE=None)
    for number in range(150):
        hooks("active").check_password(environ(), "alice", str(number))
    assert passes("active")


def test_a_policy_that_raises_denies_only_itself(
    editor: User, auth: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Apache wants to know all groups at once: the areas of the other policies stay open, and the
    log says why this one is shut. Asked by itself, it is an error."""
    auth(POLICIES={"broken": broken, "either": {"any": ["staff", broken]}, "svn": "group:editors"})
    held = groups_for_user(environ(), "alice")
    assert {name for name in held if name.startswith(b"@")} == {b"@either", b"@staff", b"@svn"}
    assert "the policy 'broken' raised" in caplog.text
    assert "the directory does not answer" in caplog.text
    with pytest.raises(LookupError):
        passes("broken")
