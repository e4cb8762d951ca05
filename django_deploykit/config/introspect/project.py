"""One project's facts: the order in which they are read, and the checks between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django_deploykit import conf
from django_deploykit.config import findings
from django_deploykit.config.deployment import parse_choices
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.findings import Finding, Level
from django_deploykit.config.introspect import (
    application,
    areas,
    authorization,
    databases,
    environ,
    files,
    identity,
    names,
    overlaps,
    pools,
    proxy,
    security,
    sendfile,
    static,
    urls,
    websockets,
)
from django_deploykit.config.introspect.context import Context, wrong_type
from django_deploykit.exceptions import ChoiceError, FactsError, unknown

DEPLOYMENT = "DEPLOYKIT['DEPLOYMENT']"


@dataclass(frozen=True)
class Introspection:
    """The facts, as far as they could be read, every finding on the way, and what is private.

    Each of the ``private`` paths has a label; more of them are known here than facts tell.
    """

    facts: SiteFacts | None
    findings: tuple[Finding, ...]
    private: tuple[tuple[str, Path], ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.kind.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.kind.level is Level.WARNING)


def introspect(
    overrides: Mapping[str, Any] | None = None, places: Mapping[str, str] | None = None
) -> Introspection:
    """Read the configured project.

    ``overrides`` replace keys of DEPLOYKIT["SITE"]; ``places`` say where they came from.
    """
    context = Context({**conf.read().site, **(overrides or {})}, places or {})
    context.findings += configuration()
    facts = _read(context)
    _check(context, facts)
    return Introspection(facts, tuple(context.findings), overlaps.private_paths(context, facts))


def require(introspection: Introspection) -> SiteFacts:
    """The facts, or FactsError with every error at once."""
    if introspection.errors or introspection.facts is None:
        raise FactsError(introspection.errors)
    return introspection.facts


def configuration() -> list[Finding]:
    """What is wrong with the shape of DEPLOYKIT and with the choices of its DEPLOYMENT."""
    configured = conf.read()
    found = [_unusable(part) for part in configured.unusable]
    try:
        parse_choices(configured.deployment, DEPLOYMENT)
    except ChoiceError as error:
        messages = (problem.removeprefix(f"{DEPLOYMENT}: ") for problem in error.problems)
        found += [Finding(findings.CHOICE, DEPLOYMENT, message) for message in messages]
    return found


def _unusable(part: conf.Unusable) -> Finding:
    if part.allowed:
        message = unknown("key", str(part.value), part.place, part.allowed)
        message = message.removeprefix(f"{part.place}: ")
        return Finding(findings.CONF_UNKNOWN, part.place, message)
    return Finding(findings.CONF_TYPE, part.place, wrong_type(part.value, part.expected))


def _read(context: Context) -> SiteFacts:
    """Every fact; where one is missing, with a stand-in, so that the others are looked at too."""
    app = application.read(context)
    prefix, prefix_setting = names.prefix(context)
    hosts = names.hosts(context)
    tls = security.tls(context)
    interpreter = application.interpreter()
    media, closed_uploads = files.uploads(context, prefix)
    protected = files.protected(context, prefix)
    return SiteFacts(
        name=names.site_name(context, app),
        application=app,
        interpreter=interpreter,
        hosts=hosts,
        prefix=prefix,
        prefix_setting=prefix_setting,
        prefix_is_known=names.is_known(context, prefix),
        routes=urls.routes(context),
        pools=pools.pools(context, prefix),
        websockets=websockets.websockets(context, app.asgi),
        documents=files.documents(context),
        static=static.static(context, prefix),
        admin_static=static.admin_static(context, prefix),
        media=media,
        closed_uploads=closed_uploads,
        protected=protected,
        stored=files.stored(context, [media, closed_uploads, *protected]),
        stores=sendfile.stores(context),
        areas=areas.areas(context, prefix),
        endpoints=urls.endpoints(context, prefix),
        login_url=urls.login_url(context, prefix),
        databases=files.databases(context),
        caches=files.caches(context),
        writes=files.writes(context),
        special_modes=files.special_modes(context),
        database_servers=databases.servers(context),
        root_files=files.root_files(context),
        tls=tls,
        redirect_exempt=security.redirect_exempt(context),
        headers=security.headers(context, tls),
        limits=security.limits(context),
        needs_authorization=authorization.needs_authorization(context),
        environ=environ.environ(context),
        believes_proxies=bool(conf.read().proxy),
        whitenoise=application.has_whitenoise(context),
    )


def _check(context: Context, facts: SiteFacts) -> None:
    """What facts that are right each by itself say against each other."""
    names.check(context, facts.hosts)
    overlaps.check(context, facts)
    pools.check(context, facts)
    sendfile.check(context, facts)
    urls.check(context, facts)
    security.check(context, facts)
    proxy.check(context, facts)
    identity.check(context)
