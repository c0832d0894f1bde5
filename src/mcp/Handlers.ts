/** What each tool asks of the service. */
import * as Effect from "effect/Effect"
import { type CommandName, type TriedCommand, WalletTools } from "./Tools.ts"
import { type ServiceRequest, WalletService } from "./WalletService.ts"

/** What a command takes: ids, whose form was checked, and the body. */
type Given = Readonly<Record<string, unknown>>

const wallet = (walletId: unknown) => `/v1/wallets/${String(walletId)}`

const post = (path: string, body: Given) => ({ method: "POST", path, body }) as const

/** Beside its key. */
const requests: Readonly<Record<CommandName, (given: Given) => ServiceRequest>> = {
  credit: ({ walletId, ...body }) => post(`${wallet(walletId)}/credit`, body),
  debit: ({ walletId, ...body }) => post(`${wallet(walletId)}/debit`, body),
  place_hold: ({ walletId, ...body }) => post(`${wallet(walletId)}/holds`, body),
  capture_hold: ({ holdId, walletId, ...body }) => post(`${wallet(walletId)}/holds/${String(holdId)}/capture`, body),
  release_hold: ({ holdId, walletId, ...body }) => post(`${wallet(walletId)}/holds/${String(holdId)}/release`, body),
  transfer: (body) => post("/v1/transfers", body),
  refund_transaction: ({ transactionId, ...body }) => post(`/v1/transactions/${String(transactionId)}/refund`, body),
  refund_transfer: ({ transferId, ...body }) => post(`/v1/transfers/${String(transferId)}/refund`, body)
}

export const handlers = WalletTools.toLayer(
  Effect.map(WalletService, ({ ask }) => {
    const run =
      (name: CommandName) =>
      ({ idempotencyKey, ...given }: Given & { readonly idempotencyKey: string }) =>
        ask({ ...requests[name](given), idempotencyKey })
    const list =
      (what: string) =>
      ({ walletId, ...query }: Given & { readonly walletId: string } & NonNullable<ServiceRequest["query"]>) =>
        ask({ method: "GET", path: `${wallet(walletId)}/${what}`, query })
    const tryOut = ({ command, ...given }: typeof TriedCommand.Type) =>
      ask({ ...requests[command](given), query: { dryRun: true } })
    return {
      get_wallet: ({ walletId }) => ask({ method: "GET", path: wallet(walletId) }),
      list_transactions: list("transactions"),
      list_holds: list("holds"),
      get_transfer: ({ transferId }) => ask({ method: "GET", path: `/v1/transfers/${transferId}` }),
      get_key: () => ask({ method: "GET", path: "/v1/keys/self" }),
      dry_run: (given) => tryOut(given.try),
      credit: run("credit"),
      debit: run("debit"),
      place_hold: run("place_hold"),
      capture_hold: run("capture_hold"),
      release_hold: run("release_hold"),
      transfer: run("transfer"),
      refund_transaction: run("refund_transaction"),
      refund_transfer: run("refund_transfer")
    }
  })
)
