"""The one way in: fix the time, verify, judge, append, seal, answer with receipts."""
