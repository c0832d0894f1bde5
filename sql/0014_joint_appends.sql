-- Commits of several wallets that belong together are appended together or not at all. The statement of an
-- append leaves them all out where one cannot be written; where that shows only after it has taken others of
-- them, nothing of the append is written.
CREATE FUNCTION refuse_split_commits() RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a wallet has moved while it was appended together with others' USING ERRCODE = 'WJ001';
END $$;
