/**
 * What a key with a restriction sees. A wallet that it does not see is not there for it: every answer about it is the
 * one of a wallet that nobody has. Lists are narrowed before they are asked for, so their pages stay whole.
 *
 * Owner and currency of a wallet are what its owner's node knows now; they never change.
 */
import * as Effect from "effect/Effect"
import type { CommandError, RateLimited, VersionNotReached } from "../actors/EngineError.ts"
import { TransactionNotFound } from "../actors/EngineError.ts"
import type { KeyLimit } from "../domain/KeyLimit.ts"
import { TransferNotFound, WalletNotFound } from "../domain/Rejection.ts"
import type { TransactionDetails, TransferDetails, WalletEngine } from "../engine/WalletEngine.ts"
import type { ApiKey } from "../stores/ApiKeyStore.ts"
import type { KeyRestriction, MutationType } from "../domain/KeyRestriction.ts"
import type { Page } from "../stores/Page.ts"
import { Forbidden } from "./api/Problem.ts"

type Engine = WalletEngine["Service"]

/** A wallet could not be looked at. */
export type LookError = CommandError | RateLimited | VersionNotReached

type Look<A, E = never> = Effect.Effect<A, LookError | E>

/** Whether there are wallets that the key does not see. */
export const isNarrow = ({ restriction }: ApiKey): boolean =>
  restriction !== undefined && (restriction.walletIds ?? restriction.ownerId ?? restriction.currencies) !== undefined

interface Owned {
  readonly ownerId: string
  readonly currency: string
}

const fits = ({ currencies, ownerId }: KeyRestriction, wallet: Owned): boolean =>
  (ownerId === undefined || wallet.ownerId === ownerId) &&
  (currencies === undefined || currencies.includes(wallet.currency))

/** Whether the wallet would be one that it sees. */
export const wouldSee = ({ restriction }: ApiKey, wallet: Owned & { readonly id: string | undefined }): boolean =>
  restriction === undefined ||
  (fits(restriction, wallet) &&
    (restriction.walletIds === undefined || (wallet.id !== undefined && restriction.walletIds.includes(wallet.id))))

/** Of one that is not there it does not matter, unless its id alone decides. */
export const sees = (engine: Engine, { restriction }: ApiKey, walletId: string): Look<boolean> => {
  if (restriction === undefined) return Effect.succeed(true)
  const { currencies, ownerId, walletIds } = restriction
  if (walletIds !== undefined && !walletIds.includes(walletId)) return Effect.succeed(false)
  if (ownerId === undefined && currencies === undefined) return Effect.succeed(true)
  return engine.getWallet({ walletId }).pipe(
    Effect.map((wallet) => fits(restriction, wallet)),
    Effect.catchTag("WalletNotFound", () => Effect.succeed(false))
  )
}

export const mustSee = (engine: Engine, key: ApiKey, walletId: string, leg?: number): Look<void, WalletNotFound> =>
  isNarrow(key)
    ? Effect.flatMap(sees(engine, key, walletId), (seen) =>
        seen ? Effect.void : Effect.fail(new WalletNotFound(leg === undefined ? { walletId } : { walletId, leg }))
      )
    : Effect.void

/** All of them, in order; `leg`: whether a failure says which. */
const mustSeeAll = (
  engine: Engine,
  key: ApiKey,
  wallets: ReadonlyMap<string, number | undefined>
): Look<void, WalletNotFound> =>
  Effect.forEach(wallets, ([walletId, leg]) => mustSee(engine, key, walletId, leg), { discard: true })

// --- Mutations ---------------------------------------------------------------

export const notOfTypes = (types: ReadonlyArray<MutationType>): Forbidden =>
  new Forbidden({ detail: `this key may ask for ${types.join(", ") || "no mutation"} only`, reason: "type" })

/** `type`: of the mutation; `other`: none that a restriction can name. */
export const mayMutate = ({ restriction }: ApiKey, type: MutationType | "other"): Forbidden | undefined => {
  const types = restriction?.types
  if (types === undefined) return undefined
  return type !== "other" && types.includes(type) ? undefined : notOfTypes(types)
}

const outside = new Forbidden({
  detail: "this key is restricted to other wallets than the one to be created",
  reason: "restriction"
})

