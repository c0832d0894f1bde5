/**
 * Statements: a wallet's books between two times, from Persistence, as of one version of the wallet.
 *
 * The first page takes the version, and sums; they go on in the cursor, so that all pages are of
 * one state, and a page costs its rows. (Summed anew, a page of a wallet with a million
 * transactions would cost all of them.)
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { maxTime } from "../domain/Limits.ts"
import { directionOf, type Transaction, type TransactionType } from "../domain/Movement.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import { decodeCursor, encodeCursor } from "../stores/Page.ts"
import { type BooksPlace, type BooksQuery, endOfPage, type Persistence } from "../stores/Persistence.ts"
import type { BookSpan } from "../domain/BookDates.ts"
import { spanOf } from "../domain/BookDates.ts"
import type { EngineBooks, Statement, StatementQuery, StatementRead } from "./EngineApi.ts"
import { asked, wrongStatement } from "./QueryForm.ts"
import { makeRefundedReads } from "./Answers.ts"
import { Reader, type ReadShare } from "./ReadShare.ts"

/** Rows that a statement in one piece reads at a time. */
const streamedRows = 1_000

/** What statements need of the queries beside them. */
export interface StatementContext {
  readonly persistence: Persistence["Service"]
  readonly share: ReadShare["Service"]
  /** The version that Persistence has, once it is `minVersion`; `-1`: its rows are yet to come. */
  readonly persisted: (
    walletId: string,
    minVersion: number | undefined
  ) => Effect.Effect<number, Effect.Error<ReturnType<EngineBooks["statementRows"]>>>
}

/** All that the pages of a statement have in common. */
interface Begun {
  readonly books: BooksQuery
  readonly openingBalance: bigint
  readonly closingBalance: bigint
  readonly totals: Statement["totals"]
}

const balanceBefore = ({ persistence, share }: StatementContext, { from, version, walletId }: BooksQuery) =>
  from === undefined || from === 0
    ? Effect.succeed(0n)
    : share.query(persistence.booksBalance({ walletId, version, until: from - 1 }))

const balanceAfter = ({ persistence, share }: StatementContext, { to = maxTime, version, walletId }: BooksQuery) =>
  share.query(persistence.booksBalance({ walletId, version, until: to }))

const balances = (context: StatementContext, books: BooksQuery) =>
  Effect.all({ openingBalance: balanceBefore(context, books), closingBalance: balanceAfter(context, books) })

const begin = Effect.fnUntraced(function* (context: StatementContext, query: StatementRead, span: BookSpan) {
  const version = yield* context.persisted(query.walletId, query.minVersion)
  const books: BooksQuery = { walletId: query.walletId, version, ...span }
  const totals = yield* context.share.search(context.persistence.booksTotals(books))
  const begun: Begun = { books, ...(yield* balances(context, books)), totals: Object.fromEntries(totals) }
  return { begun, after: undefined }
})

const numberPattern = /^-?(?:0|[1-9][0-9]{0,59})$/
const timePattern = /^(?:|0|[1-9][0-9]{0,14})$/

/** Of one wallet: the sums of a statement go on in its cursor. */
const listOf = (walletId: string): string => `statement of ${walletId}`

const cursorOf = ({ books, closingBalance, openingBalance, totals }: Begun, last: BooksPlace): string =>
  encodeCursor(
    listOf(books.walletId),
    `${books.version}`,
    `${books.from ?? ""}`,
    `${books.to ?? ""}`,
    `${last.effectiveAt}`,
    `${last.version}`,
    `${last.leg}`,
    `${openingBalance}`,
    `${closingBalance}`,
    Object.entries(totals)
      .map(([type, sum]) => `${type}:${sum}`)
      .join(",")
  )

const isType = (type: string): type is TransactionType => Object.hasOwn(directionOf, type)

/** `undefined`: no totals of ours. */
const totalsIn = (text: string): Statement["totals"] | undefined => {
  const totals: Partial<Record<TransactionType, bigint>> = {}
  for (const part of text === "" ? [] : text.split(",")) {
    const [type = "", sum = ""] = part.split(":")
    if (!isType(type) || !numberPattern.test(sum)) return undefined
    totals[type] = BigInt(sum)
  }
  return totals
}

