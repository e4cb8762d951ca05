"""WhiteNoise alone: gunicorn without a front, and nothing said of either.

https://docs.djangoproject.com/en/5.2/howto/deployment/wsgi/gunicorn/ and
https://whitenoise.readthedocs.io/en/stable/django.html
"""

from __future__ import annotations

from bench.peers.gunicorn_tutorial import GUNICORN
from bench.sides import Place, Program, Setup, Side


def _setup(place: Place) -> Setup:
    words = (*GUNICORN, "--chdir", str(place.project), "--bind", place.address)
    return Setup((Program((*words, "shop.wsgi_whitenoise:application")),))


ALONE = Side(
    "WhiteNoise alone: gunicorn's defaults",
    "https://whitenoise.readthedocs.io/en/stable/django.html",
    _setup,
)
