/** All bounds of the search index's writer. */

export interface SearchBounds {
  /** Events of one read of the log: with their documents some 4 MB. */
  readonly pageEvents: number
  /** Documents of one bulk request: beyond that Elasticsearch gains nothing. */
  readonly bulkDocuments: number
  /** Of one bulk request, bytes, roughly: a tenth of what Elasticsearch takes at most. */
  readonly bulkBytes: number
  /** Bulk requests at one time: Elasticsearch writes one while the next is being sent and made. */
  readonly bulksInFlight: number
  /** Events that wait for Persistence; then the log is not read on. */
  readonly behindEvents: number
  /** From half of them on a wallet none of whose events was accepted for so long is set aside, ms … */
  readonly stoppedMillis: number
  /** … and so many wallets are at most. */
  readonly stoppedWallets: number
  /** Dead letters; from there on what is refused is an outage. */
  readonly deadLetters: number
  /** Wallets in a row whose documents of a kind are all refused for one reason: then it is the index that is at fault. */
  readonly refusedWallets: number
  /**
   * Between two looks at the log while it moves, ms: what has come meanwhile goes out together, and many small requests
   * cost Elasticsearch several times as much as a few. Whoever waits for a search is not kept by it.
   */
  readonly pollMillis: number
  /** … and while it does not, ms. */
  readonly idleMillis: number
  /** Between two savings of the checkpoint, ms. */
  readonly checkpointMillis: number
  /** Between two refreshes for those who wait, ms. */
  readonly refreshMillis: number
  /** Between two looks whether this node is the one to write, ms. */
  readonly ownerMillis: number
  /** The first pause after a failure to begin, ms; it doubles … */
  readonly reopenMillis: number
  /** … up to this, ms. */
  readonly reopenAtMostMillis: number
  /** Between two looks at the index, at lag and dead letters, ms; sooner while it may not be read. */
  readonly lookMillis: number
}

export const defaultSearchBounds: SearchBounds = {
  pageEvents: 2_000,
  bulkDocuments: 4_000,
  bulkBytes: 8 * 1024 * 1024,
  bulksInFlight: 3,
  behindEvents: 20_000,
  stoppedMillis: 5_000,
  stoppedWallets: 10_000,
  deadLetters: 10_000,
  refusedWallets: 100,
  pollMillis: 200,
  idleMillis: 200,
  checkpointMillis: 500,
  refreshMillis: 50,
  ownerMillis: 250,
  reopenMillis: 250,
  reopenAtMostMillis: 10_000,
  lookMillis: 2_000
}
