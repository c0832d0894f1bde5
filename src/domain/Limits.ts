/**
 * The form of every value a caller may send: one place for the bounds, used by
 * the engine for library callers and by the HTTP schemas for remote ones.
 *
 * Lengths are UTF-16 code units. Amounts are integers of minor units.
 */

/** Wallet, owner, hold and transfer ids. */
export const idPattern = /^[A-Za-z0-9_-]{1,64}$/
/** ISO 4217 codes and the like: `EUR`, `USDC`, `POINTS`. */
export const currencyPattern = /^[A-Z][A-Z0-9]{2,15}$/
/** A positive amount on the wire: 1–30 digits, no sign, no leading zero. */
export const amountPattern = /^[1-9][0-9]{0,29}$/
/** Like {@link amountPattern}, and `"0"`. */
export const amountOrZeroPattern = /^(?:0|[1-9][0-9]{0,29})$/
/** `Idempotency-Key`: visible ASCII, no blanks. */
export const idempotencyKeyPattern = /^[\x21-\x7e]{1,255}$/

/** Of the keys that `wallet import` makes: an import may be run again, after years too. */
export const importKeyPrefix = "import:"

/** Wallets, and currencies, that a search may be narrowed to. */
export const maxSearchedWallets = 100
export const maxSearchedCurrencies = 20

/** `reference`, `reason` and `q`. */
export const maxTextLength = 255
export const maxMetadataPairs = 20
export const maxMetadataKeyLength = 64
export const maxMetadataValueLength = 512
/** Pairs that a search may ask for. */
export const maxMetadataFilters = 5
/** Wallets, and types of events, that a feed may be narrowed to. */
export const maxFeedWallets = 100
export const maxFeedTypes = 100
/** Exclusive: amounts have at most 30 digits. */
export const amountLimit = 10n ** 30n
/** Exclusive: |balance| stays below this, so that `numeric(36)` always holds it. */
export const balanceLimit = 10n ** 36n
/** The last millisecond that RFC 3339 with a four-digit year can name. */
export const maxTime = 253_402_300_799_999

export type Metadata = Readonly<Record<string, string>>

/** Shared by every wallet and transaction that has none. */
export const noMetadata: Metadata = Object.freeze({})

/*
 * The types are checked, too: a caller in plain JavaScript may pass anything, and a
 * pattern takes `undefined` for a word.
 */

export const isId = (value: string): boolean => typeof value === "string" && idPattern.test(value)

export const isCurrency = (value: string): boolean => typeof value === "string" && currencyPattern.test(value)

export const isAmount = (value: bigint): boolean => typeof value === "bigint" && value > 0n && value < amountLimit

export const isAmountOrZero = (value: bigint): boolean =>
  typeof value === "bigint" && value >= 0n && value < amountLimit

export const isIdempotencyKey = (value: string): boolean =>
  typeof value === "string" && idempotencyKeyPattern.test(value)

export const isTime = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value <= maxTime

/** Well-formed Unicode without U+0000 (PostgreSQL's text takes neither). */
export const isText = (value: string, maxLength: number): boolean =>
  typeof value === "string" && value.length <= maxLength && value.isWellFormed() && !value.includes("\u0000")

/** `value` made into such a text: for reasons that come from elsewhere and must not be refused. */
export const toText = (value: string, maxLength: number): string =>
  value.replaceAll("\u0000", "").slice(0, maxLength).toWellFormed()

/** Made by `{}` or by `JSON.parse`, in whichever realm: of a `Map` or a `Date` nothing would be copied. */
const isPlainObject = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

/** In the place of what is no metadata: what was given may look otherwise when it is looked at again. */
const noMap = Object.freeze([]) as unknown as Metadata

/**
 * What is recorded of a caller's metadata: a copy that nobody can change, since state, events
 * and answers share it. Only what JSON would say of it: no symbols. What is no map of so many
 * pairs at most is not copied, for {@link isMetadata} to refuse.
 */
export const ownMetadata = (given: Metadata | undefined): Metadata => {
  if (given === undefined) return noMetadata
  if (given === noMetadata || given === null) return given
  if (!isPlainObject(given)) return noMap
  const pairs = Object.keys(given).length
  if (pairs === 0) return noMetadata
  if (pairs > maxMetadataPairs) return noMap
  const copy: Record<PropertyKey, string> = { ...given }
  for (const symbol of Object.getOwnPropertySymbols(copy)) delete copy[symbol]
  return Object.freeze(copy)
}

export const isMetadata = (metadata: Metadata): boolean => {
  if (metadata === noMetadata) return true
  if (!isPlainObject(metadata)) return false
  const keys = Object.keys(metadata)
  if (keys.length > maxMetadataPairs) return false
  for (const key of keys) {
    const value = metadata[key]
    if (typeof value !== "string") return false
    if (!isText(key, maxMetadataKeyLength) || !isText(value, maxMetadataValueLength)) return false
  }
  return true
}

export const maxWebhookUrlLength = 2_048

/** What of it a pattern can say. */
export const webhookUrlPattern = /^[Hh][Tt][Tt][Pp][Ss]?:\/\/[^\s#]+$/u

/** `http:` or `https:`, without what a receiver would never see, or everybody in a list of webhooks. */
export const isWebhookUrl = (url: string): boolean => {
  if (typeof url !== "string" || url.length > maxWebhookUrlLength || !webhookUrlPattern.test(url)) return false
  if (!URL.canParse(url)) return false
  const { hostname, password, username } = new URL(url)
  return password === "" && username === "" && hostname !== ""
}
