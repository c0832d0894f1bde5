-- Refunds. A credit that refunds nothing pays nothing for them.

-- Of a refund of a transaction: that transaction's id.
ALTER TABLE events ADD COLUMN refund_of text COLLATE "C";
ALTER TYPE given_event ADD ATTRIBUTE refund_of text;

-- Of a transfer that refunds another: that one's id; of one leg, also the number of the leg that it
-- gives back.
ALTER TABLE transfers ADD COLUMN refund_of text COLLATE "C", ADD COLUMN refund_leg integer;

-- Of a leg that gives another back, where it is sent.
ALTER TABLE legs ADD COLUMN refund_of text COLLATE "C", ADD COLUMN refund_leg integer;

-- What has been refunded of an original is the sum of these. docs/ARCHITECTURE.md, "Indexes".
CREATE INDEX ew_events_refund ON events (refund_of, wallet_id) INCLUDE (amount) WHERE refund_of IS NOT NULL;
CREATE INDEX ew_transfers_refund ON transfers (refund_of) WHERE refund_of IS NOT NULL;
CREATE INDEX ew_legs_refund ON legs (refund_of, refund_leg) WHERE refund_of IS NOT NULL;

CREATE OR REPLACE VIEW leg_transactions AS
SELECT position, version, time, id, wallet_id, type, key, currency, amount, balance_after, reference, metadata,
  NULL::text AS hold_id, transfer_id, effective_at, words, leg, NULL::text COLLATE "C" AS refund_of
FROM legs
WHERE version IS NOT NULL;

CREATE OR REPLACE VIEW dated_transactions AS
SELECT position, version, time, id, wallet_id, type, key, currency, amount, balance_after, reference, metadata,
  hold_id, transfer_id, effective_at, words, 0 AS leg, refund_of
FROM events
WHERE amount IS NOT NULL AND effective_at IS NOT NULL
UNION ALL
SELECT position, version, time, id, wallet_id, type, key, currency, amount, balance_after, reference, metadata,
  hold_id, transfer_id, effective_at, words, leg, refund_of
FROM leg_transactions;

CREATE OR REPLACE VIEW transactions AS
SELECT wallet_id, version, position, id,
  CASE type
    WHEN 'WalletCredited' THEN 'credit'
    WHEN 'WalletDebited' THEN 'debit'
    WHEN 'HoldCaptured' THEN 'capture'
    WHEN 'HoldCapturedTo' THEN 'capture'
    WHEN 'TransferReceived' THEN 'transfer_in'
    WHEN 'TransferSent' THEN 'transfer_out'
    WHEN 'RefundReceived' THEN 'refund_in'
    WHEN 'RefundPaid' THEN 'refund_out'
    ELSE 'reversal'
  END AS type,
  amount, balance_after, currency, reference, metadata, hold_id, transfer_id, time AS created_at, key,
  coalesce(effective_at, time) AS effective_at, 0 AS leg, refund_of
FROM events
WHERE amount IS NOT NULL
UNION ALL
SELECT wallet_id, version, position, id,
  CASE type WHEN 'TransferReceived' THEN 'transfer_in' ELSE 'transfer_out' END,
  amount, balance_after, currency, reference, metadata, NULL, transfer_id, time, key, effective_at, leg, NULL
FROM legs
WHERE version IS NOT NULL;

-- Transfers of several legs, by the wallets that are not their source.
CREATE OR REPLACE VIEW leg_transfers AS
SELECT t.id, t.wallet_id, t.to_wallet_id, t.amount, t.currency, m.status, t.reason, t.reference, t.metadata,
  t.created_at, t.effective_at, t.updated_at, m.position, t.legs, t.leg_transactions, t.leg, t.version, m.wallet_id AS member_id,
  t.refund_of, t.refund_leg
FROM transfer_wallets m JOIN transfers t ON t.wallet_id = m.source_id AND t.id = m.transfer_id;
