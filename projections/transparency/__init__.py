"""Proof that the ledger is whole: RFC 6962 trees, C2SP tiles, notes, proofs. All but the sealer needs nothing but Python."""
