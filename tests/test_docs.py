"""The documentation says what the code says: nothing is missing, nothing is made up."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand, CommandParser

from django_deploykit import conf, signatures, sso, trust
from django_deploykit.config import findings
from django_deploykit.config.deployment import Deployment, choice_names, parse_choices
from django_deploykit.config.findings import Kind, Level
from django_deploykit.config.introspect import security
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Renderer
from django_deploykit.config.stack import resolve
from django_deploykit.exceptions import ChoiceError
from django_deploykit.management.choices import MISTAKE
from tests.cases import CASES
from tests.servers.stacks import STACKS
from tests.servers.table import promised

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
COMMANDS = ("deployauth", "deployconfig", "deployexplain", "deployrun", "runauthorizer")
KINDS = {kind.id: kind for kind in vars(findings).values() if isinstance(kind, Kind)}
DEFAULTS = Deployment()

# What else stands in backticks where the allowed values of a choice are described.
NOT_EXAMPLES = {"listen", "*", "K", "M", "G"}

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(page: str | Path) -> str:
    """A page, below the root of the checkout."""
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page: str | Path) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", text(page))


def sections(page: str, level: int) -> dict[str, str]:
    """The sections of a page at one level of headings, each up to the next such heading."""
    parts = re.split(rf"^#{{{level}}} (.+)$", prose(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table(section: str) -> list[list[str]]:
    """The rows of the only table in a section, without its head; backticks are dropped."""
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row.split("|")[1:-1]] for row in rows[2:]]


def first_column(section: str) -> list[str]:
    return [row[0] for row in table(section)]


def code(section: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", section)


# Settings


def test_every_key_of_site_is_documented() -> None:
    """settings.md has a heading for each key of SITE and for no other."""
    page = text("docs/reference/settings.md")
    part = page[page.index("\n## SITE\n") : page.index("\n## DEPLOYMENT\n")]
    assert sorted(re.findall(r"^### (\w+)$", part, re.MULTILINE)) == sorted(conf.SITE_KEYS)


def test_every_section_of_the_setting_is_documented() -> None:
    """settings.md has a part for each section of DEPLOYKIT and for no other."""
    headings = sections("docs/reference/settings.md", 2)
    assert sorted(name for name in headings if name.isupper()) == sorted(conf.SECTIONS)


def test_every_key_of_sites_is_documented() -> None:
    """settings.md has a row for each key of an entry of SITES."""
    part = sections("docs/reference/settings.md", 2)["SITES"]
    assert sorted(first_column(part)) == sorted(conf.SITES_KEYS)


def test_every_key_of_tls_is_documented() -> None:
    """settings.md has a row for each key of TLS, and the default of the last one."""
    part = sections("docs/reference/settings.md", 3)["TLS"]
    assert sorted(first_column(part)) == sorted(security._TLS_KEYS)
    assert security.DEFAULT_ACME_WEBROOT in code(part)


def test_every_key_of_proxy_is_documented() -> None:
    """proxy.md has a row for each key of PROXY, PREFIX and VHOST, and for each header."""
    page = sections("docs/reference/proxy.md", 2)
    intro = prose("docs/reference/proxy.md").partition("\n## ")[0]
    assert sorted(first_column(intro)) == sorted(conf.PROXY_KEYS)
    assert sorted(first_column(page["PREFIX"])) == sorted(trust.PREFIX_KEYS)
    vhost = first_column(page["Virtual hosts in the path"])
    assert sorted(vhost) == sorted(trust.VHOST_KEYS)
    rows = " or ".join(first_column(page["HEADERS"])).split(" or ")
    assert sorted(rows) == sorted(trust.BELIEVABLE)


def test_every_key_of_identity_is_documented() -> None:
    """identity.md has a row for each key of IDENTITY, and of JWT."""
    intro = prose("docs/reference/identity.md").partition("\n## ")[0]
    assert sorted(first_column(intro)) == sorted(conf.IDENTITY_KEYS)
    part = sections("docs/reference/identity.md", 2)["Signed tokens"]
    assert sorted(first_column(part)) == sorted(signatures.KEYS)


def test_every_preset_is_documented() -> None:
    """identity.md says what each preset reads, and the how-to has an example of each."""
    rows = table(sections("docs/reference/identity.md", 2)["Presets"])
    written = {name: tuple(rest) for name, *rest in rows}
    keys = ("USER", "GROUPS", "SIGN_OUT")
    assert written == {
        name: tuple(preset.get(key, "") for key in keys) for name, preset in sso.PRESETS.items()
    }
    page = text("docs/howto/single-sign-on.md")
    assert {name for name in sso.PRESETS if f'"PRESET": "{name}"' in page} == set(sso.PRESETS)


def _settings(page: str) -> list[str]:
    return [block for kind, block in _FENCE.findall(text(page)) if "DEPLOYKIT = " in block]


@pytest.mark.parametrize("block", _settings("docs/howto/single-sign-on.md"))
def test_shown_identity_settings_make_sense(block: str, settings: Any) -> None:
    """What the how-to tells to write into settings is taken."""
    shown: dict[str, Any] = {}
    exec(block, shown)  # noqa: S102 - our own page
    settings.DEPLOYKIT = shown["DEPLOYKIT"]
    assert conf.read().unusable == ()
    assert sso.configured()[0]
    assert trust.configured()[1] == ()


# Choices


def test_every_choice_is_documented() -> None:
    """choices.md has a heading for each key of --set, in the order of the code."""
    assert tuple(sections("docs/reference/choices.md", 2)) == choice_names()


def _stated(key: str, what: str) -> str:
    """The paragraph of a choice that begins with "Default:" or "Allowed:"."""
    part = sections("docs/reference/choices.md", 2)[key]
    found = re.search(rf"^{what}: (.+?)(?:\n\n|\Z)", part, re.MULTILINE | re.DOTALL)
    assert found, f"{key} says nothing of {what}"
    return found[1]


@pytest.mark.parametrize("key", choice_names())
def test_the_default_of_a_choice_is_that_of_the_code(key: str) -> None:
    """A default in backticks reads back as the code's; prose stands for one found at run time."""
    stated, default = re.fullmatch(r"`(\S+)`", _stated(key, "Default")), getattr(DEFAULTS, key)
    found_at_run_time = default in ("", None, ()) or key in ("cpu", "processes")
    assert bool(stated) != found_at_run_time
    if stated:
        assert parse_choices({key: stated[1]}, "docs") == {key: default}


