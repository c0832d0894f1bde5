-- What has happened to wallets, one row an event: the log and the transactions in one.
-- Times are UTC, amounts minor units; ids and keys are compared byte by byte (COLLATE "C").
-- The constraints repeat the laws; all of ours are named ew_*, so that a user's own can be told from them.

-- One row. `role`: whether `events` is the log itself or a copy of one that lives elsewhere;
-- null: nothing has been written yet. `log_id`: of that log. `position`: of the last event; an
-- append takes the next ones from here, last of all it locks, so that positions become visible
-- in their order. `generation` counts the claims: an append names the one it knows, and finds
-- no row under an older one. (A copy uses neither.)
CREATE TABLE log (
  only_row boolean NOT NULL DEFAULT true,
  role text COLLATE "C",
  log_id text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
  position bigint NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT ew_log_pk PRIMARY KEY (only_row),
  CONSTRAINT ew_log_only_row CHECK (only_row),
  CONSTRAINT ew_log_role CHECK (role IN ('log', 'copy'))
) WITH (fillfactor = 10);

INSERT INTO log DEFAULT VALUES;

-- Who owns a partition. `epoch` counts its claims, from 1.
CREATE TABLE claims (
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  owner text NOT NULL,
  claimed_at timestamptz(3) NOT NULL,
  CONSTRAINT ew_claims_pk PRIMARY KEY (partition),
  CONSTRAINT ew_claims_partition CHECK (partition >= 0),
  CONSTRAINT ew_claims_epoch CHECK (epoch > 0)
);

-- Behind a log that is a store of its own: up to which position a process may have given rows to
-- the database behind it. In the log, not in that database, for a copy that was put back there
-- would not know.
CREATE TABLE high_watermarks (
  owner text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  CONSTRAINT ew_high_watermarks_pk PRIMARY KEY (owner)
);

-- An event. `amount`: what it moves of the balance, null when it moves nothing; a row with an
-- amount is a transaction (see the view below). `counterparty`: the other wallet of a transfer.
-- `data`: what else belongs to the event, `origin`: what else is known of its command; both are
-- JSON kept as text (nothing here looks into them, and checking costs), null when there is
-- nothing else. `words`: what search finds the transaction by, null when there are none.
--
-- Fixed widths first: no padding.
CREATE TABLE events (
  position bigint NOT NULL,
  version bigint NOT NULL,
  time timestamptz(3) NOT NULL,
  epoch bigint NOT NULL,
  id uuid NOT NULL,
  wallet_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  amount numeric(36),
  balance_after numeric(36) NOT NULL,
  held_after numeric(36) NOT NULL,
  reference text,
  metadata json,
  hold_id text COLLATE "C",
  transfer_id text COLLATE "C",
  counterparty text COLLATE "C",
  data text,
  origin text,
  words text[],
  CONSTRAINT ew_events_pk PRIMARY KEY (wallet_id, version),
  CONSTRAINT ew_events_amount CHECK (amount > 0)
) WITH (
  -- Rows are never changed: they are frozen in small steps as they come, and not all at
  -- once when transaction ids run out.
  autovacuum_vacuum_insert_scale_factor = 0.02,
  autovacuum_freeze_min_age = 0
);

-- For each index who reads it and what it costs an append: docs/ARCHITECTURE.md, "Indexes".
CREATE UNIQUE INDEX ew_events_position ON events (position);
CREATE INDEX ew_events_key ON events (hashtextextended(key, hashtextextended(wallet_id, 0)));
CREATE INDEX ew_events_rare_of_wallet ON events (wallet_id, type, version)
  WHERE amount IS NOT NULL AND type NOT IN ('WalletCredited', 'WalletDebited');
CREATE INDEX ew_events_rare ON events (type, position)
  WHERE amount IS NOT NULL AND type NOT IN ('WalletCredited', 'WalletDebited');
CREATE INDEX ew_events_received ON events (transfer_id) WHERE type IN ('TransferReceived', 'OperationReversed');
-- A pending list of the default 4 MB stalls the append that overflows it for seconds.
CREATE INDEX ew_events_words ON events USING gin (words) WITH (gin_pending_list_limit = 256) WHERE words IS NOT NULL;

