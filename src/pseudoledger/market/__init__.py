"""Drafting: importers, matching and invoicing. It decides nothing; every draft still goes through the registrar."""
