/** What a load sends: commands, and the kinds of operation that are made of them. */

export type LoadCommand =
  | { readonly _tag: "Create"; readonly walletId: string; readonly currency: string }
  | { readonly _tag: "Credit" | "Debit" | "Hold"; readonly walletId: string; readonly amount: bigint }
  | { readonly _tag: "Capture"; readonly walletId: string; readonly holdId: string }
  | { readonly _tag: "ChangeHold"; readonly walletId: string; readonly holdId: string; readonly amount: bigint }
  /** A final one, in part. */
  | {
      readonly _tag: "CaptureTo"
      readonly walletId: string
      readonly holdId: string
      readonly to: string
      readonly amount: bigint
    }
  /** Two legs: to a wallet, and from there on. */
  | {
      readonly _tag: "Legs"
      readonly walletId: string
      readonly through: string
      readonly to: string
      readonly amount: bigint
    }
  | { readonly _tag: "Transfer"; readonly walletId: string; readonly to: string; readonly amount: bigint }
  /** Of a transaction of the wallet, in part. */
  | { readonly _tag: "Refund"; readonly walletId: string; readonly transactionId: string; readonly amount: bigint }
  | { readonly _tag: "Read"; readonly walletId: string }

/** A command and its key. Where a command has a reference, that is its key as well: so it is found again. */
export interface KeyedCommand {
  readonly command: LoadCommand
  readonly key: string
}

/**
 * `hold`: a hold is placed and then captured. `order`: one is placed, raised, and captured in part to another wallet, the
 * rest released. `transfer`: to another wallet. `legs`: a transfer of two legs among three wallets. `refund`: a credit, of
 * which a part is given back. Each is one operation, from its start to the answer of its last command.
 */
export const loadKinds = ["credit", "debit", "hold", "order", "transfer", "legs", "refund", "read"] as const
export type LoadKind = (typeof loadKinds)[number]

/** Commands with a key that an operation of a kind may send. */
export const commandsOf: Readonly<Record<LoadKind, number>> = {
  credit: 1,
  debit: 1,
  hold: 2,
  order: 3,
  transfer: 1,
  legs: 1,
  refund: 2,
  read: 0
}

/** Kinds of a single command, which can be sent many in one request. */
export const batchKinds: ReadonlySet<LoadKind> = new Set<LoadKind>(["credit", "debit", "transfer"])

/** Weights. */
export type Mix = Readonly<Record<LoadKind, number>>

/** Parses `credit=80,debit=20`; what is not named weighs nothing. `undefined`: it says nothing sensible. */
export const parseMix = (text: string): Mix | undefined => {
  const mix = { credit: 0, debit: 0, hold: 0, order: 0, transfer: 0, legs: 0, refund: 0, read: 0 }
  for (const part of text.split(",")) {
    const [name = "", weight = "", ...rest] = part.split("=")
    const kind = loadKinds.find((kind) => kind === name.trim())
    if (kind === undefined || rest.length > 0 || !/^\d{1,6}$/.test(weight.trim())) return undefined
    mix[kind] = Number(weight)
  }
  return loadKinds.some((kind) => mix[kind] > 0) ? mix : undefined
}
