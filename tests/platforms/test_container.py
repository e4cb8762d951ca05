"""Where a site's files lie in an image, and what of the project stays out of it."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from django_deploykit.config.container import contained
from django_deploykit.config.facts import Interpreter, Mount, SiteFacts, StaticFiles
from django_deploykit.config.stack import resolve
from django_deploykit.exceptions import UnrepresentableValue
from tests.cases import DEPLOYMENT, MEDIA, PROTECTED, TLS, site
from tests.syntax import hostile

OUTSIDE = Interpreter(
    prefix=Path("/opt/envs/shop"),
    packages=Path("/opt/envs/shop/lib/python3.13/site-packages"),
    version=(3, 13),
)


def placed(facts: SiteFacts, directory: str | None = None) -> SiteFacts:
    """The facts as they are in the image."""
    stack = resolve("kubernetes")
    plan = stack.plan([facts], DEPLOYMENT, Path(directory) if directory else None)
    return plan.sites[0]


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/srv/shop/static", "/app/static"),
        ("/srv/shop", "/app"),
        ("/srv/shopping/static", "/srv/shopping/static"),
        ("/var/www/static", "/var/www/static"),
        ("/srv/shop/venv/share", "/opt/venv/share"),
        (
            "/srv/shop/venv/lib/python3.11/site-packages/admin",
            "/opt/venv/lib/python3.11/site-packages/admin",
        ),
    ],
)
def test_paths(path: str, there: str) -> None:
    """Below the project, below its environment, which may lie in the project, or neither."""
    mount = replace(MEDIA, directory=Path(path))
    found = placed(site(static=StaticFiles(mounts=(mount,)), media=mount, protected=(mount,)))
    assert found.static
    assert found.media
    mounts = (found.static.mounts[0], found.media, found.protected[0])
    assert {str(one.directory) for one in mounts} == {there}


def test_the_interpreter() -> None:
    """The image has an environment of its own, for the Python that runs the command."""
    found = placed(site(interpreter=OUTSIDE)).interpreter
    assert (found.prefix, found.version) == (Path("/opt/venv"), (3, 13))
    assert found.packages == Path("/opt/venv/lib/python3.13/site-packages")


@pytest.mark.parametrize(
    ("written", "lies"),
    [
        ("/srv/shop/deploy", "/app/deploy"),
        ("/srv/shop/ops/k8s", "/app/ops/k8s"),
        ("/tmp/elsewhere", "/app/deploy"),
        (None, None),
    ],
)
def test_where_the_written_set_lies(written: str | None, lies: str | None) -> None:
    """Where it lies in the project; written elsewhere, it is to be copied into the usual place."""
    plan = resolve("gunicorn").plan([site()], DEPLOYMENT, written and Path(written))
    assert contained(plan).directory == (lies and Path(lies))


def test_a_set_outside_of_the_project_builds_no_image() -> None:
    """Where nobody copied it into the project, the build fails, and no pod ever starts."""
    stack = resolve("dockerfile")
    for directory in ("/tmp/elsewhere", "/srv/shop/deploy"):
        text = stack.render(stack.plan([site()], DEPLOYMENT, Path(directory)))[0].text
        assert 'RUN ["test", "-f", "/app/deploy/gunicorn/shop_wsgi.py"]\n' in text


def test_static_files_outside_of_the_project_are_warned_of() -> None:
    """They are looked for in the image where they lie here, which BASE_DIR.parent does not mean."""
    stack = resolve("dockerfile")
    for directory, warned in (("/srv/static", True), ("/srv/shop/static", False)):
        mount = Mount(url="/static/", directory=Path(directory), setting="STATIC_ROOT")
        facts = site(static=StaticFiles(mounts=(mount,)), admin_static=None)
        (warnings,) = {one.warnings for one in stack.render(stack.plan([facts], DEPLOYMENT))[:1]}
        assert [directory in text for text in warnings] == [True] * warned


def ignored(facts: SiteFacts) -> list[str]:
    """The patterns that one site adds."""
    stack = resolve("dockerignore")
    (rendered,) = stack.render(stack.plan([facts], DEPLOYMENT))
    return rendered.text.partition("# What this site has\n")[2].splitlines()


def test_data_and_secrets_are_left_out() -> None:
    """Whatever of them lies in the project; what lies elsewhere is not there anyway."""
    facts = site(
        media=MEDIA,
        protected=(PROTECTED,),
        databases=(Path("/srv/shop/db/main.db"), Path("/var/lib/shop/db")),
        tls=replace(TLS, key=Path("/srv/shop/tls/key.pem")),
    )
    application = replace(facts.application, env_file=Path("/srv/shop/live.txt"))
    assert ignored(replace(facts, application=application)) == [
        "/db/main.db*",
        "/live.txt",
        "/media",
        "/private",
        "/static",
        "/tls/key.pem",
    ]


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        (".env", True),
        ("shop/.env.production", True),
        (".envrc", True),
        (".envs/.production/.django", True),
        ("live.env", True),
        ("tls/shop.key", True),
        ("venv/bin/python", True),
        ("env/lib/python3.13/site-packages/django/apps.py", True),
        ("db.sqlite3-wal", True),
        ("shop/environment.py", False),
        ("shop/keys.py", False),
    ],
)
def test_secrets_and_environments_are_left_out(path: str, left_out: bool) -> None:
    """Wherever in the project it lies, without a setting that names it."""
    stack = resolve("dockerignore")
    (rendered,) = stack.render(stack.plan([site()], DEPLOYMENT))
    anywhere = re.findall(r"(?m)^\*\*/(.+)$", rendered.text)
    assert left_out is any(fnmatch(part, one) for part in Path(path).parts for one in anywhere)


def test_uploads_are_left_out_whoever_may_read_them() -> None:
    """Those that no front serves, what other storages keep, and what a cache in files does of
    sessions and pages."""
    facts = site(
        static=None,
        closed_uploads=Path("/srv/shop/up"),
        stored=(Path("/srv/shop/invoices"),),
        caches=(Path("/srv/shop/tmp"),),
    )
    assert ignored(facts) == ["/invoices", "/tmp", "/up"]


def test_hostile_names_are_left_out_or_refused() -> None:
    """A name is a pattern for nothing else, or it is refused with its setting."""
    names = hostile.some(hostile.is_file_name, 900)
    found = {name: _ignored_or_refused(name) for name in names}
    written = {name: one for name, one in found.items() if one != "MEDIA_ROOT"}
    assert {name: _only_match(one) for name, one in written.items()} == {
        name: f"/data/{name}" for name in written
    }
    assert len(written) > 300
    assert len(names) - len(written) > 100


def _ignored_or_refused(name: str) -> str:
    """The pattern for a directory of uploads, or the setting that is at fault."""
    facts = site(media=replace(MEDIA, directory=Path("/srv/shop/data", name)), static=None)
    try:
        (pattern,) = ignored(facts)
    except UnrepresentableValue as error:
        return error.setting
    return pattern


def _only_match(pattern: str) -> str:
    """The only path that a pattern of Go's filepath.Match fits; fail if there may be others."""
    found, characters = "", iter(pattern)
    for character in characters:
        assert character not in "*?["
        found += next(characters) if character == "\\" else character
    return found
