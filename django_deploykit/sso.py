"""Who may say who the user is, and what follows: ``DEPLOYKIT["IDENTITY"]`` as plain data.

The runtime obeys a policy; ``manage.py check`` reports what is wrong with it. Both read it here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django_deploykit import conf, contract, signatures
from django_deploykit.exceptions import unknown

IDENTITY = "DEPLOYKIT['IDENTITY']"

MODES = ("every-request", "persistent", "stateless")
SEPARATORS = (",", ";", "|")
# What may be copied from a front: nothing by which Django lets anybody in.
FIELDS = ("email", "first_name", "last_name")
FLAGS = ("is_staff", "is_superuser")
HALF_A_DAY = 12 * 60 * 60
NEXT = "{next}"

_SOURCE = (
    "Write 'env:' and a key that no client can write, 'jwt:' and a claim, or 'header:' and one of"
)
_SIGN_OUT = re.compile(r"(?:https?://[^/\s]+(?:/|\Z)|/(?!/))[^\s\\]*\Z")


class Source(NamedTuple):
    """One place of a request: a key that the server itself writes, a proxy's header, or a claim
    of the signed token."""

    kind: str
    name: str

    @property
    def is_header(self) -> bool:
        return self.kind == "header"

    @property
    def is_claim(self) -> bool:
        return self.kind == "jwt"

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Policy:
    """Whom to believe who the user is, and what to make of it.

    ``groups`` holds the names of the user's groups, between ``separator``; ``group_map`` leads
    from those to groups of Django's, ``flags`` to those that make staff. ``max_age`` is how many
    seconds a persistent session lasts. ``privileged`` names the staff and superusers who may
    come in this way. ``required`` refuses everybody else's requests. ``sign_out`` is the URL at
    which the front ends its own session. ``signature`` is what a token has to show.
    """

    user: Source
    groups: Source | None = None
    separator: str = ","
    group_map: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    attributes: Mapping[str, Source] = field(default_factory=dict)
    mode: str = "every-request"
    max_age: int = HALF_A_DAY
    create: bool = False
    privileged: frozenset[str] = frozenset()
    required: bool = False
    sign_out: str = ""
    signature: signatures.Signature | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every place that is read."""
        groups = (self.groups,) if self.groups else ()
        return tuple(dict.fromkeys((self.user, *groups, *self.attributes.values())))

    @property
    def asks_certificate(self) -> bool:
        """Tell whether anything is read from a client's certificate, which may be unverified."""
        return any(contract.is_certificate_name(source.name) for source in self.sources)


def _env(name: str) -> str:
    return f"env:{name}"


def _headers(words: contract.IdentityHeaders, separator: str = ",") -> dict[str, str]:
    return {
        "USER": f"header:{words.user}",
        "GROUPS": f"header:{words.groups}",
        "SEPARATOR": separator,
    }


_SERVER = {"USER": _env(contract.USER_KEY)}

# What each sends by default; whatever else is set stands in place of it.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "apache-basic": _SERVER,
    "apache-certificate": {"USER": _env("SSL_CLIENT_SAN_Email_0")},
    "apache-kerberos": _SERVER,
    "authelia": _headers(contract.AUTHELIA),
    "authentik": {
        **_headers(contract.AUTHENTIK, "|"),
        "SIGN_OUT": "/outpost.goauthentik.io/sign_out",
    },
    "cloudflare-access": {
        "USER": "jwt:email",
        "SIGN_OUT": "/cdn-cgi/access/logout",
        "JWT": {"HEADER": contract.CLOUDFLARE_ACCESS_HEADER, "ALGORITHM": "RS256"},
    },
    "google-iap": {
        "USER": "jwt:email",
        "JWT": {
            "HEADER": contract.GOOGLE_IAP_HEADER,
            "ALGORITHM": "ES256",
            "ISSUER": "https://cloud.google.com/iap",
            "KEYS": "https://www.gstatic.com/iap/verify/public_key-jwk",
        },
    },
    "mod_auth_openidc": {**_SERVER, "GROUPS": _env("OIDC_CLAIM_groups")},
    "oauth2-proxy": {
        **_headers(contract.OAUTH2_PROXY),
        "SIGN_OUT": f"/oauth2/sign_out?rd={NEXT}",
    },
    "oauth2-proxy-nginx": {
        **_headers(contract.OAUTH2_PROXY_ASKED),
        "SIGN_OUT": f"/oauth2/sign_out?rd={NEXT}",
    },
    "shibboleth": {
        **_SERVER,
        "GROUPS": _env("isMemberOf"),
        "SEPARATOR": ";",
        "SIGN_OUT": f"/Shibboleth.sso/Logout?return={NEXT}",
    },
}


