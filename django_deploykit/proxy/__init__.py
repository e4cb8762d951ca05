"""What a proxy may say about a request, decided once: plain data in, one decision out.

``wsgi``, ``asgi`` and the middleware are its doors: they read a request, and write it anew.
"""

from __future__ import annotations
