"""Every renderer there is, found by walking the packages in which they live."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from django_deploykit import config
from django_deploykit.config.renderer import Renderer

# Where renderers live; a file there is a target, and there is no other list.
_PACKAGES = ("servers", "appservers", "services", "platforms", "scripts")


def renderers() -> dict[str, type[Renderer]]:
    """Every renderer by target name, found by walking the packages."""
    found = {renderer.name: renderer for renderer in _walk()}
    return dict(sorted(found.items()))


def labels() -> tuple[str, ...]:
    """Every stack that a process can be told it was emitted for: ``nginx/http``, say."""
    return tuple(
        f"{name}/{gateway}" for name, one in renderers().items() for gateway in one.gateways
    )


def _walk() -> Iterator[type[Renderer]]:
    for package in _PACKAGES:
        home = importlib.import_module(f"{config.__name__}.{package}")
        for info in pkgutil.iter_modules(home.__path__):
            module = importlib.import_module(f"{home.__name__}.{info.name}")
            yield from (
                value
                for value in vars(module).values()
                if isinstance(value, type)
                and issubclass(value, Renderer)
                and value.__module__ == module.__name__
            )
