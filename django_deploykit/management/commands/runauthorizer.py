"""``manage.py runauthorizer``: answer Apache, lighttpd and nginx over FastCGI, until SIGTERM."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import stat
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_deploykit import contract
from django_deploykit.auth import authenticator
from django_deploykit.auth.authorizer import Authorizer
from django_deploykit.auth.server import Server
from django_deploykit.auth.sockets import Address, handed, listening
from django_deploykit.exceptions import DeploykitError
from django_deploykit.management.choices import MISTAKE


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
        try:
            self._serve(options)
        except (DeploykitError, ImproperlyConfigured, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error), returncode=MISTAKE) from error

    def _serve(self, options: dict[str, Any]) -> None:
        if options["policy"]:
            authenticator().rule(options["policy"])
        token = _token(options["token_file"])
        authorizer = Authorizer(options["policy"], options["realm"], token, options["site"])
        if options["threads"] < 1:
            raise CommandError("--threads: at least 1", returncode=MISTAKE)
        threads = options["threads"]
        with _listener(options) as listener, Server(listener, authorizer, threads) as server:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: server.shutdown())
            self.stdout.write(f"ready {_shown(server.address)}")
            self.stdout.flush()
            server.serve_forever()


@contextlib.contextmanager
def _listener(options: dict[str, Any]) -> Iterator[socket.socket]:
    """The socket of a systemd unit, which stays when this ends; else one of its own."""
    if given := handed():
        address = given.getsockname()
        if given.family != socket.AF_UNIX:
            _check_local(address[0], _shown(address), options["allow_remote"])
        yield given
        return
    with _bound(_address(options["bind"], remote=options["allow_remote"])) as made:
        yield made


def _address(text: str, *, remote: bool) -> Address:
    if text.startswith("/"):
        return text
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise CommandError(f"--bind: {text!r} is neither ADDRESS:PORT nor a path", returncode=2)
    _check_local(host, text, remote)
    return host, int(port)


def _check_local(host: str, text: str, remote: bool) -> None:
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local and not remote:
        raise CommandError(
            f"--bind: {text!r} is not a loopback address. Whoever can connect can try passwords: "
            "use 127.0.0.1, or --allow-remote with --token-file and a network of your own.",
            returncode=MISTAKE,
        )


def _token(path: Path | None) -> str:
    """The content of the file. An empty one would be no token at all."""
    if path is None:
        return ""
    token = path.read_text(encoding="ascii").strip()
    if not token:
        raise CommandError(f"--token-file: {str(path)!r} is empty", returncode=MISTAKE)
    return token


@contextlib.contextmanager
def _bound(address: Address) -> Iterator[socket.socket]:
    """A socket of this run's own; at a path, in place of one that an earlier run left."""
    if not isinstance(address, str):
        yield listening(address)
        return
    path = Path(address)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    listener = listening(address)  # What else is there stays, and it fails.
    ours = path.stat()
    try:
        yield listener
    finally:
        # The next one may listen there already, while this one answered its last requests.
        if path.exists() and os.path.samestat(path.stat(), ours):
            path.unlink()


def _shown(address: Address) -> str:
    if isinstance(address, str):
        return address
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"
