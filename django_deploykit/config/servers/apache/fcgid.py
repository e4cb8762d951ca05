"""The gateway mod_fcgid: Apache starts, counts and ends FastCGI processes (flup) by itself.

Manual: https://httpd.apache.org/mod_fcgid/mod/mod_fcgid.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from django_deploykit.config.appservers import flup
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.launcher import locale_variables
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import cgi, protocols
from django_deploykit.config.syntax.nodes import Argument, Node, directive
from django_deploykit.exceptions import UnrepresentableValue

hygiene = cgi.hygiene
server_level = cgi.server_level
site_variables = cgi.site_variables
warnings = cgi.warnings


def check(plan: Plan) -> None:
    """Refuse also the path of a dispatcher that mod_fcgid would start the beginning of: it takes
    it for a command, and nothing quotes that."""
    cgi.check(plan)
    for path in (str(flup.script(plan, site)) for site in plan.sites):
        if re.search(r"\s", path):
            raise UnrepresentableValue(path, "mod_fcgid", "a blank ends the command", "--output")


def mount(plan: Plan, sites: tuple[SiteFacts, ...], own: Sequence[str]) -> list[Node]:
    """The rules that hand URLs to the dispatchers. ``own`` URLs have an Alias that comes before."""
    why = "at LimitRequestBody mod_fcgid hands an empty body on; 413 has to come before"
    return [
        protocols.too_large(plan, why),
        *cgi.aliases(plan, sites, flup.script),
        *cgi.handlers(plan, sites, flup.script, "fcgid-script"),
    ]


def request_environment(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """The processes: their environment, number, and limits, none of which has a fitting default."""
    deployment, seconds = plan.deployment, plan.deployment.request_timeout + cgi.GRACE
    limits: list[tuple[str, Argument, str, str]] = [
        ("MaxProcessesPerClass", deployment.processes, "of each site", "processes"),
        ("MinProcessesPerClass", 1, "one stays, so that no visitor waits for a start", ""),
        ("MaxRequestLen", deployment.body_limit, "its default is 128 KiB", "body_limit"),
        ("IOTimeout", seconds, "the application gives up before", "request_timeout"),
        ("BusyTimeout", seconds, "the application gives up before", "request_timeout"),
        ("ConnectTimeout", 15, "a site may need some seconds to load", ""),
        ("OutputBufferSize", 0, "an answer is sent as it is written", ""),
    ]
    return [
        *(
            directive(
                "FcgidInitialEnv", name, value, why="any file name can be stored", setting="locale"
            )
            for name, value in locale_variables(plan).items()
        ),
        *(
            directive(f"Fcgid{name}", value, why=why, setting=setting)
            for name, value, why, setting in limits
        ),
    ]


def modules(plan: Plan) -> set[str]:
    return {"fcgid"}


def packages(plan: Plan) -> tuple[str, ...]:
    return ("libapache2-mod-fcgid",)
