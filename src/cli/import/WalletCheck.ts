/**
 * The second look: the rows of a checked file against the wallets that they are for. What
 * an earlier run has booked counts as booked, and has to be what the row says; the rest is
 * added up from what the wallet has, and must come to the file's balances, stay within its
 * funds and be allowed. Nothing is booked: keys are asked for, and only commands that are
 * known to be done are sent again.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { formatDecimal, parseDecimal } from "./Decimals.ts"
import type { CheckedFile, WalletPlan } from "./FileCheck.ts"
import type { ImportOptions } from "./ImportOptions.ts"
import {
  type Applied,
  ImportTarget,
  type KeyQuestion,
  maxMoves,
  type WalletMove,
  type WalletNow
} from "./ImportTarget.ts"
import { batchesOf } from "./MoveBatches.ts"
import { persistently, sendInOrder } from "./RetryInOrder.ts"
import { openingKey } from "./RowKeys.ts"
import { RowRefused } from "./RowRefused.ts"
import type { FileUnreadable } from "./MovementFile.ts"
import type { SpooledMovement } from "./Spool.ts"

/** What is there and what will be, of one wallet. */
export interface WalletState {
  readonly plan: WalletPlan
  /** `undefined`: it is to be made. */
  readonly now: WalletNow | undefined
  /** To be booked before the rows. */
  opening: bigint | undefined
  /** What the wallet must have before its first new row, by the caller's `--opening`. */
  expectedOpening: bigint | undefined
  /** Before the next row, by the file's balances, whichever rows have one; `undefined`: there are none. */
  expected: bigint | undefined
  balance: bigint
  available: bigint
  done: number
  fresh: number
  /** Of the rows that are booked, the one that was booked last. */
  newestDone: Applied | undefined
  /** A row whose balance was another one when it was booked: those of one wallet may have come out of order. */
  misplaced: Misplaced | undefined
}

interface Misplaced {
  readonly row: SpooledMovement
  readonly reason: string
}

export interface CheckedWallets {
  readonly states: ReadonlyMap<string, WalletState>
  /** Whether the movement of this index is booked already. */
  readonly isDone: (index: number) => boolean
  readonly done: number
  /** Of the first row that an earlier run has booked. */
  readonly firstDone: number | undefined
}

/** One bit per row of the file. */
class Marks {
  private readonly bits: Uint8Array
  constructor(rows: number) {
    this.bits = new Uint8Array((rows >> 3) + 1)
  }
  set(index: number): void {
    this.bits[index >> 3]! |= 1 << (index & 7)
  }
  has(index: number): boolean {
    return (this.bits[index >> 3]! & (1 << (index & 7))) !== 0
  }
}

export const moveOf = ({ effectiveAt, key, metadata, reference, signed, walletId }: SpooledMovement): WalletMove => ({
  walletId,
  direction: signed < 0n ? "debit" : "credit",
  amount: signed < 0n ? -signed : signed,
  reference,
  metadata,
  effectiveAt,
  idempotencyKey: key
})

/** The movement that makes a wallet's opening balance; the same in every run. It counts from the first date of its rows. */
export const openingMove = (
  { earliest, walletId }: Pick<WalletPlan, "earliest" | "walletId">,
  opening: bigint,
  source: string | undefined
): WalletMove => ({
  walletId,
  direction: opening < 0n ? "debit" : "credit",
  amount: opening < 0n ? -opening : opening,
  reference: "Opening balance",
  metadata: {},
  effectiveAt: earliest,
  idempotencyKey: openingKey(source)
})

/** Pages of a list, each at most one call. */
const pagesOf = <A>(list: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(list.length / maxMoves) }, (_, page) =>
    list.slice(page * maxMoves, (page + 1) * maxMoves)
  )

const refusedAt = (
  options: ImportOptions,
  { line, row }: { readonly row: number; readonly line: number },
  reason: string
) => new RowRefused({ file: options.file, row, line, reason })

