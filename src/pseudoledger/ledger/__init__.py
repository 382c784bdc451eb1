"""Bytes in order: the tree, blocks, checkpoint, receipts, tiles and the store. It reads no meaning."""
