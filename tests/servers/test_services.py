"""What the services say, asked of the programs that read them; none of them touches this host."""

from __future__ import annotations

import grp
import pwd
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Area
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.stack import Stack, resolve
from tests.cases import CASES, DEPLOYMENT, MEDIA, REPORTS, pool, site
from tests.servers import harness

FRONTS = [name for name, one in renderers().items() if one.logs]
# What a front starts itself needs no service.
SERVERS = [name for name, one in renderers().items() if {*one.protocols} - {*one.spawned}]
TARGETS = ("basic", "multi-user", "network", "shutdown", "sockets", "sysinit")
EXPOSURE = 1.5
AREA = Area(url="/files/", policy="staff", setting="AREA", directory=Path("/srv/files"))


def stack_of(app_server: str) -> Stack:
    """nginx in front of an application server, over the protocol it speaks best."""
    return resolve("nginx", renderers()[app_server].protocols[0], app_server)


def written(stack: Stack, deployment: Deployment = DEPLOYMENT, **facts: object) -> list[Rendered]:
    """The whole set, for a site with everything that a service has to know."""
    known = {
        "media": MEDIA,
        "databases": (Path("/srv/shop/data/db.sqlite3"),),
        "pools": (pool("/reports/", "reports", **REPORTS),),
        "areas": (AREA,),  # with an authorizer, and its socket
        **facts,
    }
    deployment = replace(deployment, server_version=(1, 22, 1))
    return stack.render(stack.plan([site(**known)], deployment, Path("/srv/shop/deploy")))


