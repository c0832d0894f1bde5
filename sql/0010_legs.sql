-- Transfers of several legs. For each index who reads it: docs/ARCHITECTURE.md, "Indexes".

-- The side of a leg at one wallet, from when that wallet has promised it: this is what a rule of
-- yours judges. `type`: as the event of a transfer of one leg would have it. `key`, `id`, `time`,
-- `version`, `position` and `balance_after` come when the transfer is completed: then it is a
-- transaction. Of one that is not, the row is removed.
CREATE TABLE legs (
  position bigint,
  version bigint,
  time timestamptz(3),
  leg integer NOT NULL,
  id uuid,
  wallet_id text COLLATE "C" NOT NULL,
  transfer_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  key text COLLATE "C",
  currency text COLLATE "C" NOT NULL,
  amount numeric(36) NOT NULL,
  balance_after numeric(36),
  effective_at timestamptz(3),
  counterparty text COLLATE "C" NOT NULL,
  reference text,
  metadata json,
  words text[],
  CONSTRAINT ew_legs_pk PRIMARY KEY (wallet_id, transfer_id, leg),
  CONSTRAINT ew_legs_type CHECK (type IN ('TransferSent', 'TransferReceived')),
  CONSTRAINT ew_legs_amount CHECK (amount > 0),
  CONSTRAINT ew_legs_counterparty CHECK (counterparty <> wallet_id),
  CONSTRAINT ew_legs_applied CHECK (num_nulls(position, version, time, id, key, balance_after, effective_at) IN (0, 7))
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX ew_legs_version ON legs (wallet_id, version, leg) WHERE version IS NOT NULL;
CREATE UNIQUE INDEX ew_legs_position ON legs (position, leg) WHERE version IS NOT NULL;
CREATE INDEX ew_legs_effective ON legs (wallet_id, effective_at, version, leg) WHERE version IS NOT NULL;
CREATE INDEX ew_legs_transfer ON legs (transfer_id) WHERE version IS NOT NULL;
CREATE INDEX ew_legs_words ON legs USING gin (words) WITH (gin_pending_list_limit = 256)
  WHERE words IS NOT NULL AND version IS NOT NULL;

-- The transactions among them, as the rows of `events` that are transactions.
CREATE VIEW leg_transactions AS
SELECT position, version, time, id, wallet_id, type, key, currency, amount, balance_after, reference, metadata,
  NULL::text AS hold_id, transfer_id, effective_at, words, leg
FROM legs
WHERE version IS NOT NULL;

-- Transactions that count at a time of their own.
CREATE VIEW dated_transactions AS
SELECT position, version, time, id, wallet_id, type, key, currency, amount, balance_after, reference, metadata,
  hold_id, transfer_id, effective_at, words, 0 AS leg
FROM events
WHERE amount IS NOT NULL AND effective_at IS NOT NULL
UNION ALL
SELECT position, version, time, id, wallet_id, type, key, currency, amount, balance_after, reference, metadata,
  hold_id, transfer_id, effective_at, words, leg
FROM leg_transactions;

CREATE OR REPLACE VIEW transactions AS
SELECT wallet_id, version, position, id,
  CASE type
    WHEN 'WalletCredited' THEN 'credit'
    WHEN 'WalletDebited' THEN 'debit'
    WHEN 'HoldCaptured' THEN 'capture'
    WHEN 'TransferReceived' THEN 'transfer_in'
    WHEN 'TransferSent' THEN 'transfer_out'
    ELSE 'reversal'
  END AS type,
  amount, balance_after, currency, reference, metadata, hold_id, transfer_id, time AS created_at, key,
  coalesce(effective_at, time) AS effective_at, 0 AS leg
FROM events
WHERE amount IS NOT NULL
UNION ALL
SELECT wallet_id, version, position, id,
  CASE type WHEN 'TransferReceived' THEN 'transfer_in' ELSE 'transfer_out' END,
  amount, balance_after, currency, reference, metadata, NULL, transfer_id, time, key, effective_at, leg
FROM legs
WHERE version IS NOT NULL;

-- Of several legs: `legs` as they were given, with their currencies, and no single destination,
-- amount and currency; `leg_transactions`: the ids of their transactions, by leg, once it is
-- completed; `leg`: the one that was refused. `version`, `position`: of its LegsBegun.
ALTER TABLE transfers
  ALTER COLUMN to_wallet_id DROP NOT NULL,
  ALTER COLUMN amount DROP NOT NULL,
  ALTER COLUMN currency DROP NOT NULL,
  ADD COLUMN legs json,
  ADD COLUMN leg_transactions json,
  ADD COLUMN leg integer,
  ADD CONSTRAINT ew_transfers_legs
    CHECK (num_nulls(to_wallet_id, amount, currency) = CASE WHEN legs IS NULL THEN 0 ELSE 3 END);

-- Whose a transfer of several legs is besides its source's: all its other wallets.
CREATE TABLE transfer_wallets (
  source_id text COLLATE "C" NOT NULL,
  transfer_id text COLLATE "C" NOT NULL,
  wallet_id text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  CONSTRAINT ew_transfer_wallets_pk PRIMARY KEY (source_id, transfer_id, wallet_id)
);

CREATE INDEX ew_transfer_wallets_position ON transfer_wallets (wallet_id, status, position);

-- Transfers of several legs, by the wallets that are not their source.
CREATE VIEW leg_transfers AS
SELECT t.id, t.wallet_id, t.to_wallet_id, t.amount, t.currency, m.status, t.reason, t.reference, t.metadata,
  t.created_at, t.effective_at, t.updated_at, m.position, t.legs, t.leg_transactions, t.leg, t.version, m.wallet_id AS member_id
FROM transfer_wallets m JOIN transfers t ON t.wallet_id = m.source_id AND t.id = m.transfer_id;

-- How many rows have all of these words: as events_with_words.
CREATE FUNCTION legs_with_words(wanted text[], bound bigint) RETURNS bigint
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_indexscan = off AS $$
  SELECT count(*) FROM (SELECT FROM legs l WHERE l.words @> wanted AND l.version IS NOT NULL LIMIT bound) found
$$;
