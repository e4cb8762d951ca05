"""Policies of DEPLOYKIT["AUTH"]: who may pass, as a small language of rules.

Plain Python, so that the generator can ask whether a policy exists and the runtime whether it
holds. A rule is ``"active"``, ``"staff"``, ``"superuser"``, ``"perm:app.codename"``,
``"group:Name"``, a callable or its dotted path; a list means all of them, ``{"any": [...]}`` and
``{"all": [...]}`` say which is meant. Every rule wants an active user besides.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django_deploykit.exceptions import DeploykitError, unknown

WORDS = ("active", "staff", "superuser")
SHAPES = (*WORDS, "perm:app.codename", "group:Name", "dotted.path.of.a.callable")

# Apache compares groups without regard to case and cuts names at NUL: no two policies may differ
# in less than that, and none may need quotes.
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")
_PERMISSION = re.compile(r"[^\W.]+\.[^\s.]+\Z")
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+\Z")


class PolicyError(DeploykitError):
    """A policy that does not exist or cannot be read; the message names the setting."""


class Account(Protocol):
    """What rules are asked about: a user, and the names of the groups of that user."""

    @property
    def user(self) -> Any: ...

    @property
    def groups(self) -> tuple[str, ...]: ...


class Rule(Protocol):
    """One rule; ``str()`` of it is what stands in the settings."""

    def holds(self, account: Account, request: Any) -> bool: ...


@dataclass(frozen=True)
class Word:
    """One of WORDS, an attribute of the user."""

    word: str

    def holds(self, account: Account, request: Any) -> bool:
        # That the user is active was asked before any rule.
        return self.word == "active" or bool(getattr(account.user, f"is_{self.word}", False))

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True)
class Permission:
    """A permission, as any of the project's backends gives it."""

    name: str

    def holds(self, account: Account, request: Any) -> bool:
        return bool(account.user.has_perm(self.name))

    def __str__(self) -> str:
        return f"perm:{self.name}"


@dataclass(frozen=True)
class Group:
    """Membership in a group, by its exact name."""

    name: str

    def holds(self, account: Account, request: Any) -> bool:
        return self.name in account.groups

    def __str__(self) -> str:
        return f"group:{self.name}"


@dataclass(frozen=True)
class Call:
    """A function of the project: ``function(user, request)`` returns True or False."""

    function: Callable[[Any, Any], bool] | str

    def holds(self, account: Account, request: Any) -> bool:
        answer = self.load()(account.user, request)
        if not isinstance(answer, bool):  # A coroutine, for one, would be true.
            raise TypeError(f"{self} returned {answer!r}; a policy returns True or False.")
        return answer

    def load(self) -> Callable[[Any, Any], bool]:
        """The function. Raise ImportError or AttributeError if there is none."""
        if not isinstance(self.function, str):
            return self.function
        found: Callable[[Any, Any], bool] = pkgutil.resolve_name(self.function)
        return found

    def __str__(self) -> str:
        if isinstance(self.function, str):
            return self.function
        # A partial, or an object that can be called, has no name.
        return str(getattr(self.function, "__qualname__", repr(self.function)))


@dataclass(frozen=True)
class Every:
    """All of some rules."""

    rules: tuple[Rule, ...]

    def holds(self, account: Account, request: Any) -> bool:
        return all(rule.holds(account, request) for rule in self.rules)

    def __str__(self) -> str:
        return "all of"


@dataclass(frozen=True)
class Either:
    """At least one of some rules."""

    rules: tuple[Rule, ...]

    def holds(self, account: Account, request: Any) -> bool:
        return any(rule.holds(account, request) for rule in self.rules)

    def __str__(self) -> str:
        return "any of"


def runs_code(rule: Rule) -> bool:
    """Whether to ask a rule is to run code of the project, or of its backends."""
    if isinstance(rule, Every | Either):
        return any(map(runs_code, rule.rules))
    return isinstance(rule, Call | Permission)


def parse(value: Any, place: str) -> Rule:
    """Read one rule as settings write it. Raise PolicyError, naming ``place``."""
    if isinstance(value, str):
        return _text(value, place)
    if isinstance(value, list | tuple):
        return Every(_several(value, place))
    if isinstance(value, Mapping):
        return _chosen(value, place)
    if callable(value):
        return Call(value)
    raise PolicyError(f"{place}: {value!r} is no rule. Allowed: {', '.join(SHAPES)}.")


def _text(value: str, place: str) -> Rule:
    kind, colon, name = value.partition(":")
    if value in WORDS:
        return Word(value)
    if colon and kind == "perm" and _PERMISSION.match(name):
        return Permission(name)
    if colon and kind == "group" and name.strip():
        return Group(name)
    if _DOTTED.match(value):
        return Call(value)
    raise PolicyError(unknown("rule", value, place, SHAPES))


def _several(value: Any, place: str) -> tuple[Rule, ...]:
    if not isinstance(value, list | tuple) or not value:
        # all() of nothing would let everybody in.
        raise PolicyError(f"{place}: {value!r} is not a list of rules with at least one.")
    return tuple(parse(item, f"{place}[{number}]") for number, item in enumerate(value))


def _chosen(value: Mapping[Any, Any], place: str) -> Rule:
    if len(value) != 1 or not set(value) <= {"any", "all"}:
        raise PolicyError(f"{place}: {value!r} is neither {{'any': [...]}} nor {{'all': [...]}}.")
    ((word, rules),) = value.items()
    several = _several(rules, f"{place}[{word!r}]")
    return Either(several) if word == "any" else Every(several)


def read(value: Mapping[Any, Any], place: str) -> tuple[dict[str, Rule], list[str]]:
    """Read the named policies of a mapping, and say what is wrong with the others."""
    found: dict[str, Rule] = {word: Word(word) for word in WORDS}
    wrong = []
    for name, rule in value.items():
        here = f"{place}[{name!r}]"
        try:
            found[_name(name, here)] = parse(rule, here)
        except PolicyError as error:
            wrong.append(str(error))
    return found, wrong


def _name(name: Any, place: str) -> str:
    if not isinstance(name, str) or not _NAME.match(name):
        raise PolicyError(
            f"{place}: a policy's name has lower-case letters, digits, '_' and '-', 64 at most, "
            "and begins with a letter."
        )
    if name in WORDS:
        raise PolicyError(f"{place}: {name!r} is a rule already. Choose another name.")
    return name


def find(named: Mapping[str, Rule], policy: str, place: str) -> Rule:
    """The policy of that name, or the rule that ``policy`` spells out. Raise PolicyError."""
    if policy in named:
        return named[policy]
    if is_spelled_out(policy):
        return parse(policy, place)
    raise PolicyError(unknown("policy", policy, place, named))


def is_spelled_out(policy: str) -> bool:
    """Whether this is a rule, and no name of one."""
    return ":" in policy or "." in policy


def walk(rule: Rule, depth: int = 0) -> Iterator[tuple[int, Rule]]:
    """A rule and those within it, each with its depth."""
    yield depth, rule
    if isinstance(rule, Every | Either):
        for one in rule.rules:
            yield from walk(one, depth + 1)
