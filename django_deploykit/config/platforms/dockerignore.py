"""What of the project is not for its image: secrets, data, and what the image makes itself.

BuildKit reads it because it has the name of its Dockerfile, with ``.dockerignore`` at the end.
Reference: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django_deploykit.config import tls as guideline
from django_deploykit.config.container import ENVIRONMENT, PROJECT, only_site
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.syntax.printer import Line
from django_deploykit.exceptions import UnrepresentableValue

_ALWAYS = (
    "# Secrets",
    # .env, .env.production, .envrc (direnv), .envs/.production/.django (cookiecutter-django)
    "**/.env*",
    "**/*.env",
    "**/*.key",
    "# History, environments and what Python makes",
    "**/.git",
    "**/.venv",
    "**/venv",
    "**/site-packages",
    "**/__pycache__",
    "**/*.sqlite3",
    "**/*.sqlite3-*",
)


class DockerignoreRenderer(Renderer):
    """The file beside the Dockerfile."""

    name = "dockerignore"
    summary = "what a Dockerfile leaves out of the image: secrets, data, environments"
    gateways = ("file",)
    in_container = True

    def render(self) -> Rendered:
        site = only_site(self.plan, self.name)
        own = sorted(set(self._own(site)))
        text = [*_ALWAYS, *(["# What this site has"] if own else []), *own]
        return Rendered(
            filename="docker/Dockerfile.dockerignore",
            lines=tuple(Line(line, None) for line in text),
        )

    def _own(self, site: SiteFacts) -> Iterator[str]:
        for path, setting in self._paths(site):
            if path.is_relative_to(PROJECT) and path != PROJECT:
                # SQLite has more files of that name beside a database (sqlite.org/tempfiles.html).
                others = "*" if path in site.databases else ""
                yield _pattern(path.relative_to(PROJECT), setting) + others

    def _paths(self, site: SiteFacts) -> Iterator[tuple[Path, str]]:
        yield from ((path, "DATABASES") for path in site.databases)
        yield from ((path, "CACHES") for path in site.caches)
        yield from ((one.directory, one.setting) for one in site.protected)
        yield from ((path, "STORAGES") for path in site.stored)
        if site.application.env_file:
            yield site.application.env_file, "DEPLOYKIT['SITE']['ENV_FILE']"
        if site.tls:
            yield site.tls.key, guideline.SETTING
        if site.uploads:
            yield site.uploads, "MEDIA_ROOT"
        for mount in self.plan.static_mounts(site):
            if mount.setting == "STATIC_ROOT" and not mount.directory.is_relative_to(ENVIRONMENT):
                yield mount.directory, mount.setting


def _pattern(path: Path, setting: str) -> str:
    """A path as a pattern that nothing else fits (Go's filepath.Match, and blanks cut off)."""
    text = str(path)
    if text != text.strip() or not text.isprintable() or "\\" in text:
        reason = "blanks at an end, backslashes and control characters have no spelling"
        raise UnrepresentableValue(text, "a .dockerignore", reason, setting)
    return "/" + re.sub(r"([*?[\]])", r"\\\1", text)
