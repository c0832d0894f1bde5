/**
 * The receiver's side: whether a request was signed with one of its secrets, and not long ago.
 * Any sender that keeps to Standard Webhooks is understood, any receiver's server will do.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { timingSafeEqual } from "node:crypto"
import { parseJson } from "../domain/Json.ts"
import { digestOf, keyOf } from "./Signature.ts"

/** A request as a server has it: names of headers in any case, or `Headers`; the body as it came, not parsed. */
export interface ReceivedRequest {
  readonly headers: Headers | Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string | Uint8Array
}

export interface ReceivedWebhook {
  /** `webhook-id`: the same for all attempts of one event. Keep it, and pass over what has come before. */
  readonly id: string
  readonly type: string
  /** RFC 3339: when it happened. */
  readonly timestamp: string
  readonly data: unknown
}

export interface WebhookVerifyOptions {
  /** How far the time of the attempt may be from now, either way; default 300. */
  readonly toleranceSeconds?: number
}

/**
 * - `HeadersMissing`: one of `webhook-id`, `webhook-timestamp` and `webhook-signature` is not there, or is no such.
 * - `TooOld`, `TooNew`: signed at a time that is too far away; somebody may have kept it.
 * - `NotSigned`: none of its signatures is one of these secrets'.
 * - `NotReadable`: signed, and its body is no `{type, timestamp, data}`.
 */
export class WebhookNotVerified extends Schema.TaggedError<WebhookNotVerified>()("WebhookNotVerified", {
  reason: Schema.Literals(["HeadersMissing", "TooOld", "TooNew", "NotSigned", "NotReadable"])
}) {
  override get message(): string {
    return `the webhook is not verified: ${this.reason}`
  }
}

/** A secret is no secret: the receiver's own mistake. */
export class WebhookSecretMalformed extends Schema.TaggedError<WebhookSecretMalformed>()("WebhookSecretMalformed", {}) {
  override get message(): string {
    return "a webhook's secret is whsec_ and base64"
  }
}

/** Signatures that are looked at: two while secrets roll, and some for other versions of the standard. */
const maxSignatures = 16

/** Longest `webhook-id`, characters. */
const maxIdLength = 256

const headerOf = (headers: ReceivedRequest["headers"], name: string): string | undefined => {
  if (headers instanceof Headers) return headers.get(name) ?? undefined
  for (const [known, value] of Object.entries(headers)) {
    if (known.toLowerCase() === name && value !== undefined) return typeof value === "string" ? value : value[0]
  }
  return undefined
}

const isEqual = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const refused = (reason: WebhookNotVerified["reason"]) => Effect.fail(new WebhookNotVerified({ reason }))

const contentOf = (id: string, body: string | Uint8Array): Effect.Effect<ReceivedWebhook, WebhookNotVerified> =>
  Effect.try({
    try: () => parseJson(typeof body === "string" ? body : Buffer.from(body).toString("utf8")),
    catch: () => new WebhookNotVerified({ reason: "NotReadable" })
  }).pipe(
    Effect.flatMap((content) =>
      isObject(content) && typeof content["type"] === "string" && typeof content["timestamp"] === "string"
        ? Effect.succeed({ id, type: content["type"], timestamp: content["timestamp"], data: content["data"] })
        : refused("NotReadable")
    )
  )

type Secret = string | Redacted.Redacted

/**
 * The event of a request that one of the secrets has signed: `whsec_…`, several while they roll. Compared in constant
 * time. What it answers may have come before: a webhook comes at least once, and in order per wallet.
 */
export const verify = Effect.fn("Webhooks.verify")(function* (
  { body, headers }: ReceivedRequest,
  secret: Secret | ReadonlyArray<Secret>,
  { toleranceSeconds = 300 }: WebhookVerifyOptions = {}
): Effect.fn.Return<ReceivedWebhook, WebhookNotVerified | WebhookSecretMalformed> {
  const secrets = Array.isArray(secret) ? (secret as ReadonlyArray<Secret>) : [secret as Secret]
  const keys = secrets.map((one) => keyOf(typeof one === "string" ? one : Redacted.value(one)))
  if (keys.length === 0 || keys.includes(undefined)) return yield* new WebhookSecretMalformed()
  const [id, seconds, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    headerOf(headers, name)
  )
  if (id === undefined || seconds === undefined || signatures === undefined) return yield* refused("HeadersMissing")
  if (id === "" || id.length > maxIdLength || !/^[0-9]{1,12}$/.test(seconds)) return yield* refused("HeadersMissing")
  const age = (yield* Clock.currentTimeMillis) / 1_000 - Number(seconds)
  if (age > toleranceSeconds) return yield* refused("TooOld")
  if (age < -toleranceSeconds) return yield* refused("TooNew")
  const expected = keys.map((key) => digestOf(key!, id, seconds, body))
  const given = signatures.split(" ", maxSignatures).flatMap((signature) => {
    const [version, encoded] = signature.split(",", 2)
    return version === "v1" && encoded !== undefined ? [Buffer.from(encoded, "base64")] : []
  })
  // All pairs are compared, whichever fits: how long it takes tells nothing.
  const fitting = expected.flatMap((digest) => given.filter((one) => isEqual(one, digest)))
  if (fitting.length === 0) return yield* refused("NotSigned")
  return yield* contentOf(id, body)
})
