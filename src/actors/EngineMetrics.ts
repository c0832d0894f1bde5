/**
 * Metrics of the actors, the pipeline, transfers and sweepers; names and units follow
 * Prometheus' conventions (times in seconds). Updated per batch, per sweep or once in a
 * while, never per command.
 */
import * as Metric from "effect/Metric"

/** Seconds; from a quick disk to the longest wait of a caller and beyond. */
const batchSeconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30]

export const commitsAppended = Metric.counter("wallet_commits_appended_total", {
  description: "Commits appended to the log",
  incremental: true
})

export const appendRetries = Metric.counter("wallet_append_retries_total", {
  description: "Appends that failed or whose outcome was unknown",
  incremental: true
})

export const appendBatch = Metric.histogram("wallet_append_wallets", {
  description: "Wallets per gathered append",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000]
})

export const appendSeconds = Metric.histogram("wallet_append_duration_seconds", {
  description: "Time of a gathered append, retries included",
  boundaries: batchSeconds
})

export const appendOutcomes = Metric.frequency("wallet_append_outcomes_total", {
  description: "Commits by outcome: Appended, Conflict, Fenced, KeySeen, Refused, Failed",
  // From the start: the first of a kind is an increase, which an alert can see.
  preregisteredWords: ["Appended", "Conflict", "Fenced", "KeySeen", "Refused", "Failed"]
})

export const decidedAhead = Metric.frequency("wallet_batches_ahead_total", {
  description: "Batches decided while the wallet's append before was in flight: Taken, or Dropped and decided anew",
  preregisteredWords: ["Taken", "Dropped"]
})

export const keyLookUps = Metric.counter("wallet_key_lookups_total", {
  description: "Queries for idempotency keys that memory could not tell to be new, each for all wallets that waited",
  incremental: true
})

export const readsRefused = Metric.counter("wallet_reads_refused_total", {
  description: "Queries whose turn did not come in time",
  incremental: true
})

export const openFeeds = Metric.gauge("wallet_open_feeds", {
  description: "Feeds that are followed"
})

export const residentWallets = Metric.gauge("wallet_resident_wallets", {
  description: "Wallets in memory"
})

export const residentBytes = Metric.gauge("wallet_resident_bytes", {
  description: "Memory that the wallets in memory take, an estimate: what WALLET_RESIDENT_BYTES bounds"
})

export const busyWallets = Metric.gauge("wallet_busy_wallets", {
  description: "Wallets with commands in hand or in their mailbox"
})

export const waitingCommands = Metric.gauge("wallet_waiting_commands", {
  description: "Commands in mailboxes"
})

export const waitingBytes = Metric.gauge("wallet_waiting_bytes", {
  description: "Free texts in mailboxes, roughly"
})

export const deepestMailbox = Metric.gauge("wallet_mailbox_deepest_commands", {
  description: "Commands in the fullest mailbox"
})

export const restarts = Metric.counter("wallet_actor_restarts_total", {
  description: "Actors restarted after a defect",
  incremental: true
})

export const clockBehind = Metric.counter("wallet_clock_behind_total", {
  description: "Batches decided while the clock was well behind the wallet's last event",
  incremental: true
})

export const clockUnsound = Metric.counter("wallet_clock_unsound_total", {
  description: "Times that this node's clock was found to have stepped, or to stand beside the store's",
  incremental: true
})

export const clockOffset = Metric.gauge("wallet_clock_offset_seconds", {
  description: "How far this node's clock was ahead of the store's when they were last compared"
})

export const snapshots = Metric.counter("wallet_snapshots_total", {
  description: "Snapshots written",
  incremental: true
})

export const persistRetries = Metric.counter("wallet_persist_retries_total", {
  description: "Writes to Persistence that failed and were tried again",
  incremental: true
})

export const persistedEvents = Metric.counter("wallet_persisted_events_total", {
  description: "Events written to Persistence",
  incremental: true
})

export const persistBatch = Metric.histogram("wallet_persist_events", {
  description: "Events per write to Persistence",
  boundaries: [1, 5, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]
})

export const persistSeconds = Metric.histogram("wallet_persist_duration_seconds", {
  description: "Time of a write to Persistence, retries included",
  boundaries: batchSeconds
})

export const persistQueue = Metric.gauge("wallet_persist_queue_events", {
  description: "Events in the log that wait for Persistence"
})

export const persistLag = Metric.gauge("wallet_persist_lag_seconds", {
  description: "Age of the oldest event that waits for Persistence"
})

export const persistBlocked = Metric.gauge("wallet_persist_blocked_wallets", {
  description: "Wallets whose writing to Persistence has stopped at a defect"
})

export const compensations = Metric.counter("wallet_compensations_total", {
  description: "Commands that Persistence refused by a user's rule and that are reversed",
  incremental: true
})

export const compensationFailures = Metric.counter("wallet_compensation_failures_total", {
  description: "Reversals that the rules rejected: something was built on a provisional event",
  incremental: true
})

export const parkedCommands = Metric.counter("wallet_parked_commands_total", {
  description: "Batches cut because a command would build on an event that Persistence has not accepted",
  incremental: true
})

export const reconciledWallets = Metric.counter("wallet_reconciled_wallets_total", {
  description: "Wallets found behind the log and brought up to it",
  incremental: true
})

export const reconcilerPosition = Metric.gauge("wallet_reconciler_position", {
  description: "Where the slow look over the whole log is"
})

export const transfersCarried = Metric.gauge("wallet_transfers_carried", {
  description: "Transfers on their way on this node"
})

export const holdsExpired = Metric.counter("wallet_holds_expired_total", {
  description: "Holds released because their time was over",
  incremental: true
})

export const sweepsDeferred = Metric.gauge("wallet_sweep_deferred", {
  description: "Transfers and holds that could not be handled and are tried again later"
})
