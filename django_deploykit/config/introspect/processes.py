"""Read each of several sites in a process of its own.

Django has one set of settings in a process, and the point of SITES is that no site ever sees
another's. So each is read where nothing of the others is loaded.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import django

from django_deploykit.config import findings
from django_deploykit.config.environment import first_environment
from django_deploykit.config.findings import Finding
from django_deploykit.config.introspect.project import Introspection, introspect

SITES = "DEPLOYKIT['SITES']"

Site = Mapping[str, Any]


def introspect_each(sites: Mapping[str, Site]) -> list[Introspection]:
    """Read the sites, in their order, each in a new interpreter."""
    ask = partial(_ask_child, first_environment())
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # Each thread only waits.
        return list(pool.map(ask, sites, sites.values()))


def _ask_child(environment: dict[str, str], name: str, site: Site) -> Introspection:
    spawn = get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    child = spawn.Process(target=_answer, args=(sender, environment, name, dict(site)))
    child.start()
    sender.close()
    try:
        result: Introspection = receiver.recv()
    except EOFError:
        child.join()
        message = f"reading {site.get('settings')!r} ended its process ({child.exitcode})."
        return _failed(name, message)
    finally:
        receiver.close()
        child.join()
    return result


def _answer(sender: Connection, environment: dict[str, str], name: str, site: Site) -> None:
    """Read one site and send it back; runs where no settings are configured yet."""
    os.dup2(2, 1)  # What settings print must not end up in the emitted configuration.
    os.environ.clear()
    os.environ.update(environment)
    try:
        sender.send(_read(name, site))
    except Exception as error:  # Whatever a settings module may raise is reported with its site.
        module = site.get("settings")
        hint = f"'manage.py check --settings={module}' shows more."
        message = f"{module!r} could not be read: {_described(error)}. {hint}"
        sender.send(_failed(name, message))


def _read(name: str, site: Site) -> Introspection:
    module = site.get("settings")
    if not isinstance(module, str):
        return _failed(name, f"'settings' must name a settings module, not {module!r}.")
    os.environ["DJANGO_SETTINGS_MODULE"] = module
    django.setup()
    given = [key for key in ("hosts", "prefix") if key in site]
    places = {key.upper(): f"{SITES}[{name!r}][{key!r}]" for key in given}
    overrides = {"NAME": name, **{key.upper(): site[key] for key in given}}
    result = introspect(overrides, {"NAME": SITES, **places})
    named = [replace(found, setting=_named(name, found.setting)) for found in result.findings]
    return replace(result, findings=tuple(named))


def _described(error: Exception) -> str:
    """The kind of an error and the line that raised it. Its text stays out, unless it comes from
    an import: it may hold the very value that could not be read, such as a password."""
    if isinstance(error, ImportError):
        return f"{type(error).__name__}: {error}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.filename!r}, line {last.lineno}"


def _named(name: str, setting: str) -> str:
    return setting if setting.startswith(SITES) else f"{name}: {setting}"


def _failed(name: str, message: str) -> Introspection:
    return Introspection(None, (Finding(findings.SITE_FAILED, f"{SITES}[{name!r}]", message),))
