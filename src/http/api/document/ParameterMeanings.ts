/** What the parameters of operations mean, for the OpenAPI document. */

/** What a parameter means; the same name means the same everywhere but where its operation says otherwise. */
export const meanings: Readonly<Record<string, string>> = {
  ownerId: "The wallet's owner, exactly; of a transfer either side's.",
  walletId: "The wallet, exactly; of a transfer either side.",
  walletIds: "One of these wallets, each a parameter of its own; of a transfer either side.",
  currency: "The currency, exactly.",
  currencies: "One of these currencies, each a parameter of its own.",
  from: "Created then or later.",
  to: "Created then or earlier.",
  minAmount: "At least this amount, in minor units.",
  maxAmount: "At most this amount, in minor units.",
  minBalance: "At least this balance, in minor units; may be negative.",
  maxBalance: "At most this balance, in minor units; may be negative.",
  reference: "The whole reference, exactly.",
  transferId: "Of this transfer.",
  refundOf: "Refunds of the transaction, or of the transfer, with this id.",
  holdId: "Captures of the hold with this id.",
  idempotencyKey:
    "The key that the command was sent with, exactly. Keys belong to a wallet: two wallets may have used one.",
  expiresBefore: "With a time of expiry, and that earlier than this.",
  q:
    "Words, in any case, all of which must be there as whole words: in metadata values, in a reference, or as the id of the " +
    "thing itself, of its wallets or their owners. A word that ends with `*` finds all that begin with it.",
  status: "The status as it is now.",
  type: "The kind of transaction.",
  keyId: "Of the key that has done it, or was refused.",
  action: "What was done, as `key.create`; of what was refused, the operation, as `wallets.freeze`.",
  minVersion: "At least this version of the wallet: one that an earlier answer has named.",
  atVersion: "As it was at this version.",
  at: "As it was at this time.",
  effectiveAt: "As it is now, with the balance by the books at this time.",
  effectiveFrom: "Counting for the books then or later.",
  effectiveTo: "Counting for the books then or earlier.",
  timezone: "Of dates: an IANA name, like `Europe/Prague`. Default `UTC`.",
  await: "What the answer waits for. Default `persisted`.",
  dryRun:
    "`true`: what would be answered now, with 200 and `dryRun: true`. Nothing is recorded and no key is used; a key that " +
    "was used is answered as it would be anyway.",
  interval: "What the times of transactions are counted by, in UTC. Default `day`.",
  limit: "Items of a page. Default 50.",
  after: "After this version; `next` of the page before.",
  "Idempotency-Key": "The same key with the same command has one effect. Every command needs one, but for a dry run.",
  "If-Match":
    "The version that the wallet has to be at, in double quotes, as `ETag` tells it, or `*`. Else 412; not asked of a " +
    "command whose key was used.",
  "Last-Event-ID": "The `id` of the last event received, as a browser sends it when it connects again.",
  cursor: "`next` of the page before, with the same filters."
}

/** In a path. */
export const pathMeanings: Readonly<Record<string, string>> = {
  id: "Of the thing that the path names.",
  holdId: "Of the hold."
}
