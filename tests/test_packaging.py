"""What the package claims about itself, compared with itself."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import metadata
from importlib.resources import files
from pathlib import Path

import pytest

import django_deploykit

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def classified(prefix: str) -> list[str]:
    """The versions that the classifiers name below ``prefix``."""
    pattern = re.compile(rf"{re.escape(prefix)} :: (\d+\.\d+)")
    return [match[1] for text in PROJECT["classifiers"] if (match := pattern.fullmatch(text))]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_the_version_is_written_once() -> None:
    """The build reads the version from the package; no other file states it."""
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT
    home = ROOT / PYPROJECT["tool"]["hatch"]["version"]["path"]
    assert home == ROOT / "django_deploykit" / "__init__.py"
    assignment = f'"{django_deploykit.__version__}"'
    sources = [ROOT / "pyproject.toml", *(ROOT / "django_deploykit").rglob("*.py")]
    assert [path for path in sources if assignment in path.read_text(encoding="utf-8")] == [home]


def test_the_oldest_python_is_the_required_one() -> None:
    """requires-python admits exactly what the classifiers begin with."""
    assert PROJECT["requires-python"] == f">={classified('Programming Language :: Python')[0]}"


def test_django_versions_match_the_dependency() -> None:
    """Every classified Django, and no later one, satisfies the requirement."""
    oldest, *_, newest = classified("Framework :: Django")
    major, minor = numbers(newest)
    assert f"django>={oldest},<{major}.{minor + 1}" in PROJECT["dependencies"]


@pytest.mark.parametrize("group", ["django52", "django61"])
def test_the_matrix_tests_a_classified_django(group: str) -> None:
    """The oldest and the newest claimed Django are those of the test matrix."""
    (requirement,) = PYPROJECT["dependency-groups"][group]
    tested = re.match(r"django>=(\d+\.\d+),", requirement)
    claimed = classified("Framework :: Django")
    assert tested
    assert tested[1] == {"django52": claimed[0], "django61": claimed[-1]}[group]


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md"])
@pytest.mark.parametrize(
    ("word", "prefix"),
    [("Python", "Programming Language :: Python"), ("Django", "Framework :: Django")],
)
def test_documents_claim_the_same_versions(document: str, word: str, prefix: str) -> None:
    """Every version that a document names next to Python or Django is a classified one."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(rf"\b{word} ((?:\d+\.\d+(?: LTS)?(?:, | and | or | to | – |–|-)?)+)", text)
    named = {version for claim in found for version in re.findall(r"\d+\.\d+", claim)}
    assert named
    assert named <= set(classified(prefix))


def test_types_are_shipped() -> None:
    """The marker of PEP 561 lies in the package, as the classifier says."""
    assert files(django_deploykit).joinpath("py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["classifiers"]


@pytest.mark.parametrize("door", ["middleware", "views"])
def test_a_type_checker_knows_each_name(door: str) -> None:
    """It sees no ``__getattr__`` of a module, with which it would take every misspelt name."""
    module = ast.parse((ROOT / f"django_deploykit/{door}.py").read_text(encoding="utf-8"))
    seen = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert "__getattr__" not in seen


def test_the_description_leads_to_the_repository() -> None:
    """A package index shows README without the files beside it: no link is relative there."""
    shown = metadata("django-deploykit").get_payload()
    links = re.findall(r"\]\(([^)\s]+)\)", str(shown))
    assert links
    assert {link for link in links if "://" not in link} == set()
    place = PROJECT["urls"]["Changelog"].removesuffix("CHANGELOG.md")
    assert f"{place}docs/tutorial.md" in links
