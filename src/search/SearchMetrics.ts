/** Metrics of the search index's writer; updated per request and once in a while. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export const lagEvents = Metric.gauge("wallet_search_lag_events", {
  description:
    "Events of the log that the search index does not have yet; in an installation, on the node that writes it"
})

export const lagSeconds = Metric.gauge("wallet_search_lag_seconds", {
  description: "Age of the oldest event that the search index does not have yet; 0 on the nodes that do not write it"
})

export const indexedEvents = Metric.counter("wallet_search_indexed_events_total", {
  description: "Events whose documents were written to the search index",
  incremental: true
})

export const bulkDocuments = Metric.histogram("wallet_search_bulk_documents", {
  description: "Documents per bulk request",
  boundaries: [1, 5, 20, 50, 100, 200, 500, 1_000, 2_000, 4_000]
})

export const bulkSeconds = Metric.histogram("wallet_search_bulk_duration_seconds", {
  description: "Time of a bulk request, retries included",
  boundaries: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 30]
})

export const retries = Metric.counter("wallet_search_retries_total", {
  description: "Requests to the search index that failed and were sent again",
  incremental: true
})

export const refreshes = Metric.counter("wallet_search_refreshes_total", {
  description: "Refreshes of the search index for callers that wait for it",
  incremental: true
})

export const deadLetters = Metric.gauge("wallet_search_dead_letters", {
  description: "Documents that the search index has refused, and that are not written yet"
})

export const unreadableEvents = Metric.counter("wallet_search_unreadable_events_total", {
  description: "Events that could not be read and were passed over",
  incremental: true
})

export const behindWallets = Metric.gauge("wallet_search_behind_wallets", {
  description: "Wallets with events that PostgreSQL has not accepted yet, which search does not show before"
})

export const isWriting = Metric.gauge("wallet_search_writer", {
  description: "1 on the node that writes the search index"
})

/** From the start: the first of each is an increase, which an alert can see. */
export const begun = Effect.andThen(
  Effect.forEach([indexedEvents, retries, refreshes, unreadableEvents], (counter) => Metric.update(counter, 0), {
    discard: true
  }),
  Metric.update(behindWallets, 0)
)
