-- For each index who reads it and what it costs: docs/ARCHITECTURE.md, "Indexes".

-- Holds over all wallets, the newest first.
CREATE INDEX ew_holds_created ON holds (created_at, wallet_id, id);

-- Ids are searched in any case; they are ASCII.
CREATE INDEX ew_transfers_lower_id ON transfers (lower(id));
DROP INDEX ew_transfers_id;

-- How many rows have all of these words, counted up to a bound, along the index of words and in no
-- other way: a planner that takes a word for a common one would read the table from its beginning.
CREATE FUNCTION events_with_words(wanted text[], bound bigint) RETURNS bigint
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_indexscan = off AS $$
  SELECT count(*) FROM (SELECT FROM events e WHERE e.words @> wanted LIMIT bound) found
$$;

CREATE FUNCTION wallets_with_words(wanted text[], bound bigint) RETURNS bigint
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_indexscan = off AS $$
  SELECT count(*) FROM (SELECT FROM wallets w WHERE w.words @> wanted LIMIT bound) found
$$;
