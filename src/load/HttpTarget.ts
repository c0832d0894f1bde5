/** A running service under a load. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Await } from "../engine/EngineApi.ts"
import { OwnerRoutes } from "../http/api/OwnerRoutes.ts"
import { legsOf } from "./EngineTarget.ts"
import { HttpConnection, type HttpReply } from "./HttpConnection.ts"
import type { KeyedCommand, LoadCommand } from "./LoadCommand.ts"
import {
  accepted,
  type DurabilityLevel,
  type LoadReply,
  LoadTarget,
  notAccepted,
  ReadFailed,
  type Usage
} from "./LoadTarget.ts"
import { judgeFailure, judgeStatus } from "./Outcome.ts"

export interface HttpTargetOptions {
  readonly url: URL
  readonly apiKey: Redacted.Redacted
  readonly await: Await
  /** Commands go straight to the nodes that own their wallets, as answers name them. Default `false`. */
  readonly toOwners?: boolean | undefined
}

/** Method, path and body. */
const requestOf = (command: LoadCommand, key: string): readonly [method: string, path: string, body: string] => {
  const wallet = `/v1/wallets/${command.walletId}`
  switch (command._tag) {
    case "Create": {
      const { currency, walletId } = command
      return ["POST", "/v1/wallets", JSON.stringify({ id: walletId, ownerId: "load", currency })]
    }
    case "Credit":
      return ["POST", `${wallet}/credit`, `{"amount":"${command.amount}","reference":"${key}"}`]
    case "Debit":
      return ["POST", `${wallet}/debit`, `{"amount":"${command.amount}","reference":"${key}"}`]
    case "Hold":
      return ["POST", `${wallet}/holds`, `{"amount":"${command.amount}","reference":"${key}"}`]
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
      return ["POST", "/v1/transfers", JSON.stringify({ from, to, amount: amount.toString(), reference: key })]
    }
    case "Refund": {
      const { amount, transactionId } = command
      return ["POST", `/v1/transactions/${transactionId}/refund`, `{"amount":"${amount}","reference":"${key}"}`]
    }
    case "Legs": {
      const legs = legsOf(command).map((leg) => ({ ...leg, amount: leg.amount.toString(), reference: key }))
      return ["POST", "/v1/transfers", JSON.stringify({ legs, reference: key })]
    }
    case "Read":
      return ["GET", wallet, ""]
  }
}

/** A command of a batch; those of a single request alone. */
const itemOf = ({ command, key }: KeyedCommand): object | undefined => {
  const { walletId } = command
  switch (command._tag) {
    case "Credit":
    case "Debit": {
      const type = command._tag === "Credit" ? "credit" : "debit"
      return { type, walletId, idempotencyKey: key, amount: command.amount.toString(), reference: key }
    }
    case "Transfer": {
      const { amount, to } = command
      return { type: "transfer", walletId, idempotencyKey: key, to, amount: amount.toString(), reference: key }
    }
    default:
      return undefined
  }
}

const ProblemBody = Schema.fromJsonString(Schema.Struct({ code: Schema.String }))
const problemCode = Schema.decodeOption(ProblemBody)

const madePattern = /"(?:transaction|hold|transfer)"\s*:\s*\{[^{}]*?"id"\s*:\s*"([^"]+)"/

/** Looked for in the text: to parse it all would be time that the service does not get. */
const durableIn = (body: string): DurabilityLevel | undefined =>
  /"indexed"\s*:\s*true/.test(body)
    ? "indexed"
    : /"persisted"\s*:\s*true/.test(body)
      ? "persisted"
      : /"committed"\s*:\s*true/.test(body)
        ? "committed"
        : undefined

const retryAfterOf = (head: string): number | undefined => {
  const seconds = /\r\nretry-after: *(\d+)/i.exec(head)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1_000
}

