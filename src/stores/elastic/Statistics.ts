/**
 * Statistics by Elasticsearch: it counts, and sums the parts of amounts, which stay exact (`Amounts.ts`).
 * Each of the two lists is one request.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isJsonObject, structCodec } from "../../domain/Codec.ts"
import { WalletStatus } from "../../domain/Wallet.ts"
import { Currency, Time, Version } from "../../domain/WireValues.ts"
import type { Stats, StatsQuery, TransactionStats, WalletStats } from "../ReadModel.ts"
import { maxStatsRows, orderedStats } from "../Statistics.ts"
import { type QueryTooWide, type ReadError, StoreDefect } from "../StoreError.ts"
import { PartSum, sumOfParts } from "./Amounts.ts"
import { TransactionType } from "./Documents.ts"
import { ownedQuery, type Query } from "./Queries.ts"
import type { Answer, Searches } from "./Searches.ts"

const Sum = Schema.Struct({ value: PartSum })
const amountSums = { p0: Sum, p1: Sum, p2: Sum, p3: Sum, p4: Sum }
const balanceSums = { ...amountSums, p5: Sum }

const transactionGroup = structCodec(
  Schema.Struct({
    key: Schema.Struct({ start: Time, currency: Currency, type: TransactionType }),
    doc_count: Version,
    ...amountSums
  })
)

const walletGroup = structCodec(
  Schema.Struct({
    key: Schema.Struct({ currency: Currency, status: WalletStatus }),
    doc_count: Version,
    ...balanceSums
  })
)

type Source = Readonly<Record<string, object>>

const by = (field: string): Source => ({ [field]: { terms: { field } } })

const byStart = (interval: StatsQuery["interval"]): Source => ({
  start: { date_histogram: { field: "createdAt", calendar_interval: interval } }
})

const sumsOf = (field: string, parts: object) =>
  Object.fromEntries(Object.keys(parts).map((part) => [part, { sum: { field: `${field}.${part}` } }]))

/** One group more than one answer takes tells that there are too many. */
const grouped = (query: Query, sources: ReadonlyArray<Source>, sums: ReturnType<typeof sumsOf>) => ({
  size: 0,
  query,
  aggregations: { groups: { composite: { size: maxStatsRows + 1, sources }, aggregations: sums } }
})

interface GroupCodec<A> {
  decode(value: unknown): A | undefined
  explain(value: unknown): string
}

/** Characters of a group that are shown where it cannot be read. */
const shownLength = 500

const groupsIn = <A>(answer: Answer, codec: GroupCodec<A>): Effect.Effect<ReadonlyArray<A>, StoreDefect> => {
  const groups = isJsonObject(answer.aggregations) ? answer.aggregations.groups : undefined
  const buckets: unknown = isJsonObject(groups) ? groups.buckets : undefined
  const broken = (reason: string) =>
    Effect.fail(new StoreDefect({ store: "readModel", reason: `statistics: ${reason}` }))
  if (!Array.isArray(buckets)) return broken("an answer without groups")
  const decoded: Array<A> = []
  for (const bucket of buckets) {
    const group = codec.decode(bucket)
    if (group === undefined)
      return broken(`${codec.explain(bucket)} in ${JSON.stringify(bucket).slice(0, shownLength)}`)
    decoded.push(group)
  }
  return Effect.succeed(decoded)
}

const tooWide = "more transactions than can be summed in time: name an ownerId, a currency or a shorter time"

const ofTransactions = Effect.fnUntraced(function* (
  searches: Searches,
  query: StatsQuery
): Effect.fn.Return<ReadonlyArray<TransactionStats>, ReadError | QueryTooWide> {
  const sources = [byStart(query.interval), by("currency"), by("type")]
  const request = grouped(ownedQuery(query, "walletId"), sources, sumsOf("amountParts", amountSums))
  const groups = yield* groupsIn(yield* searches.ask("transaction", request, tooWide), transactionGroup)
  return groups.map(({ doc_count: count, key, p0, p1, p2, p3, p4 }) => {
    const sum = sumOfParts([p0.value, p1.value, p2.value, p3.value, p4.value])
    return { currency: key.currency, type: key.type, start: key.start, count, sum }
  })
})

const ofWallets = Effect.fnUntraced(function* (
  searches: Searches,
  { currencies, currency, ownerId, walletIds }: StatsQuery
): Effect.fn.Return<ReadonlyArray<WalletStats>, ReadError | QueryTooWide> {
  const sources = [by("currency"), by("status")]
  const request = grouped(
    ownedQuery({ currency, currencies, ownerId, walletIds }, "id"),
    sources,
    sumsOf("balanceParts", balanceSums)
  )
  const groups = yield* groupsIn(yield* searches.ask("wallet", request, tooWide), walletGroup)
  return groups.map(({ doc_count: count, key, p0, p1, p2, p3, p4, p5 }) => {
    const balance = sumOfParts([p0.value, p1.value, p2.value, p3.value, p4.value, p5.value])
    return { currency: key.currency, status: key.status, count, balance }
  })
})

/** `QueryTooWide`: more rows than one answer takes, or more transactions than there is time for. */
export const statsOf = Effect.fnUntraced(function* (
  searches: Searches,
  query: StatsQuery
): Effect.fn.Return<Stats, ReadError | QueryTooWide> {
  // One after the other: one search has one of the index's threads.
  const wallets = yield* ofWallets(searches, query)
  const transactions = yield* ofTransactions(searches, query)
  return yield* orderedStats(transactions, wallets)
})
