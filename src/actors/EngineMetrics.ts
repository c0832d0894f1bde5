/** Metrics of the engine; names follow Prometheus' conventions. Updated per batch, never per command. */
import * as Metric from "effect/Metric"

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

export const appendMillis = Metric.histogram("wallet_append_duration_milliseconds", {
  description: "Time of a gathered append, retries included",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 30_000]
})

export const appendOutcomes = Metric.frequency("wallet_append_outcomes_total", {
  description: "Commits by outcome: Appended, Conflict, Fenced, Refused, Failed"
})

export const commands = Metric.counter("wallet_commands_total", {
  description: "Commands answered by wallets, rejections and replays included",
  incremental: true
})

export const residentWallets = Metric.gauge("wallet_resident_wallets", {
  description: "Wallets in memory"
})

export const waitingCommands = Metric.gauge("wallet_waiting_commands", {
  description: "Commands in mailboxes"
})

export const restarts = Metric.counter("wallet_actor_restarts_total", {
  description: "Actors restarted after a defect",
  incremental: true
})

export const clockBehind = Metric.counter("wallet_clock_behind_total", {
  description: "Batches decided while the clock was well behind the wallet's last event",
  incremental: true
})

export const snapshots = Metric.counter("wallet_snapshots_total", {
  description: "Snapshots written",
  incremental: true
})
