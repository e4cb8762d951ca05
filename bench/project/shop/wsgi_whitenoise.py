"""As startproject writes it, for the settings with WhiteNoise."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.with_whitenoise")
application = get_wsgi_application()
