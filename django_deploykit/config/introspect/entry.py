"""The project's own WSGI or ASGI module, read without running it.

Running it would start the application here, with whatever else the module does (patching,
threads, another settings module), only to look at it.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """Where the module lies, and what its source says."""

    path: Path
    tree: ast.Module | None = None

    def may_bind(self, name: str) -> bool:
        """Tell whether the module can have ``name``: it binds it, or nobody can tell."""
        return self.tree is None or name in self._bound() or "*" in self._bound()

    @property
    def runs_as_script(self) -> bool:
        """Tell whether a server may run this file by its path, outside of its package."""
        return self.tree is not None and self.path.stem != "__init__" and not any(self._relative())

    @property
    def speaks_of_websockets(self) -> bool:
        """Tell whether the word of ASGI for them stands in its text, as a router's key or a
        scope's type; without it, nothing here can tell them from other requests."""
        return self.tree is not None and any(
            isinstance(node, ast.Constant) and node.value == "websocket"
            for node in ast.walk(self.tree)
        )

    @property
    def settings_module(self) -> str | None:
        """The settings module it names for itself, if it names exactly one, in plain text."""
        names = set(_settings_modules(self.tree)) if self.tree else set()
        return names.pop() if len(names) == 1 else None

    def _bound(self) -> set[str]:
        return set(_bindings(self.tree)) if self.tree else set()

    def _relative(self) -> Iterator[bool]:
        for node in ast.walk(self.tree) if self.tree else ():
            yield isinstance(node, ast.ImportFrom) and node.level > 0


def find_entry(dotted: str) -> Entry | None:
    """The module of a dotted path to a callable; None if there is no such module."""
    module = dotted.rpartition(".")[0]
    try:
        spec = importlib.util.find_spec(module) if module else None
    except Exception:  # Finding a submodule runs its package, which may raise anything.
        return None
    if spec is None or spec.origin is None:
        return None
    return Entry(Path(spec.origin), _parsed(Path(spec.origin)))


def _parsed(path: Path) -> ast.Module | None:
    if path.suffix != ".py":
        return None
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _bindings(tree: ast.Module) -> Iterator[str]:
    """Every name that the module binds, wherever in it: better one too many than too few."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name.partition(".")[0]


def _settings_modules(tree: ast.Module) -> Iterator[str]:
    """What is assigned to, or made the default of, os.environ["DJANGO_SETTINGS_MODULE"]."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant("DJANGO_SETTINGS_MODULE"), ast.Constant(str(name))],
            ):
                yield name
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant("DJANGO_SETTINGS_MODULE"))],
                value=ast.Constant(str(name)),
            ):
                yield name
