"""The errors of django-deploykit. Every one is meant to be read by the person who can mend it.

DeploykitError
├── FactsError              the settings leave facts missing or contradict one another
├── ChoiceError             a ``--set`` key, target or gateway that does not exist or fit
├── UnrepresentableValue    a value the target's grammar cannot carry
├── FileConflict            a file that is not ours to overwrite, or cannot be written
└── CannotRun               a stack that this machine cannot run or check
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_deploykit.config.findings import Finding


class DeploykitError(Exception):
    """Any error that a user of django-deploykit can mend."""


class FactsError(DeploykitError):
    """Settings that make a correct configuration impossible, all of them at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))

    def __reduce__(self) -> tuple[type[FactsError], tuple[tuple[Finding, ...]]]:
        return type(self), (self.findings,)


class ChoiceError(DeploykitError):
    """Choices that do not exist, or that do not fit one another: one sentence for each."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(*problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class UnrepresentableValue(DeploykitError):
    """A value that has no exact spelling in the target's grammar."""

    def __init__(self, value: str, dialect: str, reason: str, setting: str) -> None:
        self.value, self.dialect, self.reason, self.setting = value, dialect, reason, setting
        super().__init__(
            f"{value!r} from {setting or 'an unnamed setting'} cannot be written in "
            f"{dialect}: {reason}. Choose another value for {setting or 'it'}."
        )


class FileConflict(DeploykitError):
    """A file that django-deploykit may not or cannot write."""


class CannotRun(DeploykitError):
    """A stack that cannot be run, or checked, on this machine."""


def unknown(kind: str, value: str, origin: str, allowed: Iterable[str]) -> str:
    """Say that ``value`` is no ``kind``, what is, and which one was probably meant."""
    names = sorted(allowed)
    by_folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(value.casefold(), by_folded, n=1)
    guess = f" Did you mean {by_folded[near[0]]!r}?" if near else ""
    return f"{origin}: unknown {kind} {value!r}.{guess} Allowed: {', '.join(names)}."
