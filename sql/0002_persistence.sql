-- What events have come to: wallets, holds and transfers as they are now. Derived from the
-- log. wallets.version = n means: every event <= n is in `events`, or its refusal in its place.

-- `version`: of the last event, and so what an append moves, or does not. `position`: of the
-- wallet's first event. `tag`: how the ids of its events end. `words`: what search finds it by.
-- The fill factor keeps the new row version on its page (HOT: no index is touched).
CREATE TABLE wallets (
  version bigint NOT NULL,
  position bigint NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  balance numeric(36) NOT NULL,
  held numeric(36) NOT NULL,
  overdraft_limit numeric(36) NOT NULL,
  status text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  tag text COLLATE "C" NOT NULL,
  metadata json,
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
CREATE INDEX ew_wallets_tag ON wallets (tag);
CREATE INDEX ew_wallets_words ON wallets USING gin (words);

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
CREATE INDEX ew_holds_due ON holds (expires_at, wallet_id, id) WHERE status = 'active' AND expires_at IS NOT NULL;

-- A transfer as its source tells it. `version`, `position`: of its TransferSent.
-- `updated_at`: of TransferSent or TransferReversed. That its destination has it
-- shows in events.
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
