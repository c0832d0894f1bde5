/** Metrics of webhooks. Updated per attempt and per look, never per command. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

const deliveries = Metric.counter("wallet_webhook_deliveries_total", {
  description:
    "Attempts to deliver an event to an endpoint, by result: acknowledged, refused (an answer that is not 2xx), failed (no answer)",
  incremental: true
})

const byResult = {
  acknowledged: Metric.withAttributes(deliveries, { result: "acknowledged" }),
  refused: Metric.withAttributes(deliveries, { result: "refused" }),
  failed: Metric.withAttributes(deliveries, { result: "failed" })
}

/** From the start: what is waited for is there. */
export const begun = Effect.forEach(Object.values(byResult), (result) => Metric.update(result, 0), { discard: true })

/** Counts an attempt. */
export const attempted = ({ error, status }: { readonly error: string | null; readonly status: number | null }) =>
  Metric.update(byResult[error === null ? "acknowledged" : status === null ? "failed" : "refused"], 1)

export const lag = Metric.gauge("wallet_webhook_lag_seconds", {
  description: "Age of the oldest event that an endpoint which this node delivers to has read and not acknowledged"
})

export const walletsBehind = Metric.gauge("wallet_webhook_wallets_behind", {
  description: "Wallets that are behind at the endpoints which this node delivers to: refused, and tried again"
})

export const endpoints = Metric.gauge("wallet_webhook_endpoints", {
  description: "Endpoints of the installation that are enabled"
})

export const disabledEndpoints = Metric.gauge("wallet_webhook_endpoints_disabled", {
  description: "Endpoints of the installation that were given up, with an error that says why"
})
