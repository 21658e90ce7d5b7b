"""The command line. What is imported here and in `parser` is the standard library: help must answer at once."""
