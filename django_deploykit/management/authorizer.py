"""What ``manage.py runauthorizer`` does: where it listens, and how it ends."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from django_deploykit.auth import authenticator
from django_deploykit.auth.authorizer import Authorizer
from django_deploykit.auth.server import Server
from django_deploykit.auth.sockets import Address, handed, listening
from django_deploykit.management.choices import MISTAKE


def serve(options: dict[str, Any], ready: Callable[[str], None]) -> None:
    """Serve by the options of the command until SIGTERM or SIGINT; ``ready`` is told where.

    Raise CommandError, or what the settings and the system have against it.
    """
    judge = authenticator()  # What is wrong with AUTH is said now, and not to the first who asks.
    if options["policy"]:
        judge.rule(options["policy"])
    token = _token(options["token_file"])
    authorizer = Authorizer(options["policy"], options["realm"], token, options["site"])
    if options["threads"] < 1:
        raise CommandError("--threads: at least 1", returncode=MISTAKE)
    threads = options["threads"]
    with _listener(options) as listener, Server(listener, authorizer, threads) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.shutdown())
        ready(f"ready {_shown(server.address)}")
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
