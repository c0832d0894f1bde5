/** Metrics of the leases on Redis; names follow Prometheus' conventions. */
import * as Metric from "effect/Metric"

/** Attribute `command`: the script. */
export const leaseCommands = Metric.counter("wallet_lease_commands_total", {
  description: "Commands sent to Redis for leases and membership",
  incremental: true
})

/** Attribute `command`: the script. */
export const leaseErrors = Metric.counter("wallet_lease_errors_total", {
  description: "Commands for leases and membership that failed or were not answered",
  incremental: true
})

export const leasesLost = Metric.counter("wallet_leases_lost_total", {
  description: "Leases that a refresh no longer found in this runner's name",
  incremental: true
})

export const leasesHeld = Metric.gauge("wallet_leases_held", {
  description: "Leases in this runner's name, as of the last answer"
})

export const graceRefreshes = Metric.counter("wallet_lease_grace_refreshes_total", {
  description: "Refreshes answered from memory because Redis did not answer",
  incremental: true
})
