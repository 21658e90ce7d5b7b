"""Limits that are counted beside the ledger: how often in so many seconds, from where, to where."""
