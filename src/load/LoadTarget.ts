/**
 * What a load drives: the engine of this process, or a running service. Both take
 * the same commands; a reply is a code, so that refusals are counted and not
 * thrown.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { WalletEngine } from "../engine/WalletEngine.ts"
import { HttpConnection } from "./HttpConnection.ts"

export type LoadCommand =
  | { readonly _tag: "Create"; readonly walletId: string; readonly currency: string }
  | { readonly _tag: "Credit" | "Debit" | "Hold"; readonly walletId: string; readonly amount: bigint }
  | { readonly _tag: "Capture"; readonly walletId: string; readonly holdId: string }
  | { readonly _tag: "ChangeHold"; readonly walletId: string; readonly holdId: string; readonly amount: bigint }
  /** A final one, in part. */
  | {
      readonly _tag: "CaptureTo"
      readonly walletId: string
      readonly holdId: string
      readonly to: string
      readonly amount: bigint
    }
  /** Two legs: to a wallet, and from there on. */
  | {
      readonly _tag: "Legs"
      readonly walletId: string
      readonly through: string
      readonly to: string
      readonly amount: bigint
    }
  | { readonly _tag: "Transfer"; readonly walletId: string; readonly to: string; readonly amount: bigint }
  /** Of a transaction of the wallet, in part. */
  | { readonly _tag: "Refund"; readonly walletId: string; readonly transactionId: string; readonly amount: bigint }
  | { readonly _tag: "Read"; readonly walletId: string }

export interface LoadReply {
  /** `ok`, or the tag of the error, the code of the problem. */
  readonly code: string
  /** Of a hold that was placed, or the transaction of a credit. */
  readonly made: string | undefined
}

export class LoadTarget extends Context.Service<
  LoadTarget,
  {
    /** Sends one command for one caller, numbered from 0; a caller sends one at a time. */
    readonly send: (caller: number, command: LoadCommand, idempotencyKey: string) => Effect.Effect<LoadReply>
  }
>()("effect-wallet/load/LoadTarget") {
  /** The engine of this process. */
  static readonly layerEngine: Layer.Layer<LoadTarget, never, WalletEngine> = Layer.effect(
    LoadTarget,
    Effect.map(WalletEngine, (engine) => ({ send: (_, command, key) => sendToEngine(engine, command, key) }))
  )

  /** A running service, over one connection per caller. It must say the lengths of its replies, as ours does. */
  static readonly layerHttp = (options: {
    readonly url: URL
    readonly apiKey: Redacted.Redacted
  }): Layer.Layer<LoadTarget> =>
    Layer.effect(
      LoadTarget,
      Effect.gen(function* () {
        const connections: Array<HttpConnection> = []
        yield* Effect.addFinalizer(() => Effect.sync(() => connections.forEach((connection) => connection.close())))
        return {
          send: (caller, command, key) => {
            const connection = (connections[caller] ??= new HttpConnection(options.url))
            return sendToService(connection, options, command, key)
          }
        }
      })
    )
}

const done: LoadReply = { code: "ok", made: undefined }

const codeOf = (error: { readonly _tag: string }): LoadReply => ({ code: error._tag, made: undefined })

const sendToEngine = (engine: WalletEngine["Service"], command: LoadCommand, idempotencyKey: string) => {
  const settled = <E extends { readonly _tag: string }>(effect: Effect.Effect<unknown, E>) =>
    Effect.match(effect, { onSuccess: () => done, onFailure: codeOf })
  const { walletId } = command
  switch (command._tag) {
    case "Create":
      return settled(engine.createWallet({ id: walletId, ownerId: "load", currency: command.currency, idempotencyKey }))
    case "Credit":
      return Effect.match(engine.credit({ walletId, amount: command.amount, idempotencyKey }), {
        onSuccess: ({ transaction }): LoadReply => ({ code: "ok", made: transaction.id }),
        onFailure: codeOf
      })
    case "Debit":
      return settled(engine.debit({ walletId, amount: command.amount, idempotencyKey }))
    case "Hold":
      return Effect.match(engine.placeHold({ walletId, amount: command.amount, idempotencyKey }), {
        onSuccess: ({ hold }): LoadReply => ({ code: "ok", made: hold.id }),
        onFailure: codeOf
      })
    case "Capture":
      return settled(engine.captureHold({ walletId, holdId: command.holdId, idempotencyKey }))
    case "ChangeHold":
      return settled(engine.changeHold({ walletId, holdId: command.holdId, amount: command.amount, idempotencyKey }))
    case "CaptureTo": {
      const { amount, holdId, to } = command
      return settled(engine.captureHoldTo({ walletId, holdId, to, amount, final: true, idempotencyKey }))
    }
    case "Transfer":
      return settled(engine.transfer({ from: walletId, to: command.to, amount: command.amount, idempotencyKey }))
    case "Refund": {
      const { amount, transactionId } = command
      return settled(engine.refundTransaction({ walletId, transactionId, amount, idempotencyKey }))
    }
    case "Legs":
      return settled(engine.transfer({ legs: legsOf(command), idempotencyKey }))
    case "Read":
      return settled(engine.getWallet({ walletId }))
  }
}