/** What `--opening` says of this wallet; `undefined`: nothing. */
const openingOf = (plan: WalletPlan, options: ImportOptions): Result.Result<bigint | undefined, string> => {
  const { opening } = options
  if (opening === undefined) return Result.succeed(undefined)
  if (opening._tag === "File") {
    if (plan.opening === undefined) {
      return Result.fail(`--opening file: wallet ${plan.walletId} has no balances in the file`)
    }
    if (plan.otherOpening === undefined || plan.otherOpening === plan.opening) return Result.succeed(plan.opening)
    const [one, other] = [plan.opening, plan.otherOpening].map((units) => formatDecimal(units, plan.exponent))
    const fact = `the balances of wallet ${plan.walletId} fit either way, from ${one} or, newest first, from ${other}`
    return Result.fail(`--opening file: ${fact}; give --order oldest-first or newest-first`)
  }
  const parsed = parseDecimal(opening.text, plan.exponent)
  if (Result.isFailure(parsed)) return Result.fail(`--opening: ${parsed.failure}`)
  if (plan.opening === undefined || plan.opening === parsed.success) return parsed
  const found = formatDecimal(plan.opening, plan.exponent)
  return Result.fail(`wallet ${plan.walletId} begins with ${found} in the file, and --opening says ${opening.text}`)
}

type Target = ImportTarget["Service"]

/** The wallets as they are, many at a time. */
const findWallets = Effect.fnUntraced(function* (target: Target, file: CheckedFile, options: ImportOptions) {
  const states = new Map<string, WalletState>()
  const key = openingKey(options.source)
  for (const page of pagesOf([...file.wallets.values()])) {
    const named = ({ error, item }: { readonly error: { readonly reason: string }; readonly item: KeyQuestion }) =>
      refusedAt(options, file.wallets.get(item.walletId)!.first, error.reason)
    const asked = page.map(({ walletId }) => ({ walletId, idempotencyKey: key }))
    const keys = yield* Effect.mapError(sendInOrder(asked, target.ask), named)
    yield* Effect.forEach(
      page,
      Effect.fnUntraced(function* (plan, index) {
        const { first, walletId } = plan
        const now =
          keys[index] === "no wallet"
            ? undefined
            : yield* Effect.mapError(persistently(target.wallet(walletId)), ({ reason }) =>
                refusedAt(options, first, reason)
              )
        if (now !== undefined && now.currency !== plan.currency) {
          return yield* refusedAt(options, first, `wallet ${walletId} is in ${now.currency}, not ${plan.currency}`)
        }
        const owner = plan.ownerId ?? now?.ownerId
        // A wallet whose file named nobody is its own owner.
        if (now !== undefined && now.ownerId !== owner && now.ownerId !== walletId) {
          return yield* refusedAt(options, first, `wallet ${walletId} is ${now.ownerId}'s, not ${owner}'s`)
        }
        const state = yield* Effect.mapError(openState(target, plan, now, keys[index] === "done", options), (reason) =>
          refusedAt(options, first, reason)
        )
        states.set(walletId, state)
      }),
      { concurrency: options.concurrency, discard: true }
    )
  }
  return states
})

/** A wallet before the first of its rows. */
const openState = Effect.fnUntraced(function* (
  target: Target,
  plan: WalletPlan,
  now: WalletNow | undefined,
  openingDone: boolean,
  options: ImportOptions
): Effect.fn.Return<WalletState, string> {
  const balance = now?.balance ?? 0n
  const available = now === undefined ? plan.overdraftLimit : balance - now.held + now.overdraftLimit
  const state: WalletState = {
    plan,
    now,
    opening: undefined,
    expectedOpening: undefined,
    expected: plan.opening,
    balance,
    available,
    done: 0,
    fresh: 0,
    newestDone: undefined,
    misplaced: undefined
  }
  const opening = yield* Effect.fromResult(openingOf(plan, options))
  if (opening === undefined || (openingDone && (yield* isSameOpening(target, plan, opening, options)))) return state
  const untouched = now === undefined || now.version === 0
  if (!openingDone && untouched && opening !== 0n) {
    state.opening = opening
    state.balance += opening
    state.available += opening
    if (state.available < 0n) {
      const limit = formatDecimal(available, plan.exponent)
      return yield* Effect.fail(
        `wallet ${plan.walletId} cannot begin below zero by more than ${limit}; see --overdraft`
      )
    }
  } else state.expectedOpening = opening
  return state
})

