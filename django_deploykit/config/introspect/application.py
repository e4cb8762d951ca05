"""The code to run and the interpreter that runs it."""

from __future__ import annotations

import importlib.util
import stat
import sys
import sysconfig
from pathlib import Path

from django.utils.module_loading import import_string
from whitenoise.middleware import WhiteNoiseMiddleware

from django_deploykit.config import findings
from django_deploykit.config.facts import Application, Interpreter
from django_deploykit.config.introspect.context import Context, key, real


def read(context: Context) -> Application | None:
    """The application named by the settings, or None if there is no telling."""
    settings = context.settings
    wsgi, asgi = settings.WSGI_APPLICATION, getattr(settings, "ASGI_APPLICATION", None)
    wsgi_file = _module_file(context, "WSGI_APPLICATION", wsgi)
    _module_file(context, "ASGI_APPLICATION", asgi)
    module = getattr(settings._wrapped, "SETTINGS_MODULE", None)
    if not (wsgi or asgi) or not module:
        context.find(findings.NO_APPLICATION, "WSGI_APPLICATION", f"{wsgi!r} names nothing to run.")
        return None
    return Application(
        settings_module=module,
        wsgi=wsgi,
        wsgi_file=wsgi_file,
        asgi=asgi,
        root=_import_root(module),
        env_file=_env_file(context),
        debug=settings.DEBUG,
    )


def interpreter() -> Interpreter:
    """The running interpreter: the virtual environment, if it is one."""
    return Interpreter(
        prefix=Path(sys.prefix),
        packages=Path(sysconfig.get_path("purelib")),
        version=sys.version_info[:2],
    )


def has_whitenoise(context: Context) -> bool:
    """Tell whether WhiteNoise, or a subclass of its middleware, is in MIDDLEWARE."""
    return any(is_middleware(path, WhiteNoiseMiddleware) for path in context.settings.MIDDLEWARE)


def is_middleware(path: str, wanted: type) -> bool:
    """Tell whether a dotted path of MIDDLEWARE is ``wanted`` or a subclass of it."""
    try:
        found = import_string(path)
    except ImportError:
        return False  # Django says so itself, more clearly, when it loads the middleware.
    return isinstance(found, type) and issubclass(found, wanted)


def _module_file(context: Context, setting: str, dotted: str | None) -> Path | None:
    if not dotted:
        return None
    module = dotted.rpartition(".")[0]
    try:
        spec = importlib.util.find_spec(module) if module else None
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        context.find(findings.NO_APPLICATION, setting, f"{dotted!r} cannot be imported.")
        return None
    return Path(spec.origin)


def _import_root(module: str) -> Path:
    """The directory that must be on the Python path for ``module`` to be found."""
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    if spec is None:
        return Path.cwd()
    if spec.submodule_search_locations:
        return real(next(iter(spec.submodule_search_locations))).parent
    return real(spec.origin).parent


def _env_file(context: Context) -> Path | None:
    value = context.site.get("ENV_FILE")
    if value is None:
        return None
    path = Path(str(value))
    if not path.is_absolute() or not path.is_file():
        context.find(findings.MISSING_PATH, key("ENV_FILE"), f"{value!r} is not an existing file.")
    elif path.stat().st_mode & stat.S_IROTH:
        message = f"{value!r} holds secrets and every user of the machine can read it."
        context.find(findings.SECRET_FILE_MODE, key("ENV_FILE"), message)
    return path
