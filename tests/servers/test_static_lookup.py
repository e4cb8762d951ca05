"""Static files that nginx finds by looking for a file: the same rows as where the URL decides."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import harness, test_behaviour
from tests.servers.harness import Project, Server
from tests.servers.stacks import STACKS, Site

# What the behaviour table says of files and paths, asked here with the servers of this module.
ROWS = (
    "test_pages_lie_below_the_prefix",
    "test_signing_in_to_the_admin",
    "test_every_file_the_admin_links_to_is_there",
    "test_a_prefix_ends_at_a_slash",
    "test_hashed_files_are_immutable_and_others_revalidate",
    "test_compressed_twins",
    "test_static_files_revalidate",
    "test_files_at_the_root_of_the_host",
    "test_nothing_else_of_the_disk_is_reachable",
    "test_uploads_are_public_and_harmless",
    "test_protected_files_have_no_url",
    "test_protected_files_in_absolute_form",
    "test_protected_files_through_the_view",
    "test_a_client_cannot_claim_anything",
    "test_no_header_of_the_contract_changes_anything",
    "test_the_client_is_who_connected",
    "test_path_bytes_arrive_as_meant",
    "test_unknown_hosts_never_reach_django",
    "test_extra_data_arrives",
)
globals().update({name: getattr(test_behaviour, name) for name in ROWS})

LOOKING = [
    replace(STACKS[label], choices=("static_lookup=file",))
    for label in ("nginx/http/gunicorn", "nginx/scgi/uwsgi")
]
# nginx, which alone has the choice, over HTTP and as CGI names a request.
SITES = [Site(stack, prefix) for stack in LOOKING for prefix in ("", "/app")]
# Static files lie apart from all other data, at the paths of their URLs.
SETTINGS = """
from example.settings import *

STATIC_ROOT = {root!r} + (FORCE_SCRIPT_NAME or "") + "/static"
"""


@pytest.fixture(scope="session")
def examples() -> Iterator[Callable[[str], Project]]:
    """Make an example project for a prefix, with a directory for files of its own."""
    made: dict[str, Project] = {}
    with contextlib.ExitStack() as stack:

        def make(prefix: str) -> Project:
            if prefix not in made:
                made[prefix] = _example(stack.enter_context(harness.public_directory()), prefix)
            return made[prefix]

        yield make


def _example(directory: Path, prefix: str) -> Project:
    example = harness.example_project(directory)
    root = directory / "public"
    (example.directory / "looking.py").write_text(SETTINGS.format(root=str(root)))
    environ = {"DJANGO_SETTINGS_MODULE": "looking", "FORCE_SCRIPT_NAME": prefix}
    project = replace(example, environ={**example.environ, **environ})
    made = project.manage("collectstatic", "--noinput")
    assert made.returncode == 0, made.stderr
    # Where the rows look for static files on disk.
    static = Path(example.environ["DATA_DIR"]) / "static"
    subprocess.run(["rm", "-r", str(static)], check=True)
    static.symlink_to(root / prefix.strip("/") / "static")
    return project


@pytest.fixture(scope="session")
def example(examples: Callable[[str], Project], site: Site) -> Project:
    """The example project of this prefix."""
    return examples(site.prefix)


def _public(example: Project, prefix: str) -> Path:
    return example.directory.parent / "public" / prefix.strip("/")


def test_a_new_file_is_found(example: Project, server: Server) -> None:
    """It needs no word in the configuration; Django is asked where there is none."""
    path = _public(example, server.prefix) / "new file.html"
    path.write_text("<p>new</p>")
    answer = server.get("/new%20file.html")
    assert (answer.status, answer.body) == (200, b"<p>new</p>")
    assert answer.headers.get_content_type() == "text/html"
    missing = server.get("/no%20file.html")
    assert missing.status == 404
    assert "X-Frame-Options" in missing.headers


@pytest.mark.parametrize("path", ["/.env", "/static/.env", "/.git/config", "/%2eenv", "/a/.b/c"])
def test_no_dot_file_is_found(example: Project, server: Server, path: str) -> None:
    """A name with a leading dot is Django's to answer, file or not."""
    file = _public(example, server.prefix) / path.strip("/").replace("%2e", ".")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("SECRET=1")
    answer = server.get(path)
    assert answer.status == 404
    assert b"SECRET" not in answer.body


def test_no_link_out_is_followed(example: Project, server: Server) -> None:
    """Not even one that lies where files are looked for."""
    link = _public(example, server.prefix) / "escape.txt"
    link.unlink(missing_ok=True)
    link.symlink_to(example.directory / "manage.py")
    answer = server.get("/escape.txt")
    assert answer.status in (403, 404)
    assert b"DJANGO_SETTINGS_MODULE" not in answer.body


def test_django_is_asked_with_every_method(server: Server) -> None:
    """A request that found no file keeps its method, its body and its query."""
    body = os.urandom(70_000)
    answer = server.post("/upload/raw/?q=%2F%3F", body)
    assert answer.json["bytes"] == len(body)
