"""What settings say about protected files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

from django.core.signals import setting_changed
from django.dispatch import receiver

from django_deploykit import conf, contract
from django_deploykit.sendfile.roots import Root


@dataclass(frozen=True)
class Policy:
    """The protected directories, who sends, which types may be shown in the browser, and where the
    web server may fetch."""

    roots: tuple[Root, ...]
    backend: str = ""
    mod_xsendfile: str = ""
    inline: tuple[str, ...] = ()
    stores: tuple[tuple[str, str], ...] = ()


@cache
def read() -> Policy:
    """Read DEPLOYKIT. Values of a wrong type count as absent: the checks complain of them."""
    found = conf.read()
    protected, inline = found.site.get("PROTECTED", {}), found.sendfile.get("INLINE", ())
    prefix = conf.prefix()
    pairs = protected.items() if isinstance(protected, Mapping) else ()
    return Policy(
        roots=tuple(
            Root(str(directory), quote(contract.internal_url(prefix, str(url))))
            for url, directory in pairs
        ),
        backend=str(found.sendfile.get("BACKEND", "")),
        mod_xsendfile=_version(found.deployment.get("mod_xsendfile_version")),
        stores=_stores(prefix, found.sendfile.get("STORES", ())),
        inline=tuple(map(str, inline)) if isinstance(inline, (list, tuple, set)) else (),
    )


def _stores(prefix: str, value: object) -> tuple[tuple[str, str], ...]:
    """Pairs of an origin and its internal URL."""
    origins = value if isinstance(value, (list, tuple)) else ()
    known = [str(origin) for origin in origins if contract.STORE.fullmatch(str(origin))]
    return tuple((one, contract.store_url(prefix, number)) for number, one in enumerate(known))


@receiver(setting_changed)
def _forget(setting: str, **kwargs: object) -> None:
    """Read anew what a test has changed."""
    if setting in ("DEPLOYKIT", "FORCE_SCRIPT_NAME"):
        read.cache_clear()


def _version(value: object) -> str:
    """Which spelling a mod_xsendfile reads: 1.0 was the first to decode it."""
    digits = str(value or "").partition(".")[0].strip("(), ")
    return "" if not digits else "0.12" if digits == "0" else "1.0"
