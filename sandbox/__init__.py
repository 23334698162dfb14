"""A Cliniko account with a synthetic clinic and a HighLevel sub-account, as real HTTP servers on loopback.

`with Sandbox(seed=1, patients=40) as sandbox:` serves both; `sandbox.cliniko.url` and
`sandbox.highlevel.url` say where.
"""

from __future__ import annotations

from sandbox.both import Sandbox

__all__ = ["Sandbox"]
