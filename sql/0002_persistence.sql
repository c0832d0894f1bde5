-- The transactional view, derived from the log. wallets.version = n means: every
-- row of events <= n is there. Amounts are minor units. The constraints repeat the
-- laws; all of ours are named ew_*, so that a user's own can be told from them.

-- `position`: of the wallet's first event. `words`: what search finds it by.
CREATE TABLE wallets (
  id text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  balance numeric(36) NOT NULL,
  held numeric(36) NOT NULL,
  overdraft_limit numeric(36) NOT NULL,
  status text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  metadata json,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  position bigint NOT NULL,
  words text[] NOT NULL,
  CONSTRAINT ew_wallets_pk PRIMARY KEY (id),
  CONSTRAINT ew_wallets_held CHECK (held >= 0),
  CONSTRAINT ew_wallets_overdraft_limit CHECK (overdraft_limit >= 0),
  CONSTRAINT ew_wallets_version CHECK (version >= 0),
  CONSTRAINT ew_wallets_status CHECK (status IN ('active', 'frozen', 'closed'))
) WITH (fillfactor = 50);

-- No index on a column that every event changes: updates stay on their page (HOT).
CREATE INDEX ew_wallets_position ON wallets (position);
CREATE INDEX ew_wallets_owner ON wallets (lower(owner_id), position);
CREATE INDEX ew_wallets_lower_id ON wallets (lower(id));
CREATE INDEX ew_wallets_currency ON wallets (currency, position);
CREATE INDEX ew_wallets_status ON wallets (status, position) WHERE status <> 'active';
CREATE INDEX ew_wallets_words ON wallets USING gin (words);

-- One row per movement of a balance. `id` and `version` are the event's, `key` and
-- `fingerprint` its command's. `words`: of reference and metadata, null when there
-- are none.
CREATE TABLE transactions (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  position bigint NOT NULL,
  id uuid NOT NULL,
  type text COLLATE "C" NOT NULL,
  amount numeric(36) NOT NULL,
  balance_after numeric(36) NOT NULL,
  currency text COLLATE "C" NOT NULL,
  reference text,
  metadata json,
  hold_id text COLLATE "C",
  transfer_id text COLLATE "C",
  created_at timestamptz(3) NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  words text[],
  CONSTRAINT ew_transactions_pk PRIMARY KEY (wallet_id, version),
  CONSTRAINT ew_transactions_version CHECK (version >= 0),
  CONSTRAINT ew_transactions_amount CHECK (amount > 0),
  CONSTRAINT ew_transactions_type
    CHECK (type IN ('credit', 'debit', 'capture', 'transfer_in', 'transfer_out', 'reversal'))
);

-- Newest first of one type; newest first of all is a merge of the six.
CREATE INDEX ew_transactions_position ON transactions (type, position);
-- The rare types of one wallet; the others are found soon on the way back from its newest.
CREATE INDEX ew_transactions_rare ON transactions (wallet_id, type, version) WHERE type NOT IN ('credit', 'debit');
CREATE INDEX ew_transactions_id ON transactions (id);
CREATE INDEX ew_transactions_key ON transactions (hashtextextended(key, hashtextextended(wallet_id, 0)));
CREATE INDEX ew_transactions_words ON transactions USING gin (words) WHERE words IS NOT NULL;

-- `version`: of the event that placed it. A closed hold has remaining = 0.
CREATE TABLE holds (
  wallet_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  amount numeric(36) NOT NULL,
  captured numeric(36) NOT NULL,
  remaining numeric(36) NOT NULL,
  status text COLLATE "C" NOT NULL,
  expires_at timestamptz(3),
  reference text,
  metadata json,
  created_at timestamptz(3) NOT NULL,
  CONSTRAINT ew_holds_pk PRIMARY KEY (wallet_id, id),
  CONSTRAINT ew_holds_version CHECK (version >= 0),
  CONSTRAINT ew_holds_amount CHECK (amount > 0),
  CONSTRAINT ew_holds_captured CHECK (captured >= 0 AND captured + remaining <= amount),
  CONSTRAINT ew_holds_remaining CHECK (remaining >= 0 AND (remaining > 0) = (status = 'active')),
  CONSTRAINT ew_holds_status CHECK (status IN ('active', 'captured', 'released', 'expired'))
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX ew_holds_placed ON holds (wallet_id, version);
CREATE INDEX ew_holds_active ON holds (wallet_id, version) WHERE status = 'active';

-- The keys of all other events. A command with two events has two rows, of which
-- the later one counts.
CREATE TABLE idempotency_keys (
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  CONSTRAINT ew_idempotency_keys_pk PRIMARY KEY (wallet_id, version),
  CONSTRAINT ew_idempotency_keys_version CHECK (version >= 0)
);

CREATE INDEX ew_idempotency_keys_key ON idempotency_keys (hashtextextended(key, hashtextextended(wallet_id, 0)));

-- Times and positions go up with the versions of a wallet, so a search by halves
-- along the primary key finds where a time or a position begins: no further index.

-- The first version after all transactions of the wallet up to that time.
CREATE FUNCTION version_after_time(wallet text, moment timestamptz) RETURNS bigint
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE search (low, high) AS (
    (SELECT 0::bigint, t.version + 1 FROM transactions t WHERE t.wallet_id = wallet ORDER BY t.version DESC LIMIT 1)
    UNION ALL
    SELECT CASE WHEN p.created_at > moment THEN s.low ELSE p.version + 1 END,
      CASE WHEN p.created_at > moment THEN (s.low + s.high) / 2 ELSE s.high END
    FROM search s CROSS JOIN LATERAL (
      SELECT t.version, t.created_at FROM transactions t
      WHERE t.wallet_id = wallet AND t.version >= (s.low + s.high) / 2 ORDER BY t.version LIMIT 1
    ) p
    WHERE s.low < s.high
  )
  SELECT coalesce(max(low), 0) FROM search
$$;

-- The first version of the wallet's transactions that is not before that position.
CREATE FUNCTION version_from_position(wallet text, place bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE search (low, high) AS (
    (SELECT 0::bigint, t.version + 1 FROM transactions t WHERE t.wallet_id = wallet ORDER BY t.version DESC LIMIT 1)
    UNION ALL
    SELECT CASE WHEN p.position >= place THEN s.low ELSE p.version + 1 END,
      CASE WHEN p.position >= place THEN (s.low + s.high) / 2 ELSE s.high END
    FROM search s CROSS JOIN LATERAL (
      SELECT t.version, t.position FROM transactions t
      WHERE t.wallet_id = wallet AND t.version >= (s.low + s.high) / 2 ORDER BY t.version LIMIT 1
    ) p
    WHERE s.low < s.high
  )
  SELECT coalesce(max(low), 0) FROM search
$$;
