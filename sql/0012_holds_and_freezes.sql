-- Freezes with a direction and an end, captures to other wallets. For each index who reads it:
-- docs/ARCHITECTURE.md, "Indexes".

-- What a frozen wallet does not do, why, and until when; all null of one that is not frozen.
ALTER TABLE wallets
  ADD COLUMN freeze_direction text COLLATE "C",
  ADD COLUMN freeze_reason text,
  ADD COLUMN freeze_until timestamptz(3),
  ADD CONSTRAINT ew_wallets_freeze_direction CHECK (freeze_direction IN ('debits', 'credits', 'all'));

-- With the end of a freeze.
DROP INDEX ew_events_profile;
CREATE INDEX ew_events_profile ON events (wallet_id, type, version)
  WHERE type IN (
    'WalletCreated', 'WalletFrozen', 'WalletUnfrozen', 'FreezeExpired', 'WalletClosed', 'OverdraftLimitChanged',
    'MetadataChanged'
  );

-- Until now a freeze stopped debits, for as long as it stood. A copy of a log does not know its reason.
UPDATE wallets w SET freeze_direction = 'debits', freeze_reason = (
  SELECT e.data::json ->> 'reason' FROM events e
  WHERE e.wallet_id = w.id AND e.type = 'WalletFrozen' ORDER BY e.version DESC LIMIT 1
)
WHERE status = 'frozen';

CREATE INDEX ew_wallets_thaw ON wallets (freeze_until, id) WHERE freeze_until IS NOT NULL;

CREATE OR REPLACE VIEW transactions AS
SELECT wallet_id, version, position, id,
  CASE type
    WHEN 'WalletCredited' THEN 'credit'
    WHEN 'WalletDebited' THEN 'debit'
    WHEN 'HoldCaptured' THEN 'capture'
    WHEN 'HoldCapturedTo' THEN 'capture'
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
