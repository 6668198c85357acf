"""The SQL of the worker's one transaction, apart from the code that runs it."""

from __future__ import annotations

# Arrays as parameters are binary (%b): the text form is quoted value by value.

INCOMING = """
CREATE TEMP TABLE IF NOT EXISTS incoming (
    series int4, time timestamptz, value float8, quality int2, received timestamptz,
    original_value float8, original_unit text
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS scores (
    patient text, time timestamptz, news2 int2, missing text, anomaly float8,
    deterioration float8, sepsis float8
) ON COMMIT DELETE ROWS"""
COPY = "COPY pg_temp.incoming FROM STDIN (FORMAT binary)"
COPY_TYPES = ["int4", "timestamptz", "float8", "int2", "timestamptz", "float8", "text"]
COPY_SCORES = "COPY pg_temp.scores FROM STDIN (FORMAT binary)"
COPY_SCORES_TYPES = ["text", "timestamptz", "int2", "text", "float8", "float8", "float8"]
# The order of the COPY is kept, so of two values for one reading the first stays.
STORE = """
WITH stored AS (
    INSERT INTO internal.sample
           (series, time, value, quality, received, original_value, original_unit)
    SELECT * FROM pg_temp.incoming
    ON CONFLICT (series, time) DO NOTHING RETURNING series)
SELECT series, count(*) FROM stored GROUP BY series"""
# Of the copies, those with another value than the row that stands. OFFSET 0 makes the planner take
# each row's chunk and index; a join would read whole chunks. The bounds keep other chunks out from
# the start: to be asked for each row costs 3 us a chunk (measured: 0.5 ms a row after three years).
SPAN = "SELECT min(time), max(time) FROM pg_temp.incoming"
CONFLICTS = """
SELECT i.series, count(*)
FROM pg_temp.incoming AS i
CROSS JOIN LATERAL (
    SELECT x.value FROM internal.sample AS x
    WHERE x.series = i.series AND x.time = i.time AND x.time BETWEEN %b AND %b OFFSET 0) AS known
WHERE known.value IS DISTINCT FROM i.value GROUP BY i.series"""
LATEST = """
INSERT INTO internal.latest AS known (series, time, value, quality)
SELECT * FROM unnest(%b::int4[], %b::timestamptz[], %b::float8[], %b::int2[])
ON CONFLICT (series) DO UPDATE
SET time = excluded.time, value = excluded.value, quality = excluded.quality
WHERE known.time < excluded.time"""
ASSESSMENTS = """
INSERT INTO internal.assessment
       (patient, time, news2, news2_missing, anomaly, risk_deterioration, risk_sepsis)
SELECT patient, time, news2, string_to_array(missing, ','), anomaly, deterioration, sepsis
FROM pg_temp.scores
ON CONFLICT (patient, time) DO UPDATE
SET news2 = excluded.news2, news2_missing = excluded.news2_missing, anomaly = excluded.anomaly,
    risk_deterioration = excluded.risk_deterioration, risk_sepsis = excluded.risk_sepsis"""
STATES = """
INSERT INTO internal.state (patient, partition, state, due)
SELECT * FROM unnest(%b::text[], %b::int4[], %b::bytea[], %b::float8[])
ON CONFLICT (patient) DO UPDATE
SET partition = excluded.partition, state = excluded.state, due = excluded.due"""
NEW_SERIES = """
INSERT INTO internal.series (patient, device, vital)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[]) ON CONFLICT DO NOTHING"""
KNOWN_SERIES = """
SELECT s.patient, s.device, s.vital, s.id FROM internal.series s
JOIN unnest(%b::text[], %b::text[], %b::text[]) AS n (patient, device, vital)
     USING (patient, device, vital)"""
STATES_OF = "SELECT partition, patient, state, due FROM internal.state WHERE partition = ANY(%b)"
PROGRESS = """
SELECT partition, next_offset, revision, tick, fed FROM internal.progress
WHERE topic = %s AND partition = ANY(%b) ORDER BY partition"""
ADVANCE = """
UPDATE internal.progress
SET next_offset = %s, revision = %s, tick = %s, fed = %s,
    received = received + %s, stored = stored + %s,
    duplicate = duplicate + %s, conflict = conflict + %s, consent = consent + %s, dead = dead + %s,
    lost = lost + %s
WHERE topic = %s AND partition = %s AND next_offset = %s"""
# An episode whose watch was lost (a state that could not be read) would hold its rule for ever.
ORPHANS = """
UPDATE internal.alert AS a SET ended = n.started, state = 'latched'
FROM unnest(%b::text[], %b::text[], %b::timestamptz[], %b::uuid[]) AS n (patient, rule, started, id)
WHERE a.patient = n.patient AND a.rule = n.rule AND a.ended IS NULL AND a.id <> n.id
  AND a.id <> ALL(%b::uuid[])"""
ALERTS = """
INSERT INTO internal.alert AS known (id, patient, rule, kind, priority, state, started, ended)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE
SET priority = excluded.priority, state = excluded.state,
    ended = coalesce(known.ended, excluded.ended)"""
EVENTS = """
INSERT INTO internal.alert_event (alert, number, time, phase, state, priority, finding, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s::text::jsonb, %s) ON CONFLICT DO NOTHING"""
# Who does not agree to be watched leaves no state, and no alert that nothing could ever end.
UNWATCH = "DELETE FROM internal.state WHERE patient = ANY(%b::text[])"
CLOSE = """
UPDATE internal.alert SET ended = greatest(started, now()), state = 'latched'
WHERE patient = ANY(%b::text[]) AND ended IS NULL"""
DELIVERIES = """
INSERT INTO internal.delivery (id, alert, number, channel, recipient, measure)
VALUES (%s, %s, %s, %s, %s, %s::text::jsonb) ON CONFLICT DO NOTHING"""
OUTBOX = "INSERT INTO internal.outbox (topic, key, value) VALUES (%s, %s, %s)"
LEDGER = """
SELECT (SELECT count(*) FROM internal.sample),
       topic, partition, next_offset, tick, received, stored, duplicate, rejected, dead, lost,
       difference, consent, conflict, erased
FROM public.ledger ORDER BY topic, partition"""
