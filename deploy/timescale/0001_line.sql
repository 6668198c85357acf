-- The series, and what the worker's one transaction writes. Tables live in the schema `internal` and may
-- change; the views at the end are the contract with people and tools, and may only grow.

CREATE EXTENSION IF NOT EXISTS timescaledb;
-- Not called `vigie`: a role of that name would find the tables before the views.
CREATE SCHEMA IF NOT EXISTS internal;

-- The vitals' meaning; `vigie database migrate` fills it from ingest/readings.py.
CREATE TABLE internal.vital (
    name text PRIMARY KEY,
    loinc text,
    unit text NOT NULL
);

-- A small number for (patient, device, vital): 93 bytes a row instead of 162, and twice the speed.
CREATE TABLE internal.series (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient text NOT NULL,
    device text NOT NULL,
    vital text NOT NULL REFERENCES internal.vital,
    UNIQUE (patient, device, vital)
);

CREATE TABLE internal.sample (
    series int NOT NULL,
    time timestamptz NOT NULL,
    value float8 NOT NULL,
    quality smallint NOT NULL,
    received timestamptz NOT NULL,
    original_value float8,
    original_unit text
);
SELECT create_hypertable('internal.sample', by_range('time', interval '7 days'), create_default_indexes => false);
-- The same reading twice is one row; a series is read along this index.
CREATE UNIQUE INDEX sample_series_time ON internal.sample (series, time);

-- Rows that are rewritten with each batch get room beside them, so that no index has to follow.
CREATE TABLE internal.latest (
    series int PRIMARY KEY REFERENCES internal.series,
    time timestamptz NOT NULL,
    value float8 NOT NULL,
    quality smallint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE internal.assessment (
    patient text NOT NULL,
    time timestamptz NOT NULL,
    news2 smallint,
    news2_missing text[] NOT NULL,
    anomaly float8
);
SELECT create_hypertable('internal.assessment', by_range('time', interval '7 days'), create_default_indexes => false);
CREATE UNIQUE INDEX assessment_patient_time ON internal.assessment (patient, time);

-- A patient's watch: panel and open episodes, as versioned msgpack.
CREATE TABLE internal.state (
    patient text PRIMARY KEY,
    partition int NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX state_partition ON internal.state (partition);

-- Where the worker stands in the log. `next_offset` is compared and set in each batch's transaction:
-- what lies below it was applied, and a worker that has lost its partition cannot move it.
-- `revision` is the registry's, and `tick` the time, of the last tick applied. The counts are readings
-- since the beginning, for the ledger; `dead` counts records that were put into quarantine.
CREATE TABLE internal.progress (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    revision bigint NOT NULL DEFAULT 0,
    tick timestamptz,
    received bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    lost bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 10);

CREATE TABLE internal.alert (
    id uuid PRIMARY KEY,
    patient text NOT NULL,
    rule text NOT NULL,
    kind text NOT NULL,
    priority text NOT NULL,
    state text NOT NULL,
    started timestamptz NOT NULL,
    ended timestamptz
);
-- One open episode per patient and rule, whatever races there are.
CREATE UNIQUE INDEX alert_open ON internal.alert (patient, rule) WHERE ended IS NULL;

CREATE TABLE internal.alert_event (
    alert uuid NOT NULL REFERENCES internal.alert,
    number int NOT NULL,
    time timestamptz NOT NULL,
    phase text NOT NULL,
    state text NOT NULL,
    priority text NOT NULL,
    finding jsonb NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert, number)
);

-- Who must be told. Claimed with SKIP LOCKED and a lease, kept for ever as the journal of what was said.
CREATE TABLE internal.delivery (
    id uuid PRIMARY KEY,
    alert uuid NOT NULL REFERENCES internal.alert,
    number int NOT NULL,
    channel text NOT NULL,
    recipient text NOT NULL,
    measure jsonb,
    state text NOT NULL DEFAULT 'queued',
    due timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    attempts int NOT NULL DEFAULT 0,
    reason text,
    created timestamptz NOT NULL DEFAULT now(),
    settled timestamptz
);
CREATE INDEX delivery_due ON internal.delivery (due) WHERE state = 'queued';
CREATE INDEX delivery_alert ON internal.delivery (alert);

-- Records for Kafka that must follow the transaction: alert events, and the worker's quarantine.
CREATE TABLE internal.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key bytea,
    value bytea NOT NULL
);

CREATE VIEW public.readings AS
SELECT s.patient, s.device, s.vital, x.time, x.value, v.unit,
       CASE x.quality WHEN 0 THEN 'good' ELSE 'suspect' END AS quality, x.received,
       x.original_value, x.original_unit
FROM internal.sample x JOIN internal.series s ON s.id = x.series JOIN internal.vital v ON v.name = s.vital;

CREATE VIEW public.latest AS
SELECT s.patient, s.device, s.vital, x.time, x.value, v.unit,
       CASE x.quality WHEN 0 THEN 'good' ELSE 'suspect' END AS quality
FROM internal.latest x JOIN internal.series s ON s.id = x.series JOIN internal.vital v ON v.name = s.vital;

CREATE VIEW public.assessments AS
SELECT patient, time, news2, news2_missing, anomaly FROM internal.assessment;

CREATE VIEW public.alerts AS
SELECT id, patient, rule, priority, kind AS class, state, started, ended FROM internal.alert;

CREATE VIEW public.alert_events AS
SELECT e.alert, e.number, a.patient, a.rule, e.time, e.phase, e.state, e.priority, e.finding, e.recorded
FROM internal.alert_event e JOIN internal.alert a ON a.id = e.alert;

CREATE VIEW public.deliveries AS
SELECT id, alert, number, channel, recipient, state, due, attempts, reason, created, settled
FROM internal.delivery;

-- received = stored + duplicate + rejected, per partition; `difference` must be 0.
CREATE VIEW public.ledger AS
SELECT topic, partition, next_offset, tick, received, stored, duplicate, rejected, dead, lost,
       received - stored - duplicate - rejected AS difference
FROM internal.progress;
