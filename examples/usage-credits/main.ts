/**
 * A month of a customer, and the API of the same engine, where a caller that is too fast gets a 422. Run it twice:
 * nothing is granted, bought or charged twice.
 *
 *   node --conditions=effect-wallet-source examples/usage-credits/main.ts [folder]
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Logger, Redacted } from "effect"
import * as HttpServer from "effect/http/HttpServer"
import { WalletEngine, Webhooks } from "effect-wallet"
import { ApiKeys, HttpConfig, httpServer } from "effect-wallet/http"
import { Credits, policy } from "./Credits.ts"

const month = Effect.gen(function* () {
  const credits = yield* Credits
  yield* credits.open("acme")
  yield* credits.grant("acme", "2025-06", 4_000n)
  yield* credits.buy("acme", { invoice: "2025-001", credits: 20_000n, paidAt: Date.parse("2025-06-02T09:00:00Z") })

  const charge = (reportId: string, until: string, calls: number) =>
    credits.charge({ customer: "acme", reportId, until: Date.parse(until), calls, creditsPerCall: 2 }).pipe(
      Effect.flatMap((left) => Console.log(`${reportId}: charged, ${left} left`)),
      Effect.catchTags({
        OutOfCredits: ({ shortage }) => Console.log(`${reportId}: ${shortage} credits are missing`),
        TooFast: ({ reason }) => Console.log(`${reportId}: ${reason}`)
      })
    )
  yield* charge("report-1", "2025-06-10T12:00:00Z", 1_500)
  yield* charge("report-2", "2025-06-30T23:59:59Z", 2_000)
  // Metered in July, whenever it is charged.
  yield* charge("report-3", "2025-07-01T00:05:00Z", 1_000)
  yield* charge("report-4", "2025-07-01T00:10:00Z", 1_000)
  yield* charge("report-5", "2025-07-01T00:15:00Z", 100_000)

  const { closing, granted, opening, used } = yield* credits.statement("acme", "2025-06-01", "2025-06-30")
  yield* Console.log(`June: ${opening} + ${granted} - ${used} = ${closing}`)
})

/** The same rule over HTTP. */
const asked = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const keys = yield* ApiKeys
  const { key, secret } = yield* keys.create("meter", ["wallets:write"])
  const answer = yield* Effect.tryPromise(async () => {
    const response = await fetch(
      `http://127.0.0.1:${"port" in address ? address.port : 0}/v1/wallets/credits-acme/debit`,
      {
        method: "POST",
        headers: {
          authorization: `Bearer ${Redacted.value(secret)}`,
          "content-type": "application/json",
          "idempotency-key": "usage-report-6"
        },
        body: JSON.stringify({ amount: "2000" })
      }
    )
    const { code, detail, policy, retryable } = (await response.json()) as Record<string, unknown>
    return `${response.status} ${JSON.stringify({ code, policy, retryable, detail })}`
  })
  yield* Console.log(answer)
  yield* keys.revoke(key.id)
})

const dataDir = process.argv[2] ?? ".wallets/usage-credits"

const service = Layer.mergeAll(Credits.layer, httpServer).pipe(
  Layer.provide(HttpConfig.layer({ port: 0 })),
  Layer.provideMerge([ApiKeys.layer, Webhooks.layer()]),
  Layer.provideMerge(WalletEngine.layerEmbedded({ dataDir, policy }))
)

Effect.andThen(month, asked).pipe(
  Effect.provide(service),
  Effect.provideService(Logger.LogToStderr, true),
  NodeRuntime.runMain
)
