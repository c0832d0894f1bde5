/**
 * A web shop's server in Express in front of a wallet service: it tops up, pays, shows a balance, and is told of what
 * happens by webhooks. Every route is an Effect with typed errors; one place makes replies of them.
 */
import { Effect, ManagedRuntime, type Redacted, Schedule, Schema } from "effect"
import { Webhooks } from "effect-wallet"
import { WalletClient } from "effect-wallet/client"
import express from "express"

export interface AppOptions {
  readonly walletUrl: string
  /** Of a key with the scope `wallets:write`. */
  readonly apiKey: Redacted.Redacted
  /** As the service said when the webhook was made. */
  readonly webhookSecret: Redacted.Redacted
}

interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** What visitors send. `payment` and `order` name what it is about: by them it is done once. */
const TopUp = Schema.Struct({ payment: Schema.String, amount: Schema.BigIntFromString })
const Payment = Schema.Struct({
  order: Schema.String,
  from: Schema.String,
  to: Schema.String,
  amount: Schema.BigIntFromString
})

/** What this app reads of an event; whatever else is in it is let be. */
const Movement = Schema.Struct({ walletId: Schema.String, data: Schema.Struct({ amount: Schema.String }) })

export const makeApp = ({ apiKey, walletUrl, webhookSecret }: AppOptions) => {
  const wallets = ManagedRuntime.make(WalletClient.layerFetch({ baseUrl: walletUrl, apiKey }))
  const app = express()
  /** By `webhook-id`: an event may come more than once. A real app keeps them in its database. */
  const news = new Map<string, string>()

  const route =
    <E extends { readonly _tag: string }>(
      handle: (request: express.Request) => Effect.Effect<Reply, E, WalletClient>
    ): express.RequestHandler =>
    async (request, response) => {
      const { body, status } = await wallets.runPromise(
        handle(request).pipe(
          // With the same key it is safe, also when the connection broke and nobody knows what came of it.
          Effect.retry({
            while: isPassing,
            schedule: Schedule.exponential("100 millis").pipe(Schedule.upTo({ duration: "5 seconds" }))
          }),
          Effect.catch((error) => Effect.succeed(replyTo(error)))
        )
      )
      response.status(status)
      if (request.accepts(["json", "html"]) === "json") response.json(body)
      else response.type("html").send(page(body))
    }

  app.post(
    "/webhooks/wallets",
    // The signature is of the bytes as they came.
    express.raw({ type: "application/json", limit: "1mb" }),
    route(({ body, headers }) =>
      Effect.gen(function* () {
        const event = yield* Webhooks.verify({ headers, body: Buffer.isBuffer(body) ? body : "" }, webhookSecret)
        if (event.type === "WalletCredited" && !news.has(event.id)) {
          const { data, walletId } = yield* Schema.decodeUnknownEffect(Movement)(event.data)
          news.set(event.id, `${data.amount} came into ${walletId}`)
        }
        return { status: 200, body: {} }
      })
    )
  )

  app.use(express.json(), express.urlencoded({ extended: false }))

  app.get(
    "/wallets/:id",
    route(({ params: { id } }) =>
      Effect.gen(function* () {
        const { wallets } = yield* WalletClient
        const { available, balance, currency } = yield* wallets.get({ params: { id: String(id) }, query: {} })
        return { status: 200, body: { wallet: id, balance: `${balance}`, available: `${available}`, currency } }
      })
    )
  )

  app.post(
    "/wallets/:id/top-ups",
    route(({ body, params: { id } }) =>
      Effect.gen(function* () {
        const { amount, payment } = yield* Schema.decodeUnknownEffect(TopUp)(body)
        const { wallets } = yield* WalletClient
        const { wallet } = yield* wallets.credit({
          params: { id: String(id) },
          headers: { "idempotency-key": `top-up-${payment}` },
          query: {},
          payload: { amount, reference: payment }
        })
        return { status: 201, body: { wallet: id, balance: `${wallet.balance}` } }
      })
    )
  )

  app.post(
    "/payments",
    route(({ body }) =>
      Effect.gen(function* () {
        const { amount, from, order, to } = yield* Schema.decodeUnknownEffect(Payment)(body)
        const { transfers } = yield* WalletClient
        const { transfer } = yield* transfers.send({
          headers: { "idempotency-key": `order-${order}` },
          query: {},
          payload: { from, to, amount, reference: `order ${order}` }
        })
        return { status: 201, body: { order, payment: transfer.id, state: transfer.status } }
      })
    )
  )

  app.get(
    "/news",
    route(() => Effect.succeed({ status: 200, body: { news: [...news.values()] } }))
  )

  return { app, stop: () => wallets.dispose() }
}

/** A problem of the service: `code` is its tag, the rest as the guide's table has it. */
const isProblem = (
  error: object
): error is { readonly status: number; readonly code: string; readonly detail?: string; readonly retryable: boolean } =>
  "code" in error && "status" in error && "retryable" in error

const isPassing = (error: { readonly _tag: string }): boolean =>
  isProblem(error) ? error.retryable : error._tag === "HttpClientError"

const replyTo = (error: { readonly _tag: string }): Reply => {
  if (isProblem(error)) {
    // That our own key is refused is nothing that a visitor can mend.
    if (error.status === 401 || error.status === 403) return { status: 502, body: { error: "WalletsMisconfigured" } }
    return { status: error.status, body: { error: error.code, detail: error.detail } }
  }
  switch (error._tag) {
    case "WebhookNotVerified":
      return { status: 401, body: { error: error._tag } }
    case "SchemaError":
      return { status: 400, body: { error: "InvalidRequest" } }
    case "HttpClientError":
      return { status: 503, body: { error: "WalletsUnavailable" } }
    default:
      return { status: 500, body: { error: "InternalError" } }
  }
}

const page = (body: Reply["body"]): string =>
  `<!doctype html><title>Shop</title><dl>${Object.entries(body)
    .map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(String(value))}</dd>`)
    .join("")}</dl>`

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
