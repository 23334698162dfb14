"""A synthetic clinic: invented people with every awkward case a real account holds."""

from __future__ import annotations

from sandbox.clinic.build import build_clinic, fill_patients

__all__ = ["build_clinic", "fill_patients"]
