-- What only a copy of a log that lives elsewhere needs.

-- The order of its rows: each write takes a number, and its rows are counted below it
-- (position = number * 2^20 + place). Lists go from the newest back, so a row that becomes
-- visible late does no harm.
CREATE SEQUENCE copied_position AS bigint;

-- Events that are not in `events`, each in its place of the wallet's versions: those that a
-- user's rule has refused, with the `reason`; and those of a wallet whose very creation was
-- refused, without one: such a wallet has no row in `wallets`. `reversed_version`: of the
-- OperationReversed that undoes it, once that is persisted.
CREATE TABLE refusals (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  event_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  reason text,
  refused_at timestamptz(3),
  reversed_version bigint,
  CONSTRAINT ew_refusals_pk PRIMARY KEY (wallet_id, version),
  CONSTRAINT ew_refusals_version CHECK (version >= 0),
  CONSTRAINT ew_refusals_reason CHECK ((reason IS NULL) = (refused_at IS NULL)),
  CONSTRAINT ew_refusals_reversed_version CHECK (reversed_version > version)
);

CREATE INDEX ew_refusals_open ON refusals (wallet_id, version) WHERE reversed_version IS NULL AND reason IS NOT NULL;
CREATE INDEX ew_refusals_key ON refusals (hashtextextended(key, hashtextextended(wallet_id, 0)));

-- The persisted version of a wallet whose creation was refused. Null: there is no such refusal.
CREATE FUNCTION refused_version(wallet text) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT r.version FROM refusals r
  WHERE r.wallet_id = wallet AND EXISTS (SELECT FROM refusals f WHERE f.wallet_id = wallet AND f.version = 0)
  ORDER BY r.version DESC LIMIT 1
$$;

-- Up to where each node's appends are persisted.
CREATE TABLE checkpoints (
  owner text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  CONSTRAINT ew_checkpoints_pk PRIMARY KEY (owner)
) WITH (fillfactor = 10);

-- Filters of wallets' idempotency keys. Of use without being true: whoever reads a segment
-- looks its event up in the log. Bloom filters, of the keys of the events from_version to
-- to_version. A wallet's are a chain: previous_event_id is the event_id of the one before,
-- null for the first.
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