def configured() -> tuple[Policy | None, tuple[tuple[str, str], ...]]:
    """The policy of DEPLOYKIT["IDENTITY"], and what is wrong with it, as pairs of a place and a
    sentence. None where nothing is set, or where anything is wrong."""
    read = conf.read().identity
    if not read:
        return None, ()
    reader = _Reader(read)
    policy = reader.policy()
    return (None if reader.problems else policy), tuple(reader.problems)


@dataclass
class _Reader:
    """Reads one IDENTITY section, and notes whatever is wrong with it."""

    own: Mapping[str, Any]
    problems: list[tuple[str, str]] = field(default_factory=list)

    def policy(self) -> Policy | None:
        preset = self._preset()
        raw = {**preset, **self.own}
        user = self._source("USER", raw.get("USER"))
        groups = self._source("GROUPS", raw["GROUPS"]) if raw.get("GROUPS") else None
        attributes = self._attributes(raw.get("ATTRIBUTES", {}))
        policy = Policy(
            user=user or Source("env", ""),
            groups=groups,
            separator=self._one_of("SEPARATOR", raw.get("SEPARATOR", ","), SEPARATORS),
            group_map=self._group_map(raw.get("GROUP_MAP", {})),
            flags=self._flags(raw.get("FLAGS", {})),
            attributes=attributes,
            mode=self._one_of("MODE", raw.get("MODE", MODES[0]), MODES),
            max_age=self._seconds("MAX_AGE", raw.get("MAX_AGE", HALF_A_DAY)),
            create=self._switch("CREATE", raw.get("CREATE", False)),
            privileged=frozenset(self._names("PRIVILEGED", raw.get("PRIVILEGED", ()))),
            required=self._switch("REQUIRED", raw.get("REQUIRED", False)),
            sign_out=self._sign_out(raw.get("SIGN_OUT", "")),
            signature=self._signature(preset),
        )
        self._check(policy, is_signed=bool(raw.get("JWT")))
        return policy if user else None

    def _find(self, key: str, message: str) -> None:
        self.problems.append((f"{IDENTITY}[{key!r}]", message))

    def _find_unknown(self, key: str, kind: str, value: object, allowed: tuple[str, ...]) -> None:
        # unknown() begins with the place, which stands beside the message here.
        self._find(key, unknown(kind, str(value), "", allowed).removeprefix(": "))

    def _preset(self) -> Mapping[str, Any]:
        name = self.own.get("PRESET")
        if name is None:
            return {}
        if name not in tuple(PRESETS):
            self._find_unknown("PRESET", "preset", name, tuple(PRESETS))
            return _SERVER  # One message is enough.
        return PRESETS[name]

    def _source(self, key: str, value: object) -> Source | None:
        kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
        is_key = contract.only_the_server_writes(name) or contract.is_certificate_name(name)
        if kind == "env" and is_key:
            return Source(kind, name)
        known = {header.lower(): header for header in contract.IDENTITY_HEADERS}
        if kind == "header" and name.lower() in known:
            return Source(kind, known[name.lower()])
        if kind == "jwt" and _is_name(name):
            return Source(kind, name)
        headers = ", ".join(contract.IDENTITY_HEADERS)
        self._find(key, f"{value!r} is no place that can be believed. {_SOURCE} {headers}.")
        return None

    def _check(self, policy: Policy, *, is_signed: bool) -> None:
        """An environ key and a header of one identity would come from two speakers."""
        kinds = {source.kind for source in policy.sources}
        if len(kinds) > 1:
            message = "name keys ('env:') alone, or headers ('header:'), or claims ('jwt:') alone."
            self._find("USER", message)
        if ("jwt" in kinds) != is_signed:
            self._find("JWT", "it and sources that begin with 'jwt:' are of use together alone.")
        if "jwt" in kinds and policy.mode == "persistent":
            self._find("MODE", "'persistent' is not for tokens, which come with every request.")
        if (policy.group_map or policy.flags) and not policy.groups:
            self._find("GROUPS", "unset, so that GROUP_MAP and FLAGS have nothing to go by.")

    def _signature(self, preset: Mapping[str, Any]) -> signatures.Signature | None:
        own = self._mapping("JWT", self.own.get("JWT", {}))
        for name in set(own) - set(signatures.KEYS):
            self._find_unknown("JWT", "key", name, signatures.KEYS)
        raw = {**preset.get("JWT", {}), **own}
        return signatures.read(raw, lambda message: self._find("JWT", message)) if raw else None

    def _attributes(self, value: object) -> dict[str, Source]:
        found = {}
        for name, place in self._mapping("ATTRIBUTES", value).items():
            if name not in FIELDS:
                self._find_unknown("ATTRIBUTES", "field", name, FIELDS)
            elif source := self._source("ATTRIBUTES", place):
                found[str(name)] = source
        return found

    def _group_map(self, value: object) -> dict[str, str]:
        mapping = self._mapping("GROUP_MAP", value)
        if not all(_is_name(one) for pair in mapping.items() for one in pair):
            self._find("GROUP_MAP", f"{value!r} does not lead from names to names of groups.")
            return {}
        return dict(mapping)

    def _flags(self, value: object) -> dict[str, frozenset[str]]:
        found = {}
        for name, groups in self._mapping("FLAGS", value).items():
            if name not in FLAGS:
                self._find_unknown("FLAGS", "flag", name, FLAGS)
            else:
                found[str(name)] = frozenset(self._names("FLAGS", groups))
        return found

    def _mapping(self, key: str, value: object) -> Mapping[Any, Any]:
        if isinstance(value, Mapping):
            return value
        self._find(key, f"{value!r} is not a dict.")
        return {}

    def _names(self, key: str, value: object) -> tuple[str, ...]:
        if isinstance(value, (list, tuple, set, frozenset)) and all(map(_is_name, value)):
            return tuple(value)
        self._find(key, f"{value!r} is not a list of names.")
        return ()

    def _one_of(self, key: str, value: object, allowed: tuple[str, ...]) -> str:
        if value in allowed:
            return str(value)
        self._find(key, f"{value!r} is none of {', '.join(map(repr, allowed))}.")
        return allowed[0]

    def _switch(self, key: str, value: object) -> bool:
        if not isinstance(value, bool):
            self._find(key, f"{value!r} is neither True nor False.")
        return value is True

    def _seconds(self, key: str, value: object) -> int:
        if type(value) is int and value > 0:
            return value
        self._find(key, f"{value!r} is not a whole number of seconds.")
        return HALF_A_DAY

    def _sign_out(self, value: object) -> str:
        if value == "" or (isinstance(value, str) and _SIGN_OUT.match(value)):
            return value
        self._find(
            "SIGN_OUT",
            f"{value!r} is no URL. Write a path such as '/oauth2/sign_out?rd={NEXT}', or a whole "
            f"URL; {NEXT} stands for the page to come back to.",
        )
        return ""


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
