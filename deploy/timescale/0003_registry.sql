-- The registry's truth: what may publish, whose readings it sends, and what each patient agreed to.
-- Patients stand here under a pseudonym only. Each change is published on `vigie.registry` (registry_outbox)
-- and told in the audit log, in the transaction that makes it (ingest/registry/store.py).

-- An exclusion constraint on a text and a period needs it; it is a trusted extension of contrib.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- The health store: device models and applications that may publish. `vitals` is by vital: what it measures
-- (`low`, `high` in the vital's own unit, `units`).
CREATE TABLE internal.model (
    id text PRIMARY KEY,
    maker text NOT NULL,
    name text NOT NULL,
    formats text[] NOT NULL,
    vitals jsonb NOT NULL,
    listed_from timestamptz NOT NULL,
    listed_until timestamptz,
    min_version text,
    max_version text
);

CREATE TABLE internal.device (
    id text PRIMARY KEY,
    model text NOT NULL REFERENCES internal.model,
    version text,
    clock_offset_seconds float8 NOT NULL,
    revoked boolean NOT NULL
);

CREATE TABLE internal.patient (
    id text PRIMARY KEY,
    profile text NOT NULL,
    physician text,
    ens text,
    spo2_scale smallint NOT NULL CHECK (spo2_scale IN (1, 2))
);

CREATE TABLE internal.patient_limit (
    patient text NOT NULL REFERENCES internal.patient,
    vital text NOT NULL,
    low float8,
    high float8,
    PRIMARY KEY (patient, vital),
    CHECK (low IS NOT NULL OR high IS NOT NULL),
    CHECK (low <= high)
);

-- `place` keeps the order in which the site wrote its team.
CREATE TABLE internal.team_member (
    patient text NOT NULL REFERENCES internal.patient,
    place smallint NOT NULL,
    role text NOT NULL,
    address text NOT NULL,
    PRIMARY KEY (patient, place)
);

-- Who wears a device from `started` on, up to but not including `ended` (NULL: no end). The database itself
-- refuses that two patients wear one device at one time, whoever writes.
CREATE TABLE internal.assignment (
    device text NOT NULL REFERENCES internal.device,
    patient text NOT NULL REFERENCES internal.patient,
    started timestamptz NOT NULL,
    ended timestamptz CHECK (ended > started),
    CONSTRAINT worn_by_one EXCLUDE USING gist (device WITH =, tstzrange(started, ended) WITH &&)
);
CREATE INDEX assignment_patient ON internal.assignment (patient);

-- One row per consent act: given or withdrawn, when, by which text, who recorded it, and where the signed
-- text is kept. A withdrawal is a new row; the newest row of a purpose says what holds.
CREATE TABLE internal.consent (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient text NOT NULL REFERENCES internal.patient,
    purpose text NOT NULL CHECK (purpose IN ('collect', 'monitor', 'share', 'research')),
    granted boolean NOT NULL,
    text_version text NOT NULL,
    time timestamptz NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now(),
    recorded_by text NOT NULL,
    evidence text NOT NULL
);
CREATE INDEX consent_patient ON internal.consent (patient, purpose, number DESC);

-- Only an erasure may take consent acts away: it names the patient in `vigie.erasing`, for its transaction.
CREATE FUNCTION internal.keep_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.patient = current_setting('vigie.erasing', true) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'a consent act is kept as it was recorded' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER keep_consent BEFORE UPDATE OR DELETE ON internal.consent
FOR EACH ROW EXECUTE FUNCTION internal.keep_consent();

-- Every change, and who made it and why. `hash` is SHA-256 over the previous entry's hash and this entry's
-- canonical JSON, in which `content`, a hash of salt, `why`, `key` and `change`, stands for these
-- (ingest/registry/audit.py). `change` is text, because its very bytes are in the hash. `salt` is NULL where an
-- erasure took the words out.
CREATE TABLE internal.audit (
    number bigint PRIMARY KEY,
    time timestamptz NOT NULL,
    by text NOT NULL,
    why text NOT NULL,
    key text NOT NULL,
    change text NOT NULL,
    salt bytea,
    content bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX audit_key ON internal.audit (key, number);

CREATE FUNCTION internal.append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON internal.audit
FOR EACH STATEMENT EXECUTE FUNCTION internal.append_only();

-- Only an erasure may take words out of an entry, and only of one that names its patient; what the chain is
-- made of stays.
CREATE FUNCTION internal.keep_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF strpos(OLD.key || OLD.why || OLD.change, nullif(current_setting('vigie.erasing', true), '')) > 0
       AND NEW.salt IS NULL AND NEW.why = '' AND NEW.change = '{}' AND NEW.key LIKE 'erased:%'
       AND (NEW.number, NEW.time, NEW."by", NEW.content, NEW.hash)
           = (OLD.number, OLD.time, OLD."by", OLD.content, OLD.hash) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'internal.audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER keep_entry BEFORE UPDATE ON internal.audit
FOR EACH ROW EXECUTE FUNCTION internal.keep_entry();
CREATE TRIGGER append_only BEFORE TRUNCATE ON internal.consent
FOR EACH STATEMENT EXECUTE FUNCTION internal.append_only();

-- Records for `vigie.registry` that must follow the transaction, in order; a NULL value is a tombstone.
CREATE TABLE internal.registry_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key bytea NOT NULL,
    value bytea
);

CREATE VIEW internal.consent_newest AS
SELECT DISTINCT ON (patient, purpose) *
FROM internal.consent ORDER BY patient, purpose, number DESC;

-- What holds now.
CREATE VIEW public.consents AS
SELECT patient, purpose, text_version, time AS since, recorded, recorded_by, evidence
FROM internal.consent_newest WHERE granted;

CREATE VIEW public.assignments AS
SELECT device, patient, started, ended FROM internal.assignment;

CREATE VIEW public.audit AS
SELECT number, time, by, why, key, change::jsonb AS change FROM internal.audit;
