"""What the build adds to the metadata (hatchling's hook of this name)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"\]\((?![a-z]+:|#)")


class ReadmeAnywhere(MetadataHookInterface):
    """README's links lead to files beside it. On the page of a package index there are none."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Take README with links that lead to the repository, as the changelog's does."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        place = metadata["urls"]["Changelog"].removesuffix("CHANGELOG.md")
        found = _RELATIVE.sub(f"]({place}", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": found}