const judged = (status: number, body: string, replayed: boolean, retryAfter: number | undefined): LoadReply => {
  if (status >= 200 && status < 300) {
    const reply = accepted(durableIn(body), madePattern.exec(body)?.[1], replayed)
    // A transfer of which one side is still to come.
    return /"status"\s*:\s*"pending"/.test(body) ? { ...reply, tookPlace: "maybe" } : reply
  }
  const code = Option.getOrUndefined(Option.map(problemCode(body), ({ code }) => code))
  return notAccepted(code ?? String(status), judgeStatus(status, code), retryAfter)
}

const replyOf = ({ body, head, status }: HttpReply): LoadReply =>
  judged(status, body, /\r\nidempotency-replayed: *true/i.test(head), retryAfterOf(head))

const BatchBody = Schema.fromJsonString(
  Schema.Struct({
    results: Schema.Array(
      Schema.Struct({ status: Schema.Int, body: Schema.Unknown, replayed: Schema.optionalKey(Schema.Boolean) })
    )
  })
)

/** Of a batch that was not run as a whole each command has the whole one's reply. */
const batchReplies = (reply: HttpReply, count: number): ReadonlyArray<LoadReply> => {
  const whole = replyOf(reply)
  if (whole.outcome !== "accepted") return Array.from({ length: count }, () => whole)
  const results = Option.getOrUndefined(Schema.decodeOption(BatchBody)(reply.body))?.results ?? []
  return Array.from({ length: count }, (_, index) => {
    const one = results[index]
    if (one === undefined) return notAccepted("NoAnswer", judgeFailure("NoAnswer"))
    return judged(one.status, JSON.stringify(one.body), one.replayed === true, whole.retryAfter)
  })
}

const big = Schema.BigIntFromString
const WalletBody = Schema.fromJsonString(Schema.Struct({ balance: big, held: big, version: Schema.Int }))
const EventsBody = Schema.fromJsonString(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({
        version: Schema.Int,
        type: Schema.String,
        data: Schema.Record(Schema.String, Schema.Unknown)
      })
    )
  })
)

