"""What ``deployconfig`` and ``deployrun`` share: options, and from options to a plan."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError

from django_deploykit import conf
from django_deploykit.checks import auth_findings
from django_deploykit.config.deployment import Deployment, parse_choices
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.findings import Finding, Level
from django_deploykit.config.introspect import DEPLOYMENT, introspect_sites
from django_deploykit.config.stack import Stack, resolve
from django_deploykit.exceptions import ChoiceError, DeploykitError, FactsError

# Drift exits with 1, so that a mistake has a status of its own (argparse uses the same).
MISTAKE = 2


@dataclass(frozen=True)
class Project:
    """The sites to serve, the choices made for them, of which --set named some, and what was found
    on the way."""

    sites: Sequence[SiteFacts]
    deployment: Deployment
    findings: Sequence[Finding]
    named: frozenset[str] = frozenset()


def add_arguments(parser: ArgumentParser, target: str) -> None:
    """Add the options that choose a stack, with what the help says of the ``target``."""
    parser.add_argument("target", nargs="?", help=target)
    parser.add_argument("--gateway", help="How the server reaches Django; see the list.")
    parser.add_argument("--app-server", help="The application server behind the gateway.")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="choices",
        help="A choice, instead of DEPLOYKIT['DEPLOYMENT'][KEY]; may be repeated.",
    )


def read_project(options: dict[str, Any]) -> Project:
    """Read settings and options. Raise FactsError or ChoiceError with all that is wrong."""
    chosen = parse_choices(_pairs(options["choices"]), "--set")
    # What a URLconf prints must not end up in the emitted configuration.
    with redirect_stdout(sys.stderr):
        sites, found = introspect_sites()
        found = (*found, *auth_findings())
    errors = [one for one in found if one.kind.level is Level.ERROR]
    if errors or not sites:
        raise FactsError(errors)
    configured = parse_choices(conf.read().deployment, DEPLOYMENT)
    return Project(sites, Deployment(**{**configured, **chosen}), found, frozenset(chosen))


def invocation(stack: Stack, sites: Sequence[SiteFacts], options: dict[str, Any]) -> str:
    """The command line that leads to this text, without what only says where it goes. It is the
    same however the command was asked: by options, by their defaults, or by the environment."""
    words = ["manage.py", "deployconfig", stack.renderer.name]
    if stack.gateway != stack.renderer.gateways[0]:
        words += ["--gateway", stack.gateway]
    usual = resolve(stack.renderer.name, stack.gateway, sites=sites)
    if stack.app_server and stack != usual:
        words += ["--app-server", stack.app_server.name]
    for choice in sorted(options["choices"]):
        words += ["--set", choice]
    if module := os.environ.get("DJANGO_SETTINGS_MODULE"):
        words += ["--settings", module]
    return shlex.join(words)


def mistake(error: DeploykitError) -> CommandError:
    """The error as Django's commands report it, with the exit status of a mistake."""
    return CommandError(str(error), returncode=MISTAKE)


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ChoiceError(f"--set: {text!r} is not of the form KEY=VALUE.")
        if len(text.splitlines()) > 1:
            # The command stands in the first line of each file.
            raise ChoiceError(f"--set: {text!r} has more than one line. Write it in one.")
        if key in pairs:
            raise ChoiceError(f"--set: {key!r} is given twice.")
        pairs[key] = value
    return pairs
