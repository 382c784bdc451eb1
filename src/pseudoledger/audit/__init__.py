"""What an auditor does with a published ledger: verify it from its bytes."""
