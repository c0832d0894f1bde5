/**
 * Ids of events: UUIDv7 (RFC 9562, 5.7) that also say whose they are. They are
 * written side by side, and an event is found by its id without an index of ids: the
 * tag leads to the wallet, the time to the place in its stream.
 *
 * `tttttttt-tttt-7ccc-vrrr-rrrrwwwwwwww`: 48 bits of time in milliseconds, 12 bits
 * that count within one process, 2 bits of variant, 30 random bits, and the wallet's
 * tag of 32 bits (`WalletTag.ts`).
 */

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/**
 * Where to look for an event; `undefined`: no event has such an id. Several wallets
 * may have one tag. `time`: of the event, milliseconds.
 */
export const placeOfEvent = (id: string): { readonly tag: string; readonly time: number } | undefined =>
  pattern.test(id) ? { tag: id.slice(-8), time: Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) } : undefined

const hexDigits = Array.from({ length: 4_096 }, (_, count) => count.toString(16).padStart(3, "0"))

/** 48 bits of time and the version digit: what ids of one millisecond begin with. */
export const idPrefix = (time: number): string => {
  const hex = Math.floor(time).toString(16).padStart(12, "0")
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7`
}

/**
 * The id of a transaction of an event that makes several, by its number among them: the first has
 * the event's own. The others differ in their random bits, so they lead to the same place.
 */
export const transactionIdOf = (eventId: string, number: number): string => {
  if (number === 0) return eventId
  const bits = Number.parseInt(eventId.slice(20, 23) + eventId.slice(24, 28), 16)
  const hex = ((bits ^ number) >>> 0).toString(16).padStart(7, "0")
  return `${eventId.slice(0, 20)}${hex.slice(0, 3)}-${hex.slice(3)}${eventId.slice(28)}`
}

/** Whether it may be the id of a transaction of that event: they differ in random bits alone, and in few of these. */
export const isTransactionOf = (transactionId: string, eventId: string): boolean =>
  transactionId.slice(0, 20) === eventId.slice(0, 20) && transactionId.slice(28) === eventId.slice(28)

/** `count`: taken modulo 4,096. `tail`: what follows the version digit of a random UUID; the middle of it is used. */
export const eventIdOf = (prefix: string, count: number, tail: string, tag: string): string =>
  prefix + hexDigits[count & 0xfff]! + tail.slice(3, 13) + tag
