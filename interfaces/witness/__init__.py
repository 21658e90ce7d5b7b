"""Witnesses: being one (cosigner, follower, http), and asking others to be one (address, asking)."""
