"""What HighLevel's descriptions leave open, as declarations: the register, and what was measured of one sub-account."""

from __future__ import annotations

from target_highlevel.assumptions.known import Known, Measurement
from target_highlevel.assumptions.model import Assumption
from target_highlevel.assumptions.register import REGISTER, assumption, question

__all__ = ["REGISTER", "Assumption", "Known", "Measurement", "assumption", "question"]
