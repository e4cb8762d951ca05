"""``manage.py runauthorizer``: answer Apache, lighttpd and nginx over FastCGI, until SIGTERM."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_deploykit import contract
from django_deploykit.exceptions import DeploykitError
from django_deploykit.management.choices import MISTAKE
from django_deploykit.management.pipes import quiet_pipe
from django_deploykit.management.users import require_users


class Command(BaseCommand):
    help = "Decide for Apache, lighttpd or nginx, over FastCGI, who may see what they serve."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--bind",
            default=f"{contract.AUTHORIZER_HOST}:{contract.AUTHORIZER_PORT}",
            help="Address and port, or the path of a socket; default %(default)s.",
        )
        parser.add_argument(
            "--policy",
            default="active",
            help="Who may pass where the web server names no policy; default %(default)s. "
            "Empty: nobody, and the answer is an error.",
        )
        parser.add_argument("--realm", default="Restricted", help="What a password prompt says.")
        parser.add_argument(
            "--site",
            default="",
            help=f"The site that the web server has to name ({contract.SITE_KEY}); default: any.",
        )
        parser.add_argument("--threads", type=int, default=8, help="Default %(default)s.")
        parser.add_argument(
            "--token-file", type=Path, help="File of a token that the web server has to show."
        )
        parser.add_argument(
            "--allow-remote", action="store_true", help="Listen where other hosts can connect."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        require_users()
        from django_deploykit.management.authorizer import serve  # It imports models.

        try:
            serve(options, self._ready)
        except (DeploykitError, ImproperlyConfigured, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error), returncode=MISTAKE) from error

    def _ready(self, line: str) -> None:
        with quiet_pipe(self.stdout):
            self.stdout.write(line)
