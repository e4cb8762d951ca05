"""One project's facts: the order in which they are read, and the checks between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django_deploykit import conf
from django_deploykit.config import findings
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.findings import Finding, Level
from django_deploykit.config.introspect import application, files, names, security, urls
from django_deploykit.config.introspect.context import Context
from django_deploykit.exceptions import FactsError, unknown


@dataclass(frozen=True)
class Introspection:
    """The facts, as far as they could be read, and every finding on the way."""

    facts: SiteFacts | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.kind.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.kind.level is Level.WARNING)


def introspect(overrides: Mapping[str, Any] | None = None) -> Introspection:
    """Read the configured project; ``overrides`` replace keys of DEPLOYKIT["SITE"]."""
    configured = conf.read()
    context = Context({**configured.site, **(overrides or {})})
    for part in configured.unusable:
        _report_unusable(context, part)
    facts = _read(context)
    return Introspection(facts, tuple(context.findings))


def require(introspection: Introspection) -> SiteFacts:
    """The facts, or FactsError with every error at once."""
    if introspection.errors or introspection.facts is None:
        raise FactsError(introspection.errors)
    return introspection.facts


def _report_unusable(context: Context, part: conf.Unusable) -> None:
    if part.allowed:
        message = unknown("key", str(part.value), part.place, part.allowed)
        context.find(findings.CONF_UNKNOWN, part.place, message.removeprefix(f"{part.place}: "))
    else:
        context.find(findings.CONF_TYPE, part.place, f"{part.value!r} is not {part.expected}.")


def _read(context: Context) -> SiteFacts | None:
    app = application.read(context)
    prefix, prefix_setting = names.prefix(context)
    hosts = names.hosts(context)
    tls = security.tls(context)
    if app is None or prefix is None or hosts is None:
        return None
    interpreter = application.interpreter()
    static = files.static(context, prefix, app, interpreter)
    facts = SiteFacts(
        name=names.site_name(context, app),
        application=app,
        interpreter=interpreter,
        hosts=hosts,
        prefix=prefix,
        prefix_setting=prefix_setting,
        prefix_is_forced=context.settings.FORCE_SCRIPT_NAME is not None,
        routes=urls.routes(context),
        documents=files.documents(context),
        static=static,
        admin_static=files.admin_static(context, prefix),
        media=files.media(context, prefix),
        protected=files.protected(context, prefix),
        root_files=files.root_files(context),
        tls=tls,
        redirect_exempt=tuple(context.settings.SECURE_REDIRECT_EXEMPT),
        headers=security.headers(context, tls),
        limits=security.limits(context),
        needs_authorization=security.needs_authorization(context),
        environ=security.environ(context),
        whitenoise=application.has_whitenoise(context),
    )
    files.check_overlaps(context, facts)
    urls.check(context, facts)
    security.check(context, facts)
    return facts
