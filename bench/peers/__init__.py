"""What others write: each configuration is made from its documentation, whose page it names.

Paths, ports and users are those of a benchmark's place; whatever else is said, its source says.
"""

from __future__ import annotations
