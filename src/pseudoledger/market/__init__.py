"""Drafting: importers, matching, invoicing. It decides nothing; every draft still goes to the registrar."""
