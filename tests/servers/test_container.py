"""The image's own commands, and the pod's, in a sandbox that is what a cluster makes of it: another
account, a root that nobody writes to, a /tmp. No cluster and no container engine is needed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser

import django_deploykit
from tests.projects import Project, start_project
from tests.servers import harness

pytestmark = pytest.mark.server

SECRET = "correct-horse-battery-staple"

SETTINGS = """
    import os

    SECRET_KEY = os.environ['SHOP_SECRET']
    DEBUG = False
    ALLOWED_HOSTS = ['shop.example.com']
    STATIC_ROOT = BASE_DIR / 'static'
    FILE_UPLOAD_PERMISSIONS = 0o600
    ROOT_URLCONF = 'shop.pages'
    DEPLOYKIT = {'PROXY': {
        'TRUSTED': ['127.0.0.2'],
        'HEADERS': ['X-Forwarded-For', 'X-Forwarded-Proto'],
        'REQUIRED': ['X-Forwarded-Proto'],
    }}
"""

PAGES = """
    import os, tempfile, time
    from pathlib import Path
    from django.http import JsonResponse
    from django.urls import path

    def writes(where):
        try:
            Path(where, 'written').write_text('x')
        except OSError:
            return False
        return True

    def page(request):
        time.sleep(float(request.GET.get('seconds', 0)))
        status = Path('/proc/self/status').read_text()
        return JsonResponse({
            'scheme': request.scheme,
            'client': request.META['REMOTE_ADDR'],
            'stack': os.environ['DEPLOYKIT_STACK'],
            'secret': os.environ['SHOP_SECRET'],
            'accounts': [os.getuid(), os.getgid()],
            'writes': {where: writes(where) for where in ('/', '/app', '/opt/venv', '/tmp')},
        })

    urlpatterns = [path('', page)]
"""

# What a cluster does: it starts the command, asks the probe until it holds, sends requests, and
# ends the pod while one of them runs.
CLUSTER = """
import http.client, json, signal, subprocess, sys, threading, time

command, probe, headers = json.loads(sys.argv[1])
server = subprocess.Popen(command)

def get(path, source='127.0.0.1', **more):
    client = http.client.HTTPConnection('127.0.0.1', 8000, 30, source_address=(source, 0))
    headers = {name.replace('_', '-'): value for name, value in more.items()}
    client.request('GET', path, headers=headers)
    answer = client.getresponse()
    return [answer.status, answer.read().decode()]

said, deadline = {}, time.monotonic() + 60
while 'probe' not in said and server.poll() is None and time.monotonic() < deadline:
    try:
        said['probe'] = get(probe, **headers)[0]
    except OSError:
        time.sleep(0.1)
host = {'Host': 'shop.example.com'}
forged = {**host, 'X_Forwarded_Proto': 'https', 'X_Forwarded_For': '203.0.113.9'}
said['plain'] = get('/', **host)
said['forged'] = get('/', **forged)
said['gateway'] = get('/', '127.0.0.2', **forged)
said['probed by a trusted node'] = get(probe, '127.0.0.2', **headers)[0]
said['silent gateway'] = get('/', '127.0.0.2', **host)[0]
said['other host'] = get('/', Host='10.0.0.7')[0]
said['static'] = get('/static/admin/css/base.css', **host)[0]
running = threading.Thread(target=lambda: said.update(last=get('/?seconds=2', **host)[0]))
running.start()
time.sleep(0.5)
server.send_signal(signal.SIGTERM)
running.join()
said['ended'] = server.wait(30)
print(json.dumps(said))
"""


# Root keeps its own accounts, of which it can become any.
NAMESPACES = [f"--unshare-{name}" for name in ("ipc", "net", "pid", "uts")]
if os.geteuid() != 0:
    NAMESPACES += ["--unshare-user"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with the whole set written into it, and its image's commands run."""
    harness.require("bubblewrap", shutil.which("bwrap"))
    with harness.public_directory() as directory:
        project = start_project(directory / "shop", SETTINGS)
        project.write("shop/pages.py", PAGES)
        # As a checkout is whose owner has a private umask.
        for path in (project.directory / "shop", project.directory / "shop/pages.py"):
            path.chmod(path.stat().st_mode & 0o700)
        project.write("environment", f"SHOP_SECRET={SECRET}\n")
        done = project.manage(
            "deployconfig", "kubernetes", "--output", "deploy", SHOP_SECRET="unused"
        )
        assert done.returncode == 0, done.stderr
        for command in _commands_that_build(project):
            secret = [
                "--ro-bind",
                str(project.directory / "environment"),
                "/run/secrets/environment",
            ]
            done = _sandboxed(project, command, "--bind", *secret)
            assert done.returncode == 0, done.stderr
        yield project


