-- When a movement counts for the books, where that is another time than that of its event
-- (`effective_at`; null: the same). A credit that says nothing of it pays nothing for it.

ALTER TABLE events ADD COLUMN effective_at timestamptz(3);
ALTER TABLE transfers ADD COLUMN effective_at timestamptz(3);
ALTER TYPE given_event ADD ATTRIBUTE effective_at timestamptz;

-- The movements that have a time of their own; all others are in the books in the order of their
-- versions. The included columns answer for sums. docs/ARCHITECTURE.md, "Indexes".
CREATE INDEX ew_events_effective ON events (wallet_id, effective_at, version) INCLUDE (type, amount)
  WHERE effective_at IS NOT NULL;

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
  coalesce(effective_at, time) AS effective_at
FROM events
WHERE amount IS NOT NULL;
