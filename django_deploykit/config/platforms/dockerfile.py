"""The image of a site: its packages, its code and its collected static files, and no secret.

Two stages from one base image, so that what is compiled in the first runs in the second.
Reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from django_deploykit.config.container import ACCOUNT, ENVIRONMENT, PORT, PROJECT, served
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.syntax import dockerfile
from django_deploykit.config.syntax.nodes import Comment, Node, Option, Raw, directive
from django_deploykit.config.syntax.printer import Dialect, print_lines

dialect = cast(Dialect, dockerfile)

_STAGE = "build"
_PYTHON = str(ENVIRONMENT / "bin" / "python")
_PIP = (_PYTHON, "-m", "pip", "install", "--no-cache-dir", "--requirement")

# Where values come from.
_FILE = "requirements"
_STATIC = "STATIC_ROOT"
_SET = "--output"

# What settings need is there while this one command runs, and in no layer. "set -a" makes the
# lines of that file variables of the environment.
_COLLECT = (
    "--mount=type=secret,id=environment "
    "set -ae; if [ -f /run/secrets/environment ]; then . /run/secrets/environment; fi; "
    f"{_PYTHON} -m django collectstatic --noinput"
)


class DockerfileRenderer(Renderer):
    """A Dockerfile for one site; what it leaves out stands in the file beside it."""

    name = "dockerfile"
    summary = "a Dockerfile for one site: not root, static files collected, no secret"
    gateways = ("http",)
    runs_app_server = True
    in_container = True

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("wsgi", plan), ("dockerignore", plan)]

    def render(self) -> Rendered:
        site, service = served(self.plan, self.name)
        head = Comment(f"{site.name}: to be built in the project's directory")
        nodes = [head, *self._build(site), *self._run(site, service)]
        return Rendered(
            filename="docker/Dockerfile",
            lines=tuple(print_lines(nodes, dialect)),
            warnings=tuple(map(_warning, self._outside(site))),
        )

    def _build(self, site: SiteFacts) -> list[Node]:
        wanted = self.deployment.requirements
        first = f"{wanted.partition('/')[0]}/" if "/" in wanted else wanted
        return [
            Comment("Packages first: they change less often than the code."),
            directive("FROM", self._base(site), Raw(f"AS {_STAGE}"), why="a stage of its own"),
            _workdir(),
            _run("python", "-m", "venv", str(ENVIRONMENT), why="to be copied as a whole"),
            directive("COPY", first, f"{PROJECT}/{first}", why="nothing else yet", setting=_FILE),
            _run(*_PIP, wanted, why="the packages of the project", setting=_FILE),
            _run(_PYTHON, "-m", "gunicorn", "--version", why="fails here, not in the cluster"),
            Comment("The code, and the static files that its settings collect"),
            directive("COPY", ".", str(PROJECT), why="but for what .dockerignore names"),
            _run(
                "test",
                "-f",
                str(self.plan.script(site)),
                why="written into the project",
                setting=_SET,
            ),
            self._settings(site),
            *self._static(site),
            self._readable(site),
        ]

    def _run(self, site: SiteFacts, service: Service) -> list[Node]:
        account = Raw(f"{ACCOUNT}:{ACCOUNT}")
        copied = [ENVIRONMENT, PROJECT, *self._outside(site)]
        return [
            Comment("What runs: root owns every file, and nobody is root."),
            directive("FROM", self._base(site), why="without what only the build needs"),
            _workdir(),
            *(self._copied(path) for path in copied),
            self._settings(site),
            directive("USER", account, why="a number: a cluster can tell that it is not root"),
            directive("EXPOSE", Raw(str(PORT)), why="no low port, which would be root's"),
            directive("CMD", *service.command, why="this stack's own file", setting=_SET),
        ]

    def _base(self, site: SiteFacts) -> Raw:
        python = "python:{}.{}-slim".format(*site.interpreter.version)
        # Raw: the choice admits nothing but the name of an image.
        return Raw(self.deployment.base_image or python)

    def _settings(self, site: SiteFacts) -> Node:
        module = Option("DJANGO_SETTINGS_MODULE", site.application.settings_module)
        return directive("ENV", module, why="commands run with the site's own settings")

    def _collected(self, site: SiteFacts) -> list[Path]:
        mounts = self.plan.static_mounts(site)
        return sorted({one.directory for one in mounts if one.setting == "STATIC_ROOT"})

    def _static(self, site: SiteFacts) -> list[Node]:
        collected = self._collected(site)
        if not collected:
            return []
        return [
            directive("RUN", Raw(_COLLECT), why="files are served from the image"),
            *(
                _run("test", "-d", str(path), why="where they are served from", setting=_STATIC)
                for path in collected
            ),
        ]

    def _readable(self, site: SiteFacts) -> Node:
        """COPY keeps the modes of a checkout, and collectstatic has FILE_UPLOAD_PERMISSIONS."""
        places = map(str, [PROJECT, *self._outside(site)])
        why = "who runs here owns no file, and has to read them all"
        return _run("chmod", "-R", "a+rX", *places, why=why)

    def _outside(self, site: SiteFacts) -> list[Path]:
        """Collected files that are not copied with the project anyway."""
        return [path for path in self._collected(site) if not path.is_relative_to(PROJECT)]

    def _copied(self, path: Path) -> Node:
        why = "as it was built"
        source = Raw(f"--from={_STAGE}")
        return directive("COPY", source, str(path), str(path), why=why, setting=_STATIC)


def _warning(path: Path) -> str:
    return (
        f"{_STATIC}: {str(path)!r} lies outside of the project, and has to be the same in the "
        "image: made from BASE_DIR, it would be another. Put it below the project."
    )


def _workdir() -> Node:
    return directive("WORKDIR", Raw(str(PROJECT)), why="the project's directory")


def _run(*words: str, why: str, setting: str = "") -> Node:
    return directive("RUN", *words, why=why, setting=setting)
