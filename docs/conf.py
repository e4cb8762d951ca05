"""Sphinx: the documentation is Markdown, built by ``make docs`` with warnings as errors."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from django_deploykit import __version__

project = "django-deploykit"
author = "django-deploykit contributors"
release = version = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"{project} {release}"
