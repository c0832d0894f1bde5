/** What a shop does with types made by openapi-typescript, and openapi-fetch. WALLET_URL and WALLET_KEY say where. */
import { deepStrictEqual, strictEqual } from "node:assert"
import createClient from "openapi-fetch"
import type { paths } from "./wallet.ts"

const { WALLET_KEY, WALLET_URL } = process.env
const api = createClient<paths>({ baseUrl: WALLET_URL!, headers: { Authorization: `Bearer ${WALLET_KEY}` } })
const key = () => ({ "Idempotency-Key": crypto.randomUUID() })
const [shop, customer] = [`shop-${crypto.randomUUID()}`, `customer-${crypto.randomUUID()}`]

for (const id of [shop, customer]) {
  const made = await api.POST("/v1/wallets", {
    params: { header: key() },
    body: { id, ownerId: "ts", currency: "EUR" }
  })
  strictEqual(made.data?.wallet.balance, "0")
}

const ofCustomer = { id: customer }
const credited = await api.POST("/v1/wallets/{id}/credit", {
  params: { path: ofCustomer, header: key() },
  body: { amount: "1000", metadata: { order: "17" } }
})
strictEqual(credited.data?.transaction.balanceAfter, "1000")

const held = await api.POST("/v1/wallets/{id}/holds", {
  params: { path: ofCustomer, header: key() },
  body: { amount: "300" }
})
const captured = await api.POST("/v1/wallets/{id}/holds/{holdId}/capture", {
  params: { path: { ...ofCustomer, holdId: held.data!.hold.id! }, header: key() },
  body: { amount: "200", final: true }
})
strictEqual(captured.data?.hold.status, "captured")
strictEqual(captured.data?.wallet.balance, "800")

const sent = await api.POST("/v1/transfers", {
  params: { header: key() },
  body: { from: customer, to: shop, amount: "100" }
})
strictEqual(sent.data?.transfer.status, "completed")

const seen: Array<string> = []
let cursor: string | null = null
do {
  const query: { limit: number; cursor?: string } = cursor === null ? { limit: 1 } : { limit: 1, cursor }
  const page = await api.GET("/v1/wallets/{id}/transactions", { params: { path: ofCustomer, query } })
  for (const { amount } of page.data!.data) seen.push(amount)
  cursor = page.data!.next
} while (cursor !== null)
deepStrictEqual(seen, ["100", "200", "1000"])

const short = await api.POST("/v1/wallets/{id}/debit", {
  params: { path: ofCustomer, header: key() },
  body: { amount: "1000" }
})
const problem = short.error
if (problem?.code !== "InsufficientFunds") throw new Error(`not a shortage: ${JSON.stringify(problem)}`)
strictEqual(problem.shortage, "300")
console.log("scenario: done")
