"""Challenges for public keys: work to be proved, or a service of somebody else that is asked."""
