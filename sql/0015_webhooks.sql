-- Endpoints of receivers. Not derived from the log: these tables belong in the backup, with the API keys.

-- `position`: all events up to it that are wanted have been acknowledged, but for those of the wallets that are behind.
-- `epoch`: moves with every change and with whoever begins to deliver; what is saved under an older one is refused.
-- `attempts`: how many have been recorded. The secrets stand as they are: each delivery is signed by them.
CREATE TABLE webhooks (
  id text COLLATE "C" NOT NULL,
  number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  url text NOT NULL,
  types text[],
  wallet_ids text[],
  owner_id text COLLATE "C",
  description text,
  status text COLLATE "C" NOT NULL,
  last_error text,
  secret text NOT NULL,
  previous_secret text,
  previous_until timestamptz(3),
  position bigint NOT NULL,
  epoch bigint NOT NULL,
  attempts bigint NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  CONSTRAINT ew_webhooks_pk PRIMARY KEY (id),
  CONSTRAINT ew_webhooks_number UNIQUE (number),
  CONSTRAINT ew_webhooks_status CHECK (status IN ('enabled', 'disabled')),
  CONSTRAINT ew_webhooks_position CHECK (position >= 0),
  CONSTRAINT ew_webhooks_previous CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
);

-- Wallets that are behind their endpoint's position: of each, the events behind `delivered` up to `through` are due yet.
CREATE TABLE webhook_wallets (
  webhook_id text COLLATE "C" NOT NULL,
  wallet_id text COLLATE "C" NOT NULL,
  delivered bigint NOT NULL,
  through bigint NOT NULL,
  attempts integer NOT NULL,
  failed_since timestamptz(3),
  next_at timestamptz(3),
  last_error text,
  CONSTRAINT ew_webhook_wallets_pk PRIMARY KEY (webhook_id, wallet_id),
  CONSTRAINT ew_webhook_wallets_webhook FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
);

-- The latest attempts of an endpoint, in a ring: `slot` is `number` modulo their bound.
CREATE TABLE webhook_deliveries (
  webhook_id text COLLATE "C" NOT NULL,
  slot integer NOT NULL,
  number bigint NOT NULL,
  message_id text COLLATE "C" NOT NULL,
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  attempt integer NOT NULL,
  attempted_at timestamptz(3) NOT NULL,
  duration_millis integer NOT NULL,
  http_status integer,
  error text,
  CONSTRAINT ew_webhook_deliveries_pk PRIMARY KEY (webhook_id, slot),
  CONSTRAINT ew_webhook_deliveries_webhook FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
);