-- The log is never changed, by nobody's tool; a copy may be written again.
CREATE FUNCTION refuse_to_change_the_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT role FROM log) = 'log' THEN
    RAISE EXCEPTION 'the events of this database are the log: they are never changed or removed'
      USING ERRCODE = 'object_not_in_prerequisite_state', CONSTRAINT = 'ew_events_are_the_log';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER ew_events_unchanged BEFORE UPDATE OR DELETE OR TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_log();

-- A user's trigger that answers NULL keeps a row out without a word. Whoever writes counts its rows,
-- and calls this when some are missing.
CREATE FUNCTION refuse_suppressed_rows(table_name text, given bigint, written bigint) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a trigger on % has suppressed % of % rows: a rule that refuses has to raise an exception',
    table_name, given - written, given;
END $$;

-- What an append or a write hands over, as arrays of these: a commit, and an event. Nothing is
-- stored in this form. `first`: how many events of the batch come before the commit's.
-- `unsure`: keys that an earlier command of the wallet may have had.
CREATE TYPE given_commit AS (
  wallet_id text,
  expected bigint,
  size integer,
  first integer,
  status text,
  balance numeric,
  held numeric,
  overdraft_limit numeric,
  updated_at timestamptz,
  details text,
  unsure text[]
);

CREATE TYPE given_event AS (
  commit integer,
  version bigint,
  time timestamptz,
  epoch bigint,
  id uuid,
  wallet_id text,
  type text,
  key text,
  fingerprint text,
  currency text,
  amount numeric,
  balance_after numeric,
  held_after numeric,
  reference text,
  metadata json,
  hold_id text,
  transfer_id text,
  counterparty text,
  data text,
  origin text,
  words text[]
);

-- State at a version, so that loading a wallet does not grow with its history.
-- All are kept: the nearest one serves questions about the past.
CREATE TABLE snapshots (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  time timestamptz(3) NOT NULL,
  data text NOT NULL,
  CONSTRAINT ew_snapshots_pk PRIMARY KEY (wallet_id, version)
);

-- The movements of balances, for whoever reads them in SQL.
CREATE VIEW transactions AS
SELECT wallet_id, version, position, id,
  CASE type
    WHEN 'WalletCredited' THEN 'credit'
    WHEN 'WalletDebited' THEN 'debit'
    WHEN 'HoldCaptured' THEN 'capture'
    WHEN 'TransferReceived' THEN 'transfer_in'
    WHEN 'TransferSent' THEN 'transfer_out'
    ELSE 'reversal'
  END AS type,
  amount, balance_after, currency, reference, metadata, hold_id, transfer_id, time AS created_at, key
FROM events
WHERE amount IS NOT NULL;

-- Times and positions go up with the versions of a wallet, so a search by halves
-- along the primary key finds where a time or a position begins: no further index.

-- The first version after all events of the wallet up to that time.
CREATE FUNCTION version_after_time(wallet text, moment timestamptz) RETURNS bigint
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE search (low, high) AS (
    (SELECT 0::bigint, e.version + 1 FROM events e WHERE e.wallet_id = wallet ORDER BY e.version DESC LIMIT 1)
    UNION ALL
    SELECT CASE WHEN p.time > moment THEN s.low ELSE p.version + 1 END,
      CASE WHEN p.time > moment THEN (s.low + s.high) / 2 ELSE s.high END
    FROM search s CROSS JOIN LATERAL (
      SELECT e.version, e.time FROM events e
      WHERE e.wallet_id = wallet AND e.version >= (s.low + s.high) / 2 ORDER BY e.version LIMIT 1
    ) p
    WHERE s.low < s.high
  )
  SELECT coalesce(max(low), 0) FROM search
$$;

-- The first version of the wallet that is not before that position.
CREATE FUNCTION version_from_position(wallet text, place bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE search (low, high) AS (
    (SELECT 0::bigint, e.version + 1 FROM events e WHERE e.wallet_id = wallet ORDER BY e.version DESC LIMIT 1)
    UNION ALL
    SELECT CASE WHEN p.position >= place THEN s.low ELSE p.version + 1 END,
      CASE WHEN p.position >= place THEN (s.low + s.high) / 2 ELSE s.high END
    FROM search s CROSS JOIN LATERAL (
      SELECT e.version, e.position FROM events e
      WHERE e.wallet_id = wallet AND e.version >= (s.low + s.high) / 2 ORDER BY e.version LIMIT 1
    ) p
    WHERE s.low < s.high
  )
  SELECT coalesce(max(low), 0) FROM search
$$;
