"""Runs an ASGI application the way `serve` runs its own: uvicorn on uvloop and httptools, without an access log."""

import socket
from typing import Any

import uvicorn


def host(app: Any, *, listener_fd: int, with_lifespan: bool) -> None:
    """Serve on a socket that the parent process has opened and is listening on, until SIGTERM."""
    config = uvicorn.Config(
        app,
        lifespan="on" if with_lifespan else "off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listener_fd)])
