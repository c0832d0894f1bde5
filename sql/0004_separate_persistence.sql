-- The transactional view as a store of its own, behind a log that lives elsewhere;
-- transfers; what is due.

-- Every event has its row either in transactions or here, so every version's event
-- can be told by its id. Null: written by a release before this one, without a log
-- in this database.
ALTER TABLE idempotency_keys ADD COLUMN id uuid;

UPDATE idempotency_keys k SET id = e.id FROM events e WHERE e.wallet_id = k.wallet_id AND e.version = k.version;

-- One row. Whose events are here; null: nobody has said so yet.
CREATE TABLE persisted_log (
  only_row boolean NOT NULL DEFAULT true,
  log_id text COLLATE "C",
  CONSTRAINT ew_persisted_log_pk PRIMARY KEY (only_row),
  CONSTRAINT ew_persisted_log_only_row CHECK (only_row)
);

INSERT INTO persisted_log DEFAULT VALUES;

-- The order of the lists over all wallets where the log is not in this database.
-- Lists go from the newest back, so a row that becomes visible late does no harm.
CREATE SEQUENCE persisted_position AS bigint;

-- Positions that rows had before a rebuild, so that they keep their places in the
-- lists. Filled and emptied within one transaction.
CREATE TABLE kept_positions (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  position bigint NOT NULL,
  CONSTRAINT ew_kept_positions_pk PRIMARY KEY (wallet_id, version)
);

-- Up to where each node's appends are persisted.
CREATE TABLE marks (
  owner text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  CONSTRAINT ew_marks_pk PRIMARY KEY (owner)
) WITH (fillfactor = 10);

-- Events that a user's rule has refused. `reversed_version`: of the OperationReversed
-- that undoes it, once that is persisted.
CREATE TABLE refusals (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  event_id uuid NOT NULL,
  reason text NOT NULL,
  refused_at timestamptz(3) NOT NULL,
  reversed_version bigint,
  CONSTRAINT ew_refusals_pk PRIMARY KEY (wallet_id, version),
  CONSTRAINT ew_refusals_version CHECK (version >= 0),
  CONSTRAINT ew_refusals_reversed_version CHECK (reversed_version > version)
);

CREATE INDEX ew_refusals_open ON refusals (wallet_id, version) WHERE reversed_version IS NULL;

-- A transfer as its source tells it. `version`, `position`: of its TransferSent.
-- `updated_at`: of TransferSent or TransferReversed. That its destination has it
-- shows in transactions.
CREATE TABLE transfers (
  wallet_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  to_wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  position bigint NOT NULL,
  amount numeric(36) NOT NULL,
  currency text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  reason text,
  reference text,
  metadata json,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  CONSTRAINT ew_transfers_pk PRIMARY KEY (wallet_id, id),
  CONSTRAINT ew_transfers_to CHECK (to_wallet_id <> wallet_id),
  CONSTRAINT ew_transfers_version CHECK (version >= 0),
  CONSTRAINT ew_transfers_amount CHECK (amount > 0),
  CONSTRAINT ew_transfers_status CHECK (status IN ('pending', 'completed', 'reversed')),
  CONSTRAINT ew_transfers_reason CHECK ((status = 'reversed') = (reason IS NOT NULL))
);

CREATE INDEX ew_transfers_id ON transfers (id);
-- Newest first of one status; newest first of all is a merge of the three.
CREATE INDEX ew_transfers_position ON transfers (status, position);
CREATE INDEX ew_transfers_from ON transfers (wallet_id, status, position);
CREATE INDEX ew_transfers_into ON transfers (to_wallet_id, status, position);
CREATE INDEX ew_transfers_open ON transfers (created_at, wallet_id, id) WHERE status = 'pending';

-- What a transfer has come to at its destination. The first condition is soon false
-- for all that is no transfer.
CREATE INDEX ew_transactions_transfer ON transactions (transfer_id, wallet_id, type)
  WHERE transfer_id IS NOT NULL AND type IN ('transfer_in', 'reversal');

CREATE INDEX ew_holds_due ON holds (expires_at, wallet_id, id) WHERE status = 'active' AND expires_at IS NOT NULL;

-- The persisted version of a wallet whose creation was refused: it has no row in
-- wallets, and of its events nothing but keys. Null: there is no such refusal.
CREATE FUNCTION refused_version(wallet text) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT k.version FROM idempotency_keys k
  WHERE k.wallet_id = wallet AND EXISTS (SELECT FROM refusals r WHERE r.wallet_id = wallet AND r.version = 0)
  ORDER BY k.version DESC LIMIT 1
$$;
