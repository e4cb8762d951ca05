"""lighttpd's grammar as a dialect, and short names for its conditions and arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.syntax import lighttpd
from django_deploykit.config.syntax.lighttpd import PAIR, VALUE
from django_deploykit.config.syntax.nodes import Argument, Block, Node, Raw, block, directive
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.config.versions import ServerVersion, refuse_older
from django_deploykit.exceptions import ChoiceError

dialect = cast(Dialect, lighttpd)

# What is written for mod_deflate, mod_openssl and mod_proxy came with 1.4.56; Debian 11 has 1.4.59.
OLDEST = (1, 4, 59)


class Version(ServerVersion):
    """A version of lighttpd."""

    ASSUMED = (1, 4, 69)


# What a client writes behind a chunked body would arrive as a header that nobody has cleaned; since
# 1.4.82 only trailers that server.feature-flags lists are added (release notes of 1.4.80, 1.4.82).
MERGES_TRAILERS = ((1, 4, 80), (1, 4, 81))

NOTHING = Raw("()")


def check_version(deployment: Deployment) -> None:
    """Raise ChoiceError for a lighttpd that lacks what is always written, or lets it be undone."""
    version = Version.of(deployment)
    refuse_older(version, "lighttpd", OLDEST)
    if version.numbers in MERGES_TRAILERS:
        raise ChoiceError(
            f"server_version: lighttpd {version} adds the trailers of a request to its headers, "
            "behind everything that takes a client's headers away. Use 1.4.82 or newer, or one "
            "before 1.4.80."
        )


def pair(key: str, *value: Argument, why: str, setting: str = "") -> Node:
    """An entry of an array with keys."""
    return directive(PAIR, key, *value, why=why, setting=setting)


def values(name: str, items: Iterable[str], why: str, setting: str = "") -> Node:
    """An array without keys."""
    entries = [directive(VALUE, item, why=why, setting=setting) for item in items]
    return block(name, children=cast(list[Node], entries), why=why, setting=setting)


def array(name: str, entries: list[Node], why: str, setting: str = "") -> Node:
    """An array of ``entries``; an empty one takes away what was set further out."""
    if not entries:
        return directive(name, NOTHING, why=why, setting=setting)
    return block(name, children=entries, why=why, setting=setting)


def when(
    subject: str, pattern: str, children: list[Node], why: str, setting: str = "", test: str = "=~"
) -> Block:
    """What holds where a pattern matches, such as ``$HTTP["url"] =~ "^/static/" { ... }``."""
    return block(subject, Raw(test), pattern, children=children, why=why, setting=setting)


def otherwise(children: list[Node], why: str, setting: str = "") -> Block:
    """What holds where no condition of a chain did."""
    return block("else", children=children, why=why, setting=setting)


def chain(blocks: Iterable[Block]) -> list[Node]:
    """Conditions of which only the first that holds counts; alone, "else" is no condition."""
    first, *others = _told_apart(blocks)
    if first.name == "else":
        # Written as it is, it would be the other side of whatever condition stands further up.
        return list(first.children)
    return [first, *map(_continued, others)]


def _told_apart(blocks: Iterable[Block]) -> list[Block]:
    """The same blocks. Raise ChoiceError for two that lighttpd, to which the case of a condition is
    nothing, would take for one and refuse."""
    found: dict[tuple[str, str], Block] = {}
    for one in blocks:
        pattern = str(one.args[-1]) if one.args else ""
        other = found.setdefault((one.name, pattern.casefold()), one)
        if other is not one:
            raise ChoiceError(
                f"{one.setting}: to lighttpd, URLs that differ only in small and capital letters "
                f"are one, here those of {other.setting}. Choose another URL, or another server."
            )
    return list(found.values())


def _continued(one: Block) -> Block:
    name = one.name if one.name == "else" else f"else {one.name}"
    return block(name, *one.args, children=list(one.children), why=one.why, setting=one.setting)


URL = '$HTTP["url"]'
HOST = '$HTTP["host"]'
SCHEME = '$HTTP["scheme"]'
SOCKET = '$SERVER["socket"]'
ACCEPTS = '$REQUEST_HEADER["Accept-Encoding"]'
UPGRADE = '$REQUEST_HEADER["Upgrade"]'