/** Whether the opening balance that an earlier run has booked is this file's; else it is that of an earlier statement. */
const isSameOpening = Effect.fnUntraced(function* (
  target: Target,
  plan: WalletPlan,
  opening: bigint,
  { source }: ImportOptions
): Effect.fn.Return<boolean, string> {
  if (opening === 0n) return false
  const sent = sendInOrder([openingMove(plan, opening, source)], target.move)
  return yield* Effect.matchEffect(sent, {
    onSuccess: () => Effect.succeed(true),
    onFailure: ({ error }) =>
      error.code === "IdempotencyKeyReused" ? Effect.succeed(false) : Effect.fail(error.reason)
  })
})

/** Which of these movements are booked, and what the balance was after each. */
const findDone = Effect.fnUntraced(function* (
  target: Target,
  page: ReadonlyArray<SpooledMovement>,
  states: ReadonlyMap<string, WalletState>,
  options: ImportOptions
) {
  const known = new Map<number, Applied>()
  const questions = page
    .filter(({ walletId }) => (states.get(walletId)?.now?.version ?? 0) > 0)
    .map(({ key, ...movement }) => ({ ...movement, key, idempotencyKey: key }))
  const named = ({
    error,
    item
  }: {
    readonly error: { readonly code: string; readonly reason: string }
    readonly item: SpooledMovement
  }) => refusedAt(options, item, error.code === "IdempotencyKeyReused" ? otherContent : error.reason)
  const answers = yield* Effect.mapError(
    sendInOrder(questions, (asked) =>
      target.ask(asked.map(({ idempotencyKey, walletId }) => ({ idempotencyKey, walletId })))
    ),
    named
  )
  const done = questions.filter((_, index) => answers[index] === "done").map((one) => ({ ...one, move: moveOf(one) }))
  for (const batch of batchesOf(done)) {
    const send = sendInOrder(batch, (sent) => target.move(sent.map(({ move }) => move)))
    const applied = yield* Effect.mapError(send, named)
    batch.forEach(({ index }, place) => known.set(index, applied[place]!))
  }
  return known
})

const otherContent =
  "a row with this id was booked before, and said something else (amount, direction, reference, date or metadata); " +
  "--source NAME keeps files apart whose ids are the same"

/** Takes one movement, as it was booked or as it would be; a failure says why it cannot be. */
const fold = (state: WalletState, one: SpooledMovement, applied: Applied | undefined): string | undefined => {
  const text = (units: bigint): string => formatDecimal(units, state.plan.exponent)
  if (state.expected !== undefined) state.expected += one.signed
  const says = one.balanceAfter ?? state.expected
  const file = one.balanceAfter === undefined ? "the file's other balances say" : "the file says"
  const isFirst = state.fresh === 0 && state.done === 0
  const before = applied === undefined ? state.balance : applied.balance - one.signed
  if (isFirst && state.expectedOpening !== undefined && before !== state.expectedOpening) {
    const verb = applied === undefined ? "has" : "had"
    return `wallet ${state.plan.walletId} ${verb} ${text(before)}, not the opening balance ${text(state.expectedOpening)}`
  }
  if (applied !== undefined) {
    state.done += 1
    const newest = state.newestDone
    const inOrder = newest === undefined || applied.version > newest.version
    if (inOrder) state.newestDone = applied
    if (says === undefined) return undefined
    // All that was booked out of order is there once the newest of it has what the file says.
    if (!inOrder && says === newest.balance) state.misplaced = undefined
    else if (says !== applied.balance) {
      const reason = `was booked before, with a balance of ${text(applied.balance)}, and ${file} ${text(says)}`
      state.misplaced ??= { row: one, reason }
    }
    return undefined
  }
  state.fresh += 1
  state.balance += one.signed
  if (says !== undefined && says !== state.balance) {
    const fact = `the balance of wallet ${state.plan.walletId} would be ${text(state.balance)} after this row, ${file} ${text(says)}`
    return `${fact}: ${reasonOf(state, before, text)}`
  }
  return notAllowed(state, one, text)
}

