/**
 * What can be done to wallets, as values that outlive a reload of the page (amounts as digits), how each is asked of the
 * typed client, and what it is on the wire, for whoever takes it to a shell.
 */
import * as Effect from "effect/Effect"
import type {
  DurabilityJson,
  HoldJson,
  TransactionJson,
  TransferJson,
  WalletJson
} from "../../../src/http/api/Schemas.ts"
import { formatTime } from "../../../src/http/api/SchemaValues.ts"
import type { Api } from "../api/Client.ts"
import type { WireRequest } from "../format/Curl.ts"

export type Wallet = typeof WalletJson.Type
export type Transaction = typeof TransactionJson.Type
export type Hold = typeof HoldJson.Type
export type Transfer = typeof TransferJson.Type

interface Note {
  readonly reference?: string
  readonly metadata?: Readonly<Record<string, string>>
}

type Direction = "debits" | "credits" | "all"

/** Times are milliseconds. */
export type Command =
  | { readonly act: "create"; readonly id?: string; readonly ownerId: string; readonly currency: string }
  | ({
      readonly act: "credit" | "debit"
      readonly walletId: string
      readonly amount: string
      readonly force?: true
    } & Note)
  | ({ readonly act: "hold"; readonly walletId: string; readonly amount: string; readonly expiresAt?: number } & Note)
  | {
      readonly act: "capture"
      readonly walletId: string
      readonly holdId: string
      readonly amount?: string
      readonly final?: true
      readonly to?: string
    }
  | { readonly act: "release"; readonly walletId: string; readonly holdId: string }
  | ({ readonly act: "transfer"; readonly from: string; readonly to: string; readonly amount: string } & Note)
  | ({ readonly act: "refundTransaction"; readonly transactionId: string; readonly amount?: string } & Note)
  | ({
      readonly act: "refundTransfer"
      readonly transferId: string
      readonly amount?: string
      readonly leg?: number
    } & Note)
  | {
      readonly act: "freeze"
      readonly walletId: string
      readonly reason?: string
      readonly direction?: Direction
      readonly until?: number
    }
  | { readonly act: "unfreeze" | "close"; readonly walletId: string; readonly reason?: string }

type Scope = "write" | "admin"

/** What a key needs for it. */
export const scopeOf = (command: Command): Scope =>
  ["freeze", "unfreeze", "close"].includes(command.act) || ("force" in command && command.force === true)
    ? "admin"
    : "write"

/** What it came to; of a dry run what it would come to. */
export interface Outcome {
  readonly wallet?: Omit<Wallet, "id">
  readonly walletId?: string | null
  readonly transactionId?: string | null
  readonly holdId?: string | null
  readonly transfer?: Omit<Transfer, "id"> & { readonly id: string | null }
  readonly durability: typeof DurabilityJson.Type
  /** It had been done before, and this is the first answer again. */
  readonly replayed: boolean
}

type Reply = {
  readonly durability: typeof DurabilityJson.Type
  readonly wallet?: Omit<Wallet, "id"> & { readonly id: string | null }
  readonly transaction?: { readonly id: string | null }
  readonly hold?: { readonly id: string | null }
  readonly transfer?: Omit<Transfer, "id"> & { readonly id: string | null }
}

interface WithHeaders {
  readonly headers: Readonly<Record<string, string | undefined>>
}

const outcomeOf = ([reply, { headers }]: readonly [Reply, WithHeaders]): Outcome => ({
  durability: reply.durability,
  replayed: headers["idempotency-replayed"] === "true",
  ...(reply.wallet === undefined ? {} : { wallet: reply.wallet, walletId: reply.wallet.id }),
  ...(reply.transaction === undefined ? {} : { transactionId: reply.transaction.id }),
  ...(reply.hold === undefined ? {} : { holdId: reply.hold.id }),
  ...(reply.transfer === undefined ? {} : { transfer: reply.transfer })
})

const noteOf = ({ metadata, reference }: Note): Note => ({
  ...(reference === undefined ? {} : { reference }),
  ...(metadata === undefined ? {} : { metadata })
})

const amountOf = ({ amount }: { readonly amount?: string }): { readonly amount?: bigint } =>
  amount === undefined ? {} : { amount: BigInt(amount) }

