-- While search is in an index of its own, no word is kept here: `words` of what is written meanwhile is null,
-- and is filled in when search is here again. Until then these find the rows without.

ALTER TABLE wallets ALTER COLUMN words DROP NOT NULL;

CREATE INDEX ew_events_wordless ON events (position)
  WHERE words IS NULL AND amount IS NOT NULL AND (reference IS NOT NULL OR metadata IS NOT NULL);
CREATE INDEX ew_wallets_wordless ON wallets (id) WHERE words IS NULL;

-- Words are derived from the event: the one column of the log that may be written again.
DROP TRIGGER ew_events_unchanged ON events;
CREATE TRIGGER ew_events_unchanged
  BEFORE DELETE OR TRUNCATE OR UPDATE OF
    position, version, time, epoch, id, wallet_id, type, key, fingerprint, currency, amount, balance_after, held_after,
    reference, metadata, hold_id, transfer_id, counterparty, data, origin
  ON events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_log();