const legsOf = ({ amount, through, to, walletId }: Extract<LoadCommand, { readonly _tag: "Legs" }>) => [
  { from: walletId, to: through, amount },
  { from: through, to, amount }
]

/** Method, path and body. */
const requestOf = (command: LoadCommand): readonly [method: string, path: string, body: string] => {
  const wallet = `/v1/wallets/${command.walletId}`
  switch (command._tag) {
    case "Create":
      return [
        "POST",
        "/v1/wallets",
        JSON.stringify({ id: command.walletId, ownerId: "load", currency: command.currency })
      ]
    case "Credit":
      return ["POST", `${wallet}/credit`, `{"amount":"${command.amount}"}`]
    case "Debit":
      return ["POST", `${wallet}/debit`, `{"amount":"${command.amount}"}`]
    case "Hold":
      return ["POST", `${wallet}/holds`, `{"amount":"${command.amount}"}`]
    case "Capture":
      return ["POST", `${wallet}/holds/${command.holdId}/capture`, "{}"]
    case "ChangeHold":
      return ["PATCH", `${wallet}/holds/${command.holdId}`, `{"amount":"${command.amount}"}`]
    case "CaptureTo": {
      const { amount, to } = command
      const body = JSON.stringify({ amount: amount.toString(), to, final: true })
      return ["POST", `${wallet}/holds/${command.holdId}/capture`, body]
    }
    case "Transfer": {
      const { amount, to, walletId: from } = command
      return ["POST", "/v1/transfers", JSON.stringify({ from, to, amount: amount.toString() })]
    }
    case "Refund":
      return ["POST", `/v1/transactions/${command.transactionId}/refund`, `{"amount":"${command.amount}"}`]
    case "Legs": {
      const legs = legsOf(command).map((leg) => ({ ...leg, amount: leg.amount.toString() }))
      return ["POST", "/v1/transfers", JSON.stringify({ legs })]
    }
    case "Read":
      return ["GET", wallet, ""]
  }
}

const sendToService = (
  connection: HttpConnection,
  { apiKey, url }: { readonly url: URL; readonly apiKey: Redacted.Redacted },
  command: LoadCommand,
  idempotencyKey: string
): Effect.Effect<LoadReply> => {
  const [method, path, body] = requestOf(command)
  const prefix = url.pathname.replace(/\/$/, "")
  const mutation = method === "GET" ? "" : `content-type: application/json\r\nidempotency-key: ${idempotencyKey}\r\n`
  const head =
    `${method} ${prefix}${path} HTTP/1.1\r\nhost: ${url.host}\r\n` +
    `authorization: Bearer ${Redacted.value(apiKey)}\r\n${mutation}`
  return Effect.match(connection.request(head, body), {
    onSuccess: (reply): LoadReply => {
      if (reply.status >= 300) return { code: problemCode(reply.status, reply.body), made: undefined }
      if (command._tag === "Hold") return { code: "ok", made: holdIdOf(reply.body) }
      return command._tag === "Credit" ? { code: "ok", made: transactionIdOf(reply.body) } : done
    },
    onFailure: codeOf
  })
}

const ProblemBody = Schema.fromJsonString(Schema.Struct({ code: Schema.String }))
const CreditBody = Schema.fromJsonString(Schema.Struct({ transaction: Schema.Struct({ id: Schema.String }) }))
const HoldBody = Schema.fromJsonString(Schema.Struct({ hold: Schema.Struct({ id: Schema.String }) }))

const problemCode = (status: number, body: string): string =>
  Option.match(Schema.decodeOption(ProblemBody)(body), { onNone: () => String(status), onSome: ({ code }) => code })

const holdIdOf = (body: string): string | undefined =>
  Option.getOrUndefined(Option.map(Schema.decodeOption(HoldBody)(body), ({ hold }) => hold.id))

const transactionIdOf = (body: string): string | undefined =>
  Option.getOrUndefined(Option.map(Schema.decodeOption(CreditBody)(body), ({ transaction }) => transaction.id))
