"""The auditor's tool: a bundle is checked and recomputed without us, with Python's standard library alone.

Nothing in a bundle is trusted but what a key of the log's has signed. What is wrong has a name and a place, never a traceback.
"""
