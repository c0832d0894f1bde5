-- Keys for less than everything, keys that expire and keys with two secrets; and what admins have done. Both are not
-- derived from the log: they belong in the backup.

-- `restriction`: JSON, null for a key without one. The release before knows neither restrictions nor expiry: of a key
-- that has one `hash` begins with `2:`, so that no secret has it there, and the key opens nothing.
-- `previous_hash`: of the secret before, which is good until then.
ALTER TABLE api_keys
  ADD COLUMN restriction text,
  ADD COLUMN expires_at timestamptz(3),
  ADD COLUMN previous_hash text COLLATE "C",
  ADD COLUMN previous_until timestamptz(3),
  ADD CONSTRAINT ew_api_keys_previous CHECK ((previous_hash IS NULL) = (previous_until IS NULL));

-- What admins have done, and what keys were refused. `number`: the order of writing. `count`: how often within the
-- minute of `time`. `key_id`: null for the command line.
CREATE TABLE audit (
  number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  time timestamptz(3) NOT NULL,
  count integer NOT NULL,
  key_id text COLLATE "C",
  key_name text NOT NULL,
  action text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  target text,
  detail text,
  CONSTRAINT ew_audit_pk PRIMARY KEY (number),
  CONSTRAINT ew_audit_outcome CHECK (outcome IN ('done', 'refused')),
  CONSTRAINT ew_audit_count CHECK (count > 0)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);

CREATE INDEX ew_audit_time ON audit (time, number);
CREATE INDEX ew_audit_key ON audit (key_id, number);
CREATE INDEX ew_audit_action ON audit (action, number);

-- Rows are never changed. They go when they are older than they are kept, and in no other way by this service.
CREATE FUNCTION refuse_to_change_the_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of the audit list are never changed'
    USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'ew_audit_unchanged';
END $$;

CREATE TRIGGER ew_audit_unchanged BEFORE UPDATE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_audit();
