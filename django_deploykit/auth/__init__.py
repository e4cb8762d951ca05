"""Django's users at the web server: who is it, and may they pass?

``authenticator()`` answers; the doors are handlers/modwsgi.py, views.py and authorizer.py.
"""

from __future__ import annotations

from django_deploykit.auth.state import authenticator

__all__ = ["authenticator"]