/** A wallet that it would not see it does not create. */
export const mayCreate = (
  key: ApiKey,
  wallet: Owned & { readonly id?: string | undefined }
): Effect.Effect<void, Forbidden> => (wouldSee(key, { ...wallet, id: wallet.id }) ? Effect.void : Effect.fail(outside))

/** What its commands may take; `undefined`: whatever. */
export const limitOf = ({ id, restriction }: ApiKey): KeyLimit | undefined => {
  const limits = restriction?.limits
  if (limits === undefined) return undefined
  const { perDay = null, perOperation = null } = limits
  return perDay === null && perOperation === null ? undefined : { keyId: id, perOperation, perDay }
}

interface AskedTransfer {
  readonly from?: string | undefined
  readonly legs?: ReadonlyArray<{ readonly from: string }> | undefined
}

/** It sees every wallet that money leaves. */
export const maySend = (engine: Engine, key: ApiKey, { from, legs }: AskedTransfer): Look<void, WalletNotFound> => {
  if (!isNarrow(key)) return Effect.void
  if (legs === undefined) return from === undefined ? Effect.void : mustSee(engine, key, from)
  const sources = new Map<string, number>()
  for (const [leg, { from: source }] of legs.entries()) if (!sources.has(source)) sources.set(source, leg)
  return mustSeeAll(engine, key, sources)
}

export const transactionSeen = <E>(
  engine: Engine,
  key: ApiKey,
  transactionId: string,
  read: Effect.Effect<TransactionDetails, E>
): Look<TransactionDetails, E | TransactionNotFound> =>
  Effect.flatMap(read, (transaction) =>
    Effect.flatMap(isNarrow(key) ? sees(engine, key, transaction.walletId) : Effect.succeed(true), (seen) =>
      seen ? Effect.succeed(transaction) : Effect.fail(new TransactionNotFound({ transactionId }))
    )
  )

/** It is there for it, and so is the wallet that it gives money back from. */
export const mayRefundTransaction = (engine: Engine, key: ApiKey, transactionId: string) =>
  isNarrow(key)
    ? Effect.asVoid(transactionSeen(engine, key, transactionId, engine.transaction(transactionId)))
    : Effect.void

/** Of the first that it sees, no more are looked at. */
const seesOne = Effect.fnUntraced(function* (
  engine: Engine,
  key: ApiKey,
  walletIds: Iterable<string>
): Effect.fn.Return<boolean, LookError> {
  for (const walletId of new Set(walletIds)) if (yield* sees(engine, key, walletId)) return true
  return false
})

const walletsOf = ({ legs }: TransferDetails): ReadonlyArray<string> => legs.flatMap(({ from, to }) => [from, to])

/** A transfer is there for whoever sees one of its wallets, and then in whole. */
export const transferSeen = <E>(
  engine: Engine,
  key: ApiKey,
  transferId: string,
  read: Effect.Effect<TransferDetails, E>
): Look<TransferDetails, E | TransferNotFound> =>
  Effect.flatMap(read, (transfer) =>
    Effect.flatMap(isNarrow(key) ? seesOne(engine, key, walletsOf(transfer)) : Effect.succeed(true), (seen) =>
      seen ? Effect.succeed(transfer) : Effect.fail(new TransferNotFound({ transferId }))
    )
  )

/** Money leaves the wallets that the transfer, or the leg, has brought it to. */
export const mayRefundTransfer = (engine: Engine, key: ApiKey, transferId: string, leg: number | undefined) => {
  if (!isNarrow(key)) return Effect.void
  return Effect.flatMap(transferSeen(engine, key, transferId, engine.getTransfer(transferId)), ({ legs }) => {
    const single = legs.length === 1
    const receivers = new Map<string, number | undefined>()
    for (const [index, { to }] of legs.entries()) {
      if ((leg === undefined || leg === index) && !receivers.has(to)) receivers.set(to, single ? undefined : index)
    }
    return mustSeeAll(engine, key, receivers)
  })
}

// --- Lists -------------------------------------------------------------------

interface Narrowable {
  readonly ownerId?: string | undefined
  readonly currency?: string | undefined
  readonly walletId?: string | undefined
  readonly walletIds?: ReadonlyArray<string> | undefined
  readonly currencies?: ReadonlyArray<string> | undefined
}

