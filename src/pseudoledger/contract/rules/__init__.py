"""The rules of the book: a file per family, small named functions that return findings."""
