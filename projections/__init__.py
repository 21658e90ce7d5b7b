"""Views built from events alone: each may be dropped and built again, and must come out the same."""