/** With its own key; tried only, where `dryRun`. */
const ask = (
  api: Api,
  command: Command,
  key: string,
  dryRun: boolean
): Effect.Effect<readonly [Reply, WithHeaders], unknown> => {
  const options = {
    headers: { "idempotency-key": key },
    query: dryRun ? { dryRun: true as const } : {},
    responseMode: "decoded-and-response" as const
  }
  switch (command.act) {
    case "create": {
      const { act: _, ...payload } = command
      return api.wallets.create({ ...options, payload })
    }
    case "credit":
    case "debit": {
      const params = { id: command.walletId }
      const payload = { amount: BigInt(command.amount), ...noteOf(command) }
      if (command.act === "credit") return api.wallets.credit({ ...options, params, payload })
      const forced = command.force === undefined ? {} : { force: command.force }
      return api.wallets.debit({ ...options, params, payload: { ...payload, ...forced } })
    }
    case "hold": {
      const expiry = command.expiresAt === undefined ? {} : { expiresAt: command.expiresAt }
      const payload = { amount: BigInt(command.amount), ...noteOf(command), ...expiry }
      return api.holds.place({ ...options, params: { id: command.walletId }, payload })
    }
    case "capture": {
      const { final, holdId, to, walletId } = command
      const payload = {
        ...amountOf(command),
        ...(final === undefined ? {} : { final }),
        ...(to === undefined ? {} : { to })
      }
      return api.holds.capture({ ...options, params: { id: walletId, holdId }, payload })
    }
    case "release":
      return api.holds.release({ ...options, params: { id: command.walletId, holdId: command.holdId } })
    case "transfer": {
      const { amount, from, to } = command
      return api.transfers.send({ ...options, payload: { from, to, amount: BigInt(amount), ...noteOf(command) } })
    }
    case "refundTransaction":
      return api.transactions.refund({
        ...options,
        params: { id: command.transactionId },
        payload: { ...amountOf(command), ...noteOf(command) }
      })
    case "refundTransfer": {
      const leg = command.leg === undefined ? {} : { leg: command.leg }
      const payload = { ...amountOf(command), ...noteOf(command), ...leg }
      return api.transfers.refund({ ...options, params: { id: command.transferId }, payload })
    }
    case "freeze": {
      const { act: _, walletId, ...payload } = command
      return api.wallets.freeze({ ...options, params: { id: walletId }, payload })
    }
    case "unfreeze":
    case "close": {
      const { act, walletId, ...payload } = command
      return api.wallets[act]({ ...options, params: { id: walletId }, payload })
    }
  }
}

export const perform = (api: Api, command: Command, key: string, dryRun: boolean): Effect.Effect<Outcome, unknown> =>
  Effect.map(ask(api, command, key, dryRun), outcomeOf)

const timesOf = (command: Command) => ({
  ...("expiresAt" in command && command.expiresAt !== undefined ? { expiresAt: formatTime(command.expiresAt) } : {}),
  ...("until" in command && command.until !== undefined ? { until: formatTime(command.until) } : {})
})

const at = (...segments: ReadonlyArray<string>): string => `/v1/${segments.map(encodeURIComponent).join("/")}`

/** The very request that `perform` makes. */
export const requestOf = (command: Command): WireRequest => {
  switch (command.act) {
    case "create": {
      const { act: _, ...body } = command
      return { method: "POST", path: at("wallets"), body }
    }
    case "transfer": {
      const { act: _, ...body } = command
      return { method: "POST", path: at("transfers"), body }
    }
    case "refundTransaction": {
      const { act: _, transactionId, ...body } = command
      return { method: "POST", path: at("transactions", transactionId, "refund"), body }
    }
    case "refundTransfer": {
      const { act: _, transferId, ...body } = command
      return { method: "POST", path: at("transfers", transferId, "refund"), body }
    }
    case "capture":
    case "release": {
      const { act, holdId, walletId, ...body } = command
      return { method: "POST", path: at("wallets", walletId, "holds", holdId, act), body }
    }
    default: {
      const { act, walletId, ...rest } = command
      const body = { ...rest, ...timesOf(command) }
      return { method: "POST", path: at("wallets", walletId, act === "hold" ? "holds" : act), body }
    }
  }
}
