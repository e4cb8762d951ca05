"""Benchmarks: what things cost, measured on the machine that asks."""

from __future__ import annotations
