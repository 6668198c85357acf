"""Telegraf, built from its source with the two plugins that a bridge from MQTT to Kafka needs.

It is built once, by the Go that is at hand, from the Go module proxy that Go itself is set to.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from deploy.local import accounts, state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.local.install import Say

MODULE, VERSION = "github.com/influxdata/telegraf", "v1.37.2"
# What Go's checksum database has for this version: another content is not what was measured.
SUM = "h1:mYr0I/suEw9+UM4KrCFuYuzJuq/e99cINniIwqO6ykw="
# Telegraf's own way to a small build (its docs/CUSTOMIZATION.md): these plugins and no other.
TAGS = "custom,inputs.mqtt_consumer,outputs.kafka,parsers.value,serializers.influx"
BUILD_SECONDS = 1800
TOPIC = "bench.telegraf"

# Persistent session: without it Telegraf acknowledges before Kafka has a message. Four batches fit
# into what may be undelivered, so that one is filled while another is on its way; of 100, 250, 500
# and 1000 it was the fastest. Acknowledged by all replicas, as ours are. No key: Telegraf
# is spared what the order of a device's messages would cost it.
SETTINGS = """\
[agent]
  interval = "1s"
  flush_interval = "200ms"
  flush_jitter = "0s"
  metric_batch_size = {batch}
  metric_buffer_limit = 100000
  omit_hostname = true
  skip_processors_after_aggregators = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://{broker}"]
  client_id = "{name}"
  username = "{user}"
  password = "{password}"
  topics = ["{topic}"]
  qos = 1
  persistent_session = true
  max_undelivered_messages = 1000
  data_format = "value"
  data_type = "string"
[[outputs.kafka]]
  brokers = ["{kafka}"]
  topic = "{kafka_topic}"
  required_acks = -1
  compression_codec = 0
  data_format = "influx"
"""


class NotBuilt(Exception):
    """Telegraf is not there and cannot be made; the sentence says what is missing."""


def built(say: Say) -> Path:
    """Return the program, built if it is not there yet. Raises NotBuilt."""
    program = accounts.opt_folder(state.checkout()) / f"telegraf-{VERSION}"
    if program.exists():
        return program
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise NotBuilt(
            f"Telegraf {VERSION} is built from source, and Go is missing: install 1.25.5 or newer."
        )
    say(f"building Telegraf {VERSION} with two plugins, once: a minute or a few")
    source = _source(go)
    program.parent.mkdir(parents=True, exist_ok=True)
    beside = program.with_suffix(".new")
    command = ("build", "-C", source, "-trimpath", "-buildvcs=false", "-tags", TAGS)
    _go(go, *command, "-o", str(beside), "./cmd/telegraf")
    beside.replace(program)
    say(f"built {program}")
    return program


def settings(environment: Mapping[str, str], name: str, topic: str, batch: int) -> str:
    """Give Telegraf's settings file for the same broker, backlog and Kafka as our gateway's."""
    broker = urlsplit(environment["VIGIE_MQTT"])
    return SETTINGS.format(
        batch=batch,
        broker=f"{broker.hostname}:{broker.port}",
        name=name,
        user=unquote(broker.username or ""),
        password=unquote(broker.password or ""),
        topic=topic,
        kafka='", "'.join(environment["VIGIE_KAFKA"].split(",")),
        kafka_topic=TOPIC,
    )


def _source(go: str) -> str:
    told = json.loads(_go(go, "mod", "download", "-json", f"{MODULE}@{VERSION}"))
    if told["Sum"] != SUM:
        raise NotBuilt(f"The source of Telegraf {VERSION} is not the one that was published.")
    return str(told["Dir"])


def _go(go: str, *arguments: str) -> str:
    # Outside of any module: the checkout's folders are none of Go's business.
    done = subprocess.run(
        [go, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(go).parent,
        timeout=BUILD_SECONDS,
    )
    if done.returncode:
        tail = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise NotBuilt(f"Telegraf {VERSION} could not be built: {tail}")
    return done.stdout