@pytest.mark.parametrize("key", choice_names())
def test_what_is_said_to_be_allowed_is(key: str) -> None:
    """Every example of a choice is taken, and of a closed set every member is named."""
    stated = code(_stated(key, "Allowed"))
    examples = [example for example in stated if example not in NOT_EXAMPLES]
    assert examples
    for example in examples:
        parse_choices({key: example}, "docs")
    with pytest.raises(ChoiceError) as refusal:
        parse_choices({key: "\0"}, "docs")
    if "one of" in str(refusal.value):
        assert set(re.findall(r"'([^'\0]+)'", str(refusal.value).partition("one of")[2])) == set(
            examples
        )


# Commands


def _parser(command: str) -> CommandParser:
    loaded = load_command_class("django_deploykit", command)
    return loaded.create_parser("manage.py", command)


def _options(parser: CommandParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    """commands.md has a row for each option that is not Django's own, and for no other."""
    own = _options(_parser(command)) - _options(BaseCommand().create_parser("manage.py", command))
    assert set(first_column(sections("docs/reference/commands.md", 2)[command])) == own


def test_every_target_is_documented() -> None:
    """commands.md has a row for each target with its gateways, the default first."""
    rows = table(sections("docs/reference/commands.md", 2)["Targets"])
    documented = {target: tuple(gateways.split(", ")) for target, gateways, _ in rows}
    assert documented == {name: one.gateways for name, one in renderers().items()}


def test_every_exit_status_is_documented() -> None:
    """commands.md knows success, drift and mistakes."""
    rows = first_column(sections("docs/reference/commands.md", 2)["Exit status"])
    assert rows == ["0", "1", str(MISTAKE)]


# Checks


def test_every_check_is_documented() -> None:
    """checks.md has a heading for each id, in order, and for no other."""
    documented = re.findall(r"^### (\S+)$", text("docs/reference/checks.md"), re.MULTILINE)
    assert documented == sorted(KINDS)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_check_begins_with_its_level(name: str) -> None:
    """The first words on a check say whether it stops anything, and where it is shown."""
    kind = KINDS[name]
    level = "Error" if kind.level is Level.ERROR else "Warning"
    first = f"{level}, with `--deploy`." if kind.deploy else f"{level}."
    section = sections("docs/reference/checks.md", 3)[name].strip()
    assert section.startswith(f"{first} ")
    assert len(section) > len(first) + 40


# README


def _runnable() -> set[str]:
    return {
        f"{name}/{gateway}"
        for name, one in renderers().items()
        if one.foreground is not Renderer.foreground and one.answers_clients
        for gateway in one.gateways
    }


def _first_cells(table: list[str]) -> set[str]:
    return {line[: line.index(" |") + 2] for line in table}


def test_the_table_of_stacks_is_complete() -> None:
    """README says of each stack which rows of the behaviour table hold, and why others do not
    apply; `make stacks` measures it."""
    written = [line for line in text("README.md").splitlines() if line.startswith("| ")]
    table = promised()
    assert [line for line in written if line.startswith(tuple(_first_cells(table)))] == table
    assert {f"{stack.target}/{stack.gateway}" for stack in STACKS.values()} == _runnable()


def test_the_excerpt_is_real() -> None:
    """What README shows of the output stands in the golden file, in this order."""
    golden = text("tests/golden/apache/minimal.conf").splitlines()
    shown = next(block for kind, block in _FENCE.findall(text("README.md")) if kind == "apache")
    lines = [line for line in shown.splitlines() if line != "..."]
    places = [golden.index(line) for line in lines]
    assert places == sorted(places)


def test_the_first_two_commands_exist() -> None:
    """README begins with two targets of the Makefile."""
    wanted = re.findall(r"^\$ make (\w+)", text("README.md"), re.MULTILINE)
    targets = re.findall(r"^(\w[\w-]*):.*##", text("Makefile"), re.MULTILINE)
    assert wanted == ["demo", "test"]
    assert set(wanted) <= set(targets)


FRONTS = [name for name, one in renderers().items() if one.path_hosts is not None]


@pytest.mark.parametrize("front", FRONTS)
def test_the_page_of_a_front_says_what_to_install(front: str) -> None:
    """gunicorn, which runs behind it unless another one is named, comes with an extra."""
    assert "pip install 'django-deploykit[gunicorn]'" in text(f"docs/howto/{front}.md")


# What a reader can type


def _shell_lines(page: Path) -> Iterator[str]:
    for kind, block in _FENCE.findall(text(page)):
        if kind in ("console", "shell", "sh"):
            joined = block.replace("\\\n", " ")
            yield from (line[2:] for line in joined.splitlines() if line.startswith("$ "))


def _invocations() -> dict[str, list[str]]:
    """Every call of one of our commands, in a block or in backticks: its words."""
    found = {}
    for page in PAGES:
        inline = re.findall(r"`(manage\.py [^`]+)`", prose(page))
        for line in [*_shell_lines(page), *inline]:
            command = re.search(r"manage\.py ((?:deployconfig|deployrun)\b[^|>&]*)", line)
            if command:
                found[f"{page.stem}: {command[1].strip()}"] = shlex.split(command[1], comments=True)
    return found


@pytest.mark.parametrize("shown", INVOCATIONS := _invocations())
def test_a_shown_command_is_a_real_one(shown: str) -> None:
    """Its options parse, its target and gateway exist, and its choices are allowed."""
    command, *arguments = INVOCATIONS[shown]
    options = vars(_parser(command).parse_args(arguments))
    if options["target"]:
        resolve(options["target"], options["gateway"])
    parse_choices(dict(choice.split("=", 1) for choice in options["choices"]), "docs")


def test_modules_to_enable_are_real() -> None:
    """Every module that a page enables is one that some site needs, or optional HTTP/2."""
    apache = renderers()["apache"]
    needed = {"http2"}
    for name in ("minimal", "tls", "whitenoise"):
        needed.update(apache(CASES[name].plan(apache)).render().needs.modules)
    lines = [line for page in PAGES for line in _shell_lines(page) if "a2enmod" in line]
    enabled = {word for line in lines for word in line.partition("a2enmod")[2].split()}
    assert enabled
    assert enabled <= needed


# Links


def _slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and MyST make it."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_slug(heading) for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)}


def _links() -> dict[str, tuple[Path, str]]:
    """Every internal link: the page it is on, and where it leads."""
    return {
        f"{page.relative_to(ROOT)}: {target}": (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))
        if "://" not in target
    }


@pytest.mark.parametrize("link", LINKS := _links())
def test_a_link_leads_somewhere(link: str) -> None:
    """The file of an internal link exists, and has the anchor."""
    page, target = LINKS[link]
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    assert file.is_relative_to(ROOT)
    assert file.is_file()
    if anchor:
        assert anchor in _anchors(file)


def test_every_page_is_in_the_contents() -> None:
    """Each page below docs/ is in the contents of the first one, exactly once."""
    listed = [
        line
        for kind, block in _FENCE.findall(text("docs/index.md"))
        if kind == "{toctree}"
        for line in block.splitlines()
        if not line.startswith(":")
    ]
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")]
    assert sorted([*listed, "index"]) == sorted(pages)
