/** What fires, and what to do for each alert. */
import { type Board, query } from "../Panel.ts"
import { type Rule, rules } from "../Rules.ts"

/** The remedy as the rule has it; `|` would end a cell of the table. */
const row = ({ alert, annotations, labels }: Rule): string =>
  `| [${alert}](${annotations["dashboard"]}) | ${labels["severity"]} | ${(annotations["description"] ?? "").replaceAll("|", "\\|")} | \`${annotations["runbook"]}\` |`

/** Templates of Prometheus are of one alert, and say nothing of all. */
const plain = (text: string): string =>
  text.replaceAll(/\{\{ *\$labels\.(\w+) *\}\}/g, "the $1").replaceAll(/\{\{.*?\}\}/g, "…")

export const alerts: Board = {
  uid: "wallet-alerts",
  title: "Wallet: alerts",
  description: "What fires, since when, and what to do.",
  rows: [
    {
      title: "Now and before",
      panels: [
        {
          id: 1,
          kind: "alerts",
          title: "Alerts that fire or are about to",
          description: "pending: its time is not over yet. The table below says what to do.",
          unit: "none",
          queries: [
            query("{{alertname}} {{instance}} {{alertstate}}", 'ALERTS{alertname=~"Wallet.*",job=~"$job|"}', "outage")
          ]
        }
      ]
    }
  ],
  text: {
    id: 2,
    title: "What to do",
    markdown: [
      "Each name leads to the panel that shows the cause. The runbook is in the tree of effect-wallet.",
      "",
      "| alert | severity | what to do | runbook |",
      "|---|---|---|---|",
      ...rules.map((rule) => plain(row(rule)))
    ].join("\n")
  }
}
