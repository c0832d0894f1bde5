/** What a key is kept to, and its text in a store. */
import { isJsonObject, jsonOf } from "./Codec.ts"
import { isAmount, isCurrency, isId } from "./Limits.ts"

/** Kinds of mutations, by the names of a batch's commands; to change a hold is of `hold`. */
export const mutationTypes = ["credit", "debit", "hold", "capture", "release", "transfer", "refund"] as const

export type MutationType = (typeof mutationTypes)[number]

/** What is left out does not restrict. */
export interface KeyRestriction {
  /** The wallets that it sees and uses, 1–100. */
  readonly walletIds?: ReadonlyArray<string> | undefined
  /** Whose wallets it sees and uses. */
  readonly ownerId?: string | undefined
  /** Of which currencies the wallets are that it sees and uses, 1–20. */
  readonly currencies?: ReadonlyArray<string> | undefined
  /** All mutations that it may ask for. */
  readonly types?: ReadonlyArray<MutationType> | undefined
  /** Of what leaves a wallet, minor units, above `0n`. `perDay`: in a UTC day, of each wallet. */
  readonly limits?: { readonly perOperation?: bigint | undefined; readonly perDay?: bigint | undefined } | undefined
}

/** A search can be narrowed to so many wallets, and currencies; so can a feed. */
export const maxKeyWallets = 100
export const maxKeyCurrencies = 20

/** Of a key whose restriction cannot be read, as one of a later release: it may do nothing. */
export const nothingAllowed: KeyRestriction = { walletIds: [], types: [] }

const textOf = (amount: bigint | undefined): string | undefined => amount?.toString()

export const encodeRestriction = ({ limits, ...rest }: KeyRestriction): string =>
  JSON.stringify({
    ...rest,
    limits: limits && { perOperation: textOf(limits.perOperation), perDay: textOf(limits.perDay) }
  })

const names: ReadonlySet<string> = new Set(["walletIds", "ownerId", "currencies", "types", "limits"])
const limitNames: ReadonlySet<string> = new Set(["perOperation", "perDay"])

const isMutationType = (value: unknown): value is MutationType => mutationTypes.some((type) => type === value)

const isListOf =
  <A>(is: (value: unknown) => value is A) =>
  (value: unknown): value is ReadonlyArray<A> =>
    Array.isArray(value) && value.every(is)

const isText =
  (holds: (text: string) => boolean) =>
  (value: unknown): value is string =>
    typeof value === "string" && holds(value)

const isIds = isListOf(isText(isId))
const isCurrencies = isListOf(isText(isCurrency))
const isTypes = isListOf(isMutationType)

const digits = /^[1-9][0-9]{0,29}$/

/** `null`: unreadable. */
const limitsOf = (json: unknown): KeyRestriction["limits"] | null => {
  if (!isJsonObject(json) || Object.keys(json).some((name) => !limitNames.has(name))) return null
  const limits: { perOperation?: bigint; perDay?: bigint } = {}
  for (const name of ["perOperation", "perDay"] as const) {
    const text = json[name]
    if (text === undefined) continue
    if (typeof text !== "string" || !digits.test(text) || !isAmount(BigInt(text))) return null
    limits[name] = BigInt(text)
  }
  return limits
}

/** What cannot be read allows nothing. */
export const decodeRestriction = (text: string): KeyRestriction => {
  const json = jsonOf(text)
  if (!isJsonObject(json) || Object.keys(json).some((name) => !names.has(name))) return nothingAllowed
  const { currencies, limits: given, ownerId, types, walletIds } = json
  const limits = given === undefined ? undefined : limitsOf(given)
  const isReadable =
    (walletIds === undefined || isIds(walletIds)) &&
    (ownerId === undefined || (typeof ownerId === "string" && isId(ownerId))) &&
    (currencies === undefined || isCurrencies(currencies)) &&
    (types === undefined || isTypes(types)) &&
    limits !== null
  if (!isReadable) return nothingAllowed
  return {
    ...(walletIds === undefined ? {} : { walletIds }),
    ...(ownerId === undefined ? {} : { ownerId }),
    ...(currencies === undefined ? {} : { currencies }),
    ...(types === undefined ? {} : { types }),
    ...(limits === undefined ? {} : { limits })
  }
}
