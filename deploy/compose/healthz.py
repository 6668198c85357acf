"""Ask the process in this container whether it is well; exit 0 if it says so.

`python -m deploy.compose.healthz` with the port in HEALTH_PORT, as the image's HEALTHCHECK runs it.
"""

from __future__ import annotations

import http.client
import os

TIMEOUT_SECONDS = 2.0


def is_well(port: int) -> bool:
    """Whether /healthz on this port of the loopback answers 200 in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    raise SystemExit(0 if is_well(int(os.environ["HEALTH_PORT"])) else 1)
