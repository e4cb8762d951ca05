"""``manage.py deployauth USER``: what a policy says of a user, and why."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_deploykit.exceptions import DeploykitError
from django_deploykit.management.choices import MISTAKE
from django_deploykit.management.pipes import quiet_pipe
from django_deploykit.management.users import require_users


class Command(BaseCommand):
    help = "Explain whether a user may pass. No password is asked for, and none is checked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="The login name.")
        parser.add_argument("--policy", default="active", help="Default %(default)s.")
        parser.add_argument("--path", default="/", help="The URL path; default %(default)s.")

    def handle(self, *args: Any, **options: Any) -> None:
        require_users()
        passes, lines = _explained(options["user"], options["policy"], options["path"])
        with quiet_pipe(self.stdout):
            self.stdout.write("\n".join(lines))
        if not passes:
            raise SystemExit(1)


def _explained(login: str, policy: str, path: str) -> tuple[bool, list[str]]:
    """Whether a user passes, and why. Raise CommandError where there is no such user or policy."""
    # Only here: these import models.
    from django_deploykit.auth import authenticator
    from django_deploykit.auth.accounts import Account, by_natural_key
    from django_deploykit.auth.explain import explain
    from django_deploykit.auth.requests import AreaRequest

    try:
        rule = authenticator().rule(policy)
    except (DeploykitError, ImproperlyConfigured) as error:
        raise CommandError(str(error), returncode=MISTAKE) from error
    account = Account(by_natural_key(login))
    if account.user is None:
        raise CommandError(f"There is no user {login!r}.", returncode=1)
    request = AreaRequest({}, path, "GET", secure=False)
    passes, lines = explain(account, rule, request)
    groups = ", ".join(account.groups) or "(none)"
    outcome = f"{account.name} {'passes' if passes else 'is refused'}"
    return passes, [*lines, f"groups: {groups}", outcome]