def named(rendered: list[Rendered], folder: str) -> dict[str, str]:
    return {
        Path(one.filename).name: one.text for one in rendered if one.filename.startswith(folder)
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory with what the units name: targets and programs."""
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for target in TARGETS:
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    for program in ("bin/kill", "srv/shop/venv/bin/python", "srv/shop/venv/bin/pyuwsgi"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", tmp_path / program)
    return tmp_path


def analyze(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd's own checker about units below ``root``."""
    harness.require("systemd-analyze", shutil.which("systemd-analyze"))
    command = ["systemd-analyze", f"--root={root}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def install(root: Path, rendered: list[Rendered]) -> list[str]:
    units = named(rendered, "systemd/")
    for name, text in units.items():
        (root / "etc/systemd/system" / name).write_text(text)
    return sorted(units)


@pytest.mark.parametrize("user", ["", "shop"])
@pytest.mark.parametrize("app_server", SERVERS)
def test_systemd_accepts_every_line(root: Path, app_server: str, user: str) -> None:
    """Nothing at all is said: a misspelt directive would only be a warning."""
    units = install(root, written(stack_of(app_server), replace(DEPLOYMENT, user=user)))
    assert {"django-shop.service", "authorizer-shop.service", "authorizer-shop.socket"} <= {*units}
    done = analyze(root, "verify", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_would_say_so(root: Path) -> None:
    """The test above can fail."""
    name, *_ = install(root, written(stack_of("uwsgi")))
    with (root / "etc/systemd/system" / name).open("a") as stream:
        stream.write("[Service]\nPrivateTmpp=yes\n")
    assert "PrivateTmpp" in analyze(root, "verify", name).stderr


@pytest.mark.parametrize("user", ["", "shop"])
@pytest.mark.parametrize("app_server", SERVERS)
def test_the_sandbox_is_tight(root: Path, app_server: str, user: str) -> None:
    """The exposure that systemd itself finds is at most 1.5 of 10."""
    units = install(root, written(stack_of(app_server), replace(DEPLOYMENT, user=user)))
    for unit in (name for name in units if name.endswith(".service")):
        threshold = f"--threshold={EXPOSURE * 10:.0f}"
        done = analyze(root, "security", "--offline=true", "--no-pager", threshold, unit)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_looser_unit_would_not_pass(root: Path) -> None:
    """The test above can fail: without the sandbox, the threshold is passed."""
    name, *_ = install(root, written(stack_of("uwsgi")))
    path = root / "etc/systemd/system" / name
    path.write_text(path.read_text().partition("# What no web application needs")[0])
    assert analyze(root, "security", "--offline=true", "--threshold=15", name).returncode == 1


@pytest.mark.parametrize("app_server", SERVERS)
def test_directories_are_made(root: Path, app_server: str) -> None:
    """systemd-tmpfiles makes the socket's directory, for an application server that makes its
    socket, with the group that lets the front in."""
    harness.require("systemd-tmpfiles", shutil.which("systemd-tmpfiles"))
    stack = stack_of(app_server)
    rules = named(written(stack, replace(DEPLOYMENT, user="daemon")), "tmpfiles.d/")
    if not rules:
        units = named(written(stack), "systemd/")
        assert "SocketGroup=www-data" in units["django-shop.socket"]
        return
    for name in ("passwd", "group"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    (root / "etc/tmpfiles.d").mkdir()
    (root / "etc/tmpfiles.d/django-shop.conf").write_text(rules["django-shop.conf"])
    command = ["systemd-tmpfiles", "--create", f"--root={root}", "django-shop.conf"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    made = (root / "run/shop").stat()
    assert made.st_mode & 0o7777 == 0o2750
    if harness.server_user():  # Only root can give a directory away.
        accounts = pwd.getpwnam("daemon").pw_uid, grp.getgrnam("www-data").gr_gid
        assert (made.st_uid, made.st_gid, done.stderr) == (*accounts, "")


@pytest.mark.parametrize("front", FRONTS)
def test_logs_are_rotated(tmp_path: Path, front: str) -> None:
    """logrotate accepts the file, moves the logs, and has the front open them anew."""
    harness.require("logrotate", Path("/usr/sbin/logrotate").exists())
    logs, called = tmp_path / "logs", tmp_path / "called"
    logs.mkdir(mode=0o755)
    for name in ("shop-access.log", "shop-error.log", "shop-x-access.log", "other.log"):
        (logs / name).write_text("a line\n")
    # The command that reaches a real front is recorded here, and not run.
    (tmp_path / "invoke-rc.d").write_text(f'#!/bin/sh\necho "$@" >> {called}\n')
    (tmp_path / "invoke-rc.d").chmod(0o755)
    rules = named(_set(front, replace(DEPLOYMENT, log_directory=logs)), "logrotate.d/")
    text = rules["django-shop"]
    (tmp_path / "rules").write_text(text)
    (tmp_path / "rules").chmod(0o644)
    said = _logrotate(tmp_path, "--debug")
    assert said.returncode == 0
    assert "error:" not in said.stderr
    done = _logrotate(tmp_path, "--force")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    made = sorted(path.name for path in logs.iterdir())
    assert made == [
        *("other.log", "shop-access.log", "shop-access.log.1"),
        *("shop-error.log", "shop-error.log.1"),
        "shop-x-access.log",  # Of a site 'shop-x', which may have rules of its own.
    ]
    assert (logs / "shop-access.log").read_text() == ""
    assert (logs / "shop-access.log").stat().st_mode & 0o777 == 0o640
    words = renderers()[front].logs
    assert words
    assert called.read_text() == words.reopen.removeprefix("invoke-rc.d ") + "\n"


def _logrotate(directory: Path, option: str) -> subprocess.CompletedProcess[str]:
    command = ["/usr/sbin/logrotate", option, "--state", str(directory / "state")]
    return subprocess.run(
        [*command, str(directory / "rules")],
        env={"PATH": f"{directory}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _set(front: str, deployment: Deployment) -> list[Rendered]:
    # With mod_wsgi, logs are rotated in another way (test_nothing_lost).
    stack = resolve(front, "http")
    deployment = replace(deployment, server_version=None)
    return stack.render(stack.plan([site()], deployment, Path("/srv/shop/deploy")))


@pytest.mark.parametrize("front", FRONTS)
def test_the_distribution_rotates_its_own_directory(front: str) -> None:
    """Where Debian already rotates, nothing is written; two rules for one log are an error."""
    assert named(_set(front, DEPLOYMENT), "logrotate.d/") == {}


def test_a_set_with_everything_is_consistent() -> None:
    """Units, directories and environment of several sites: one of each, named for the site."""
    stack = resolve("nginx", "uwsgi")
    sites = [
        replace(one, application=replace(one.application, env_file=Path(f"/etc/{one.name}.env")))
        for one in (site("shop"), site("blog", prefix="/blog"))
    ]
    deployment = replace(DEPLOYMENT, server_version=(1, 22, 1))
    rendered = stack.render(stack.plan(sites, deployment, Path("/etc/deploykit")))
    names = {one.filename for one in rendered}
    assert {
        "systemd/django-shop.service",
        "systemd/django-blog.service",
        "tmpfiles.d/django-sites.conf",
        "environment/django-shop.env",
        "environment/django-blog.env",
    } <= names
    assert len(names) == len(rendered)
    assert {one.mode for one in rendered if one.filename.startswith("environment/")} == {0o640}
    assert not [name for name in names if name.endswith(".socket")]


@pytest.mark.parametrize("gateway", ["mod_wsgi", "mod_wsgi-embedded"])
def test_a_front_that_runs_python_has_no_units(gateway: str) -> None:
    """Apache's own unit runs it: nothing of systemd's is written."""
    plan = CASES["tls"].plan(renderers()["apache"])
    names = [one.filename for one in resolve("apache", gateway).render(plan)]
    assert not [name for name in names if name.startswith(("systemd/", "tmpfiles.d/"))]


def test_deployrun_is_not_disturbed() -> None:
    """What is run here and now has no services."""
    stack = resolve("nginx", "uwsgi")
    plan = stack.plan([site()], replace(DEPLOYMENT, server_version=(1, 22, 1)), Path("/srv/run"))
    names = [one.filename for one in stack.render(plan, services=False)]
    assert names == ["nginx/shop.conf", "uwsgi/shop.ini", "nginx/shop_wsgi.py"]
