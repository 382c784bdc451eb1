"""The verifier: a published ledger, checked from its bytes by somebody who trusts none of its keepers.

`verify` takes a ledger directory (docs/spec/entry.md, block.md) and answers with a `Report`. It never imports
the registrar: what was published is trusted, not the code that admitted it.
"""

from pseudoledger.audit.verifier.report import Fault, Report, Verdict
from pseudoledger.audit.verifier.run import verify

__all__ = ["Fault", "Report", "Verdict", "verify"]
