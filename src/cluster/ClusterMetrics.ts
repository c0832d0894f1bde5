/** Metrics of a node among several; names follow Prometheus' conventions. */
import * as Metric from "effect/Metric"

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

export const linked = Metric.gauge("wallet_cluster_waiting_commands", {
  description: "Commands on their way to owners, or waiting for one"
})
