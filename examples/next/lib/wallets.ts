/** The client of the wallet service for all route handlers, and what its errors become as responses. */
import { Config, Effect, Layer, ManagedRuntime, Schedule, Schema } from "effect"
import { WalletClient } from "effect-wallet/client"

/** Made at the first request, not when Next builds: only then the environment has to say where the service is. */
const runtime = ManagedRuntime.make(
  Layer.unwrap(
    Effect.gen(function* () {
      const baseUrl = yield* Config.String("WALLET_URL")
      const apiKey = yield* Config.Redacted("WALLET_API_KEY")
      return WalletClient.layerFetch({ baseUrl, apiKey })
    })
  )
)

/** The response of a handler. `status`: of one that succeeds. */
export const respond = <A extends object, E extends { readonly _tag: string }>(
  effect: Effect.Effect<A, E, WalletClient>,
  status = 200
): Promise<Response> =>
  effect.pipe(
    // With the same key it is safe, also when the connection broke and nobody knows what came of it.
    Effect.retry({
      while: isPassing,
      schedule: Schedule.exponential("100 millis").pipe(Schedule.upTo({ duration: "5 seconds" }))
    }),
    Effect.map((body) => Response.json(body, { status })),
    Effect.catch((error) => Effect.succeed(responseTo(error))),
    runtime.runPromise
  )

/** The body of a request, as `schema` says. */
export const bodyOf = <S extends Schema.ConstraintDecoder<unknown>>(request: Request, schema: S) =>
  Effect.tryPromise({ try: () => request.json() as Promise<unknown>, catch: () => new NotJson() }).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(schema))
  )

class NotJson extends Schema.TaggedError<NotJson>()("NotJson", {}) {}

/** A problem of the service: `code` is its tag, the rest as the guide's table has it. */
const isProblem = (
  error: object
): error is { readonly status: number; readonly code: string; readonly detail?: string; readonly retryable: boolean } =>
  "code" in error && "status" in error && "retryable" in error

const isPassing = (error: { readonly _tag: string }): boolean =>
  isProblem(error) ? error.retryable : error._tag === "HttpClientError"

const responseTo = (error: { readonly _tag: string }): Response => {
  if (isProblem(error)) {
    // That our own key is refused is nothing that a visitor can mend.
    if (error.status === 401 || error.status === 403) return refused(502, "WalletsMisconfigured")
    return refused(error.status, error.code, error.detail)
  }
  if (error._tag === "NotJson" || error._tag === "SchemaError") return refused(400, "InvalidRequest")
  if (error._tag === "HttpClientError") return refused(503, "WalletsUnavailable")
  return refused(500, "InternalError")
}

const refused = (status: number, error: string, detail?: string): Response =>
  Response.json({ error, detail }, { status })
