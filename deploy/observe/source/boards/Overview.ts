/** Is all well, and where is it not. */
import { type Board, clientKinds, lines, of, quantile, quantiles, query, rate, stacked, stat, sumBy } from "../Panel.ts"

export const overview: Board = {
  uid: "wallet-overview",
  title: "Wallet: overview",
  description: "Is all well? If not: which part, since when.",
  rows: [
    {
      title: "Now",
      panels: [
        stat({
          id: 1,
          title: "Services that answer",
          description: "Of those that Prometheus is to ask, whatever instance is chosen above.",
          unit: "none",
          queries: [query("up", 'sum(up{job="$job"})'), query("of", 'count(up{job="$job"})')],
          alerts: ["WalletDown", "WalletNotScraped"]
        }),
        stat({
          id: 2,
          title: "Alerts that fire",
          description: "The dashboard of alerts says what to do for each.",
          unit: "none",
          queries: [query("firing", 'count(ALERTS{alertstate="firing",job=~"$job|"}) or vector(0)')]
        }),
        stat({
          id: 3,
          title: "Commands a second",
          description: "Of clients, that took place now or by an earlier try.",
          unit: "ops",
          queries: [query("commands", `sum(${rate("wallet_commands_total", 'result=~"ok|replayed"', clientKinds)})`)]
        }),
        stat({
          id: 4,
          title: "Time that 99 % stay below",
          description: "From a command's offer to the owner's answer.",
          unit: "s",
          queries: [query("p99", quantile(0.99, "wallet_command_duration_seconds", "", 'result="ok"', clientKinds))]
        }),
        stat({
          id: 5,
          title: "Commands that got no true answer",
          description:
            "Share of those that were turned away, are unknown, or failed. Rejections by a rule are answers.",
          unit: "percentunit",
          queries: [
            query(
              "share",
              `(sum(${rate("wallet_commands_total", 'result=~"unavailable|unknown|failed"')}) or vector(0)) / sum(${rate("wallet_commands_total")})`
            )
          ]
        }),
        stat({
          id: 6,
          title: "Running for",
          description: "A short time that nobody meant is a restart: the last line of the log before it says why.",
          unit: "s",
          queries: [query("{{instance}}", `time() - ${of("process_start_time_seconds")}`)]
        })
      ]
    },
    {
      title: "Work",
      panels: [
        stacked({
          id: 7,
          title: "Commands by what they came to",
          description:
            "unavailable: nothing happened; unknown: only a retry tells; failed: a defect. More: Wallet: commands.",
          unit: "ops",
          queries: [query("{{result}}", sumBy("result", rate("wallet_commands_total", clientKinds)))]
        }),
        lines({
          id: 8,
          title: "Time of commands",
          description:
            "Of those that took place. If it grows: appends (Wallet: stores), then the event loop (Wallet: process).",
          unit: "s",
          queries: quantiles("wallet_command_duration_seconds", "load", 'result="ok"', clientKinds)
        }),
        stacked({
          id: 9,
          title: "Requests by status",
          description:
            "5xx other than 503 are never meant to happen. 429: more than the node can do, or than a key may.",
          unit: "reqps",
          queries: [query("{{status}}", sumBy("status", rate("http_requests_total")))],
          alerts: ["WalletServerErrors"]
        }),
        lines({
          id: 10,
          title: "Behind the log",
          description: "Age of the oldest event that each still lacks. Money goes on whatever is behind.",
          unit: "s",
          queries: [
            query("rows {{instance}}", of("wallet_persist_lag_seconds"), "separateLog"),
            query("search {{instance}}", of("wallet_search_lag_seconds"), "search"),
            query("webhooks {{instance}}", of("wallet_webhook_lag_seconds"), "webhooks")
          ]
        }),
        lines({
          id: 11,
          title: "Stores that are away",
          description: "1: it does not serve somebody who asked. Stores in one database are away together.",
          unit: "none",
          queries: [query("{{store}} {{instance}}", of("wallet_store_away"))],
          alerts: ["WalletLogAway"]
        }),
        lines({
          id: 12,
          title: "Busy",
          description: "Share of the time that the event loop has something to do: 1 is all that a node can.",
          unit: "percentunit",
          queries: [query("{{instance}}", rate("nodejs_eventloop_active_seconds_total"))]
        })
      ]
    }
  ]
}
