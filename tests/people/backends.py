"""Backends that refuse, remember what they were asked, or know users of their own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.core.exceptions import PermissionDenied

asked: list[Any] = []


class Recording(BaseBackend):
    """Knows nobody, and keeps every request that it was asked about."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> None:
        asked.append(request)


class Closed(BaseBackend):
    """Lets nobody in, as a lock-out does."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> None:
        raise PermissionDenied


class Directory(BaseBackend):
    """Another store of passwords: everybody's is "from the directory"."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> Any:
        asked.append(request)
        if password != "from the directory":
            return None
        return get_user_model().objects.filter(username=username).first()


class Counting(ModelBackend):
    """Authenticates as ModelBackend does, but in a method of its own."""

    def authenticate(
        self, request: Any, username: Any = None, password: Any = None, **kw: Any
    ) -> Any:
        asked.append(request)
        return super().authenticate(request, username, password, **kw)


class Broken(BaseBackend):
    """Cannot answer."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> None:
        raise RuntimeError("the directory does not answer")


class Chained(BaseBackend):
    """Cannot answer, and says why in two steps, as a library does for a driver of its own."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> None:
        try:
            Broken().authenticate(request, username, password)
        except RuntimeError as error:
            raise RuntimeError("so nobody knows") from error


class Choosy(ModelBackend):
    """Has a say in who may log in at all."""

    def user_can_authenticate(self, user: Any) -> bool:
        return super().user_can_authenticate(user) and user.get_username() != "mallory"