/** Why the wallet will not take a new movement, and what it has available after it. */
const notAllowed = (
  state: WalletState,
  { signed }: SpooledMovement,
  text: (units: bigint) => string
): string | undefined => {
  const { now, plan } = state
  if (now?.status === "closed") return `wallet ${plan.walletId} is closed`
  if (signed < 0n) {
    if (now?.status === "frozen") return `wallet ${plan.walletId} is frozen`
    if (state.available < -signed) {
      return `wallet ${plan.walletId} has ${text(state.available)} available, ${text(-signed)} required`
    }
  }
  state.available += signed
  return undefined
}

/** Why the wallet is not where the file is, as far as one can tell. */
const reasonOf = ({ done, fresh, now, plan }: WalletState, before: bigint, text: (units: bigint) => string): string => {
  if (done === 0 && fresh === 1 && plan.opening !== undefined) {
    const has = now === undefined ? "it is new" : `it has ${text(before)}`
    const advice = now === undefined || now.version === 0 ? "; --opening file books that first" : ""
    return `the file begins with ${text(plan.opening)}, and ${has}${advice}`
  }
  return "it has had movements that are not in the file; --ignore-balance books without comparing"
}

const refusedMisplaced = (options: ImportOptions, { reason, row }: Misplaced) => refusedAt(options, row, reason)

/** All wallets, and all rows in the order in which they are to be booked. */
export const checkWallets = Effect.fnUntraced(function* (
  file: CheckedFile,
  options: ImportOptions
): Effect.fn.Return<CheckedWallets, RowRefused | FileUnreadable, ImportTarget> {
  const target = yield* ImportTarget
  if (options.opening?._tag === "Amount" && file.wallets.size > 1) {
    const second = [...file.wallets.values()][1]!
    return yield* refusedAt(
      options,
      second.first,
      "--opening AMOUNT is for a file of one wallet; --opening file is for all"
    )
  }
  const states = yield* findWallets(target, file, options)
  const marks = new Marks(file.spool.count)
  let firstDone: number | undefined
  let done = 0
  let seen = 0
  const compare = Effect.fnUntraced(function* (page: ReadonlyArray<SpooledMovement>) {
    const known = yield* findDone(target, page, states, options)
    for (const one of page) {
      const applied = known.get(one.index)
      if (applied !== undefined) {
        marks.set(one.index)
        done += 1
        firstDone = Math.min(firstDone ?? one.line, one.line)
      }
      const state = states.get(one.walletId)!
      if (applied === undefined && state.misplaced !== undefined)
        return yield* refusedMisplaced(options, state.misplaced)
      const reason = fold(state, one, applied)
      if (reason !== undefined) return yield* refusedAt(options, one, reason)
    }
    seen += page.length
    yield* options.onProgress({ step: "compare", done: seen, of: file.spool.count })
  })
  yield* Stream.runForEach(inBookingOrder(file), compare)
  for (const { misplaced } of states.values()) {
    if (misplaced !== undefined) return yield* refusedMisplaced(options, misplaced)
  }
  return { states, isDone: (index) => marks.has(index), done, firstDone }
})

/** Wallets whose rows run from oldest to newest, then the others, from the end of the file; in pages of one call. */
export const inBookingOrder = ({
  spool,
  wallets
}: CheckedFile): Stream.Stream<ReadonlyArray<SpooledMovement>, FileUnreadable> => {
  const part = (newestFirst: boolean) =>
    spool.read(newestFirst ? "backward" : "forward").pipe(
      Stream.flatMap((page) =>
        Stream.fromIterable(page.filter((one) => wallets.get(one.walletId)!.newestFirst === newestFirst))
      ),
      Stream.grouped(maxMoves)
    )
  const plans = [...wallets.values()]
  const parts = [false, true].filter((newestFirst) => plans.some((plan) => plan.newestFirst === newestFirst))
  return parts.map(part).reduce((all, one) => Stream.concat(all, one), Stream.empty)
}
