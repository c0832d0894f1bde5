/** Requests that must be rejected, whatever is broken. */
import type { Body } from "./ClientView.ts"

/** What no fault may change: rejections of the form and of the rules. The answer's code, or that there is none for now. */
export const invalid = (
  random: (below: number) => number
): readonly [code: string, path: string, key: string, body: Body] => {
  const key = `absurd${random(1_000_000_000)}`
  const wallet = "/v1/wallets/w0"
  switch (random(4)) {
    case 0:
      return ["InsufficientFunds", `${wallet}/debit`, key, { amount: "9".repeat(29) }]
    case 1:
      return ["WalletNotFound", "/v1/wallets/nobody/credit", key, { amount: "1" }]
    case 2:
      return ["InvalidRequest", `${wallet}/credit`, key, { amount: "-1" }]
    default:
      return ["IdempotencyKeyReused", `${wallet}/credit`, "fund0", { amount: "77" }]
  }
}
