"""The code to run and the interpreter that runs it."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.utils.module_loading import import_string
from whitenoise.middleware import WhiteNoiseMiddleware

from django_deploykit.config import findings
from django_deploykit.config.facts import Application, Interpreter
from django_deploykit.config.introspect.context import Context, contains, is_file, not_there, real
from django_deploykit.config.introspect.entry import Entry, find_entry


def read(context: Context) -> Application:
    """The application that the settings name."""
    module = context.settings_module
    wsgi = _dotted_name(context, "WSGI_APPLICATION")
    asgi = _dotted_name(context, "ASGI_APPLICATION")
    entry = _entry(context, "WSGI_APPLICATION", wsgi)
    _entry(context, "ASGI_APPLICATION", asgi)
    if not (wsgi or asgi):
        context.find(findings.NO_APPLICATION, "WSGI_APPLICATION", "it is unset.")
    if not module:
        message = "the settings were configured by hand and come from no module."
        context.find(findings.NO_APPLICATION, "DJANGO_SETTINGS_MODULE", message)
    root = _import_root(module)
    return Application(
        settings_module=module,
        wsgi=wsgi,
        wsgi_file=_script(context, entry, wsgi or "", module),
        asgi=asgi,
        root=root,
        elsewhere=tuple(_elsewhere(module, root)),
        env_file=_env_file(context),
    )


def interpreter() -> Interpreter:
    """The running interpreter: the virtual environment, if it is one."""
    return Interpreter(
        prefix=Path(sys.prefix),
        packages=Path(sysconfig.get_path("purelib")),
        version=sys.version_info[:2],
        base=Path(sys.base_prefix),
        program=_program(),
    )


def _program() -> str:
    """The interpreter in its directory: Debian's own is called ``python3`` there, and only that."""
    usual = "python"
    exists = os.path.exists(os.path.join(sys.prefix, "bin", usual))
    return usual if exists else Path(sys.executable).name


def settings_file(module: str) -> Path | None:
    """The file of a settings module; None if it has none."""
    spec = importlib.util.find_spec(module) if module else None
    return Path(spec.origin) if spec and spec.origin else None


def has_whitenoise(context: Context) -> bool:
    """Tell whether WhiteNoise, or a subclass of its middleware, is in MIDDLEWARE."""
    return any(is_middleware(path, WhiteNoiseMiddleware) for path in context.settings.MIDDLEWARE)


def is_middleware(path: str, wanted: type) -> bool:
    """Tell whether a dotted path of MIDDLEWARE is ``wanted`` or a subclass of it."""
    try:
        found = import_string(path)
    except Exception:  # An import may raise anything.
        return False  # Django says so itself, more clearly, when it loads the middleware.
    return isinstance(found, type) and issubclass(found, wanted)


def _dotted_name(context: Context, setting: str) -> str | None:
    value = getattr(context.settings, setting, None)
    if value is None or isinstance(value, str):
        return value or None
    context.find(findings.NO_APPLICATION, setting, f"{value!r} is not a dotted path.")
    return None


def _entry(context: Context, setting: str, dotted: str | None) -> Entry | None:
    if dotted is None:
        return None
    entry = find_entry(dotted)
    if entry is None:
        context.find(findings.NO_APPLICATION, setting, f"{dotted!r} cannot be imported.")
    elif not entry.may_bind(dotted.rpartition(".")[2]):
        message = f"{dotted!r} cannot be imported: {str(entry.path)!r} has no such name."
        context.find(findings.NO_APPLICATION, setting, message)
    return entry


def _script(context: Context, entry: Entry | None, dotted: str, module: str) -> Path | None:
    """The project's own file, if a server can run it as it is (see ``Application``)."""
    if entry is None:
        return None
    if entry.settings_module not in (None, module):
        message = f"its module is for {entry.settings_module!r}, but these settings are {module!r}."
        context.find(findings.OTHER_SETTINGS, "WSGI_APPLICATION", message)
        return None
    return entry.path if dotted.endswith(".application") and entry.runs_as_script else None


def _import_root(module: str) -> Path:
    """The directory that must be on the Python path for ``module`` to be found."""
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top) if top else None
    if spec is None:
        return Path.cwd()
    if spec.submodule_search_locations:
        return real(next(iter(spec.submodule_search_locations))).parent
    return real(spec.origin).parent


def _elsewhere(module: str, root: Path) -> Iterator[Path]:
    """Code of the site that is neither the project's nor installed with the interpreter."""
    paths = [Path(config.path) for config in apps.get_app_configs()]
    file = settings_file(module)
    for path in dict.fromkeys([*paths, *([file] if file else [])]):
        if not any(contains(home, path) for home in (root, Path(sys.prefix))):
            yield path.absolute()


def _env_file(context: Context) -> Path | None:
    value, setting = context.site.get("ENV_FILE"), context.key("ENV_FILE")
    if value is None:
        return None
    path = Path(str(value))
    if problem := not_there(path, is_file(path), "file"):
        context.find(findings.MISSING_PATH, setting, problem)
    elif _anybody_reads(path):
        message = f"{str(value)!r} holds secrets and every user of the machine can read it."
        context.find(findings.SECRET_FILE_MODE, setting, message)
    return path


def _anybody_reads(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except PermissionError:
        return False
