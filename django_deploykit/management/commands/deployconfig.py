"""``manage.py deployconfig``: write down, for a web server, what the settings say."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_deploykit.config import measured, report, sizing
from django_deploykit.config.access import Denied, kept_files, obstacles, server_account
from django_deploykit.config.appservers import installed
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.output import OutputFile, State, full_text, output_files, write
from django_deploykit.config.plan import Plan
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import SCRIPT, Rendered
from django_deploykit.config.stack import Stack, needs_asgi, resolve
from django_deploykit.exceptions import ChoiceError, DeploykitError
from django_deploykit.management import choices
from django_deploykit.management.choices import Project
from django_deploykit.management.pipes import quiet_pipe
from django_deploykit.run.validate import validate

# What asks something of the files of a target.
_OF_A_TARGET = ("gateway", "app_server", "choices", "output", "force", "check", "diff", "explain")


class Command(BaseCommand):
    help = "Write the configuration of a web server, application server or script for this project."
    requires_system_checks: list[str] = []  # The findings that matter here are reported anyway.

    def add_arguments(self, parser: ArgumentParser) -> None:
        choices.add_arguments(parser, "What to write; without it, the list.")
        parser.add_argument("--list", action="store_true", help="List targets and gateways.")
        parser.add_argument("--output", type=_place, help="Write the whole stack into a directory.")
        parser.add_argument("--force", action="store_true", help="Overwrite hand-edited files.")
        parser.add_argument(
            "--format", choices=["text", "json"], default="text", help="How to print it."
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="Exit 1 if the files differ.")
        what.add_argument("--diff", action="store_true", help="Show how the files differ.")
        what.add_argument("--explain", action="store_true", help="Say where each line is from.")
        what.add_argument("--validate", action="store_true", help="Ask the server's own checker.")

    def handle(self, *args: Any, **options: Any) -> None:
        if hasattr(self.stdout, "reconfigure"):
            # Servers read bytes: what is printed may not depend on the terminal's encoding.
            # With the bytes of a file that is compared, whatever they are.
            self.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
        self._coloured = self.stderr.isatty() or options.get("force_color", False)
        try:
            with quiet_pipe(self.stdout):
                if options["list"] or not options["target"]:
                    _check_list(options)
                    self._list()
                else:
                    self._render(options)
        except DeploykitError as error:
            raise choices.mistake(error) from error

    def _list(self) -> None:
        for name, renderer in renderers().items():
            self.stdout.write(f"{self.style.MIGRATE_HEADING(f'{name:16}')} {renderer.summary}")
            self.stdout.write(f"{'':16} gateways: {', '.join(renderer.gateways)}")
        self.stdout.write(f"\n{self._fitting()}")

    def _fitting(self) -> str:
        try:
            project = choices.read_project({"choices": []})
        except DeploykitError as error:
            return f"Nothing fits before this is mended:\n{error}"
        names = ", ".join(site.name for site in project.sites)
        if needs_asgi(project.sites):
            why = "websockets, or WSGI_APPLICATION unset, ask for an ASGI server"
            return f"For {names}: start with 'manage.py deployconfig nginx' ({why})."
        return f"For {names}: start with 'manage.py deployconfig apache'."

    def _render(self, options: dict[str, Any]) -> None:
        wanted = options["target"], options["gateway"], options["app_server"]
        resolve(*wanted)  # What does not exist is said before anything is read.
        _check_options(options)
        project = choices.read_project(options)
        stack = resolve(*wanted, sites=project.sites)
        plan = stack.plan(project.sites, project.deployment, _directory(options))
        rendered = stack.render(plan)
        text = choices.invocation(stack, project.sites, options)
        directory = _directory(options)
        files = output_files(rendered, directory, text) if directory else []
        if options["format"] == "json":
            self.stdout.write(_json(project, plan, rendered, text, files))
        else:
            self._report(project, plan, rendered)
        self._act(options, stack, plan, files)
        if options["format"] == "text" and _prints(options):
            self._print(options, plan, rendered[0], text)

    def _act(
        self, options: dict[str, Any], stack: Stack, plan: Plan, files: Sequence[OutputFile]
    ) -> None:
        """Do what the options ask for besides printing."""
        if options["validate"]:
            self._validate(stack, plan)
        elif options["check"] or options["diff"]:
            self._compare(files, options)
        elif files and not options["explain"]:
            self._write(files, overwrite=options["force"])

    def _print(self, options: dict[str, Any], plan: Plan, rendered: Rendered, text: str) -> None:
        if options["explain"]:
            said = (report.explained(rendered), sizing.explained(plan), measured.explained(plan))
            self.stdout.write("\n".join(chain.from_iterable(said)))
        else:
            self.stdout.write(full_text(rendered, text), ending="")

    def _report(self, project: Project, plan: Plan, rendered: Sequence[Rendered]) -> None:
        """Warnings and notes go to stderr: stdout is the configuration and nothing else."""
        for found in project.findings:
            self._say(f"warning: {found}", self.style.WARNING)
        for warning in _warnings(plan, rendered):
            self._say(f"warning: {warning}", self.style.WARNING)
        needs = report.merged(rendered)
        user = server_account(plan.deployment.user)
        for note in report.notes(needs, user, _denied(plan, rendered, user)):
            self._say(f"note: {note}", self.style.NOTICE)
        for here, site in zip(project.sites, plan.sites, strict=True):
            if not plan.directory and plan.uses_emitted_script(site):
                note = f"note: {plan.script(site)} is written by --output {_default(here)}"
                self._say(note, self.style.NOTICE)

    def _say(self, line: str, style: Callable[[str], str]) -> None:
        """Write to stderr, in colour if that is a terminal, whatever stdout is."""
        self.stderr.write(line, style if self._coloured else str)

    def _validate(self, stack: Stack, plan: Plan) -> None:
        said = validate(stack, plan)
        self._say(said.strip() or "The server accepts it.", self.style.SUCCESS)

    def _compare(self, files: Sequence[OutputFile], options: dict[str, Any]) -> None:
        different = [file for file in files if file.state is not State.SAME]
        for file in different:
            if options["diff"]:
                self.stdout.write("".join(file.diff()), ending="")
            elif options["format"] == "text":
                self.stdout.write(f"{file.path}: {file.state.value}")
        if different:
            raise CommandError(f"{len(different)} of {len(files)} files differ.", returncode=1)

    def _write(self, files: Sequence[OutputFile], *, overwrite: bool) -> None:
        written = write(files, overwrite=overwrite)
        for file in files:
            state = "wrote" if file.path in written else "unchanged"
            self._say(f"{state}: {file.path}", self.style.SUCCESS)


def _check_list(options: dict[str, Any]) -> None:
    """Raise ChoiceError for options that would be passed over without a word."""
    given = [name for name in (*_OF_A_TARGET, "validate") if options[name]]
    given += ["format"] if options["format"] != "text" else []
    if given and not options["list"]:
        names = " and ".join("--set" if one == "choices" else _option(one) for one in given)
        raise ChoiceError(f"{names}: name a target; 'manage.py deployconfig --list' shows them.")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _place(text: str) -> Path:
    """A directory; not the present one for a variable of the shell that is not set."""
    if not text:
        raise ArgumentTypeError("'' is no directory; '.' is the present one.")
    return Path(text)


def _check_options(options: dict[str, Any]) -> None:
    """Raise ChoiceError for options that say nothing together."""
    if not options["output"]:
        if options["check"] or options["diff"]:
            raise ChoiceError("--check and --diff compare with files: add --output DIRECTORY.")
        if options["force"]:
            raise ChoiceError("--force overwrites files: add --output DIRECTORY.")
    if options["format"] == "json" and (options["diff"] or options["explain"]):
        raise ChoiceError(
            "--format json holds the explanations and, with --output, the state of each file: "
            "leave out --diff and --explain."
        )


def _directory(options: dict[str, Any]) -> Path | None:
    output: Path | None = options["output"]
    return output.absolute() if output else None


def _prints(options: dict[str, Any]) -> bool:
    """Tell whether the text itself is wanted on stdout."""
    return options["explain"] or not (options["output"] or options["validate"])


def _default(site: SiteFacts) -> str:
    return str(site.application.root / "deploy")


def _denied(plan: Plan, rendered: Sequence[Rendered], user: str | None) -> list[Denied]:
    """What the accounts that need it cannot reach here; emitted scripts do not exist yet."""
    needed = [access for access in report.merged(rendered).access if access.why != SCRIPT]
    found = [*needed, *kept_files(plan)]
    return obstacles(plan, found, user, server_account()) if user else []


def _warnings(plan: Plan, rendered: Sequence[Rendered]) -> list[str]:
    """What the renderers, this machine, and the numbers of the whole stack warn of."""
    said = [text for one in rendered for text in one.warnings]
    unfit = [*renderers()[plan.front].misfits(plan), *installed.misfits(plan)]
    return [*said, *unfit, *sizing.warnings(plan)]


def _json(
    project: Project,
    plan: Plan,
    rendered: Sequence[Rendered],
    text: str,
    files: Sequence[OutputFile],
) -> str:
    user = server_account(plan.deployment.user)
    # Without a directory there are no files to compare with.
    states = {one.filename: file.state for one, file in zip(rendered, files, strict=False)}
    said, stopped = _warnings(plan, rendered), _denied(plan, rendered, user)
    whole = {"sizes": list(sizing.explained(plan)), "measured": list(measured.explained(plan))}
    return report.as_json(rendered, said, whole, text, project.findings, user, stopped, states)
