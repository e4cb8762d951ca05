"""Write down, for the web server, what a Django project's settings already say."""

from __future__ import annotations

__version__ = "0.1.0"
