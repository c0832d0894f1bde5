/**
 * Books what the checks have let through: wallets are made, then their rows go out in
 * batches, those of one wallet in order, those of different wallets side by side. Every
 * answer is held against the file once more, for a wallet may have moved since the check.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { formatDecimal } from "./Decimals.ts"
import type { CheckedFile } from "./FileCheck.ts"
import type { ImportOptions } from "./ImportOptions.ts"
import { type Applied, ImportTarget, type WalletMove } from "./ImportTarget.ts"
import { batchesOf } from "./MoveBatches.ts"
import { persistently, sendInOrder } from "./RetryInOrder.ts"
import { walletKey } from "./RowKeys.ts"
import { RowRefused } from "./RowRefused.ts"
import type { SpooledMovement } from "./Spool.ts"
import { type CheckedWallets, inBookingOrder, moveOf, openingMove, type WalletState } from "./WalletCheck.ts"

/** Batches under way at once: the log takes in what is there together, and the next is made meanwhile. */
const lanes = 4

/** Rows in memory at a time, some hundred bytes each and at most 12 kB: two batches for each lane. */
const windowRows = 8000

export interface Booked {
  readonly imported: number
  /** Done by somebody else since the check. */
  readonly known: number
  readonly walletsCreated: number
  readonly openings: number
}

type Counts = { -readonly [K in keyof Booked]: number }

/** What a failure names, and what the balance is to be afterwards. */
type Place = Pick<SpooledMovement, "walletId" | "row" | "line" | "balanceAfter">

/** A row, or the opening balance before it. */
interface Item {
  readonly walletId: string
  readonly at: Place
  readonly opening: boolean
  readonly move: WalletMove
}

interface Run {
  readonly target: ImportTarget["Service"]
  readonly options: ImportOptions
  readonly states: ReadonlyMap<string, WalletState>
  readonly made: Set<string>
  readonly opened: Set<string>
  readonly counts: Counts
}

const refusedAt = ({ options }: Run, { line, row }: Place, reason: string) =>
  new RowRefused({ file: options.file, row, line, reason: `${reason} (rows before it may be booked)` })

/** Wallets whole, so that the lanes are about as long as each other. */
const lanesOf = (items: ReadonlyArray<Item>): ReadonlyArray<ReadonlyArray<Item>> => {
  const byWallet = new Map<string, Array<Item>>()
  for (const item of items) {
    const ofWallet = byWallet.get(item.walletId)
    if (ofWallet === undefined) byWallet.set(item.walletId, [item])
    else ofWallet.push(item)
  }
  const filled = Array.from({ length: Math.min(lanes, byWallet.size) }, (): Array<Item> => [])
  for (const ofWallet of byWallet.values()) {
    const shortest = filled.reduce((least, lane) => (lane.length < least.length ? lane : least))
    for (const item of ofWallet) shortest.push(item)
  }
  return filled
}

const itemsOf = (run: Run, rows: ReadonlyArray<SpooledMovement>): ReadonlyArray<Item> =>
  rows.flatMap((at) => {
    const { walletId } = at
    const row: Item = { walletId, at, opening: false, move: moveOf(at) }
    return [...openingsOf(run, at), row]
  })

/** The opening balance, once a wallet. */
const openingsOf = (run: Run, at: Place): ReadonlyArray<Item> => {
  const { walletId } = at
  const state = run.states.get(walletId)
  const opening = state?.opening
  if (state === undefined || opening === undefined || run.opened.has(walletId)) return []
  run.opened.add(walletId)
  return [{ walletId, at, opening: true, move: openingMove(state.plan, opening, run.options.source) }]
}

const makeWallet = Effect.fnUntraced(function* (run: Run, at: Place) {
  const { plan } = run.states.get(at.walletId)!
  const { currency, overdraftLimit, ownerId, walletId } = plan
  const input = { walletId, ownerId: ownerId ?? walletId, currency, overdraftLimit, idempotencyKey: walletKey }
  const created = yield* Effect.mapError(persistently(run.target.create(input)), ({ reason }) =>
    refusedAt(run, at, reason)
  )
  if (!created.replayed) run.counts.walletsCreated += 1
})

