"""What a process tells those who watch it: /metrics for Prometheus, /healthz for a supervisor."""

from __future__ import annotations

import json
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import REGISTRY, make_wsgi_app

from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment


class _Server(ThreadingMixIn, WSGIServer):
    """A thread per request, so that a client that says nothing holds up nobody."""

    daemon_threads = True
    block_on_close = False


class _Quiet(WSGIRequestHandler):
    """A scrape every few seconds is not worth a log line; whoever says nothing is left."""

    timeout = 5

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""


class Watched:
    """A small HTTP server in a thread of its own, so that a stuck event loop can still be seen."""

    def __init__(self, server: WSGIServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(host: str, port: int, checks: Mapping[str, Callable[[], str | None]]) -> Watched:
    """Serve /metrics and /healthz until closed. Port 0 takes a free one.

    /healthz answers 200 when every check returns None, else 503; its JSON names each check.
    Raises SettingError when the port is taken.
    """
    metrics = make_wsgi_app(REGISTRY)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/healthz":
            page: Iterable[bytes] = metrics(environ, start_response)
            return page
        found = {name: check() for name, check in checks.items()}
        well = not any(found.values())
        status = "200 OK" if well else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        body = {"healthy": well, "checks": {name: said or "ok" for name, said in found.items()}}
        return [json.dumps(body).encode()]

    try:
        server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise SettingError(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    structlog.get_logger().info("watching", host=host, port=server.server_port)
    return Watched(server)