/** `undefined`: no cursor of a statement of that wallet. */
const resume = (walletId: string, cursor: string): { begun: Begun; after: BooksPlace } | undefined => {
  const keys = decodeCursor(listOf(walletId), cursor, 9)
  if (keys === undefined) return undefined
  const [version, from, to, effectiveAt, at, leg, opening, closing, sums] = keys as [string, ...Array<string>]
  const times = [version, from, to, effectiveAt, at, leg]
  const totals = totalsIn(sums!)
  const isOurs =
    times.every((one) => timePattern.test(one!)) &&
    [version, effectiveAt, at, leg].every((one) => one !== "") &&
    numberPattern.test(opening!) &&
    numberPattern.test(closing!)
  if (!isOurs || totals === undefined) return undefined
  const books: BooksQuery = {
    walletId,
    version: Number(version),
    from: from === "" ? undefined : Number(from),
    to: to === "" ? undefined : Number(to)
  }
  const after = { effectiveAt: Number(effectiveAt), version: Number(at), leg: Number(leg) }
  return { begun: { books, openingBalance: BigInt(opening!), closingBalance: BigInt(closing!), totals }, after }
}

const page = Effect.fnUntraced(function* (context: StatementContext, query: StatementQuery, span: BookSpan) {
  const resumed = query.cursor === undefined ? undefined : resume(query.walletId, query.cursor)
  if (query.cursor !== undefined) {
    if (resumed === undefined)
      return yield* new InvalidRequest({ detail: "cursor: not one that a statement has answered" })
    const { from, to } = resumed.begun.books
    if ((span.from ?? from) !== from || (span.to ?? to) !== to) {
      return yield* new InvalidRequest({ detail: "cursor: of a statement between other times" })
    }
  }
  const { after, begun } = resumed ?? (yield* begin(context, query, span))
  const { persistence, share } = context
  const rows = yield* share.query(persistence.booked({ ...begun.books, after, limit: query.limit + 1 }))
  const page = rows.slice(0, query.limit)
  const data = yield* share.query(makeRefundedReads(persistence).ofTransactions(page))
  const { closingBalance, openingBalance, totals } = begun
  const next = rows.length > query.limit ? cursorOf(begun, endOfPage(data, after)) : null
  return { openingBalance, closingBalance, totals, data, next }
})

const whole = Effect.fnUntraced(function* (context: StatementContext, query: StatementRead, span: BookSpan) {
  const { persistence, share } = context
  const version = yield* context.persisted(query.walletId, query.minVersion)
  const books: BooksQuery = { walletId: query.walletId, version, ...span }
  const reader = yield* Reader
  const refunded = makeRefundedReads(persistence)
  const shown = <E>(rows: Effect.Effect<ReadonlyArray<Transaction>, E>) => Effect.flatMap(rows, refunded.ofTransactions)
  const rows = Stream.paginate(undefined as BooksPlace | undefined, (after) =>
    Effect.map(share.page(reader, shown(persistence.booked({ ...books, after, limit: streamedRows }))), (found) => {
      const more = found.length < streamedRows ? undefined : endOfPage(found, after)
      return [[found], more === undefined ? Option.none() : Option.some(more)] as const
    })
  )
  return { ...(yield* balances(context, books)), rows: Stream.filter(rows, (found) => found.length > 0) }
})

/** Reads the ends once, and refuses what they are not before a wallet is asked. */
const between =
  <Query extends StatementRead, A, E>(ask: (query: Query, span: BookSpan) => Effect.Effect<A, E>) =>
  (query: Query): Effect.Effect<A, E | InvalidRequest> => {
    const span = spanOf(query)
    return span instanceof InvalidRequest ? Effect.fail(span) : ask(query, span)
  }

export const make = (context: StatementContext): EngineBooks => ({
  statement: asked(
    wrongStatement,
    between((query: StatementQuery, span) => page(context, query, span))
  ),
  statementRows: asked(
    wrongStatement,
    between((query: StatementRead, span) => whole(context, query, span))
  )
})
