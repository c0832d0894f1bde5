/** Deliveries to webhooks. */
import { type Board, lines, of, query, rate, sumBy } from "../Panel.ts"

export const webhooks: Board = {
  uid: "wallet-webhooks",
  title: "Wallet: webhooks",
  description:
    "Do receivers get what happens, and how late? Which were given up? GET /v1/webhooks names each with its last error.",
  rows: [
    {
      title: "Deliveries",
      panels: [
        lines({
          id: 1,
          title: "Behind",
          description: "Age of the oldest event that was read for a webhook and not acknowledged. Money goes on.",
          unit: "s",
          limit: 600,
          queries: [query("{{instance}}", of("wallet_webhook_lag_seconds"), "webhooks")],
          alerts: ["WalletWebhookBehind"]
        }),
        lines({
          id: 2,
          title: "Attempts by result",
          description: "refused: an answer that is not 2xx; failed: no answer.",
          unit: "ops",
          queries: [query("{{result}}", sumBy("result", rate("wallet_webhook_deliveries_total")), "webhooks")]
        }),
        lines({
          id: 3,
          title: "Wallets behind",
          description: "Whose event was refused, and is tried again. One wallet holds up no other.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_webhook_wallets_behind"), "webhooks")]
        }),
        lines({
          id: 4,
          title: "Webhooks",
          description: "Of the installation: enabled, and given up after three days of refusals.",
          unit: "none",
          queries: [
            query("enabled", `max(${of("wallet_webhook_endpoints")})`, "webhooks"),
            query("given up", `max(${of("wallet_webhook_endpoints_disabled")})`, "webhooks")
          ],
          alerts: ["WalletWebhookDisabled"]
        })
      ]
    }
  ]
}
