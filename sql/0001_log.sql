-- The log: one stream per wallet, one order (position) over all of them.
-- Times are UTC; ids and keys are compared byte by byte (COLLATE "C").

-- One row. `position`: of the last event. An append takes the next positions from
-- here, last of all it does, so that positions become visible in their order.
-- `generation` counts the claims: an append names the one it knows, and finds no
-- row under an older one.
CREATE TABLE log (
  only_row boolean NOT NULL DEFAULT true,
  log_id uuid NOT NULL DEFAULT gen_random_uuid(),
  position bigint NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 0,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  CONSTRAINT ew_log_pk PRIMARY KEY (only_row),
  CONSTRAINT ew_log_only_row CHECK (only_row)
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

-- The last version of every stream: what an append moves, or does not. The fill
-- factor keeps the new row version on its page (HOT: no index is touched).
CREATE TABLE streams (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  CONSTRAINT ew_streams_pk PRIMARY KEY (wallet_id),
  CONSTRAINT ew_streams_version CHECK (version >= 0)
) WITH (fillfactor = 50);

-- `data` and `origin` are JSON, kept as text: nothing here looks into them, and
-- checking them costs a fifth of the throughput. Read them as `data::json`.
-- `origin`: what else is known of the command; null when there is nothing else.
CREATE TABLE events (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  position bigint NOT NULL,
  id uuid NOT NULL,
  time timestamptz(3) NOT NULL,
  type text COLLATE "C" NOT NULL,
  data text NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  origin text,
  CONSTRAINT ew_events_pk PRIMARY KEY (wallet_id, version),
  CONSTRAINT ew_events_position UNIQUE (position)
);

-- What an append hands over, as arrays of these: a commit, and an event with the
-- row that it makes. Nothing is stored in this form. The last fields of each are
-- of the transactional view.
CREATE TYPE appended_commit AS (
  wallet_id text,
  expected bigint,
  size integer,
  epoch bigint,
  status text,
  balance numeric,
  held numeric,
  overdraft_limit numeric,
  updated_at timestamptz,
  details text
);

CREATE TYPE appended_event AS (
  commit integer,
  wallet_id text,
  id uuid,
  time timestamptz,
  type text,
  data text,
  key text,
  fingerprint text,
  origin text,
  transaction text,
  amount numeric,
  balance_after numeric,
  currency text,
  rare text
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
