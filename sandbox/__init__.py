"""A Cliniko account with a synthetic clinic and a HighLevel sub-account, as real HTTP servers on loopback.

    with Sandbox(seed=1, patients=40) as sandbox:
        sandbox.cliniko.url, sandbox.highlevel.url
"""

from __future__ import annotations

from sandbox.both import Sandbox

__all__ = ["Sandbox"]
