"""Authentication classes as a project would write them."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication, SessionAuthentication


class QuietSession(SessionAuthentication):
    """Session authentication under another name."""


class NotSessionAuthentication(BaseAuthentication):
    """Only the name looks as if it needed no header."""
