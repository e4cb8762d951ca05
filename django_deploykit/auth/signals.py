"""What happened, for those who want to know. No signal carries a password.

``access_granted``  user, request, policy
``access_denied``   login, reason, request, policy
"""

from __future__ import annotations

from django.dispatch import Signal

access_granted = Signal()
access_denied = Signal()