/** What a list is narrowed to beside the filters that a caller has. */
export interface Narrowed {
  readonly walletIds?: ReadonlyArray<string> | undefined
  readonly currencies?: ReadonlyArray<string> | undefined
}

/** Wallets that are looked at, at once. */
const concurrentLooks = 16

const ownerOnly = ({ ownerId }: KeyRestriction, asked: string | undefined): string | undefined | null =>
  ownerId === undefined ? asked : asked === undefined || asked === ownerId ? ownerId : null

const currenciesOnly = ({ currencies: own }: KeyRestriction, { currencies, currency }: Narrowable) => {
  if (own === undefined || (currency !== undefined && own.includes(currency))) return {}
  if (currency !== undefined) return null
  const both = currencies === undefined ? own : own.filter((one) => currencies.includes(one))
  if (both.length === 0) return null
  return both.length === 1 ? { currency: both[0]!, currencies: undefined } : { currencies: both }
}

/**
 * The query with the restriction in it; `undefined`: the two contradict each other, and nothing is to be found.
 * `eitherSide`: its `walletId` and `ownerId` are of one of several wallets, of which the key may not see all.
 */
export const narrowed = Effect.fnUntraced(function* <Query extends Narrowable>(
  engine: Engine,
  key: ApiKey,
  query: Query,
  eitherSide = false
): Effect.fn.Return<(Query & Narrowed) | undefined, LookError> {
  const { restriction } = key
  if (restriction === undefined || !isNarrow(key)) return query
  const { walletIds } = restriction
  const ownerId = ownerOnly(restriction, query.ownerId)
  const currencies = currenciesOnly(restriction, query)
  if (ownerId === null || currencies === null) return undefined
  if (walletIds === undefined) {
    return { ...query, ...(ownerId === undefined ? {} : { ownerId }), ...currencies }
  }
  const asked = walletIds.filter(
    (id) =>
      (query.walletId === undefined || eitherSide || id === query.walletId) && query.walletIds?.includes(id) !== false
  )
  const seen = yield* Effect.filter(asked, (walletId) => sees(engine, key, walletId), { concurrency: concurrentLooks })
  if (seen.length === 0) return undefined
  return { ...query, walletIds: seen }
})

/** Of a list that cannot be asked for without telling of what the key does not see. */
const tells = (what: string): Forbidden =>
  new Forbidden({
    detail: `a key that does not see all wallets cannot search transfers by ${what}`,
    reason: "restriction"
  })

interface TransferFilters extends Narrowable {
  readonly q?: string | undefined
  readonly idempotencyKey?: string | undefined
}

/**
 * What transfers may be searched by. Their words, and their owners, are those of both sides, and the key may see one
 * only: it could ask for the owner of the other until it has it.
 */
export const maySearchTransfers = (key: ApiKey, { ownerId, q }: TransferFilters): Effect.Effect<void, Forbidden> => {
  if (!isNarrow(key)) return Effect.void
  if (q !== undefined) return Effect.fail(tells("`q`"))
  return ownerId !== undefined && key.restriction?.ownerId === undefined ? Effect.fail(tells("`ownerId`")) : Effect.void
}

/**
 * The page without what its query could not leave out: transfers that were asked for by a key of another's, and those of
 * several currencies of which only other legs are of the one that the key sees. It may be shorter than it was asked for.
 */
export const transfersSeen = Effect.fnUntraced(function* (
  engine: Engine,
  key: ApiKey,
  { idempotencyKey }: TransferFilters,
  page: Page<TransferDetails>
): Effect.fn.Return<Page<TransferDetails>, LookError> {
  const { restriction } = key
  if (restriction === undefined || !isNarrow(key)) return page
  const isJoint = restriction.ownerId !== undefined && restriction.currencies !== undefined
  const data = yield* Effect.filter(page.data, (transfer) => {
    if (idempotencyKey !== undefined) return sees(engine, key, transfer.legs[0]!.from)
    const several = new Set(transfer.legs.map(({ currency }) => currency)).size > 1
    return isJoint && several ? seesOne(engine, key, walletsOf(transfer)) : Effect.succeed(true)
  })
  return { ...page, data }
})

export const emptyPage = { data: [], next: null }
