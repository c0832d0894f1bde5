-- For each index who reads it and what it costs: docs/ARCHITECTURE.md, "Indexes".

-- Holds over all wallets, the newest first.
CREATE INDEX ew_holds_created ON holds (created_at, wallet_id, id);

-- Ids are searched in any case; they are ASCII.
CREATE INDEX ew_transfers_lower_id ON transfers (lower(id));
DROP INDEX ew_transfers_id;
