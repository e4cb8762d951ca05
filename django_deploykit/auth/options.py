"""DEPLOYKIT["AUTH"], with every default filled in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_deploykit import conf, policies
from django_deploykit.exceptions import unknown

PLACE = "DEPLOYKIT['AUTH']"


@dataclass(frozen=True)
class Cache:
    """How long a process remembers that a password was right, how many, and with whom."""

    SECONDS: float = 300.0
    ENTRIES: int = 1024
    SHARED: str | None = None
    BACKENDS: tuple[str, ...] = ()


@dataclass(frozen=True)
class Throttle:
    """How many wrong passwords there may be in so many seconds."""

    FAILURES: int = 10
    ADDRESS_FAILURES: int = 100
    SECONDS: int = 300
    SHARED: str | None = None


@dataclass(frozen=True)
class Options:
    """The section as the runtime uses it."""

    policies: Mapping[str, policies.Rule] = field(default_factory=dict)
    cache: Cache = field(default_factory=Cache)
    throttle: Throttle | None = field(default_factory=Throttle)
    revalidate: float = 1.0
    concurrency: int = field(default_factory=lambda: os.cpu_count() or 1)
    inactive_is_unknown: bool = False


def _least(key: str, default: Any) -> float:
    """0 switches the cache off; there is no window, and no limit, of nothing."""
    return 0.0 if isinstance(default, float) and key == "SECONDS" else 1


class _Reader:
    """Reads values and collects what is wrong with them."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def options(self, auth: Mapping[str, Any]) -> Options:
        named, wrong = self._policies(auth.get("POLICIES", {}))
        self.wrong += wrong
        defaults = Options()
        return Options(
            named,
            Cache(**self._part(auth, "CACHE", Cache())),
            self._throttle(auth),
            self._number(PLACE, "REVALIDATE", auth.get("REVALIDATE", defaults.revalidate), 0.0),
            self._number(PLACE, "CONCURRENCY", auth.get("CONCURRENCY", defaults.concurrency), 1),
            self._flag("INACTIVE_IS_UNKNOWN", auth.get("INACTIVE_IS_UNKNOWN", False)),
        )

    def _policies(self, value: Any) -> tuple[dict[str, policies.Rule], list[str]]:
        place = f"{PLACE}['POLICIES']"
        if not isinstance(value, Mapping):
            return policies.read({}, place)[0], [f"{place}: {value!r} is not a dict."]
        return policies.read(value, place)

    def _throttle(self, auth: Mapping[str, Any]) -> Throttle | None:
        if auth.get("THROTTLE", {}) is None:
            return None
        return Throttle(**self._part(auth, "THROTTLE", Throttle()))

    def _part(self, auth: Mapping[str, Any], name: str, default: Any) -> dict[str, Any]:
        place, value, known = f"{PLACE}[{name!r}]", auth.get(name, {}), vars(default)
        if not isinstance(value, Mapping):
            self.wrong.append(f"{place}: {value!r} is not a dict.")
            return {}
        strange = [key for key in value if key not in known]
        self.wrong += [unknown("key", str(key), place, known) for key in strange]
        return {
            key: self._value(place, key, value[key], default)
            for key, default in known.items()
            if key in value
        }

    def _value(self, place: str, key: str, value: Any, default: Any) -> Any:
        if key == "SHARED":
            return self._alias(place, value)
        if key == "BACKENDS":
            return self._paths(place, value)
        return self._number(place, key, value, _least(key, default))

    def _number(self, place: str, key: str, value: Any, least: float) -> Any:
        """A number from ``least`` on, and whole if ``least`` is."""
        kinds, what = (int, "a whole number") if least else ((int, float), "a number")
        # NaN is not even that.
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
            self.wrong.append(f"{place}[{key!r}]: {value!r} is not {what} from {least:g} on.")
            return least
        return value

    def _flag(self, key: str, value: Any) -> bool:
        if not isinstance(value, bool):
            self.wrong.append(f"{PLACE}[{key!r}]: {value!r} is neither True nor False.")
        return value is True

    def _alias(self, place: str, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        self.wrong.append(f"{place}['SHARED']: {value!r} is not an alias of CACHES.")
        return None

    def _paths(self, place: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, list | tuple) and all(isinstance(path, str) for path in value):
            return tuple(value)
        self.wrong.append(f"{place}['BACKENDS']: {value!r} is not a list of dotted paths.")
        return ()


def read() -> tuple[Options, list[str]]:
    """The options, with defaults where a value cannot be used, and what is wrong with those."""
    reader = _Reader()
    return reader.options(conf.read().auth), reader.wrong


def options() -> Options:
    """The options. Raise ImproperlyConfigured where ``manage.py check`` would complain."""
    found, wrong = read()
    wrong = [*_misplaced(), *wrong]
    if wrong:
        raise ImproperlyConfigured("\n".join(wrong))
    return found


def _misplaced() -> Iterator[str]:
    """Keys that nobody reads: a misspelt THROTTLE must not be a throttle that is not there."""
    for part in conf.read().unusable:
        if part.place in (PLACE, "DEPLOYKIT"):
            yield f"{part.place}: {part.value!r} is not {part.expected}."
