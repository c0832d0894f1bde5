/** What the bench asks of the driver over another checkout's library, by messages of JSON; one at a time. */

/** Wallets `prefix-from … prefix-(from + count − 1)`. */
export interface WalletNames {
  readonly prefix: string
  /** Default: 0. */
  readonly from?: number
  readonly count: number
}

export const namesOf = ({ count, from = 0, prefix }: WalletNames): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `${prefix}-${from + index}`)

/** How hard, and how long. */
export interface Drive {
  readonly callers: number
  readonly rampMillis: number
  readonly millis: number
}

export type Request =
  /** Empty wallets. */
  | ({ readonly _tag: "Create" } & WalletNames)
  /** One credit of `amount` to each. */
  | ({ readonly _tag: "Fund"; readonly amount: string } & WalletNames)
  /** Credits of 1 with keys of their own, `keys` to each wallet: the wallets' past. */
  | ({ readonly _tag: "History"; readonly keys: number } & WalletNames)
  /**
   * Credits of 1 by callers in a closed loop; `zipf`: the exponent of Zipf's law, 0: all
   * alike. `keys`: what their keys begin with, another one whenever wallets come again.
   */
  | ({ readonly _tag: "Credits"; readonly zipf: number; readonly keys: string } & WalletNames & Drive)
  /** Transfers of 1 from all but the first wallet, to one another or into the first. */
  | ({ readonly _tag: "Transfers"; readonly into: "many" | "one" } & WalletNames & Drive)
  /** What the wallets hold, when nothing is on its way any more. */
  | ({ readonly _tag: "Totals" } & WalletNames)

export interface Driven {
  readonly perSecond: number
  /** Commands answered in all, every one accepted. */
  readonly total: number
  /** CPU time of the driver's process meanwhile, microseconds. */
  readonly cpuMicros: number
}

export interface Totals {
  /** Of all wallets together, by their versions. */
  readonly events: number
  readonly balance: string
  readonly first: string
}

/** The answer to each kind of request. */
export interface Answers {
  readonly Create: null
  readonly Fund: null
  readonly History: null
  readonly Credits: Driven
  readonly Transfers: Driven
  readonly Totals: Totals
}

export type Reply =
  /** Said once, unasked: the library is up. */
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Answer"; readonly value: Answers[keyof Answers] }
  | { readonly _tag: "Failed"; readonly reason: string }
