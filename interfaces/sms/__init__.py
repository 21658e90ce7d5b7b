"""Ways to hand messages to phones, and the inbox that stands in for a phone. Clear numbers and codes stay in memory."""
