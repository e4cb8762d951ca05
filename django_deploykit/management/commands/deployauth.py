"""``manage.py deployauth USER``: what a policy says of a user, and why."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_deploykit.auth import authenticator
from django_deploykit.auth.accounts import Account, by_natural_key
from django_deploykit.auth.explain import explain
from django_deploykit.auth.requests import AreaRequest
from django_deploykit.exceptions import DeploykitError
from django_deploykit.management.choices import MISTAKE
from django_deploykit.management.pipes import quiet_pipe


class Command(BaseCommand):
    help = "Explain whether a user may pass. No password is asked for, and none is checked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="The login name.")
        parser.add_argument("--policy", default="active", help="Default %(default)s.")
        parser.add_argument("--path", default="/", help="The URL path; default %(default)s.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rule = authenticator().rule(options["policy"])
        except (DeploykitError, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=MISTAKE) from error
        account = Account(by_natural_key(options["user"]))
        if account.user is None:
            raise CommandError(f"There is no user {options['user']!r}.", returncode=1)
        request = AreaRequest({}, options["path"], "GET", secure=False)
        passes, lines = explain(account, rule, request)
        groups = ", ".join(account.groups) or "(none)"
        outcome = f"{account.name} {'passes' if passes else 'is refused'}"
        with quiet_pipe(self.stdout):
            self.stdout.write("\n".join([*lines, f"groups: {groups}", outcome]))
        if not passes:
            raise SystemExit(1)
