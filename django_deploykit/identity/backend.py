"""From an assertion to an account, or to nobody."""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import RemoteUserBackend
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.http import HttpRequest

from django_deploykit.identity import accounts
from django_deploykit.identity.assertion import Assertion

log = logging.getLogger("django_deploykit.identity")


class ProxyIdentityBackend(RemoteUserBackend):
    """Django's RemoteUserBackend for what ProxyIdentityMiddleware read, and for nobody else.

    Its credentials are an Assertion, not a ``remote_user``: neither Django's own
    RemoteUserMiddleware nor another caller of ``authenticate()`` gets anybody in here by a name.

    Subclasses may override ``clean_username()``, ``configure_user()`` and
    ``user_can_authenticate()``, as those of RemoteUserBackend do.
    """

    # True or False in a subclass wins over DEPLOYKIT["IDENTITY"]["CREATE"].
    create_unknown_user: bool | None = None  # type: ignore[assignment]

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, assertion: Assertion
    ) -> Any:
        """The account of an assertion, with what was said written into it; None for a user who
        is unknown, inactive or refused. Only the log tells which."""
        model = get_user_model()
        username = self.clean_username(assertion.subject)
        with transaction.atomic(using=router.db_for_write(model)):
            user, created = self._find(username, assertion)
            if user is None:
                _log_refusal(assertion, "there is no such user")
                return None
            if not self.accepts(user, assertion):
                return None
            user = self.configure_user(request, user, created=created)
            accounts.follow(user, assertion)
        return user

    async def aauthenticate(  # type: ignore[override]
        self, request: HttpRequest | None, assertion: Assertion
    ) -> Any:
        """See authenticate()."""
        return await sync_to_async(self.authenticate)(request, assertion)

    def accepts(self, user: Any, assertion: Assertion) -> bool:
        """Tell whether an account may be used: it is active, and either has no powers of staff,
        or is named in PRIVILEGED, or has those that FLAGS gives and takes away."""
        named = user.get_username() in assertion.policy.privileged
        if not self.user_can_authenticate(user):
            _log_refusal(assertion, "the user is inactive")
        elif not named and accounts.is_privileged(user, assertion):
            _log_refusal(assertion, "staff and superusers have to be in PRIVILEGED")
        else:
            return True
        return False

    def _find(self, username: str, assertion: Assertion) -> tuple[Any, bool]:
        """The user of exactly this name, and whether it is new.

        Some databases find 'admin' where 'ádmin' is asked for (MySQL's collations).
        """
        model = get_user_model()
        name: Any = model._meta.get_field(model.USERNAME_FIELD)
        try:
            name.run_validators(username)
            user, created = self._get(username, assertion)
        except (model.DoesNotExist, ValidationError):
            return None, False
        return (user, created) if user.get_username() == username else (None, False)

    def _get(self, username: str, assertion: Assertion) -> tuple[Any, bool]:
        model: Any = get_user_model()
        create = self.create_unknown_user
        if not (assertion.policy.create if create is None else create):
            return model._default_manager.get_by_natural_key(username), False
        user, created = model._default_manager.get_or_create(**{model.USERNAME_FIELD: username})
        if created:
            # An empty password counts as a usable one: a password reset would be mailed.
            user.set_unusable_password()
            user.save(update_fields=["password"])
        return user, created


def _log_refusal(assertion: Assertion, why: str) -> None:
    log.warning("%s says %r, who is not let in: %s", assertion.policy.user, assertion.subject, why)
