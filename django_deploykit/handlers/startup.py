"""Set Django up for exactly one site, or say every time why it could not be."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import django
import environ
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_deploykit import conf, contract

_BELIEVES_FIRST = "django_deploykit.middleware.TrustedProxyMiddleware"
_DECIDES_LAST = "django_deploykit.middleware.SendfileMiddleware"

# The settings module this interpreter belongs to, and what went wrong at its first load.
# mod_wsgi runs a script anew, in the same interpreter, whenever its first run failed.
_loaded: str | None = None
_failure: tuple[BaseException, TracebackType | None] | None = None


def bootstrap(
    settings_module: str,
    *,
    env_file: str | None = None,
    prefix: str | None = None,
    stack: str = "",
) -> None:
    """Assign DJANGO_SETTINGS_MODULE, read ``env_file`` and set Django up.

    ``env_file`` holds ``NAME=value`` lines, which do not replace variables that are already
    set. ``prefix`` is the URL prefix of the web server's own files, without a slash at its end and
    "" for none; left out, it is what settings say. Protected files are named by it; unless settings
    force one, it becomes FORCE_SCRIPT_NAME. ``stack`` names the emitted stack. A site with
    protected files gets the middleware that hands them over, if it does not list it.

    Call it again for the same module as often as you like. Raise ImproperlyConfigured if the
    interpreter already belongs to another site. If the first call failed, raise its original
    error again, not "populate() isn't reentrant", which only hides it.
    """
    global _loaded, _failure
    if _loaded not in (None, settings_module):
        raise ImproperlyConfigured(
            f"This interpreter already runs {_loaded!r} and cannot run {settings_module!r} too. "
            "Give each site its own processes (WSGIDaemonProcess) or application group."
        )
    if _failure:
        raise _failure[0].with_traceback(_failure[1])
    _loaded = settings_module
    try:
        _set_up(settings_module, env_file, prefix, stack)
    except BaseException as error:
        _failure = error, error.__traceback__
        raise


def _set_up(settings_module: str, env_file: str | None, prefix: str | None, stack: str) -> None:
    if apps.ready and os.environ.get("DJANGO_SETTINGS_MODULE") != settings_module:
        raise ImproperlyConfigured(
            f"Django is already set up for {os.environ.get('DJANGO_SETTINGS_MODULE')!r}; "
            f"this script is for {settings_module!r}."
        )
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    if stack:
        os.environ[contract.STACK_KEY] = stack
    if env_file is not None:
        with Path(env_file).open(encoding="utf-8") as lines:
            environ.Env.read_env(lines)
    if prefix is not None:
        conf.tell_prefix(prefix)
    if prefix and settings.FORCE_SCRIPT_NAME is None:
        settings.FORCE_SCRIPT_NAME = prefix  # WhiteNoise, for one, knows of no other prefix.
    said = conf.read()
    protects = said.site.get("PROTECTED") or said.sendfile.get("STORES")
    if protects and _DECIDES_LAST not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = _with_last_step(list(settings.MIDDLEWARE))
    django.setup()
    # Django keeps them with the prefix of the moment they are first looked at: this one, and not
    # that of a first request.
    for name in ("STATIC_URL", "MEDIA_URL"):
        getattr(settings, name)


def _with_last_step(listed: list[str]) -> list[str]:
    """First in the list sees a response last: nothing changes it once a file is handed over.

    Only what decides whom to believe comes before, and leaves the files of responses alone.
    """
    place = 1 if listed[:1] == [_BELIEVES_FIRST] else 0
    return [*listed[:place], _DECIDES_LAST, *listed[place:]]
