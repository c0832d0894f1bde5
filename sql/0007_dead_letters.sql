-- Documents that the search index has refused, each once, until somebody has mended what is wrong
-- and has written them again. `version`: of the wallet's event that the document was as of.
CREATE TABLE dead_letters (
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  wallet_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  reason text NOT NULL,
  refused_at timestamptz(3) NOT NULL,
  CONSTRAINT ew_dead_letters_pk PRIMARY KEY (kind, id),
  CONSTRAINT ew_dead_letters_kind CHECK (kind IN ('wallet', 'transaction', 'transfer', 'hold'))
);
