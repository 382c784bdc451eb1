"""The one way in: `Registrar`, and what it answers."""

from __future__ import annotations

from pseudoledger.registrar.answers import Answer, Refused, Registered, receipt_of
from pseudoledger.registrar.writer import Registrar

__all__ = ["Answer", "Refused", "Registered", "Registrar", "receipt_of"]
