/** Throughput and latency: which commands come, what becomes of them, how long they take. */
import { type Board, clientKinds, lines, of, quantile, quantiles, query, rate, stacked, sumBy } from "../Panel.ts"

export const commands: Board = {
  uid: "wallet-commands",
  title: "Wallet: commands",
  description:
    "Which commands come? What becomes of them? How long do they take, by kind and by how far a caller waits?",
  rows: [
    {
      title: "Throughput",
      panels: [
        stacked({
          id: 1,
          title: "Commands by kind",
          description: "Of clients. Each is counted once, by the node that owns its wallet.",
          unit: "ops",
          queries: [query("{{kind}}", sumBy("kind", rate("wallet_commands_total", clientKinds)))]
        }),
        stacked({
          id: 2,
          title: "The engine's own steps",
          description: "Steps of transfers, and what has run out: a transfer of one leg makes three.",
          unit: "ops",
          queries: [
            query(
              "{{kind}}",
              sumBy("kind", rate("wallet_commands_total", 'kind=~"expire_.*|.*_transfer|.*_legs|reverse_operation"'))
            )
          ]
        }),
        lines({
          id: 3,
          title: "Rejections by code",
          description:
            "By a rule: no fault of the service. A jump is a client's, or a rule of yours (OperationRefused).",
          unit: "ops",
          queries: [query("{{code}}", sumBy("code", rate("wallet_commands_total", 'result="rejected"')))]
        }),
        lines({
          id: 4,
          title: "Turned away, by code",
          description:
            "Nothing happened to these. StoreUnavailable: a store is away, or a queue is at its bound; MailboxFull: more for one wallet, or for the node, than the bounds.",
          unit: "ops",
          queries: [
            query(
              "{{code}} {{instance}}",
              sumBy("instance, code", rate("wallet_commands_total", 'result="unavailable"')),
              "outage"
            )
          ],
          alerts: ["WalletCommandsUnavailable"]
        }),
        lines({
          id: 5,
          title: "Outcome unknown, or failed",
          description:
            "Unknown: the log has not answered; a retry with the same key gets the answer. Failed: a defect, see the log at ERROR.",
          unit: "ops",
          queries: [
            query(
              "{{result}} {{code}} {{instance}}",
              sumBy("instance, result, code", rate("wallet_commands_total", 'result=~"unknown|failed"')),
              "outage"
            )
          ],
          alerts: ["WalletCommandsFailed", "WalletOutcomesUnknown"]
        }),
        lines({
          id: 6,
          title: "Replays, and look-ups of keys",
          description:
            "Commands that came again, and the queries for keys that neither memory nor the append could tell to be new.",
          unit: "ops",
          queries: [
            query("replayed {{kind}}", sumBy("kind", rate("wallet_commands_total", 'result="replayed"'))),
            query("look-ups", `sum(${rate("wallet_key_lookups_total")})`)
          ]
        })
      ]
    },
    {
      title: "Latency",
      panels: [
        lines({
          id: 7,
          title: "Time of commands",
          description: "Of those that took place, as their callers asked to wait.",
          unit: "s",
          limit: 0.5,
          queries: quantiles("wallet_command_duration_seconds", "load", 'result="ok"', clientKinds),
          alerts: ["WalletCommandsSlow"]
        }),
        lines({
          id: 8,
          title: "Time that 99 % stay below, by kind",
          description: "Transfers take more than one append.",
          unit: "s",
          queries: [
            query("{{kind}}", quantile(0.99, "wallet_command_duration_seconds", "kind", 'result="ok"', clientKinds))
          ]
        }),
        lines({
          id: 9,
          title: "Half and 99 %, by durability",
          description:
            "By how far callers asked to wait. Where log and rows are one database, committed and persisted are the same moment. The wait for an index of search comes on top.",
          unit: "s",
          queries: [
            query("p50 {{await}}", quantile(0.5, "wallet_await_duration_seconds", "await")),
            query("p99 {{await}}", quantile(0.99, "wallet_await_duration_seconds", "await"))
          ]
        }),
        stacked({
          id: 10,
          title: "Commands by durability",
          description: "How far callers ask to wait.",
          unit: "ops",
          queries: [query("{{await}}", sumBy("await", rate("wallet_await_duration_seconds_count")))]
        }),
        lines({
          id: 11,
          title: "Time of requests, 99 %, by route",
          description: "To the head of the answer: what HTTP, authentication and reads add.",
          unit: "s",
          queries: [query("{{method}} {{route}}", quantile(0.99, "http_request_duration_seconds", "method, route"))]
        })
      ]
    },
    {
      title: "Holds and transfers",
      panels: [
        lines({
          id: 12,
          title: "Transfers on their way",
          description: "On these nodes. One that stays is looked after by a sweeper.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_transfers_carried"))]
        }),
        lines({
          id: 13,
          title: "Could not be brought to an end",
          description: "Transfers and holds that the sweepers try again. The WARN line names each with its cause.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_sweep_deferred"))],
          alerts: ["WalletSweepDeferred"]
        }),
        lines({
          id: 14,
          title: "Holds that ran out",
          description: "Released because their time was over.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_holds_expired_total"))]
        })
      ]
    }
  ]
}
