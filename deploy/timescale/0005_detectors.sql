-- What detectors learned to look at: time that passes, risks, and more of what is set for a patient.
-- Every statement may run while an older worker is at work: what it does not know of has a default.
-- Locks are taken in the order in which the others take them, so that nobody waits for one another:
-- the worker begins with `progress`, a reader with the view and then its table, the registry with
-- limits and then patients.

-- Seconds for which the partition's ticks have come, by their own times; it stands still while they do not
-- (streams/feed.py).
ALTER TABLE internal.progress ADD COLUMN IF NOT EXISTS fed float8 NOT NULL DEFAULT 0;

-- The `fed` second at which the watch may have something to say though nothing comes; NULL: never.
ALTER TABLE internal.state ADD COLUMN IF NOT EXISTS due float8;

LOCK TABLE public.assessments IN ACCESS EXCLUSIVE MODE;

-- Probabilities, 0..1; NULL: unknown. Other questions than these two are told in alerts only.
ALTER TABLE internal.assessment
    ADD COLUMN IF NOT EXISTS risk_deterioration float8,
    ADD COLUMN IF NOT EXISTS risk_sepsis float8;

CREATE OR REPLACE VIEW public.assessments AS
SELECT patient, time, news2, news2_missing, anomaly, risk_deterioration, risk_sepsis
FROM internal.assessment;

-- NULL leaves it to the patient's profile.
ALTER TABLE internal.patient_limit
    ADD COLUMN IF NOT EXISTS seconds float8,
    ADD COLUMN IF NOT EXISTS count int,
    ADD COLUMN IF NOT EXISTS margin float8,
    ADD COLUMN IF NOT EXISTS urgent boolean NOT NULL DEFAULT false;

-- Of the birth the year only: it tells a child from an adult, and nobody from anybody else.
ALTER TABLE internal.patient
    ADD COLUMN IF NOT EXISTS born smallint,
    ADD COLUMN IF NOT EXISTS pregnant boolean NOT NULL DEFAULT false;

-- They go with their patient, whoever erases him or her.
CREATE TABLE IF NOT EXISTS internal.patient_trend (
    patient text NOT NULL REFERENCES internal.patient ON DELETE CASCADE,
    vital text NOT NULL,
    days float8 NOT NULL CHECK (days > 0),
    rise float8,
    fall float8,
    PRIMARY KEY (patient, vital),
    CHECK (rise IS NOT NULL OR fall IS NOT NULL)
);

CREATE TABLE IF NOT EXISTS internal.patient_prescription (
    patient text NOT NULL REFERENCES internal.patient ON DELETE CASCADE,
    vital text NOT NULL,
    every_hours float8 NOT NULL CHECK (every_hours > 0),
    grace_hours float8 NOT NULL CHECK (grace_hours >= 0),
    PRIMARY KEY (patient, vital)
);
