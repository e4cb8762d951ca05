"""Processes that a web server starts: their environment, and a host that is somebody else's."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_deploykit.config.servers.apache import installed
from tests.servers import harness, small_projects
from tests.servers.harness import Server
from tests.servers.stacks import STACKS, Stack

STARTED = [stack for stack in STACKS.values() if stack.gateway in ("cgi", "fcgid")]

# A view that shows its process, and what the process would send its own requests through.
URLS = """
import os
import urllib.request

from django.http import JsonResponse
from django.urls import re_path


def seen(request):
    answer = {"proxies": urllib.request.getproxies(), "environ": dict(os.environ)}
    names = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_AUTHORIZATION")
    return JsonResponse({**answer, **{name: request.META.get(name) for name in names}})


urlpatterns = [re_path("", seen)]
"""
# As a shared host's own configuration has it, around the site's .htaccess.
HTTPD = """
ServerRoot {directory}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {directory}/httpd.pid
DefaultRuntimeDir {directory}
ErrorLog {directory}/error.log
TypesConfig /dev/null
{account}
{modules}
<IfModule fcgid_module>
    FcgidIPCDir {directory}/sockets
    FcgidProcessTableFile {directory}/sockets/table
</IfModule>
DocumentRoot {directory}/public_html
<Directory {directory}/public_html>
    Require all granted
    Options FollowSymLinks
    AllowOverride All
</Directory>
"""
# What a client asks for, and what the application has to get.
PATHS = {
    "/": "/",
    "/a%20b/%C3%BC?q=%2F": "/a b/ü",
    "/x%25y": "/x%y",
    "/x%2520y": "/x%20y",
    "/x%3Fy&z=1": "/x?y&z=1",
    "/x%23y+z;a": "/x#y+z;a",
}
MODULES = ("mpm_event", "unixd", "authz_core", "mime", "dir", "env", "rewrite", "cgid", "fcgid")


@pytest.mark.parametrize("stack", STARTED, ids=str)
def test_a_client_writes_no_variable_of_the_process(public: Path, stack: Stack) -> None:
    """``Proxy: …`` is no proxy of what the application fetches (CVE-2016-5385)."""
    stack.require()
    directory = public / f"started-{stack.label.replace('/', '-')}"
    project = small_projects.make(directory, {"started": ""})
    (directory / "started" / "urls.py").write_text(URLS)
    evil = "http://evil.example"
    spoofed = ("Proxy", evil), ("Http-Proxy", evil), ("Deploykit-Stack", evil)
    with harness.deployrun(project, *stack.arguments) as server:
        seen = server.get("/", *spoofed).json
    assert evil not in seen["proxies"].values()
    assert evil not in seen["environ"].values()
    assert seen["environ"]["DEPLOYKIT_STACK"] == f"{stack.target}/{stack.gateway}"
    assert seen["environ"]["DJANGO_SETTINGS_MODULE"] == "started.settings"
    assert seen["environ"]["LANG"] == "C.UTF-8"


def test_the_environment_is_that_of_the_command(public: Path) -> None:
    """What settings add to that of the command, as those of another site may, gets no further: of
    two values for a name, the site's own would lose."""
    stack = STACKS["apache/fcgid/flup"]
    stack.require()
    more = """
    import os, sys

    TIME_ZONE = "Asia/Tokyo"
    if sys.argv[0].endswith("manage.py"):
        os.environ["FROM_SETTINGS"] = "added"
    """
    project = small_projects.make(public / "handed-on", {"handed": textwrap.dedent(more)})
    (project.directory / "handed" / "urls.py").write_text(URLS)
    with harness.deployrun(project, *stack.arguments, environ={"GIVEN": "by hand"}) as server:
        seen = server.get("/").json["environ"]
    assert seen["GIVEN"] == "by hand"
    assert "FROM_SETTINGS" not in seen


def _shared_host(public: Path, gateway: str) -> tuple[Path, Path]:
    """A document root with the .htaccess of the how-to page, and the emitted file in it."""
    directory = public / f"shared-{gateway}"
    project = small_projects.make(directory / "project", {"shared": ""})
    (project.directory / "shared" / "urls.py").write_text(URLS)
    target = "flup" if gateway == "fcgid" else "cgi"
    done = project.manage(
        "deployconfig", target, "--gateway", gateway, "--output", str(directory / "deploy")
    )
    assert done.returncode == 0, done.stderr
    root = directory / "public_html"
    root.mkdir()
    suffix = "fcgi" if gateway == "fcgid" else "cgi"
    (file,) = (directory / "deploy" / target).glob(f"*.{suffix}")
    shutil.copy(file, root / f"mysite.{suffix}")
    page = (harness.ROOT / "docs" / "howto" / "shared-hosting.md").read_text()
    block = re.search(r"```apache\n(.*?)```", page, re.DOTALL)
    assert block
    text = block[1].replace("fcgid-script", f"{gateway}-script").replace(".fcgi", f".{suffix}")
    (root / ".htaccess").write_text(text)
    (root / "robots.txt").write_text("a file")
    return directory, root


@contextlib.contextmanager
def _apache(directory: Path) -> Iterator[Server]:
    binary, home = installed.binary(), installed.module_directory()
    assert binary
    assert home
    port, user = harness.free_port(), harness.server_user()
    found = [name for name in MODULES if (home / f"mod_{name}.so").is_file()]
    modules = "\n".join(f"LoadModule {name}_module {home}/mod_{name}.so" for name in found)
    account = f"User {user}\nGroup {user}" if user else ""
    config = directory / "httpd.conf"
    config.write_text(
        HTTPD.format(directory=directory, port=port, account=account, modules=modules)
    )
    (directory / "sockets").mkdir()
    if user:
        shutil.chown(directory / "sockets", user)
    process = subprocess.Popen([binary, "-f", str(config), "-DFOREGROUND"], text=True)
    server = Server(port, "", process, [])
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                server.connect().close()
                break
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        yield server
    finally:
        harness.stop(process)


@pytest.mark.parametrize("gateway", ["fcgid", "cgi"])
def test_a_shared_host(public: Path, gateway: str) -> None:
    """The .htaccess of the page, and the emitted file: URLs know nothing of its name."""
    harness.require_apache()
    harness.require("mod_fcgid", (installed.module_directory() or Path()) / "mod_fcgid.so")
    directory, root = _shared_host(public, gateway)
    with _apache(directory) as server:
        for path, meant in PATHS.items():
            answer = server.get(path)
            assert answer.status == 200, (directory / "error.log").read_text()
            seen = answer.json
            assert seen["SCRIPT_NAME"] == ""
            assert seen["PATH_INFO"] == meant
        assert server.get("/?q=%2F%3F").json["QUERY_STRING"] == "q=%2F%3F"
        assert server.get("/robots.txt").text == "a file"
        assert server.get("/", ("Authorization", "Basic eDp5")).json["HTTP_AUTHORIZATION"] is None
        assert os.fspath(root) not in server.get("/.htaccess").text
