/**
 * Takes secrets out of what is about to be printed or sent. Configuration keeps them
 * `Redacted`; this is for what drivers and servers put into their messages, as the URL
 * that they could not reach.
 */
import * as Redacted from "effect/Redacted"

/** Shorter secrets are found as part of a URL only: taken out everywhere, they would make a text unreadable. */
const minLength = 6

const hidden = "<redacted>"

/** `scheme://user:password@`, as far as the last `@` before the path. */
const credentials = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'`]+@/gi
const bearer = /\b(Bearer\s+)[A-Za-z0-9._~+/=-]+/g

/** Without credentials of URLs and bearer tokens, whosever they are. */
export const withoutCredentials = (text: string): string =>
  text.replace(credentials, `$1${hidden}@`).replace(bearer, `$1${hidden}`)

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The password of a URL; also of the `+`-schemes and host lists that `URL` does not read. */
const passwordOf = (url: string): ReadonlyArray<string> => {
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#:]*:([^\s/?#]*)@/i.exec(url)
  const inQuery = /[?&](?:password|userPassword)=([^&#]+)/i.exec(url)
  return [match?.[1], inQuery?.[1]].filter((text) => text !== undefined)
}

/** As it may stand in a text: plain, percent-encoded, inside a JSON string. */
const spellings = (secret: string): ReadonlyArray<string> => {
  const plain = decoded(secret)
  return [secret, plain, encodeURIComponent(plain), JSON.stringify(plain).slice(1, -1)]
}

export type Scrub = (text: string) => string

/** `secrets`: hidden whole; `urls`: hidden by their passwords. */
export const makeScrub = (given: {
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  readonly urls: ReadonlyArray<Redacted.Redacted>
}): Scrub => {
  const values = [
    ...given.secrets.map((secret) => Redacted.value(secret)),
    ...given.urls.flatMap((url) => passwordOf(Redacted.value(url)))
  ]
  const known = [...new Set(values.flatMap(spellings))].filter((text) => text.length >= minLength)
  // A secret that contains another one goes first.
  known.sort((a, b) => b.length - a.length)
  return (text) => known.reduce((scrubbed, secret) => scrubbed.replaceAll(secret, hidden), withoutCredentials(text))
}
