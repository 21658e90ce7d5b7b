"""Commands over the ledger. Knows eventsourcing; knows no SQL and no HTTP."""
