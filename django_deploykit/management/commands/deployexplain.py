"""``manage.py deployexplain``: what Django would make of a request, and why."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_deploykit import contract
from django_deploykit.config.registry import labels
from django_deploykit.exceptions import unknown
from django_deploykit.management.choices import MISTAKE
from django_deploykit.management.pipes import quiet_pipe
from django_deploykit.proxy.addresses import parse_address
from django_deploykit.proxy.asgi import AsgiDoor
from django_deploykit.proxy.configured import judge
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision, Refused
from django_deploykit.proxy.wsgi import WsgiDoor


class Command(BaseCommand):
    help = "Show what is believed of a request, and why, by DEPLOYKIT['PROXY'] or the stack."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", nargs="?", default="/", help="The path; default %(default)s.")
        parser.add_argument(
            "--peer",
            default="127.0.0.1",
            help="Who connects: an address, or 'unix'; default %(default)s.",
        )
        parser.add_argument(
            "--header",
            action="append",
            default=[],
            metavar="NAME:VALUE",
            dest="headers",
            help="A request header; may be repeated.",
        )
        parser.add_argument(
            "--stack",
            default=os.environ.get(contract.STACK_KEY, ""),
            help="The emitted stack, such as nginx/http; it counts where PROXY is unset.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options["path"], options["peer"], options["stack"])
        scope = _scope(options["path"], options["peer"], options["headers"])
        try:
            lines = [*_lines(_decide(judge(options["stack"]), scope))]
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=MISTAKE) from None
        except Refused as refused:
            lines = [f"answer: {refused.status} {refused.phrase} ({refused})"]
        with quiet_pipe(self.stdout):
            self.stdout.write("\n".join(lines))


def _check(path: str, peer: str, stack: str) -> None:
    """Raise CommandError for what no request could have."""
    if not path.startswith("/"):
        problem = f"path: {path!r} does not begin with a slash."
    elif peer != "unix" and not parse_address(peer):
        problem = f"--peer: {peer!r} is neither an IP address nor 'unix'."
    elif stack and stack not in (known := labels()):
        problem = unknown("stack", stack, "--stack", known)
    else:
        return
    raise CommandError(problem, returncode=MISTAKE)


def _scope(path: str, peer: str, headers: Sequence[str]) -> dict[str, Any]:
    """The request as an ASGI server hands it over: there names are as they were sent."""
    is_unix = peer == "unix"
    return {
        "type": "http",
        "scheme": "http",
        "path": path,
        "headers": [_header(text) for text in headers],
        "client": None if is_unix else (peer, 0),
        "server": ("/unix", None) if is_unix else ("localhost", 80),
    }


def _decide(judge: Judge, scope: Mapping[str, Any]) -> Decision:
    """By the door that the request would come through: no gateway speaks ASGI, nor does it prove a
    unix socket, which only a server of HTTP sees."""
    words = {one for group in judge.policy.trusted for one in group}
    is_proved = scope["client"] is None and "unix" in words
    if is_proved or "gateway" not in words:
        decision: Decision = AsgiDoor(judge).enter(scope)[contract.DECISION_KEY]
        return decision
    return WsgiDoor(judge).enter(_environ(scope))


def _environ(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The same request as a gateway hands it over: of a header that is repeated, one text."""
    said: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        said.setdefault(contract.environ_key(name.decode()), []).append(value.decode())
    headers = {key: ",".join(values) for key, values in said.items()}
    return {"PATH_INFO": scope["path"], "REMOTE_ADDR": (scope["client"] or ("",))[0], **headers}


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isascii():
        raise CommandError(
            f"--header: {text!r} is not of the form NAME: VALUE.", returncode=MISTAKE
        )
    return name.strip().encode(), value.strip().encode()


def _lines(decision: Decision) -> Iterator[str]:
    yield f"trusted: {'yes' if decision.trusted else 'no'}"
    yield from map(str, decision.steps)
    if decision.client.hops:
        yield f"through: {', '.join(hop or 'unknown' for hop in decision.client.hops)}"
    yield f"path: {decision.script_name + decision.path}"
    for name, value in sorted(decision.original.items()):
        yield f"removed: {name}: {value!r}"
