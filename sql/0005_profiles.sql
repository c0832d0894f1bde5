-- What a wallet's status, overdraft limit and metadata were at a version, for the answer to a
-- replay: an entry for each change of them, none for what moves money.
CREATE INDEX ew_events_profile ON events (wallet_id, type, version)
  WHERE type IN (
    'WalletCreated', 'WalletFrozen', 'WalletUnfrozen', 'WalletClosed', 'OverdraftLimitChanged', 'MetadataChanged'
  );
