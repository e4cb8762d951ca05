"""Extra data for the application: SITE["ENVIRON"]."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from django_deploykit import contract
from django_deploykit.config import findings
from django_deploykit.config.introspect.context import Context, wrong_type

# The emitted files are for everybody to read; these names promise something that is not.
_SECRET = re.compile(r"SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|(API|PRIVATE)_?KEY")


def environ(context: Context) -> tuple[tuple[str, str], ...]:
    """The data, under names that no client can write."""
    raw, setting = context.site.get("ENVIRON", {}), context.key("ENVIRON")
    if not isinstance(raw, Mapping):
        context.find_type(setting, raw, "a dict")
        return ()
    secrets = set(_secrets(context))
    for name, value in raw.items():
        if not contract.environ_name_is_free(str(name)):
            message = f"the name {name!r} is taken, or is not upper-case letters, digits and '_'."
            context.find(findings.BAD_ENVIRON, setting, message)
        elif not isinstance(value, str):
            message = f"{name!r}: {wrong_type(value, 'text')}"
            context.find(findings.BAD_ENVIRON, setting, message)
        elif _SECRET.search(name) or value in secrets:
            message = f"{name!r} looks like a secret, and everybody may read what is written."
            context.find(findings.SECRET_IN_ENVIRON, setting, message)
    return tuple(sorted((str(name), str(value)) for name, value in raw.items()))


def _secrets(context: Context) -> Iterator[str]:
    databases = context.settings.DATABASES.values()
    yield from (str(one["PASSWORD"]) for one in databases if one.get("PASSWORD"))
    keys = [context.as_written("SECRET_KEY"), *context.settings.SECRET_KEY_FALLBACKS]
    yield from (str(key) for key in keys if key)
