"""The HTTP API: on Litestar. Nothing here decides; it reads requests and spells answers."""
