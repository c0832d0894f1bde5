/**
 * The app on a port. It needs a running wallet service and a webhook there that leads to `/webhooks/wallets`.
 *
 *   WALLET_URL=… WALLET_API_KEY=… WALLET_WEBHOOK_SECRET=… node --conditions=effect-wallet-source examples/express/main.ts
 */
import { Redacted } from "effect"
import { makeApp } from "./app.ts"

const needed = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

const { app, stop } = makeApp({
  walletUrl: process.env["WALLET_URL"] ?? "http://127.0.0.1:3000",
  apiKey: Redacted.make(needed("WALLET_API_KEY")),
  webhookSecret: Redacted.make(needed("WALLET_WEBHOOK_SECRET"))
})

const server = app.listen(Number(process.env["PORT"] ?? "8080"), "127.0.0.1", (error) => {
  if (error !== undefined) throw error
  const address = server.address()
  console.log(`http://127.0.0.1:${typeof address === "object" ? address?.port : address}`)
})

process.once("SIGTERM", () => server.close(() => void stop()))
