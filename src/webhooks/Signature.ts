/** Secrets and signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body. */
import { createHmac, randomBytes } from "node:crypto"
import type { WebhookSecrets } from "../stores/WebhookStore.ts"

/** What a secret begins with. */
export const secretPrefix = "whsec_"

/** Random bytes of a secret; the standard has 24 to 64. */
const secretBytes = 32

export const newSecret = (): string => secretPrefix + randomBytes(secretBytes).toString("base64")

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** `undefined`: not a secret's form. Without its prefix it is taken, too. */
export const keyOf = (secret: string): Buffer | undefined => {
  const encoded = secret.startsWith(secretPrefix) ? secret.slice(secretPrefix.length) : secret
  return encoded !== "" && base64.test(encoded) ? Buffer.from(encoded, "base64") : undefined
}

/** `seconds`: since the epoch. */
export const digestOf = (key: Uint8Array, id: string, seconds: string, body: string | Uint8Array): Buffer =>
  createHmac("sha256", key).update(`${id}.${seconds}.`).update(body).digest()

const signatureOf = (secret: string, id: string, seconds: string, body: string): string =>
  `v1,${digestOf(keyOf(secret) ?? Buffer.alloc(0), id, seconds, body).toString("base64")}`

/** The secrets that sign at a time, milliseconds; the current one first. */
const signingSecrets = ({ previous, secret }: WebhookSecrets, now: number): ReadonlyArray<string> =>
  previous !== null && now < previous.until ? [secret, previous.secret] : [secret]

/** The headers of an attempt. `now`: milliseconds. */
export const signedHeaders = (
  secrets: WebhookSecrets,
  id: string,
  now: number,
  body: string
): Readonly<Record<string, string>> => {
  const seconds = Math.floor(now / 1_000).toString()
  const signatures = signingSecrets(secrets, now).map((secret) => signatureOf(secret, id, seconds, body))
  return { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": signatures.join(" ") }
}
