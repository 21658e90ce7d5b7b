"""The dashboard: what operators see and do in a browser. It decides nothing; what it does, the command line does too."""
