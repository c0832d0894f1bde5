-- Not derived from the log: these tables belong in the backup.

-- `hash`: SHA-256 of the secret, hex; the secret itself is nowhere. `number`: the
-- order of making.
CREATE TABLE api_keys (
  id text COLLATE "C" NOT NULL,
  number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  scopes text[] NOT NULL,
  hash text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL,
  CONSTRAINT ew_api_keys_pk PRIMARY KEY (id),
  CONSTRAINT ew_api_keys_number UNIQUE (number),
  CONSTRAINT ew_api_keys_hash UNIQUE (hash)
);

-- One row: what this installation was first started with. Fixed for ever.
CREATE TABLE installation (
  only_row boolean NOT NULL DEFAULT true,
  partitions integer NOT NULL,
  CONSTRAINT ew_installation_pk PRIMARY KEY (only_row),
  CONSTRAINT ew_installation_only_row CHECK (only_row),
  CONSTRAINT ew_installation_partitions CHECK (partitions > 0)
);
