/** Metrics of transfers and sweepers; updated once a second or per sweep, never per command. */
import * as Metric from "effect/Metric"

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
