"""What is true about verifications and accounts: pure decisions over frozen values, no I/O, no clock, no randomness."""
