"""What the generator writes, unchanged and with its defaults, below Debian's own files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from bench import mains
from bench.load import NotMeasured
from bench.sides import Place, Program, Setup, Side
from tests.servers.harness import ROOT

_SOURCE = "manage.py deployconfig"
# What a front would say, without which the application answers nobody.
_OF_A_FRONT = ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http")


def stack(target: str, gateway: str = "", app_server: str = "", **choices: str) -> Side:
    """A whole stack; its name is that of its parts."""

    def setup(place: Place) -> Setup:
        picked = {"listen": place.address, **choices}
        found = _emitted(place, target, gateway, app_server, picked)
        behind = _behind(found)
        if target == "apache":
            site = f"Include {found['site']}"
            return mains.apache(place, site, *behind, modules=found["modules"])
        if target == "nginx":
            return mains.nginx(place, f"include {found['site']};", *behind)
        site = f'include "{found["site"]}"\ndeflate.cache-dir := "{place.directory}/run"'
        return mains.lighttpd(place, site, *behind)

    parts = [part for part in (target, gateway, app_server) if part]
    wanted = "".join(f" --set {key}={value}" for key, value in choices.items())
    name = f"ours: {'/'.join(parts)}{wanted}"
    return Side(name, f"{_SOURCE} {target}", setup, ours=True)


def without_front(app_server: str) -> Side:
    """The same application server, as it is emitted for HTTP, asked without a front."""

    def setup(place: Place) -> Setup:
        picked = {"listen": "127.0.0.1:1", "socket": place.address}
        found = _emitted(place, "nginx", "http", app_server, picked)
        return Setup(_behind(found))

    source = f"{_SOURCE} nginx --app-server {app_server}, without nginx"
    return Side(f"{app_server}, no front", source, setup, headers=_OF_A_FRONT)


def _emitted(
    place: Place, target: str, gateway: str, app_server: str, choices: dict[str, str]
) -> dict[str, Any]:
    words = [target, gateway, app_server, str(place.directory), place.user or ""]
    words += [f"{key}={value}" for key, value in choices.items()]
    done = subprocess.run(
        [sys.executable, "-m", "bench.emit", *words],
        cwd=place.project,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{place.project}",
            "DJANGO_SETTINGS_MODULE": "shop.ours",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotMeasured(done.stderr.strip().splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _behind(found: dict[str, Any]) -> tuple[Program, ...]:
    return tuple(
        Program(tuple(one["words"]), one["drops"], one["socket"], one["environment"])
        for one in found["behind"]
    )
