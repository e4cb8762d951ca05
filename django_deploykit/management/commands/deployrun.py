"""``manage.py deployrun``: run the very stack that ``deployconfig`` describes, here and now."""

from __future__ import annotations

import os
import socket
from argparse import ArgumentParser
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from django_deploykit.config import report
from django_deploykit.config.access import group_exists, obstacles, server_account
from django_deploykit.config.deployment import Deployment, parse_choices
from django_deploykit.config.facts import Pool, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import SCRIPT
from django_deploykit.config.stack import Stack, needs_asgi, resolve
from django_deploykit.config.values import Address
from django_deploykit.exceptions import CannotRun, DeploykitError
from django_deploykit.management import choices
from django_deploykit.management.choices import Project
from django_deploykit.management.pipes import quiet_pipe
from django_deploykit.run.directory import lay_out, run_directory
from django_deploykit.run.signals import Stop, signalled
from django_deploykit.run.supervise import Front, check_ports, supervise

# Tried in this order when no target is named: the first that can run here.
PREFERRED = ("apache", "gunicorn")
PREFERRED_FOR_ASGI = ("nginx", "lighttpd", *PREFERRED)


class Command(BaseCommand):
    help = "Run this project behind a real web server in the foreground, until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        choices.add_arguments(parser, "What to run; without it, what fits here.")
        parser.add_argument(
            "--listen", default="127.0.0.1:8000", help="Address and port; default %(default)s."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            project = choices.read_project(options)
            listen = parse_choices({"listen": options["listen"]}, "--listen")
            deployment = replace(project.deployment, **listen)
            project = replace(project, deployment=deployment)
            with signalled() as stop, run_directory() as directory:
                self._run(options, project, directory, stop)
        except DeploykitError as error:
            raise choices.mistake(error) from error

    def _run(self, options: dict[str, Any], project: Project, directory: Path, stop: Stop) -> None:
        user = _user(project.deployment)
        stack, plan = self._choose(options, project, directory, user)
        addresses = _addresses(plan)
        check_ports(addresses)
        _check_access(stack, plan, user)
        processes = lay_out(stack, plan, directory, user)
        supervise(processes, _front(plan), directory / "log", self._ready, stop)

    def _ready(self, line: str) -> None:
        with quiet_pipe(self.stdout):
            self.stdout.write(line)

    def _choose(
        self, options: dict[str, Any], project: Project, directory: Path, user: str | None
    ) -> tuple[Stack, Plan]:
        wanted, sites = (options["gateway"], options["app_server"]), project.sites
        if options["target"]:
            named = resolve(options["target"], *wanted, sites=sites)
            return _planned(named, project, directory, user)
        *others, last = PREFERRED_FOR_ASGI if needs_asgi(sites) else PREFERRED
        for target in others:
            try:
                return _planned(resolve(target, sites=sites), project, directory, user)
            except CannotRun as error:
                self.stderr.write(f"{error}\nTrying another server instead.", self.style.NOTICE)
        return _planned(resolve(last, sites=sites), project, directory, user)


def _planned(
    stack: Stack, project: Project, directory: Path, user: str | None
) -> tuple[Stack, Plan]:
    """The stack and its plan. Raise CannotRun where this machine cannot run it."""
    if not stack.renderer.answers_clients:
        name = stack.renderer.name
        front = "apache" if stack.gateway in stack.renderer.spawned else "nginx"
        raise CannotRun(
            f"target {name!r} stands behind a web server. Run that one: "
            f"manage.py deployrun {front} --gateway {stack.gateway} --app-server {name}"
        )
    deployment = replace(project.deployment, log_directory=directory / "log")
    if user and (stack.renderer.stands_alone or stack.app_server):
        deployment = replace(deployment, user=user)
    plan = stack.plan(project.sites, deployment, directory)
    if stack.app_server:
        plan = _with_own_sockets(plan, directory / "run", project.named)
    plan = replace(plan, authorizers=_own_authorizers(stack, plan, directory / "run"))
    for renderer in (stack.renderer(plan), *stack.running(plan), *stack.authorizers(plan)):
        renderer.foreground(directory, user)
    return stack, plan


def _with_own_sockets(plan: Plan, run: Path, named: Collection[str]) -> Plan:
    """The plan with sockets of this run's own, but for one that --set names: at that of the
    settings an installed stack may listen, and a server takes a path from whoever listens there."""
    sites = tuple(_without_sockets(site) for site in plan.sites)
    where = plan.deployment.socket if "socket" in named else None
    deployment = replace(plan.deployment, socket=where)
    own = replace(plan, sites=sites, sockets=run, deployment=deployment)
    moved = {plan.socket(site): own.socket(site) for site in plan.sites}
    backends = tuple(
        replace(one, where=moved.get(one.where, one.where)) for one in plan.deployment.backends
    )
    return replace(own, deployment=replace(deployment, backends=backends))


def _without_sockets(site: SiteFacts) -> SiteFacts:
    """The site with pools whose sockets are the usual ones."""
    return replace(site, pools=tuple(_without_socket(pool) for pool in site.pools))


def _without_socket(pool: Pool) -> Pool:
    return replace(pool, choices=tuple(pair for pair in pool.choices if pair[0] != "socket"))


def _own_authorizers(stack: Stack, plan: Plan, run: Path) -> dict[str, Path | Address]:
    """Addresses of this run's own, whatever an installed stack has."""
    if stack.renderer.asks_over_sockets:
        return {name: run / f"{name}-authorizer.sock" for name in plan.authorizers}
    return {name: Address("127.0.0.1", _free_port()) for name in plan.authorizers}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _user(deployment: Deployment) -> str | None:
    """The user to drop to, if this is root; otherwise nobody can be dropped to."""
    if os.geteuid() != 0:
        return None
    user = server_account(deployment.user)
    if user is None:
        raise CannotRun("Root does not serve web pages: name a user with --set user=NAME.")
    if deployment.group and not group_exists(deployment.group):
        raise CannotRun(f"group: there is no group {deployment.group!r} here.")
    return user


def _addresses(plan: Plan) -> tuple[Any, ...]:
    secure = any(site.tls for site in plan.sites)
    return plan.deployment.listen + (plan.deployment.tls_listen if secure else ())


def _check_access(stack: Stack, plan: Plan, user: str | None) -> None:
    needs = report.merged([stack.renderer(plan).render()])
    readable = [replace(one, write=False) for one in needs.access if one.why != SCRIPT]
    stopped = obstacles(plan, readable, user, user) if user else []
    if stopped:
        raise CannotRun("\n".join(f"{one.user} would get 403 for {one}" for one in stopped))


def _front(plan: Plan) -> Front:
    site = plan.sites[0]
    addresses = plan.deployment.tls_listen if site.tls else plan.deployment.listen
    path = (site.routes or ("/",))[0]
    return Front(addresses[0], bool(site.tls), _host(site), f"{site.prefix}{path}")


def _host(site: SiteFacts) -> str:
    if site.hosts.anything:
        return "localhost"
    return site.hosts.names[0].removeprefix(".")