const makeWallets = (run: Run, rows: ReadonlyArray<Place>) => {
  const missing = rows.filter(({ walletId }) => {
    if (run.made.has(walletId) || run.states.get(walletId)?.now !== undefined) return false
    run.made.add(walletId)
    return true
  })
  return Effect.forEach(missing, (at) => makeWallet(run, at), { concurrency: run.options.concurrency, discard: true })
}

const count = ({ counts }: Run, { opening }: Item, { replayed }: Applied): void => {
  if (opening) counts.openings += 1
  else if (replayed) counts.known += 1
  else counts.imported += 1
}

/** What the answers of one batch say of a wallet. */
interface Answered {
  newest: Applied
  last: Item
  inOrder: boolean
}

const answeredOf = (batch: ReadonlyArray<Item>, answers: ReadonlyArray<Applied>): ReadonlyMap<string, Answered> => {
  const wallets = new Map<string, Answered>()
  batch.forEach((item, index) => {
    const answer = answers[index]!
    const known = wallets.get(item.walletId)
    if (known === undefined) return wallets.set(item.walletId, { newest: answer, last: item, inOrder: true })
    if (answer.version > known.newest.version) known.newest = answer
    else known.inOrder = false
    known.last = item
  })
  return wallets
}

/** One that had to be sent again may have come behind later ones: then the newest of them tells. */
const moved = (run: Run, { at, opening }: Item, { balance }: Applied, answered: Answered): RowRefused | undefined => {
  if (!answered.inOrder && answered.last.at.balanceAfter === answered.newest.balance) return undefined
  if (opening || at.balanceAfter === undefined || at.balanceAfter === balance) return undefined
  const { exponent } = run.states.get(at.walletId)!.plan
  const [here, there] = [balance, at.balanceAfter].map((units) => formatDecimal(units, exponent))
  const fact = `the balance of wallet ${at.walletId} is ${here} after this row, the file says ${there}`
  return refusedAt(run, at, `${fact}: it has moved since the file was checked`)
}

const bookBatch = Effect.fnUntraced(function* (run: Run, batch: ReadonlyArray<Item>) {
  const answers = yield* Effect.mapError(
    sendInOrder(batch, (items) => run.target.move(items.map(({ move }) => move))),
    ({ error, item }) => refusedAt(run, item.at, error.reason)
  )
  batch.forEach((item, index) => count(run, item, answers[index]!))
  const wallets = answeredOf(batch, answers)
  for (const [index, item] of batch.entries()) {
    const refused = moved(run, item, answers[index]!, wallets.get(item.walletId)!)
    if (refused !== undefined) return yield* refused
  }
})

const bookWindow = Effect.fnUntraced(function* (run: Run, items: ReadonlyArray<Item>) {
  yield* makeWallets(
    run,
    items.map(({ at }) => at)
  )
  const bookLane = (lane: ReadonlyArray<Item>) =>
    Effect.forEach(batchesOf(lane), (batch) => bookBatch(run, batch), { discard: true })
  yield* Effect.forEach(lanesOf(items), bookLane, { concurrency: lanes, discard: true })
})

/** Books all rows that are not booked yet. */
export const bookMovements = Effect.fnUntraced(function* (
  file: CheckedFile,
  { isDone, states }: CheckedWallets,
  options: ImportOptions
) {
  const counts: Counts = { imported: 0, known: 0, walletsCreated: 0, openings: 0 }
  const target = yield* ImportTarget
  const run: Run = { target, options, states, made: new Set(), opened: new Set(), counts }
  let seen = 0
  yield* inBookingOrder(file).pipe(
    Stream.flatMap(Stream.fromIterable),
    Stream.grouped(windowRows),
    Stream.runForEach((rows) =>
      Effect.gen(function* () {
        const fresh = rows.filter(({ index }) => !isDone(index))
        yield* bookWindow(run, itemsOf(run, fresh))
        seen += rows.length
        yield* options.onProgress({ step: "book", done: seen, of: file.spool.count })
      })
    )
  )
  // Of wallets that have but rows of zero.
  const places = [...states.values()].map(({ plan }) => ({
    ...plan.first,
    walletId: plan.walletId,
    balanceAfter: undefined
  }))
  const rest = places.flatMap((at) => openingsOf(run, at))
  for (let from = 0; from < rest.length; from += windowRows) {
    yield* bookWindow(run, rest.slice(from, from + windowRows))
  }
  return counts satisfies Booked
})
