"""The locale lines for Apache's own environment (Debian: /etc/apache2/envvars)."""

from __future__ import annotations

from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.syntax.printer import Line


class ApacheEnvvarsRenderer(Renderer):
    """Lines to append to envvars, so that Apache's own processes are not started with LANG=C.

    The daemon's ``lang`` and ``locale`` already cover the application; these cover embedded
    mode and authentication scripts, which run in Apache's own children.
    """

    name = "apache-envvars"
    summary = "locale lines for Apache's envvars file"
    gateways = ("shell",)

    def render(self) -> Rendered:
        # Deployment accepts only names of UTF-8 locales: nothing here needs quotes.
        locale = self.deployment.locale
        text = [
            "# To append to Apache's envvars (Debian: /etc/apache2/envvars)",
            f"export LANG={locale}",
            f"export LC_ALL={locale}",
        ]
        return Rendered(filename="apache/envvars", lines=tuple(Line(line, None) for line in text))
