-- Those who wait for search ask what has been refused of their wallets.
CREATE INDEX ew_dead_letters_wallet ON dead_letters (wallet_id, version);
