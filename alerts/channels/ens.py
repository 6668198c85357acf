"""The channel to the patient's e-health space (ENS): one measure, one POST of a FHIR bundle."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
import msgspec

from alerts import events
from alerts.channels import fhir
from alerts.channels.port import NotNow, Refused
from ingest.ports import SettingError

if TYPE_CHECKING:
    from alerts.delivery import Due

# 401 is about our token, not about the measure; the others ask for patience.
AGAIN = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


class Ens:
    """Posts measures to the FHIR base of the e-health space.

    url: the FHIR base. token: bearer token, empty for none. Raises SettingError for a bad URL.
    """

    name = events.Channel.ENS
    settled = events.DeliveryState.ACCEPTED

    def __init__(
        self, url: str, token: str, space: fhir.Space, *, timeout_seconds: float = 10.0
    ) -> None:
        headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            raise SettingError("VIGIE_ENS must be an http:// or https:// URL") from None
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise SettingError("VIGIE_ENS must be an http:// or https:// URL")
        self._space = space
        # trust_env off: a proxy of the environment must not see health data by accident.
        self._http = httpx.AsyncClient(headers=headers, timeout=timeout_seconds, trust_env=False)

    async def send(self, due: Due) -> None:
        """Post the measure; see Channel.send."""
        delivery = due.delivery
        if delivery.measure is None:
            raise Refused(self.name, "no measure")
        content = msgspec.json.encode(
            fhir.bundle(delivery.measure, delivery.recipient, self._space)
        )
        try:
            response = await self._http.post(self._url, content=content)
        except httpx.TimeoutException:
            raise NotNow(self.name, "timeout") from None
        except httpx.HTTPError:
            raise NotNow(self.name, "connection") from None
        if response.is_success:
            return
        # The body is left out: an OperationOutcome may quote the measure.
        status = response.status_code
        again = status in AGAIN or response.is_server_error
        raise (NotNow if again else Refused)(self.name, f"http {status}")

    async def close(self) -> None:
        """Close the connections that are kept for the next measure."""
        await self._http.aclose()
