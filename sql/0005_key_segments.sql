-- Filters of wallets' idempotency keys, for a Persistence behind a log that lives
-- elsewhere. Derived from the log, and of use without being true: whoever reads a
-- segment looks its event up there.

-- Bloom filters, of the keys of the events from_version to to_version. A wallet's are a
-- chain: previous_event_id is the event_id of the one before, null for the first.
CREATE TABLE key_segments (
  wallet_id text COLLATE "C" NOT NULL,
  from_version bigint NOT NULL,
  to_version bigint NOT NULL,
  previous_event_id text COLLATE "C",
  event_id text COLLATE "C" NOT NULL,
  form integer NOT NULL,
  keys integer NOT NULL,
  bits bytea NOT NULL,
  CONSTRAINT ew_key_segments_pk PRIMARY KEY (wallet_id, from_version),
  CONSTRAINT ew_key_segments_versions CHECK (from_version >= 0 AND to_version >= from_version)
);

-- Full ones do not compress.
ALTER TABLE key_segments ALTER COLUMN bits SET STORAGE EXTERNAL;
