"""Facts to customers: signed posts to endpoints of their own."""
