"""Who the user is, as the server in front says: read, matched with an account, kept in a session.

``django_deploykit.middleware``, ``backends`` and ``views`` are its doors.
"""

from __future__ import annotations
