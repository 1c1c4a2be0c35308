"""What must hold of everything stored, whatever was killed when; no I/O.

A violation is either damage from outside (a hand in the file, a broken disk) or a defect of Causeway.
"""

from causeway_storage.domain.invariants.everything import STUCK_AFTER_MS, Invariants
from causeway_storage.domain.invariants.violation import Violation

__all__ = ["STUCK_AFTER_MS", "Invariants", "Violation"]
