-- Who patients are: encrypted before it comes here (ingest/vault/sealing.py), under a key that is
-- never in the database. And what stays of a patient who was erased: proofs that name nobody.

-- The site's root key, wrapped by the vault key. One row: a second vault key beside it would leave
-- identities that the first cannot open.
CREATE TABLE internal.vault (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    key_version text NOT NULL,
    wrapped_root bytea NOT NULL
);

-- `key_version` names the vault key that wrapped the patient's data key. `ins_index` is a keyed hash of
-- the INS, so that two patients with one INS are noticed without opening anything.
CREATE TABLE internal.identity (
    patient text PRIMARY KEY,
    key_version text NOT NULL,
    wrapped_key bytea NOT NULL,
    sealed bytea NOT NULL,
    ins_index bytea UNIQUE,
    changed timestamptz NOT NULL DEFAULT now()
);

-- `mark` is a keyed hash of the pseudonym: who has the vault key and the pseudonym can show that this
-- patient was erased, or had agreed; nobody can go the other way.
CREATE TABLE internal.erasure (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mark bytea NOT NULL,
    by text NOT NULL,
    why text NOT NULL,
    erased timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX erasure_mark ON internal.erasure (mark);

-- Proof that an erased patient had agreed, and until when (GDPR, article 7(1)): the acts as they stood in
-- internal.consent. `evidence_mark` is a keyed hash of the reference to the signed text: the reference
-- itself may name the patient, and who holds the text can still show that it is this one.
CREATE TABLE internal.consent_proof (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mark bytea NOT NULL,
    purpose text NOT NULL,
    granted boolean NOT NULL,
    text_version text NOT NULL,
    time timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    recorded_by text NOT NULL,
    evidence_mark bytea NOT NULL
);
CREATE INDEX consent_proof_mark ON internal.consent_proof (mark);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON internal.consent_proof
FOR EACH STATEMENT EXECUTE FUNCTION internal.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON internal.erasure
FOR EACH STATEMENT EXECUTE FUNCTION internal.append_only();
