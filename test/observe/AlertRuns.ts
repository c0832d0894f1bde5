/** Where each alert is made to fire: by a real fault, or by numbers alone, with the reason why. */

/** By faults of one service, in `npm run observe:check`: `service.observe.ts`. */
export const firedInTest = [
  "WalletDown",
  "WalletServerErrors",
  "WalletCommandsFailed",
  "WalletCommandsUnavailable",
  "WalletOutcomesUnknown",
  "WalletCommandsSlow",
  "WalletQueueFilling",
  "WalletOverloaded",
  "WalletLogAway",
  "WalletAppendsRetried",
  "WalletSweepDeferred",
  "WalletWebhookBehind",
  "WalletWebhookDisabled"
] as const

/** By faults of the other runs of `npm run observe:check`. */
export const firedInCheck = [
  "WalletLeasesInDoubt",
  "WalletPartitionsUnowned",
  "WalletNodeUnreachable",
  "WalletSearchBehind",
  "WalletSearchUnwritten",
  "WalletSearchDeadLetters",
  "WalletPersistenceBehind",
  "WalletPersistenceBlocked",
  "WalletCompensations"
] as const

/** By `promtool test rules` only: what would bring each about cannot be made from outside of a service. */
export const arithmeticOnly: Readonly<Record<string, string>> = {
  WalletNotScraped: "a Prometheus without any service to ask",
  WalletActorRestarts: "a defect of the engine's own",
  WalletFenced: "a service that is fenced ends by itself, before it is scraped again",
  WalletConflicts: "a second writer of streams, which the store keeps away",
  WalletClockUnsound: "another clock than the machine's",
  WalletClockBehind: "another clock than the machine's",
  WalletCompensationFailed: "a reversal that the rules reject",
  WalletEventLoopBusy: "would depend on the machine's speed",
  WalletEventLoopLate: "would depend on the machine's speed",
  WalletHeapFull: "would depend on when memory is collected"
}
