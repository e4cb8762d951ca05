"""What a client says it is: a login name and a password, as text."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from dataclasses import dataclass, field

# Longer than any that people have; a database or a hasher need not see more.
LOGIN_LENGTH = 1024
PASSWORD_LENGTH = 4096

# From this version on mod_wsgi hands over the bytes of a header read as Latin-1.
_LATIN_1_SINCE = (5, 0, 1)


@dataclass(frozen=True)
class Credentials:
    """A login name and a password; no representation of them holds the password."""

    login: str
    password: str = field(repr=False)

    @property
    def plausible(self) -> bool:
        """Whether a backend may see them. LDAP takes an empty password for a guest."""
        fits = 0 < len(self.password) <= PASSWORD_LENGTH
        return fits and "\0" not in self.password and is_login(self.login)


def is_login(text: str) -> bool:
    """Whether a database may be asked for a user of this name."""
    return 0 < len(text) <= LOGIN_LENGTH and is_one_line(text)


def is_one_line(text: str) -> bool:
    """Whether ``text`` can stand in a header or a log: no control characters."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def from_bytes(raw: bytes) -> str:
    """UTF-8, as browsers send it (RFC 7617), or else Latin-1, as old clients do."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def from_wire(text: str) -> str:
    """Text that a gateway read as Latin-1 (PEP 3333), as it was meant."""
    try:
        return from_bytes(text.encode("latin-1"))
    except UnicodeEncodeError:
        return text


def from_mod_wsgi(text: str, version: tuple[int, ...] | None) -> str:
    """What mod_wsgi of that version hands to a hook, as it was meant."""
    return from_wire(text) if version and version >= _LATIN_1_SINCE else text


def from_header(value: str) -> Credentials | None:
    """The credentials of an Authorization header, or None if it is of another scheme.

    A Basic header that cannot be read is one of nobody, not none at all: whoever sends it wants
    to be refused by it, not to be looked up by other means.
    """
    scheme, _, encoded = value.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return Credentials("", "")
    login, colon, password = raw.partition(b":")
    return Credentials(from_bytes(login), from_bytes(password)) if colon else Credentials("", "")