def _commands_that_build(project: Project) -> Iterator[list[str]]:
    """Those of the Dockerfile but for the ones that make the environment: that is ours."""
    text = (project.directory / "deploy/docker/Dockerfile").read_bytes()
    for one in DockerfileParser(fileobj=BytesIO(text)).structure:
        if (
            one["instruction"] != "RUN"
            or "venv" in one["value"].split('"')
            or "pip" in one["value"]
        ):
            continue
        if one["value"].startswith("["):
            yield json.loads(one["value"])
        else:
            yield ["/bin/sh", "-c", one["value"].partition(" ")[2]]


def _sandboxed(
    project: Project,
    command: Sequence[str],
    bind: str,
    *options: str,
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command where nothing but the system, the environment and the project exists."""
    package = Path(django_deploykit.__file__).parents[1]
    places = {"/usr", "/etc", sys.base_prefix, str(package)}
    variables = {"DJANGO_SETTINGS_MODULE": "shop.settings", "PATH": "/usr/bin", **(environ or {})}
    arguments = [
        *["bwrap", *NAMESPACES, "--die-with-parent", "--clearenv", "--tmpfs", "/"],
        *["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"],
        *(word for path in _parents(*places, "/opt/venv") for word in ("--dir", path)),
        *(word for place in sorted(places) for word in ("--ro-bind", place, place)),
        *(
            word
            for name in ("lib", "lib64", "bin")
            for word in ("--symlink", f"usr/{name}", f"/{name}")
        ),
        *["--ro-bind", sys.prefix, "/opt/venv", bind, str(project.directory), "/app"],
        *["--chdir", "/app", *options],
        *(word for pair in variables.items() for word in ("--setenv", *pair)),
        *["--remount-ro", "/", "--", *command],
    ]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)


def _parents(*places: str) -> list[str]:
    """The directories above, which another account has to pass."""
    return sorted({str(path) for place in places for path in Path(place).parents} - {"/"})


def _as_account(security: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Options and words that give up every privilege, as the pod says; root can do so for real."""
    user, group = str(security["runAsUser"]), str(security["runAsGroup"])
    if os.geteuid() != 0:
        return ["--uid", user, "--gid", group], []
    drop = ["--clear-groups", "--bounding-set=-all", "--no-new-privs"]
    kept = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
    return kept, ["setpriv", f"--reuid={user}", f"--regid={group}", *drop]


@pytest.fixture(scope="module")
def said(built: Project) -> dict[str, Any]:
    """What happened in the pod, from its start to its end."""
    text = (built.directory / "deploy/kubernetes/shop.yaml").read_text()
    objects = {one["kind"]: one for one in yaml.safe_load_all(text)}
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    (web,) = spec["containers"]
    probe = web["startupProbe"]["httpGet"]
    headers = {one["name"]: one["value"] for one in probe["httpHeaders"]}
    options, words = _as_account(spec["securityContext"])
    asked = json.dumps([web["command"], probe["path"], headers])
    cluster = [*words, "/opt/venv/bin/python", "-c", CLUSTER, asked]
    done = _sandboxed(built, cluster, "--ro-bind", *options, environ={"SHOP_SECRET": SECRET})
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_image_collects_static_files(built: Project) -> None:
    """Settings that need a variable get it from the secret while that one command runs."""
    assert (built.directory / "static/admin/css/base.css").is_file()
    written = "".join(
        path.read_text() for path in (built.directory / "deploy").rglob("*") if path.is_file()
    )
    assert SECRET not in written


def test_the_pod_serves(said: dict[str, Any]) -> None:
    """Its probe holds, pages and static files are there, and its variables are the cluster's."""
    assert (said["probe"], said["plain"][0], said["static"]) == (200, 200, 200)
    page = json.loads(said["plain"][1])
    assert (page["stack"], page["secret"]) == ("gunicorn/http", SECRET)


def test_the_pod_may_write_temporary_files_alone(said: dict[str, Any]) -> None:
    """Neither root nor able to change the code that runs."""
    page = json.loads(said["plain"][1])
    assert page["accounts"] == [10001, 10001]
    assert page["writes"] == {"/": False, "/app": False, "/opt/venv": False, "/tmp": True}


def test_only_the_stated_gateway_is_believed(said: dict[str, Any]) -> None:
    """Another pod that forges what a gateway says is a client over HTTP; the gateway is believed,
    and refused if it leaves out what it has to say."""
    forged, gateway = json.loads(said["forged"][1]), json.loads(said["gateway"][1])
    assert (forged["scheme"], forged["client"]) == ("http", "127.0.0.1")
    assert (gateway["scheme"], gateway["client"]) == ("https", "203.0.113.9")
    assert said["silent gateway"] == 400
    assert said["other host"] == 400


def test_a_probe_from_a_trusted_address_holds(said: dict[str, Any]) -> None:
    """Nodes may lie in the network of the gateway, of whose requests the scheme is required."""
    assert said["probed by a trusted node"] == 200


def test_the_pod_ends_without_losing_a_request(said: dict[str, Any]) -> None:
    """At SIGTERM, what runs is answered, and the server ends well by itself."""
    assert (said["last"], said["ended"]) == (200, 0)
