-- The backfill lane, consent, and the rest of the account.

-- `consent` counts readings that were dropped because their patient does not agree that they are kept;
-- `conflict` those of a device, vital and time that had come before with another value (the first
-- stays); `erased` rows that were counted as stored and have been deleted with their patient since.
ALTER TABLE internal.progress
    ADD COLUMN consent bigint NOT NULL DEFAULT 0,
    ADD COLUMN conflict bigint NOT NULL DEFAULT 0,
    ADD COLUMN erased bigint NOT NULL DEFAULT 0;

-- Why an alert ended, where its cause had not: `consent-withdrawn`.
ALTER TABLE internal.alert_event ADD COLUMN reason text;

-- Bits 1 (outside the suspect limits) and 2 (the device's clock was ahead) make a value doubtful; that
-- it came late (4) or that its time was corrected (8) does not. `flags` has them all.
CREATE OR REPLACE VIEW public.readings AS
SELECT s.patient, s.device, s.vital, x.time, x.value, v.unit,
       CASE x.quality & 3 WHEN 0 THEN 'good' ELSE 'suspect' END AS quality, x.received,
       x.original_value, x.original_unit, x.quality AS flags
FROM internal.sample x JOIN internal.series s ON s.id = x.series JOIN internal.vital v ON v.name = s.vital;

CREATE OR REPLACE VIEW public.latest AS
SELECT s.patient, s.device, s.vital, x.time, x.value, v.unit,
       CASE x.quality & 3 WHEN 0 THEN 'good' ELSE 'suspect' END AS quality, x.quality AS flags
FROM internal.latest x JOIN internal.series s ON s.id = x.series JOIN internal.vital v ON v.name = s.vital;

CREATE OR REPLACE VIEW public.alert_events AS
SELECT e.alert, e.number, a.patient, a.rule, e.time, e.phase, e.state, e.priority, e.finding, e.recorded,
       e.reason
FROM internal.alert_event e JOIN internal.alert a ON a.id = e.alert;

-- received = stored + duplicate + conflict + rejected + consent, per partition of both lanes;
-- `difference` must be 0.
CREATE OR REPLACE VIEW public.ledger AS
SELECT topic, partition, next_offset, tick, received, stored, duplicate, rejected, dead, lost,
       received - stored - duplicate - conflict - rejected - consent AS difference,
       consent, conflict, erased
FROM internal.progress;
