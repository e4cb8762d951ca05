"""What every renderer owes: there is no list to edit, so nothing can be left off one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from django_deploykit.config import servers, services
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Renderer
from django_deploykit.config.stack import resolve
from django_deploykit.config.syntax.nodes import Directive
from django_deploykit.exceptions import DeploykitError
from tests.cases import CASES, produced
from tests.servers.stacks import BESIDE, STACKS

ROOT = Path(__file__).resolve().parents[1]
RENDERERS = renderers()
RUNNING = [name for name, one in RENDERERS.items() if one.foreground is not Renderer.foreground]

_ECHO = """
from __future__ import annotations

from django_deploykit.config.renderer import Rendered, Renderer


class EchoRenderer(Renderer):
    name = "echo"
    summary = "a target that lives for one test"
    gateways = ("shell",)

    def render(self) -> Rendered:
        return Rendered(filename="echo", lines=())
"""


@pytest.mark.parametrize("target", RENDERERS)
def test_introduces_itself(target: str) -> None:
    """A target has a summary for the list, a docstring, and gateways of distinct names."""
    renderer = RENDERERS[target]
    assert renderer.summary
    assert renderer.__doc__
    assert len(set(renderer.gateways)) == len(renderer.gateways) > 0


@pytest.mark.parametrize("target", RENDERERS)
def test_a_front_says_whether_it_writes_hosts_into_paths(target: str) -> None:
    """The choice vhost_path is honoured or refused by every front, and ignored by none."""
    renderer = RENDERERS[target]
    is_front = renderer.__module__.startswith(servers.__name__)
    assert (renderer.path_hosts is not None) is is_front
    assert set(renderer.path_hosts or ()) <= set(renderer.gateways)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("target", RENDERERS)
def test_has_a_golden_file_for_every_case(target: str, name: str) -> None:
    """What it writes for a case, or the reason why it does not, was reviewed."""
    suffix, _ = produced(target, name)
    assert (ROOT / "tests" / "golden" / target / f"{name}{suffix}").is_file()


@pytest.mark.parametrize("target", RENDERERS)
def test_writes_something_for_a_new_project(target: str) -> None:
    """The simplest site is refused by no target."""
    assert produced(target, "minimal")[0] != ".error"


@pytest.mark.parametrize("target", RUNNING)
def test_is_run_by_the_behaviour_suite(target: str) -> None:
    """A target that can run is run, in front or behind: that is a promise of the README."""
    proved = {name for stack in STACKS.values() for name in (stack.target, stack.app_server)}
    assert target in proved | set(BESIDE)


@pytest.mark.parametrize("target", RUNNING)
def test_has_a_howto_page(target: str) -> None:
    """A target that can run has a page that says how."""
    assert (ROOT / "docs" / "howto" / f"{target}.md").is_file()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("target", RENDERERS)
def test_explains_every_directive(target: str, name: str) -> None:
    """--explain has a reason for each directive."""
    try:
        lines = RENDERERS[target](CASES[name].plan(RENDERERS[target])).render().lines
    except DeploykitError:
        return  # refused: the golden file holds the reason
    nodes = [line.node for line in lines if isinstance(line.node, Directive)]
    assert [node.name for node in nodes if not node.why.strip()] == []


@pytest.mark.parametrize("target", RENDERERS)
def test_companions_exist(target: str) -> None:
    """The other files of a written set come from targets that exist."""
    renderer = RENDERERS[target]
    written = [case for name, case in CASES.items() if produced(target, name)[0] != ".error"]
    for case in written:
        assert {name for name, _ in renderer.companions(case.plan(renderer))} <= set(RENDERERS)


def test_no_two_targets_share_a_name() -> None:
    """A name leads to one target: none hides another."""
    homes = ("servers", "appservers", "services", "platforms", "scripts")
    package = ROOT / "django_deploykit" / "config"
    sources = [path.read_text() for home in homes for path in (package / home).rglob("*.py")]
    assert sum(source.count("Renderer(Renderer):") for source in sources) == len(RENDERERS)


def test_a_new_file_is_a_new_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module in a walked package is found, listed and resolved without being named anywhere."""
    (tmp_path / "echo_of_a_test.py").write_text(_ECHO)
    monkeypatch.setattr(services, "__path__", [*services.__path__, str(tmp_path)])
    try:
        assert set(renderers()) - set(RENDERERS) == {"echo"}
        assert resolve("echo").label == "echo/shell"
    finally:
        sys.modules.pop(f"{services.__name__}.echo_of_a_test", None)
