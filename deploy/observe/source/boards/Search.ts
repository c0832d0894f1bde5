/** Search on Elasticsearch. */
import { type Board, lines, mean, of, quantiles, query, rate } from "../Panel.ts"

export const search: Board = {
  uid: "wallet-search",
  title: "Wallet: search",
  description:
    "Is the index of search kept up, and by whom? Has it refused anything? Empty where search is in the database.",
  rows: [
    {
      title: "The index",
      panels: [
        lines({
          id: 1,
          title: "Search behind the log",
          description:
            "Age of the oldest event that the index lacks. Money goes on; readModel in /health/ready says why.",
          unit: "s",
          limit: 30,
          queries: [query("{{instance}}", of("wallet_search_lag_seconds"), "search")],
          alerts: ["WalletSearchBehind"]
        }),
        lines({
          id: 2,
          title: "Events that the index lacks",
          description: "While it catches up behind KurrentDB: bytes of the log.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_search_lag_events"), "search")]
        }),
        lines({
          id: 3,
          title: "Who writes",
          description: "1 on one node, 0 on the others. None: the index is away, somebody else's, or damaged.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_search_writer"), "search")],
          alerts: ["WalletSearchUnwritten"]
        }),
        lines({
          id: 4,
          title: "Documents that were refused",
          description: "wallet verify names them with the cause; after the mend: wallet replay --dead-letters.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_search_dead_letters"), "search")],
          alerts: ["WalletSearchDeadLetters"]
        })
      ]
    },
    {
      title: "The writer",
      panels: [
        lines({
          id: 5,
          title: "Events a second",
          description: "Whose documents were written.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_search_indexed_events_total"), "search")]
        }),
        lines({
          id: 6,
          title: "Time of a bulk request",
          description: "Retries included.",
          unit: "s",
          queries: quantiles("wallet_search_bulk_duration_seconds", "search")
        }),
        lines({
          id: 7,
          title: "Documents per bulk request",
          description: "Grows when the writer catches up.",
          unit: "none",
          queries: [query("{{instance}}", mean("wallet_search_bulk_documents"), "search")]
        }),
        lines({
          id: 8,
          title: "Requests sent again, refreshes",
          description: "Refreshes are for callers who wait for the index.",
          unit: "ops",
          queries: [
            query("again {{instance}}", rate("wallet_search_retries_total"), "search"),
            query("refreshes {{instance}}", rate("wallet_search_refreshes_total"), "search")
          ]
        }),
        lines({
          id: 9,
          title: "Left out for now",
          description:
            "Wallets that wait until PostgreSQL has accepted their events; events that could not be read, in the last hour.",
          unit: "none",
          queries: [
            query("wallets that wait {{instance}}", of("wallet_search_behind_wallets"), "search"),
            query("unreadable {{instance}}", `increase(${of("wallet_search_unreadable_events_total")}[1h])`, "search")
          ]
        })
      ]
    }
  ]
}
