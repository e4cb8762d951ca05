"""The floors of DESIGN: imports go down only. Read from the source with ``ast``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from django_deploykit import contract

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "django_deploykit"

# The longest name that fits decides.
FLOORS = {
    PACKAGE: 0,
    f"{PACKAGE}.exceptions": 0,
    f"{PACKAGE}.contract": 0,
    f"{PACKAGE}.conf": 0,
    f"{PACKAGE}.signatures": 0,
    f"{PACKAGE}.sso": 0,
    f"{PACKAGE}.trust": 0,
    f"{PACKAGE}.policies": 0,
    f"{PACKAGE}.config": 2,
    f"{PACKAGE}.config.syntax": 1,
    f"{PACKAGE}.config.facts": 1,
    f"{PACKAGE}.config.findings": 1,
    f"{PACKAGE}.config.deployment": 1,
    f"{PACKAGE}.config.values": 1,
    f"{PACKAGE}.config.tls": 1,
    f"{PACKAGE}.config.versions": 1,
    f"{PACKAGE}.checks": 3,
    f"{PACKAGE}.apps": 3,
    f"{PACKAGE}.management": 3,
    f"{PACKAGE}.run": 3,
}
# Beside the floors: it stands on floor 0, and only the commands of floor 3 show what it does.
RUNTIME = tuple(
    f"{PACKAGE}.{name}"
    for name in (
        "asgi",
        "auth",
        "backends",
        "handlers",
        "health",
        "identity",
        "middleware",
        "proxy",
        "sendfile",
        "views",
        "wsgi",
    )
)
RENDERERS = tuple(
    f"{PACKAGE}.config.{name}"
    for name in (
        "appservers",
        "container",
        "measured",
        "plan",
        "platforms",
        "possible",
        "registry",
        "renderer",
        "scripts",
        "servers",
        "services",
        "sizing",
        "stack",
    )
)
KNOWS_SETTINGS = (f"{PACKAGE}.conf", f"{PACKAGE}.config.introspect")
KNOWS_DJANGO = (*KNOWS_SETTINGS, *RUNTIME, *(name for name, floor in FLOORS.items() if floor == 3))


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the package, parsed."""
    found = {}
    for path in (ROOT / PACKAGE).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@cache
def imports(module: str) -> tuple[str, ...]:
    """The modules that a module imports when it runs, be it late, inside a function."""
    return tuple(sorted(set(_imports(sources()[module]))))


def _imports(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.module
            assert child.level == 0, "imports are absolute"
            yield from (_imported(child.module, alias.name) for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        else:
            yield from _imports(child)


def _imported(module: str, name: str) -> str:
    """``from module import name``: the submodule of that name, if it is one."""
    return f"{module}.{name}" if f"{module}.{name}" in sources() else module


def within(module: str, homes: tuple[str, ...]) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def floor(module: str) -> int:
    homes = [home for home in FLOORS if within(module, (home,))]
    return FLOORS[max(homes, key=len)]


def own(module: str) -> list[str]:
    return [name for name in imports(module) if within(name, (PACKAGE,))]


MODULES = sorted(sources())
GENERATOR = [module for module in MODULES if not within(module, RUNTIME)]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_floor(module: str) -> None:
    """A new part of the package is given its place here before it is used."""
    top = ".".join(module.split(".")[:2])
    assert top in FLOORS or top in RUNTIME


@pytest.mark.parametrize("module", GENERATOR)
def test_imports_go_down_only(module: str) -> None:
    """A module of the generator imports its own floor and those below; the runtime, only a
    command does, to explain it."""
    for name in own(module):
        assert floor(module) == 3 or not within(name, RUNTIME), name
        assert floor(name) <= floor(module), name


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, RUNTIME)])
def test_the_runtime_never_imports_the_generator(module: str) -> None:
    """What runs inside a site needs the shared names and its own tower, nothing else."""
    for name in own(module):
        assert within(name, RUNTIME) or floor(name) == 0, name


@pytest.mark.parametrize("module", GENERATOR)
def test_only_the_top_and_introspection_know_django(module: str) -> None:
    """Facts, grammars and renderers are plain Python."""
    django = [name for name in imports(module) if within(name, ("django",))]
    assert not django or within(module, KNOWS_DJANGO)


@pytest.mark.parametrize("module", GENERATOR)
def test_only_introspection_reads_settings(module: str) -> None:
    """Nothing else of the generator looks at Django's settings."""
    assert "django.conf" not in imports(module) or within(module, KNOWS_SETTINGS)


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, RENDERERS)])
def test_renderers_do_not_write(module: str) -> None:
    """A renderer returns text: no writing call stands in its source."""
    calls = {node.attr for node in ast.walk(sources()[module]) if isinstance(node, ast.Attribute)}
    names = {node.id for node in ast.walk(sources()[module]) if isinstance(node, ast.Name)}
    writing = {"write_text", "write_bytes", "mkdir", "unlink", "chmod", "rename", "symlink_to"}
    assert not (calls & writing) | (names & {"open"})


def test_no_import_cycles() -> None:
    """The modules can be put in an order in which each imports only earlier ones."""
    waiting = {module: set(own(module)) - {module} for module in MODULES}
    while ready := [module for module, needs in waiting.items() if not needs & set(waiting)]:
        for module in ready:
            del waiting[module]
    assert not waiting


@pytest.mark.parametrize("module", [name for name in MODULES if name != contract.__name__])
def test_shared_names_stand_in_the_contract_alone(module: str) -> None:
    """A header or key on which server and Django agree is written nowhere else."""
    headers = contract.CLIENT_FORBIDDEN_HEADERS
    keys = ["HTTP_" + name.upper().replace("-", "_") for name in headers]
    compound = [name for name in headers if "-" in name]
    pattern = "|".join(map(re.escape, [contract.STACK_KEY, *keys, *compound]))
    shared = re.compile(
        rf"(?<![\w-])(?:{pattern})(?![\w-])|\A(?-i:Forwarded|Proxy)\Z", re.IGNORECASE
    )
    assert [text for text in _strings(sources()[module]) if shared.search(text)] == []


def _strings(tree: ast.Module) -> Iterator[str]:
    """Every string of the source but the docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    docstrings = {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield from [node.value] if isinstance(node.value, str) else []
