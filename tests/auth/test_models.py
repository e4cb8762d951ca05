"""Projects whose users are not Django's (R32)."""

from __future__ import annotations

from typing import Any

import pytest

from django_deploykit.handlers.modwsgi import check_password, groups_for_user, hooks
from tests.auth.conftest import PASSWORD, environ, hashes
from tests.people.models import Member


@pytest.fixture
def member(settings: Any, db: None) -> Member:
    settings.AUTH_USER_MODEL = "people.Member"
    return Member.objects.create_user(email="ann@example.com", password=PASSWORD)


def test_r32_an_email_address_a_uuid_and_no_groups(member: Member) -> None:
    """Such a user is found, let in, remembered, and in no group."""
    hashes()
    for _ in range(2):
        assert check_password(environ(), "ann@example.com", PASSWORD) is True
    assert hashes() == 1
    assert groups_for_user(environ(), "ann@example.com") == []
    assert check_password(environ(), "bob@example.com", PASSWORD) is None


def test_r32_a_model_without_flags_is_no_staff(member: Member) -> None:
    """What a model does not have, its users are not."""
    assert hooks("staff").check_password(environ(), "ann@example.com", PASSWORD) is False
    assert hooks("superuser").check_password(environ(), "ann@example.com", PASSWORD) is False
