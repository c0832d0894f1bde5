/** Metrics of a node among several and of its leases on Redis; names follow Prometheus' conventions. */
import * as Metric from "effect/Metric"

export const partitions = Metric.gauge("wallet_partitions", {
  description: "Partitions of the installation: each of them is to have one owner"
})

export const partitionsOwned = Metric.gauge("wallet_partitions_owned", {
  description: "Partitions that this node has claimed and still has"
})

export const claims = Metric.counter("wallet_partition_claims_total", {
  description: "Partitions that this node has claimed",
  incremental: true
})

export const partitionsLost = Metric.counter("wallet_partitions_lost_total", {
  description: "Partitions that went to another node, or were fenced",
  incremental: true
})

/** Attribute `kind`: `ask`, `collect`, `current`. */
export const messages = Metric.counter("wallet_cluster_messages_total", {
  description: "Requests sent to the owners of wallets, retries of the transport not counted",
  incremental: true
})

export const remoteCommands = Metric.counter("wallet_cluster_commands_total", {
  description: "Commands sent to other owners, repeated ones included",
  incremental: true
})

export const bounces = Metric.counter("wallet_cluster_bounces_total", {
  description: "Commands that came back because a wallet had changed its owner",
  incremental: true
})

export const resent = Metric.counter("wallet_cluster_resent_total", {
  description: "Commands sent again because no answer had come",
  incremental: true
})

export const waitingCommands = Metric.gauge("wallet_cluster_waiting_commands", {
  description: "Commands on their way to owners, or waiting for one"
})

export const unreachableNodes = Metric.gauge("wallet_cluster_unreachable_nodes", {
  description: "Other nodes whose last connection failed and that have not answered since"
})

/** Attribute `reason`: `handshake`, `undecodable`, `silence`, `too_many`. */
export const connectionsRefused = Metric.counter("wallet_cluster_connections_refused_total", {
  description: "Connections between nodes that were closed for what came, or did not come, over them",
  incremental: true
})

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
