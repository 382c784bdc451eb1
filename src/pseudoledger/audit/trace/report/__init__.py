"""The report of a trace: its values, as JSON and as one page, signed by an auditor and verified by anybody."""
