"""Fill a new site with people and documents, so that there is something to look at."""

from __future__ import annotations

import os
import pwd
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.utils import get_random_secret_key

from library.models import Document

# Others may pass through the data directory, because the web server reads static files and
# media; the database and the documents are for the site's own user and group.
DIRECTORIES = {"static": 0o755, "media": 0o755, "database": 0o750, "documents": 0o750}
WRITTEN_BY_SITE = ["media", "database", "documents"]

USERS = {
    "admin": {"is_staff": True, "is_superuser": True},
    "staff": {"is_staff": True},
    "alice": {},
    "bob": {},
}
EDITORS = ["alice", "bob"]

REPORT = "".join(f"Line {number} of the annual report.\n" for number in range(1, 2001))
DOCUMENTS = [
    {"title": "Annual report", "owner": "alice", "group": None, "name": "Jahresübersicht.txt"},
    {"title": "Style guide", "owner": "bob", "group": "editors", "name": "style-guide.txt"},
]


class Command(BaseCommand):
    help = "Set up the example site: directories, secret key, tables, people, documents, static."
    # The checks complain of what this command is about to make.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--password",
            default=os.environ.get("EXAMPLE_PASSWORD"),
            help="for all four users; otherwise EXAMPLE_PASSWORD, otherwise a random one is shown",
        )
        parser.add_argument(
            "--owner", help="user who runs the site and gets its data (only as root)"
        )

    def handle(self, **options: Any) -> None:
        owner = _account(options["owner"])
        os.umask(0o022)  # the web server reads what collectstatic writes
        _make_directories()
        _make_secret_key()
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
        call_command("collectstatic", interactive=False, verbosity=options["verbosity"])
        password = options["password"] or secrets.token_urlsafe(12)
        _make_people(password)
        _make_documents()
        if owner:
            _give_data_to(owner)
        self.stdout.write(f"Data: {settings.DATA_DIR}")
        shown = "as given" if options["password"] else password
        self.stdout.write(f"Users: {', '.join(USERS)}; password: {shown}")


def _account(name: str | None) -> pwd.struct_passwd | None:
    if name is None:
        return None
    if os.geteuid() != 0:
        raise CommandError("--owner: only root can give files away.")
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise CommandError(f"--owner: there is no user {name!r}.") from error


def _make_directories() -> None:
    """Make what is missing; a directory that exists keeps its mode."""
    settings.DATA_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, mode in DIRECTORIES.items():
        (settings.DATA_DIR / name).mkdir(mode=mode, exist_ok=True)


def _make_secret_key() -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(settings.DATA_DIR / "secret_key", flags, mode=0o600)
    except FileExistsError:
        return
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(get_random_secret_key())


def _make_people(password: str) -> None:
    editors, _ = Group.objects.get_or_create(name="editors")
    for name, flags in USERS.items():
        user, _ = User.objects.update_or_create(username=name, defaults=flags)
        user.set_password(password)
        user.save()
        if name in EDITORS:
            user.groups.add(editors)


def _make_documents() -> None:
    for entry in DOCUMENTS:
        if Document.objects.filter(title=entry["title"]).exists():
            continue
        group = Group.objects.get(name=entry["group"]) if entry["group"] else None
        owner = User.objects.get(username=entry["owner"])
        file = ContentFile(REPORT.encode(), name=entry["name"])
        Document.objects.create(title=entry["title"], owner=owner, group=group, file=file)


def _give_data_to(account: pwd.struct_passwd) -> None:
    ids = account.pw_uid, account.pw_gid
    os.chown(settings.DATA_DIR / "secret_key", *ids)
    for top in WRITTEN_BY_SITE:
        # By directory descriptor, so that no link in what the site wrote leads elsewhere.
        for _, _, files, directory in os.fwalk(settings.DATA_DIR / top):
            for name in [".", *files]:
                os.chown(name, *ids, dir_fd=directory, follow_symlinks=False)
