"""Where DoneOTP meets the world: settings, HTTP, the command line, Postgres, SMS. Imports nothing by itself."""
