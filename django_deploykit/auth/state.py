"""One authenticator for each process, made when it is first asked for."""

from __future__ import annotations

import os
import threading
from typing import Any

from django.core.signals import setting_changed
from django.dispatch import receiver

from django_deploykit.auth.authenticator import Authenticator
from django_deploykit.auth.options import options

_SETTINGS = {"AUTHENTICATION_BACKENDS", "AUTH_USER_MODEL", "CACHES", "DEPLOYKIT", "SECRET_KEY"}


class _Home:
    """Lives in the package, and so outlives the script that mod_wsgi loads anew."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.authenticator: Authenticator | None = None

    def get(self) -> Authenticator:
        if self.authenticator is None:
            with self.lock:
                return self._made()
        return self.authenticator

    def _made(self) -> Authenticator:
        """Made by whoever came first; the others waited for the lock."""
        if self.authenticator is None:
            self.authenticator = Authenticator(options())
        return self.authenticator


_home = _Home()


def authenticator() -> Authenticator:
    """The authenticator of this process. Raise ImproperlyConfigured if AUTH cannot be used."""
    return _home.get()


def reset() -> None:
    """Forget everything. A child process begins with locks, keys and memory of its own."""
    global _home
    _home = _Home()


os.register_at_fork(after_in_child=reset)


@receiver(setting_changed)
def _settings_changed(*, setting: str, **kwargs: Any) -> None:
    if setting in _SETTINGS:
        reset()
