"""`doneotp bench`: what this server does on this machine, beside the limits that the same run measures."""
