"""Directories and URLs that must not lie in one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, product
from pathlib import Path

from django.apps import apps

from django_deploykit.config import findings
from django_deploykit.config.facts import Area, Mount, Pool, SiteFacts
from django_deploykit.config.introspect.application import settings_file
from django_deploykit.config.introspect.context import Context, contains


def check(context: Context, facts: SiteFacts) -> None:
    """Refuse a public directory that holds, or lies in, something that is not public."""
    public, guarded = _public(facts), _guarded(facts)
    private = private_paths(context, facts)
    _check_served(context, facts, facts, private)
    for mount in facts.static.mounts if facts.static else ():
        if facts.uploads and _overlap(mount.directory, facts.uploads):
            message = f"{str(facts.uploads)!r} overlaps STATIC_ROOT."
            context.find(findings.OVERLAP, "MEDIA_ROOT", message)
    _check_urls(context, combinations([*public, *facts.protected], 2))
    _check_urls(context, product(guarded, [*public, *facts.protected]))
    # One URL has one policy, and one pool.
    _check_urls(context, combinations(facts.areas, 2))
    _check_urls(context, combinations(facts.pools, 2))
    _check_pools(context, facts.pools, [*public, *facts.protected, *guarded])
    if facts.documents and facts.whole_host:
        message = "every URL is Django's, and none is left for it; ROUTES names those that are."
        context.find(findings.URL_CONFLICT, context.key("DOCUMENTS"), message)


def check_beside(
    context: Context, facts: SiteFacts, other: SiteFacts, private: Iterable[tuple[str, Path]]
) -> None:
    """Refuse what a site serves where it holds, or lies in, what is private to another one.

    Its own uploads may be those that the other does not serve, and an area may be one of both.
    """
    guarded = {mount.directory for mount in _guarded(facts)}
    common = guarded & {mount.directory for mount in _guarded(other)}
    common |= {facts.media.directory} if facts.media else set()
    named = [(f"{label} of {other.name!r}", path) for label, path in private if path not in common]
    _check_served(context, facts, other, named)


def _check_served(
    context: Context, facts: SiteFacts, owner: SiteFacts, private: Sequence[tuple[str, Path]]
) -> None:
    secret = [*owner.protected, *_guarded(owner)]
    for mount in [*_public(facts), *_documents(context, facts)]:
        _check_private(context, mount, private, secret)
    _check_guarded(context, facts, private)
    _check_root_files(context, facts, private, secret)


def _public(facts: SiteFacts) -> list[Mount]:
    static = facts.static.mounts if facts.static else ()
    return [*static, *([facts.media] if facts.media else [])]


def _check_pools(context: Context, pools: Iterable[Pool], mounts: Sequence[Mount]) -> None:
    """Files may lie below a pool, as they do below the whole site; no pool lies among files."""
    pairs = product(pools, mounts)
    _check_urls(context, ((pool, mount) for pool, mount in pairs if pool.url.startswith(mount.url)))


def _documents(context: Context, facts: SiteFacts) -> list[Mount]:
    if facts.documents is None:
        return []
    return [Mount(url="/", directory=facts.documents, setting=context.key("DOCUMENTS"))]


def _check_private(
    context: Context,
    mount: Mount,
    private: Iterable[tuple[str, Path]],
    protected: Iterable[Mount],
) -> None:
    """Name the first private thing it holds: the others in there are no better off."""
    for label, path in private:
        if contains(mount.directory, path):
            message = f"{str(mount.directory)!r} is served to anybody and holds {label}."
            context.find(findings.OVERLAP, mount.setting, message)
            break
    for secret in protected:
        if contains(secret.directory, mount.directory):
            message = f"{str(mount.directory)!r} lies in a protected directory, {secret.setting}."
            context.find(findings.OVERLAP, mount.setting, message)


def _guarded(facts: SiteFacts) -> list[Mount]:
    """The directories of areas."""
    return [
        Mount(url=area.url, directory=area.directory, setting=area.setting)
        for area in facts.areas
        if area.directory
    ]


def _check_guarded(context: Context, facts: SiteFacts, private: Iterable[tuple[str, Path]]) -> None:
    """An area is for some people: not for everybody of them the code, or another area."""
    for mount in _guarded(facts):
        for label, path in private:
            if label != _area(mount) and contains(mount.directory, path):
                message = f"{str(mount.directory)!r} is served and holds {label}."
                context.find(findings.OVERLAP, mount.setting, message)
                break


def _area(mount: Mount) -> str:
    return f"the area {mount.url!r}"


def _check_root_files(
    context: Context,
    facts: SiteFacts,
    private: Iterable[tuple[str, Path]],
    secret: Iterable[Mount],
) -> None:
    setting = context.key("ROOT_FILES") if "ROOT_FILES" in context.site else "WHITENOISE_ROOT"
    for file in facts.root_files:
        labels = [label for label, path in private if contains(file.path, path)]
        inside = [mount for mount in secret if contains(mount.directory, file.path)]
        if labels or inside:
            what = labels[0] if labels else "a protected file"
            message = f"{str(file.path)!r} is {what}, and would be served to anybody."
            context.find(findings.OVERLAP, setting, message)


def _overlap(one: Path, other: Path) -> bool:
    return contains(one, other) or contains(other, one)


def private_paths(context: Context, facts: SiteFacts) -> tuple[tuple[str, Path], ...]:
    """What nobody may fetch, each with a label for messages."""
    return tuple(_private_paths(context, facts))


def _private_paths(context: Context, facts: SiteFacts) -> Iterator[tuple[str, Path]]:
    app = facts.application
    yield "the project's code", app.root
    yield "the virtual environment", facts.interpreter.prefix
    if path := settings_file(app.settings_module):
        yield "the settings module", path
    for config in apps.get_app_configs():
        yield f"the code of {config.name!r}", Path(config.path)
    if app.env_file:
        yield "the environment file", app.env_file
    if facts.tls:
        yield "the private key", facts.tls.key
    for mount in facts.protected:
        yield f"the protected directory {str(mount.directory)!r}", mount.directory
    for mount in _guarded(facts):
        yield _area(mount), mount.directory
    for path in facts.databases:
        yield f"the database {str(path)!r}", path
    for path in facts.caches:
        yield f"the cache {str(path)!r}, whose files are code to Django", path
    closed = "uploaded files that are not public"
    if facts.closed_uploads:
        yield closed, facts.closed_uploads
    if facts.uploads is None and context.settings.MEDIA_ROOT:
        yield closed, Path(context.settings.MEDIA_ROOT).absolute()


def _check_urls(
    context: Context, pairs: Iterable[tuple[Mount | Area | Pool, Mount | Area | Pool]]
) -> None:
    for mount, other in pairs:
        if mount.url.startswith(other.url) or other.url.startswith(mount.url):
            message = f"its URL {mount.url!r} and {other.url!r} of {other.setting} overlap."
            context.find(findings.URL_CONFLICT, mount.setting, message)
