"""Everything of a ledger as tables for other programs: CSV and Parquet, streamed, with stable typed columns.

`columns` says which tables there are and of what type their columns are, `rows` reads them from a store, and
`csv_files` and `parquet_files` write them. Nothing here is evidence: `verify` judges the ledger itself.
"""
