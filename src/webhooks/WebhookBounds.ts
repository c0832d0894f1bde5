/** All bounds of webhooks, with their units and reasons. */

export interface WebhookBounds {
  /** Endpoints of an installation: each is a follower of the log, with connections of its own. */
  readonly webhooks: number
  /** Events of one endpoint that are read and not acknowledged: then the reading waits. */
  readonly windowEvents: number
  /** … and what they take, bytes: one of a hundred legs takes as much as a hundred others. */
  readonly windowBytes: number
  /** … and of one wallet: a wallet with more is delivered from its own stream, beside all others. */
  readonly walletEvents: number
  /** Wallets of one endpoint that are behind, some 300 bytes each. More are an endpoint that is away: the reading waits. */
  readonly walletsBehind: number
  /** Attempts of one endpoint at a time, each of another wallet. */
  readonly attemptsAtOnce: number
  /** … and so many more of wallets that are behind: they take no place from those that are not. */
  readonly retriesAtOnce: number
  /** An attempt that hangs so long keeps its wallet alone, ms: what else the window holds goes on. */
  readonly hangingMillis: number
  /** Acknowledged and not yet saved, events: a crash repeats so many at most. */
  readonly unsavedEvents: number
  /** Between two checkpoints while events are acknowledged, ms: what a crash repeats. */
  readonly saveMillis: number
  /** … and while all that is read is passed over, ms. */
  readonly idleSaveMillis: number
  /** Between two looks at which endpoints there are, ms: a change on another node counts after this. */
  readonly lookMillis: number
  /** For the whole of an attempt, ms: name, connection, answer. */
  readonly answerMillis: number
  /** Of an answer's body, bytes: more are not read. */
  readonly answerBytes: number
  /** Before the second attempt, ms, give or take a fifth; each further pause is twice as long, … */
  readonly retryMillis: number
  /** … and at most this, ms: so long after a receiver is back all of it goes on. */
  readonly retryMaxMillis: number
  /** An event that is refused for so long, ms, … */
  readonly giveUpMillis: number
  /** … and so often, disables its endpoint: a clock that jumps disables none. */
  readonly giveUpAttempts: number
  /** So many wallets that fail, and none acknowledged between, are an endpoint that is away: when it is back all are tried. */
  readonly awayWallets: number
  /** Attempts that one checkpoint records, the newest; failures go first. */
  readonly recordedAttempts: number
  /** While commands are in hand, a delivery's start rests so many times as long as a delivery keeps the thread. */
  readonly restFactor: number
  /** While commands are in hand, between the checkpoints of two endpoints of a node, ms. */
  readonly checkpointRestMillis: number
  /** Owners of wallets that are remembered, some 150 bytes each, all endpoints of a node together. */
  readonly owners: number
}

export const defaultWebhookBounds: WebhookBounds = {
  webhooks: 64,
  windowEvents: 256,
  windowBytes: 1024 * 1024,
  walletEvents: 32,
  walletsBehind: 1_000,
  attemptsAtOnce: 12,
  retriesAtOnce: 4,
  hangingMillis: 1_000,
  unsavedEvents: 2_048,
  saveMillis: 500,
  idleSaveMillis: 5_000,
  lookMillis: 1_000,
  answerMillis: 10_000,
  answerBytes: 64 * 1024,
  retryMillis: 200,
  retryMaxMillis: 10 * 60 * 1000,
  giveUpMillis: 3 * 24 * 60 * 60 * 1000,
  giveUpAttempts: 100,
  awayWallets: 4,
  recordedAttempts: 20,
  restFactor: 14,
  checkpointRestMillis: 200,
  owners: 20_000
}
