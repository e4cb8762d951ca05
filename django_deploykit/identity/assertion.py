"""What a front says of one request's user, read strictly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.exceptions import BadRequest
from django.utils.crypto import salted_hmac

from django_deploykit.sso import Policy, Source

_SALT = "django_deploykit.identity"

# What fronts send where there is nobody.
_NOBODY = {"", "-", "(null)", "anonymous", "unauthenticated"}
# Two of a header arrive as one with a comma (RFC 9110 5.3); Shibboleth puts semicolons.
_SEVERAL = re.compile(r"[,;]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Assertion(NamedTuple):
    """One user in a front's words, and the policy by which they are believed.

    ``groups`` is None where the front said nothing of groups; an empty set is none at all.
    """

    subject: str
    groups: frozenset[str] | None
    attributes: Mapping[str, str]
    policy: Policy

    @property
    def subject_digest(self) -> str:
        """Stands in a session for who says it and of whom; of no use to who reads it there."""
        signature = self.policy.signature
        issuer = (signature.issuer,) if signature else ()
        return _digest(str(self.policy.user), *issuer, self.subject)

    @property
    def claims_digest(self) -> str:
        """Stands in a session for all else that was said."""
        groups = "none" if self.groups is None else repr(sorted(self.groups))
        return _digest(groups, repr(sorted(self.attributes.items())))


def rules_digest(policy: Policy) -> str:
    """Stands in a session for what a policy makes of all that."""
    flags = sorted((flag, sorted(names)) for flag, names in policy.flags.items())
    written = sorted(policy.attributes)
    return _digest(repr(flags), repr(sorted(policy.group_map.items())), repr(written))


def read(policy: Policy, said: Mapping[str, Any]) -> Assertion | None:
    """What is said of the user, under the names of the policy's sources; None for nothing.

    Raise BadRequest for what no front means to say: several names, control characters, or bytes
    that are not UTF-8.
    """
    subject = _text(policy.user, said)
    if subject is None or subject.casefold() in _NOBODY:
        return None
    if _SEVERAL.search(subject):
        raise BadRequest(f"{policy.user} holds several names: {subject!r}")
    attributes = {name: _text(source, said) for name, source in policy.attributes.items()}
    return Assertion(
        subject=subject,
        groups=_groups(policy, said),
        attributes={name: text for name, text in attributes.items() if text is not None},
        policy=policy,
    )


def _groups(policy: Policy, said: Mapping[str, Any]) -> frozenset[str] | None:
    listed = said.get(policy.groups.name) if policy.groups else None
    if isinstance(listed, list):  # A claim, as no other text is one.
        return frozenset(name for name in listed if isinstance(name, str))
    text = _text(policy.groups, said) if policy.groups else None
    return None if text is None else frozenset(split(text, policy.separator))


def split(text: str, separator: str) -> list[str]:
    """The parts of a list. Between semicolons, a backslash takes away what the next character
    means, as Shibboleth has it (NativeSPAttributeAccess)."""
    if separator != ";":
        parts = text.split(separator)
    else:
        found = re.findall(r"(?:\\.|[^;\\]|\\\Z)+", text)
        parts = [re.sub(r"\\(.)", r"\1", part) for part in found]
    return [clean for part in parts if (clean := part.strip())]


def _text(source: Source, said: Mapping[str, Any]) -> str | None:
    value = said.get(source.name)
    if not isinstance(value, str):
        return None
    text = value if source.is_claim else _decoded(source, value)
    if _CONTROL.search(text):
        raise BadRequest(f"{source} holds a control character: {text!r}")
    return unicodedata.normalize("NFC", text.strip())


def _decoded(source: Source, value: str) -> str:
    """PEP 3333: text in an environ is bytes, each one a character of Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        raise BadRequest(f"{source} is not UTF-8: {value!r}") from None


def _digest(*words: str) -> str:
    return salted_hmac(_SALT, repr(words), algorithm="sha256").hexdigest()