const usageIn = (text: string, name: string): number | undefined => {
  const value = new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+-]+)`, "m").exec(text)?.[1]
  return value === undefined ? undefined : Number(value)
}

/** From the metrics, which ask for no key. */
const usageOf = (connection: HttpConnection, head: string): Effect.Effect<Usage | undefined> =>
  Effect.match(connection.request(head, ""), {
    onFailure: () => undefined,
    onSuccess: ({ body, status }) => {
      const cpuSeconds = usageIn(body, "process_cpu_seconds_total")
      const residentBytes = usageIn(body, "process_resident_memory_bytes")
      if (status !== 200 || cpuSeconds === undefined || residentBytes === undefined) return undefined
      return { cpuSeconds, residentBytes }
    }
  })

/** After which a read that broke off is tried again, milliseconds. */
const brokenPause = 500

/** A service or one of its nodes, and the connections of callers to it. */
class Door {
  private readonly url: URL
  private readonly prefix: string
  private readonly ending: string
  private readonly connections: Array<HttpConnection> = []

  constructor(url: URL, apiKey: Redacted.Redacted) {
    this.url = url
    this.prefix = url.pathname.replace(/\/$/, "")
    this.ending = `host: ${url.host}\r\nauthorization: Bearer ${Redacted.value(apiKey)}\r\n`
  }

  request(caller: number, method: string, path: string, more: string, body: string) {
    const connection = (this.connections[caller] ??= new HttpConnection(this.url))
    return connection.request(`${method} ${this.prefix}${path} HTTP/1.1\r\n${this.ending}${more}`, body)
  }

  close(): void {
    for (const connection of this.connections) connection.close()
  }
}

/** A run may be of so many wallets whose owners it keeps in mind. */
const maxRoutes = 1_000_000

/** Requests about wallets: to the service, or to the owners that its answers name. */
const doorsOf = ({ apiKey, toOwners, url }: HttpTargetOptions) => {
  const service = new Door(url, apiKey)
  const nodes = new Map<string, Door>()
  const routes = new OwnerRoutes(url.href, maxRoutes)
  const doorOf = (node: string) => {
    let door = nodes.get(node)
    if (door === undefined) nodes.set(node, (door = new Door(new URL(node), apiKey)))
    return door
  }
  const about = (walletId: string | undefined, ...request: Parameters<Door["request"]>): ReturnType<Door["request"]> =>
    toOwners !== true || walletId === undefined
      ? service.request(...request)
      : Effect.suspend(() => {
          const node = routes.of(walletId)
          const asked = node === undefined ? service.request(...request) : doorOf(node).request(...request)
          const answered = Effect.tap(asked, ({ head, status }) =>
            Effect.sync(() => routes.answered(walletId, status, nodeIn.exec(head)?.[1]))
          )
          return node === undefined ? answered : Effect.tapError(answered, () => Effect.sync(() => routes.fail(node)))
        })
  return { service, about, close: () => [service, ...nodes.values()].forEach((door) => door.close()) }
}

/** By the path or the body of its request; answers to a refund, which is of a transaction, name no node. */
const aboutOf = (command: LoadCommand): string | undefined => (command._tag === "Refund" ? undefined : command.walletId)

const nodeIn = /\r\nx-wallet-node: *(\S+)/i

/** A running service, over one connection per caller. It must say the lengths of its replies, as ours does. */
export const layerHttp = (options: HttpTargetOptions): Layer.Layer<LoadTarget> =>
  Layer.effect(
    LoadTarget,
    Effect.gen(function* () {
      const { url } = options
      const doors = doorsOf(options)
      const watcher = new HttpConnection(url)
      yield* Effect.addFinalizer(() => Effect.sync(() => [watcher, doors].forEach((one) => one.close())))
      const prefix = url.pathname.replace(/\/$/, "")
      const post = "content-type: application/json\r\n"
      const wait = `?await=${options.await}`
      const failed = ({ connected }: { readonly connected: boolean }): LoadReply => {
        const code = connected ? "ConnectionBroken" : "ConnectionRefused"
        return notAccepted(code, judgeFailure(code))
      }

      const read = Effect.fnUntraced(function* <S extends Schema.Codec<unknown, string>>(
        caller: number,
        walletId: string,
        path: string,
        schema: S
      ): Effect.fn.Return<S["Type"], ReadFailed> {
        const reply = yield* Effect.mapError(
          doors.about(walletId, caller, "GET", `/v1/wallets/${walletId}${path}`, "", ""),
          () => new ReadFailed({ code: "ConnectionBroken", retryAfter: brokenPause })
        )
        if (reply.status !== 200) {
          const { code, outcome, retryAfter } = replyOf(reply)
          const later = outcome === "rejected" ? undefined : (retryAfter ?? brokenPause)
          return yield* new ReadFailed({ code, retryAfter: later })
        }
        return yield* Effect.mapError(
          Schema.decodeEffect(schema)(reply.body),
          () => new ReadFailed({ code: "AnswerUnreadable", retryAfter: undefined })
        )
      })

      return {
        send: (caller, command, key) => {
          const [method, path, body] = requestOf(command, key)
          const [to, more] = method === "GET" ? [path, ""] : [path + wait, `${post}idempotency-key: ${key}\r\n`]
          const sent = doors.about(aboutOf(command), caller, method, to, more, body)
          return Effect.match(sent, { onSuccess: replyOf, onFailure: failed })
        },
        sendBatch: (caller, commands) =>
          Effect.match(
            doors.service.request(
              caller,
              "POST",
              `/v1/batch${wait}`,
              post,
              JSON.stringify({ commands: commands.map(itemOf) })
            ),
            {
              onSuccess: (reply) => batchReplies(reply, commands.length),
              onFailure: (failure) => commands.map(() => failed(failure))
            }
          ),
        wallet: (caller, walletId) => read(caller, walletId, "", WalletBody),
        events: (caller, walletId, after) =>
          Effect.map(
            read(caller, walletId, `/events?${after < 0 ? "" : `after=${after}&`}limit=200`, EventsBody),
            ({ data }) => data
          ),
        usage: usageOf(watcher, `GET ${prefix}/metrics HTTP/1.1\r\nhost: ${url.host}\r\n`)
      }
    })
  )
