"""The same with WhiteNoise, as its documentation has it: behind SecurityMiddleware.

https://whitenoise.readthedocs.io/en/stable/django.html
"""

from __future__ import annotations

from shop.settings import *  # noqa: F403
from shop.settings import MIDDLEWARE

MIDDLEWARE = [MIDDLEWARE[0], "whitenoise.middleware.WhiteNoiseMiddleware", *MIDDLEWARE[1:]]
