"""The patients' e-health space: a FHIR endpoint that accepts measures by the guide's rules.

For demo and tests; the real one cannot be tried without credentials. Beside the FHIR base it
answers `GET /accepted`: what it has taken so far, as JSON.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prometheus_client import Counter

from ingest.ports import SettingError
from simulators import ens_rules

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MEASURES = Counter("vigie_ens_measures_total", "Bundles by what the space answered.", ["outcome"])
for _outcome in ("accepted", "repeat", "refused"):
    MEASURES.labels(_outcome)

LARGEST = 1 << 20  # bytes of a bundle: one measure has about 2 KB
IDENTIFIER = ("system", "value")


@dataclass(slots=True)
class Temper:
    """How the space behaves; a test changes it while it runs.

    answer: a status given to every bundle instead of judging it; None judges. token: the bearer
    token it demands, empty for none. patients: the pairing identifiers it knows, None for all.
    """

    answer: HTTPStatus | None = None
    token: str = ""
    patients: frozenset[str] | None = None


@dataclass(slots=True)
class Space:
    """What the space has accepted, by the Observation's identifier; kept in a file when given one.

    A repeat of an Observation is counted, and changes nothing.
    """

    file: Path | None = None
    temper: Temper = field(default_factory=Temper)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Take up what an earlier run has kept."""
        if self.file is not None and self.file.exists():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                self._take(json.loads(line))

    def post(self, body: bytes, authorization: str) -> tuple[HTTPStatus, dict[str, Any]]:
        """Answer a POST on the FHIR base: a status and a resource."""
        status, answer = self._post(body, authorization)
        if status is not HTTPStatus.OK:
            MEASURES.labels("refused").inc()
        return status, answer

    def _post(self, body: bytes, authorization: str) -> tuple[HTTPStatus, dict[str, Any]]:
        if self.temper.answer is not None:
            return self.temper.answer, _outcome_of([("processing", "", "as told")])
        if self.temper.token and authorization != f"Bearer {self.temper.token}":
            return HTTPStatus.UNAUTHORIZED, _outcome_of([("login", "", "access_token is invalid")])
        try:
            bundle = json.loads(body)
        except (ValueError, RecursionError):
            return HTTPStatus.UNPROCESSABLE_ENTITY, _outcome_of([("structure", "", "not JSON")])
        if issues := ens_rules.check(bundle):
            return HTTPStatus.UNPROCESSABLE_ENTITY, _outcome_of(issues)
        patient = _observation(bundle)["subject"]["identifier"]["value"]
        if self.temper.patients is not None and patient not in self.temper.patients:
            return HTTPStatus.FORBIDDEN, _outcome_of([("forbidden", "", "idPE mismatch")])
        with self._lock:
            created = self._take(bundle)
            if created and self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with self.file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(bundle) + "\n")
        MEASURES.labels("accepted" if created else "repeat").inc()
        return HTTPStatus.OK, self._response(bundle)

    def _take(self, bundle: dict[str, Any]) -> bool:
        name = _name(_observation(bundle))
        if name in self.accepted:
            self.repeats[name] = self.repeats.get(name, 0) + 1
            return False
        self.accepted[name] = bundle
        return True

    def _response(self, bundle: dict[str, Any]) -> dict[str, Any]:
        entries = []
        for entry in bundle["entry"]:
            condition = entry["request"].get("ifNoneExist")
            status = "200 OK" if condition in self.devices else "201 Created"
            if condition is not None:
                self.devices.add(condition)
            resource = entry["resource"]
            location = f"{resource['resourceType']}/{resource['id']}"
            entries.append({"response": {"status": status, "location": location}})
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}

    def listing(self) -> dict[str, Any]:
        """Tell what was accepted: the bundles in order, and how often each came again."""
        with self._lock:
            return {"accepted": list(self.accepted.values()), "repeats": dict(self.repeats)}


class Served:
    """The space's HTTP server, in threads of its own."""

    def __init__(self, space: Space, host: str, port: int, path: str) -> None:
        self.space = space

        class Handler(_Handler):
            """Answers for this space."""

        Handler.space, Handler.base = space, path.rstrip("/") or "/"
        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise SettingError(f"{host}:{port} cannot be listened on: {error.strerror}") from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
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


def serve(space: Space, url: str) -> Served:
    """Listen at the address of `url` (`http://host:port/path`, the FHIR base) until closed.

    Port 0 takes a free one. Raises SettingError when the address cannot be listened on.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.port is None:
        raise SettingError("VIGIE_ENS must be http://host:port/path for the simulated space")
    return Served(space, parts.hostname, parts.port, parts.path)


class _Server(ThreadingHTTPServer):
    """A server for a crowd: the library's own queue of five resets the sixth."""

    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    """HTTP around a Space."""

    protocol_version = "HTTP/1.1"
    space: Space
    base: str

    def do_POST(self) -> None:
        """Judge a bundle."""
        length = int(self.headers.get("Content-Length", 0))
        if urlsplit(self.path).path.rstrip("/") != self.base.rstrip("/") or length > LARGEST:
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND, _outcome_of([("not-found", "", "not the base")]))
            return
        body = self.rfile.read(length)
        status, resource = self.space.post(body, self.headers.get("Authorization", ""))
        self._answer(status, resource)

    def do_GET(self) -> None:
        """Tell what was accepted."""
        if self.path != "/accepted":
            self._answer(HTTPStatus.NOT_FOUND, _outcome_of([("not-found", "", "GET /accepted")]))
            return
        self._answer(HTTPStatus.OK, self.space.listing())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the metrics count."""

    def _answer(self, status: HTTPStatus, resource: dict[str, Any]) -> None:
        body = json.dumps(resource).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _observation(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    )
    return found


def _name(observation: dict[str, Any]) -> str:
    for identifier in observation.get("identifier") or ():
        return "|".join(str(identifier.get(part, "")) for part in IDENTIFIER)
    return str(observation["id"])


def _outcome_of(issues: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "error", "code": code, "diagnostics": what}
            | ({"expression": [at]} if at else {})
            for code, at, what in issues
        ],
    }
