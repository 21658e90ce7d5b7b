"""Statements: what an account's messages cost in a month, as a pure function of its log, a tree size and the month."""
