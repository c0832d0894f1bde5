/** The log, and the rows behind it. */
import { type Board, lines, mean, of, quantiles, query, rate, sumBy } from "../Panel.ts"

export const stores: Board = {
  uid: "wallet-stores",
  title: "Wallet: stores",
  description: "Is the log's store slow or away? Are the rows behind the log, and are any stopped? Is the clock sound?",
  rows: [
    {
      title: "The log",
      panels: [
        lines({
          id: 1,
          title: "Time of appends",
          description: "Retries included. If commands are slow and this is not, the store is not the cause.",
          unit: "s",
          queries: quantiles("wallet_append_duration_seconds")
        }),
        lines({
          id: 2,
          title: "Appends that failed or were not answered",
          description: "Each is repeated with the same ids until the store decides. Its disk, network, leader.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_append_retries_total"))],
          alerts: ["WalletAppendsRetried"]
        }),
        lines({
          id: 3,
          title: "Commits by outcome",
          description:
            "Fenced: another owner has claimed the wallets. Conflict: somebody else writes to these streams. KeySeen: an old key came again. Refused: a rule of yours.",
          unit: "ops",
          queries: [query("{{key}} {{instance}}", sumBy("instance, key", rate("wallet_append_outcomes_total")))],
          alerts: ["WalletFenced", "WalletConflicts"]
        }),
        lines({
          id: 4,
          title: "The clock beside the store's",
          description: "How far it is ahead. Beyond 5 s nothing expires until both agree: NTP on both.",
          unit: "s",
          isSigned: true,
          limit: 5,
          queries: [query("{{instance}}", of("wallet_clock_offset_seconds"))],
          alerts: ["WalletClockUnsound"]
        }),
        lines({
          id: 5,
          title: "Clock found wrong",
          description: "In the last 15 minutes: steps, and batches that were decided while it was behind the log.",
          unit: "none",
          queries: [
            query("steps {{instance}}", `increase(${of("wallet_clock_unsound_total")}[15m])`),
            query("behind {{instance}}", `increase(${of("wallet_clock_behind_total")}[15m])`)
          ],
          alerts: ["WalletClockBehind"]
        })
      ]
    },
    {
      title: "Rows behind a log of their own",
      panels: [
        lines({
          id: 6,
          title: "Rows behind the log",
          description: "Age of the oldest event that waits for PostgreSQL. Callers get 202 meanwhile; nothing is lost.",
          unit: "s",
          limit: 30,
          queries: [query("{{instance}}", of("wallet_persist_lag_seconds"), "separateLog")],
          alerts: ["WalletPersistenceBehind"]
        }),
        lines({
          id: 7,
          title: "Events that wait for PostgreSQL",
          description: "At WALLET_PERSIST_QUEUE_EVENTS (200,000) new commands are refused.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_persist_queue_events"), "separateLog")]
        }),
        lines({
          id: 8,
          title: "Wallets whose rows have stopped",
          description:
            "A defect, or a rule that refuses history: the ERROR line of the wallet has the reason. Tried again every 5 s.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_persist_blocked_wallets"), "separateLog")],
          alerts: ["WalletPersistenceBlocked"]
        }),
        lines({
          id: 9,
          title: "Time of writes",
          description: "To PostgreSQL, retries included.",
          unit: "s",
          queries: quantiles("wallet_persist_duration_seconds", "separateLog")
        }),
        lines({
          id: 10,
          title: "Events written",
          description: "A second, and per write.",
          unit: "none",
          queries: [
            query("a second {{instance}}", rate("wallet_persisted_events_total"), "separateLog"),
            query("per write {{instance}}", mean("wallet_persist_events"), "separateLog")
          ]
        }),
        lines({
          id: 11,
          title: "Writes that were tried again",
          description: "Since they failed or were not answered.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_persist_retries_total"))]
        }),
        lines({
          id: 12,
          title: "Reversed by your rules",
          description:
            "In the last 15 minutes: events that a rule in PostgreSQL refused, and those that could not be reversed, which need a human.",
          unit: "none",
          queries: [
            query("reversed {{instance}}", `increase(${of("wallet_compensations_total")}[15m])`),
            query("not reversed {{instance}}", `increase(${of("wallet_compensation_failures_total")}[15m])`)
          ],
          alerts: ["WalletCompensations", "WalletCompensationFailed"]
        }),
        lines({
          id: 13,
          title: "The slow look over the log",
          description:
            "Wallets that it found behind the log and mended, in the last hour. Where it is: wallet_reconciler_position.",
          unit: "none",
          queries: [query("{{instance}}", `increase(${of("wallet_reconciled_wallets_total")}[1h])`)]
        })
      ]
    }
  ]
}
