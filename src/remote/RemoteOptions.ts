/** Where a remote engine's service is, and how patient its callers are. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

export interface RemoteOptions {
  /** Where the service is, like `http://127.0.0.1:3000`; what comes before `/v1`. */
  readonly url: string
  readonly apiKey: Redacted.Redacted | string
  /**
   * The waits between attempts at a call that has had no answer, or none that settles it; a service's `Retry-After`
   * is kept to where it is longer. Where it ends no more are made. Default: from 100 ms doubling to 2 s, 20 times.
   */
  readonly retry?: Schedule.Schedule<unknown> | undefined
  /** For all attempts at a call together. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** For one attempt. Default 12 seconds: rather more than a service lets a command wait, which answers by then. */
  readonly attemptTimeout?: Duration.Input | undefined
  /**
   * Of a service of several nodes that say where they are (`WALLET_NODE_URL`): calls about a wallet go straight to the
   * node that owns it, with the key. Default `false`.
   */
  readonly toOwners?: boolean | undefined
  /** Default: the `fetch` of the platform, which follows no redirects: they would take the key elsewhere. */
  readonly httpClient?: Layer.Layer<HttpClient.HttpClient> | undefined
}

/** An option that no service can be asked with. */
export class RemoteMisconfigured extends Schema.TaggedError<RemoteMisconfigured>()("RemoteMisconfigured", {
  option: Schema.Literals(["url", "apiKey", "timeout", "attemptTimeout"]),
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.option}: ${this.reason}`
  }
}

const defaultRetry: Schedule.Schedule<unknown> = Schedule.exponential("100 millis").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(2)))),
  Schedule.jittered,
  Schedule.upTo({ times: 20 })
)

export interface RemoteSettings {
  /** Without a slash at its end. */
  readonly url: string
  readonly apiKey: Redacted.Redacted
  readonly retry: Schedule.Schedule<unknown>
  readonly timeoutMillis: number
  readonly attemptMillis: number
  readonly toOwners: boolean
}

const urlOf = (given: string): Effect.Effect<string, RemoteMisconfigured> => {
  const wrong = (reason: string) => Effect.fail(new RemoteMisconfigured({ option: "url", reason }))
  if (typeof given !== "string" || !URL.canParse(given)) return wrong("not an address like http://127.0.0.1:3000")
  const { hash, password, protocol, search, username } = new URL(given)
  if (protocol !== "http:" && protocol !== "https:") return wrong("neither http nor https")
  if (username !== "" || password !== "") return wrong("the API key is an option of its own")
  if (search !== "" || hash !== "") return wrong("an address ends with its path")
  return Effect.succeed(given.replace(/\/+$/, ""))
}

/** What can be sent in a header. */
const keyForm = /^[\x21-\x7e]{1,1000}$/

const keyOf = (given: Redacted.Redacted | string): Effect.Effect<Redacted.Redacted, RemoteMisconfigured> => {
  const apiKey = Redacted.isRedacted(given) ? given : Redacted.make(given)
  const value: unknown = Redacted.value(apiKey)
  return typeof value === "string" && keyForm.test(value)
    ? Effect.succeed(apiKey)
    : Effect.fail(new RemoteMisconfigured({ option: "apiKey", reason: "not 1 to 1,000 visible ASCII characters" }))
}

const millisOf = (
  option: "timeout" | "attemptTimeout",
  given: Duration.Input
): Effect.Effect<number, RemoteMisconfigured> => {
  const millis = Duration.toMillis(given)
  return Number.isFinite(millis) && millis > 0
    ? Effect.succeed(millis)
    : Effect.fail(new RemoteMisconfigured({ option, reason: "not a time above 0 that ends" }))
}

export const settingsOf = (options: RemoteOptions): Effect.Effect<RemoteSettings, RemoteMisconfigured> =>
  Effect.all({
    url: urlOf(options.url),
    apiKey: keyOf(options.apiKey),
    retry: Effect.succeed(options.retry ?? defaultRetry),
    timeoutMillis: millisOf("timeout", options.timeout ?? "30 seconds"),
    attemptMillis: millisOf("attemptTimeout", options.attemptTimeout ?? "12 seconds"),
    toOwners: Effect.succeed(options.toOwners === true)
  })
