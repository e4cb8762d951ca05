"""What of a front's words is written into an account: attributes, flags, groups."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.db import IntegrityError, router, transaction

from django_deploykit.identity.assertion import Assertion
from django_deploykit.sso import FLAGS, IDENTITY, Policy

log = logging.getLogger("django_deploykit.identity")


def check_model(policy: Policy) -> None:
    """Raise ImproperlyConfigured if the user model lacks what the policy writes, or has its user
    name there: accounts are found by it, and none is renamed."""
    model = get_user_model()
    fields = [*policy.attributes, *policy.flags, *(["groups"] if policy.group_map else [])]
    for name in fields:
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist:
            label = model._meta.label
            raise ImproperlyConfigured(
                f"{IDENTITY} is to write {name!r}, which the user model {label} does not have."
            ) from None
    if model.USERNAME_FIELD in policy.attributes:
        raise ImproperlyConfigured(
            f"{IDENTITY}['ATTRIBUTES'] is to write {model.USERNAME_FIELD!r}, which is the user "
            f"name of {model._meta.label}: USER says it. Leave it out."
        )


def is_privileged(user: Any, asserted: Assertion) -> bool:
    """Tell whether an account has powers that this assertion does not give it by itself."""
    governed = asserted.policy.flags if asserted.groups is not None else {}
    return any(getattr(user, flag, False) for flag in FLAGS if flag not in governed)


def follow(user: Any, asserted: Assertion) -> None:
    """Write down what was said. What the policy does not name, or the front did not say, stays."""
    _write(user, _flags(asserted))
    for name, text in _attributes(user, asserted).items():
        _write_if_free(user, name, text)
    if asserted.groups is not None and asserted.policy.group_map:
        _follow_groups(user, asserted.groups, asserted.policy.group_map)


def _write(user: Any, wanted: Mapping[str, Any]) -> None:
    changed = {name: value for name, value in wanted.items() if getattr(user, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.save(update_fields=sorted(changed))
        log.info("%r: wrote %s", user.get_username(), ", ".join(sorted(changed)))


def _write_if_free(user: Any, name: str, text: str) -> None:
    """Write an attribute, unless the database says that another account has it: only it knows
    every constraint, and what is written meanwhile."""
    before = getattr(user, name)
    if before == text:
        return
    try:
        with transaction.atomic(using=router.db_for_write(type(user), instance=user)):
            _write(user, {name: text})
    except IntegrityError as error:
        setattr(user, name, before)
        log.warning("%r: %s is not written: %r", user.get_username(), name, str(error))


def _attributes(user: Any, asserted: Assertion) -> dict[str, Any]:
    found = {}
    for name, text in asserted.attributes.items():
        try:
            user._meta.get_field(name).run_validators(text)
        except ValidationError as error:
            log.warning("%r: %s is not written: %s", user.get_username(), name, error.messages)
        else:
            found[name] = text
    return found


def _flags(asserted: Assertion) -> dict[str, bool]:
    groups = asserted.groups
    if groups is None:
        return {}
    return {flag: bool(groups & names) for flag, names in asserted.policy.flags.items()}


def _follow_groups(user: Any, said: frozenset[str], group_map: Mapping[str, str]) -> None:
    """Join and leave groups, of those in the map alone."""
    mapped = Group.objects.filter(name__in=set(group_map.values()))
    known = {group.name: group for group in mapped}
    wanted = {name for theirs, name in group_map.items() if theirs in said}
    if missing := wanted - known.keys():
        log.warning("GROUP_MAP leads to groups that do not exist: %s", sorted(missing))
    present = set(user.groups.filter(name__in=known).values_list("name", flat=True))
    joined, left = (wanted & known.keys()) - present, present - wanted
    if joined or left:
        user.groups.add(*(known[name] for name in joined))
        user.groups.remove(*(known[name] for name in left))
        log.info("%r: joined %s, left %s", user.get_username(), sorted(joined), sorted(left))
