/** Batches, mailboxes and wallets in memory. */
import { type Board, lines, mean, of, query, rate, sumBy } from "../Panel.ts"

export const actors: Board = {
  uid: "wallet-actors",
  title: "Wallet: mailboxes and batches",
  description: "Does work pile up, and where? Does the group commit work? What takes the memory?",
  rows: [
    {
      title: "Mailboxes",
      panels: [
        lines({
          id: 1,
          title: "Commands that wait",
          description:
            "In all mailboxes of a node. Its bound is WALLET_NODE_COMMANDS (100,000): beyond it callers get 429.",
          unit: "none",
          limit: 50_000,
          queries: [query("{{instance}}", of("wallet_waiting_commands"))],
          alerts: ["WalletQueueFilling"]
        }),
        lines({
          id: 2,
          title: "The fullest mailbox",
          description: "One wallet's. Its bound is WALLET_MAILBOX_COMMANDS (4,096): a hot wallet, or a slow store.",
          unit: "none",
          limit: 2048,
          queries: [query("{{instance}}", of("wallet_mailbox_deepest_commands"))]
        }),
        lines({
          id: 3,
          title: "Texts that wait",
          description: "References and metadata of waiting commands, roughly.",
          unit: "bytes",
          queries: [query("{{instance}}", of("wallet_waiting_bytes"))]
        })
      ]
    },
    {
      title: "Batches",
      panels: [
        lines({
          id: 4,
          title: "Commits a second",
          description: "One per wallet and batch. Far fewer than commands where wallets are busy.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_commits_appended_total"))]
        }),
        lines({
          id: 5,
          title: "Wallets per append",
          description: "The group commit at work: it grows with the load, and costs no wait.",
          unit: "none",
          queries: [query("{{instance}}", mean("wallet_append_wallets"))]
        }),
        lines({
          id: 6,
          title: "Appends a second",
          description: "Statements, or calls, that the log's store has to do.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_append_wallets_count"))]
        }),
        lines({
          id: 12,
          title: "Batches decided ahead",
          description: "Of busy wallets, while their append before was in flight. Dropped ones were decided anew.",
          unit: "ops",
          queries: [query("{{key}} {{instance}}", sumBy("instance, key", rate("wallet_batches_ahead_total")))]
        }),
        lines({
          id: 7,
          title: "Batches that had to wait",
          description: "They would build on an event that PostgreSQL has not accepted yet.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_parked_commands_total"))]
        })
      ]
    },
    {
      title: "Wallets in memory",
      panels: [
        lines({
          id: 8,
          title: "Wallets in memory",
          description: "All, and those with something to do.",
          unit: "none",
          queries: [
            query("resident {{instance}}", of("wallet_resident_wallets")),
            query("busy {{instance}}", of("wallet_busy_wallets"))
          ]
        }),
        lines({
          id: 9,
          title: "Memory of wallets",
          description: "An estimate: what WALLET_RESIDENT_BYTES bounds. At the bound the least recently used leave.",
          unit: "bytes",
          queries: [query("{{instance}}", of("wallet_resident_bytes"))]
        }),
        lines({
          id: 10,
          title: "Snapshots a second",
          description: "Written off the hot path, one in WALLET_SNAPSHOT_EVENTS events and when a wallet leaves.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_snapshots_total"))]
        }),
        lines({
          id: 11,
          title: "Actors that met a defect",
          description: "In the last 15 minutes. Each started again from the log; the ERROR line names the wallet.",
          unit: "none",
          queries: [query("{{instance}}", sumBy("instance", `increase(${of("wallet_actor_restarts_total")}[15m])`))],
          alerts: ["WalletActorRestarts"]
        })
      ]
    }
  ]
}
