/** The API on a free port over an engine in memory, with a key for every scope. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Net from "node:net"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { ApiKeys } from "../../src/http/ApiKeys.ts"
import { HttpConfig, type HttpConfigValues } from "../../src/http/HttpConfig.ts"
import { httpServer } from "../../src/http/HttpServer.ts"
import type { ApiKeyStore, Scope } from "../../src/stores/ApiKeyStore.ts"
import type { AuditStore } from "../../src/stores/AuditStore.ts"
import type { WebhookStore } from "../../src/stores/WebhookStore.ts"
import { Webhooks, type WebhooksOptions } from "../../src/webhooks/Webhooks.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

export interface Call {
  readonly body?: unknown
  readonly headers?: Record<string, string>
  /** Default: the admin's. `null`: none. */
  readonly secret?: string | null
  readonly key?: string
}

export class TestServer extends Context.Service<
  TestServer,
  {
    readonly port: number
    readonly url: string
    readonly secrets: { readonly admin: string; readonly read: string; readonly write: string }
    readonly call: (method: string, path: string, call?: Call) => Effect.Effect<Reply>
    /** Sends bytes as they are and returns what comes until the server closes or `until` matches. */
    readonly raw: (bytes: string | Uint8Array, until?: RegExp) => Effect.Effect<string>
    /** A new wallet's id. */
    readonly wallet: (fields?: Record<string, unknown>) => Effect.Effect<string>
  }
>()("test/TestServer") {}

let made = 0

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const send = (url: string, secret: string) =>
  Effect.fnUntraced(function* (method: string, path: string, call: Call = {}) {
    const headers: Record<string, string> = {}
    const chosen = call.secret === undefined ? secret : call.secret
    if (chosen !== null) headers["authorization"] = `Bearer ${chosen}`
    if (call.key !== undefined) headers["idempotency-key"] = call.key
    if (call.body !== undefined) headers["content-type"] = "application/json"
    const { body: given } = call
    const body =
      given === undefined || typeof given === "string" || given instanceof Uint8Array
        ? (given as string | Uint8Array<ArrayBuffer> | undefined)
        : JSON.stringify(given)
    return yield* Effect.promise(async (signal): Promise<Reply> => {
      const init = { method, headers: { ...headers, ...call.headers }, signal }
      const response = await fetch(url + path, body === undefined ? init : { ...init, body })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: jsonOf(text) }
    })
  })

export const sendRaw = (port: number) => (bytes: string | Uint8Array, until?: RegExp) =>
  Effect.callback<string>((resume) => {
    let received = ""
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(bytes))
    const done = () => {
      socket.destroy()
      resume(Effect.succeed(received))
    }
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1")
      if (until?.test(received)) done()
    })
    socket.on("close", done)
    socket.on("error", done)
    return Effect.sync(() => socket.destroy())
  })

/** Sends bytes and breaks the connection off. */
export const sendAndCut = (port: number, bytes: string) =>
  Effect.callback<void>((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(bytes, () => socket.destroy()))
    socket.on("close", () => resume(Effect.void))
  })

const make = Effect.gen(function* () {
  const { address } = yield* EffectHttpServer.HttpServer
  const keys = yield* ApiKeys
  const secretFor = (scopes: ReadonlyArray<Scope>) =>
    Effect.map(Effect.orDie(keys.create(scopes.join("+"), scopes)), ({ secret }) => Redacted.value(secret))
  const secrets = {
    admin: yield* secretFor(["admin"]),
    read: yield* secretFor(["wallets:read"]),
    write: yield* secretFor(["wallets:write"])
  }
  const port = "port" in address ? address.port : 0
  const url = `http://127.0.0.1:${port}`
  const call = send(url, secrets.admin)
  return {
    port,
    url,
    secrets,
    call,
    raw: sendRaw(port),
    wallet: Effect.fnUntraced(function* (fields: Record<string, unknown> = {}) {
      const id = `wallet-${++made}`
      const reply = yield* call("POST", "/v1/wallets", {
        key: `create-${id}`,
        body: { id, ownerId: "owner", currency: "EUR", ...fields }
      })
      if (reply.status !== 201) throw new Error(`no wallet: ${reply.text}`)
      return id
    })
  } satisfies TestServer["Service"]
})

const stores: Layer.Layer<ApiKeyStore | AuditStore | WebhookStore> = MemoryStores.layer()

/** With an engine of the test's own making, and with a clock for all that the server does itself. */
export const layerWith = (
  engine: Layer.Layer<WalletEngine>,
  config: Partial<HttpConfigValues> = {},
  clock: Clock.Clock = Effect.runSync(Clock.Clock),
  webhooks: WebhooksOptions = {}
) =>
  Layer.effect(TestServer, make).pipe(
    Layer.provideMerge(Layer.provide(httpServer, Layer.succeed(Clock.Clock, clock))),
    Layer.provideMerge(Layer.merge(ApiKeys.layer, Webhooks.layer(webhooks))),
    Layer.provide([stores, engine, HttpConfig.layer({ port: 0, ...config })]),
    Layer.provide(Logger.layer([]))
  )

export const layer = (config: Partial<HttpConfigValues> = {}, webhooks: WebhooksOptions = {}) =>
  layerWith(WalletEngine.layerMemory, config, undefined, webhooks)
