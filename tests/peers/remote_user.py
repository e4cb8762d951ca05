"""Django's own tests of RemoteUserMiddleware and RemoteUserBackend, with ours in their places.

``python -m tests.peers.remote_user DIRECTORY`` takes them from a source distribution of Django,
runs them, and prints JSON: the name of each test, with what it failed with or null; and the key
under which Django's own backend in them looks for an address.
"""

from __future__ import annotations

import json
import sys
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.conf import settings

OURS = "django_deploykit.middleware.ProxyIdentityMiddleware"
TRUSTED_PROXY = "django_deploykit.middleware.TrustedProxyMiddleware"
# The test clients' own address.
PROXY = {"TRUSTED": ["127.0.0.1"]}
SOURCES = {"Key": "env:REMOTE_USER", "Header": "header:Remote-User"}

# What Django's tests/runtests.py sets, as far as these tests need it.
SETTINGS: dict[str, Any] = {
    "ALLOWED_HOSTS": ["testserver"],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "INSTALLED_APPS": [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sites",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.admin.apps.SimpleAdminConfig",
        "auth_tests",
    ],
    "LOGGING_CONFIG": None,
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    # Made without migrations, as Django's own runner does.
    "MIGRATION_MODULES": {"auth": None, "contenttypes": None, "sessions": None},
    "SECRET_KEY": "tests",
    "SITE_ID": 1,
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    "USE_TZ": False,
}


class Result(unittest.TestResult):
    """Notes what each test failed with."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str | None] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.outcomes[_name(test)] = None

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.outcomes[_name(test)] = "".join(traceback.format_exception_only(*err[:2]))

    addError = addFailure


def _name(test: unittest.TestCase) -> str:
    return ".".join(test.id().split(".")[-2:])


def adapted(theirs: Any) -> Iterator[type]:
    """Each of Django's test cases that names a middleware, once for each kind of source."""
    from django.test import modify_settings, override_settings

    for name, case in vars(theirs).items():
        if not (isinstance(case, type) and issubclass(case, theirs.RemoteUserTest)):
            continue
        for kind, source in SOURCES.items():
            identity = {"USER": source, "CREATE": True}
            if issubclass(case, theirs.PersistentRemoteUserTest):
                identity["MODE"] = "persistent"
            if "HTTP_AUTHUSER" in (case.header, getattr(case, "auth_header", "")):
                if kind == "Key":
                    continue
                identity["USER"] = "header:X-Forwarded-User"
            members = {
                "middleware": _replaced(case.middleware),
                "backend": _backend(case.backend, theirs),
                **_header(case, kind, identity["USER"]),
            }
            own = type(f"{kind}{name}", (case,), members)
            if kind == "Header":
                own = modify_settings(MIDDLEWARE={"prepend": TRUSTED_PROXY})(own)
            yield override_settings(DEPLOYKIT={"IDENTITY": identity, "PROXY": PROXY})(own)


def _replaced(middleware: Any) -> Any:
    """Ours, with whatever Django's test puts after its own."""
    return OURS if isinstance(middleware, str) else [OURS, *middleware[1:]]


def _header(case: Any, kind: str, source: str) -> dict[str, Any]:
    """Where a test puts the name: for WSGI a key of the environ, for ASGI a header."""
    if hasattr(case, "auth_header"):
        return {"auth_header": "HTTP_X_FORWARDED_USER"}
    if kind == "Key":
        return {"header": "REMOTE_USER"}
    name = source.removeprefix("header:")
    key = "HTTP_" + name.upper().replace("-", "_")
    return {
        "header": property(lambda self: name if self._testMethodName.endswith("_async") else key)
    }


def _backend(path: str, theirs: Any) -> str:
    """A backend like that of Django's test, which is ours below: its own methods come first."""
    from django.utils.module_loading import import_string

    from django_deploykit.backends import ProxyIdentityBackend

    stock = import_string(path)
    if issubclass(ProxyIdentityBackend, stock):
        return f"{ProxyIdentityBackend.__module__}.{ProxyIdentityBackend.__name__}"
    own = type(f"Own{stock.__name__}", (stock, ProxyIdentityBackend), {})
    setattr(sys.modules[__name__], own.__name__, own)
    return f"{__name__}.{own.__name__}"


def main(directory: Path) -> None:
    sys.path.insert(0, str(directory / "tests"))
    settings.configure(**SETTINGS)
    django.setup()
    from auth_tests import test_remote_user as theirs
    from django.test.runner import DiscoverRunner

    from django_deploykit.middleware import ProxyIdentityMiddleware

    cases = list(adapted(theirs))
    theirs.RemoteUserMiddleware = ProxyIdentityMiddleware  # One test makes one by itself.
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    result, runner = Result(), DiscoverRunner(verbosity=0)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    unittest.TestSuite(load(case) for case in cases).run(result)
    runner.teardown_databases(databases)
    print(json.dumps([result.outcomes, theirs.RemoteUserTest.email_header]))


if __name__ == "__main__":
    # Under its own name: settings name backends by it.
    from tests.peers import remote_user

    remote_user.main(Path(sys.argv[1]))
