/**
 * Compares in the order of the log, for a log that can only be read so: each wallet when
 * its creation is met, from the first to the last event of its stream.
 *
 * Memory is bounded: at most `walletsPerPass` wallets' currency and balance are kept, and
 * an installation with more takes another pass, which begins at the first wallet not yet
 * taken.
 */
import * as Effect from "effect/Effect"
import type { PositionedEvent } from "../../stores/EventStore.ts"
import { addMovement, type CurrencyTotals } from "./Conservation.ts"
import { orphanRow } from "./Report.ts"
import { compareWallets, report, totalsOf, type Verification } from "./Verification.ts"
import type { VerifyError } from "./Walk.ts"

/** Events per read of the whole log. */
const logPageSize = 1000
const walletPageSize = 500

interface Entry {
  readonly totals: CurrencyTotals
  balance: bigint
}

interface Pass {
  readonly table: Map<string, Entry>
  /** Position before the first wallet that this pass could not take. */
  next: bigint | undefined
}

/** Takes one event into the pass; answers the wallet that it creates, if the pass takes it. */
const take = (run: Verification, pass: Pass, { position, recorded }: PositionedEvent): string | undefined => {
  const { event, walletId } = recorded
  const entry = pass.table.get(walletId)
  if (entry !== undefined) {
    addMovement(entry.totals, event)
    entry.balance = event.balanceAfter
    return undefined
  }
  if (event._tag !== "WalletCreated" || pass.next !== undefined) return undefined
  if (pass.table.size >= run.walletsPerPass) {
    pass.next = position - 1n
    return undefined
  }
  pass.table.set(walletId, { totals: totalsOf(run, event.currency), balance: event.balanceAfter })
  return walletId
}

/** One walk over the log from `after` to the head. */
const walkLog = Effect.fnUntraced(function* (run: Verification, after: bigint): Effect.fn.Return<Pass, VerifyError> {
  const pass: Pass = { table: new Map(), next: undefined }
  let position = after
  while (position < run.head) {
    const page = yield* run.stores.log.readAll({ after: position, limit: logPageSize })
    const events = page.filter((one) => one.position <= run.head)
    const created = events.flatMap((event) => take(run, pass, event) ?? [])
    yield* compareWallets(run, created)
    position = events.length < page.length || page.length === 0 ? run.head : (events.at(-1)?.position ?? run.head)
    yield* run.onProgress(position)
  }
  for (const entry of pass.table.values()) entry.totals.balances += entry.balance
  return pass
})

/** Rows of wallets that the log does not know. `known`: ids that need no look. */
const findOrphans = Effect.fnUntraced(function* (
  run: Verification,
  known: ReadonlyMap<string, unknown>
): Effect.fn.Return<void, VerifyError> {
  let after = ""
  for (;;) {
    const rows = yield* run.stores.persistence.scanWallets({ after, limit: walletPageSize })
    const doubtful = rows.filter((row) => !known.has(row.id))
    yield* Effect.forEach(
      doubtful,
      (row) =>
        Effect.map(run.stores.log.read(row.id, { after: -1, limit: 1 }), (events) => {
          if (events.length === 0) report(run, [orphanRow(row.id, `version ${row.version}`)])
        }),
      { concurrency: run.walletsAtATime, discard: true }
    )
    const last = rows.at(-1)
    if (last === undefined || rows.length < walletPageSize) return
    after = last.id
  }
})

/** The whole log, and rows that it does not know. */
export const compareInLogOrder = Effect.fnUntraced(function* (run: Verification): Effect.fn.Return<void, VerifyError> {
  let pass = yield* walkLog(run, 0n)
  while (pass.next !== undefined) pass = yield* walkLog(run, pass.next)
  yield* findOrphans(run, pass.table)
})
