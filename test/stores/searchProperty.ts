/**
 * Random wallets, texts and questions, and whether several read models answer them alike: what is found,
 * in which order, cut into which pages. They have to have been given the same commits, in the same order.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import assert from "node:assert/strict"
import type { Commit } from "../../src/domain/Commit.ts"
import type { CommandKey } from "../../src/domain/Event.ts"
import { isText, type Metadata } from "../../src/domain/Limits.ts"
import type { Page } from "../../src/stores/Page.ts"
import type {
  AmountSearch,
  HoldSearch,
  ReadModel,
  SearchError,
  SearchFilter,
  Stats,
  StatsQuery,
  TransactionSearch,
  TransferSearch,
  WalletSearch
} from "../../src/stores/ReadModel.ts"
import type { QueryTooWide, ReadError } from "../../src/stores/StoreError.ts"
import {
  capture,
  credit,
  debit,
  placeHold,
  receive,
  release,
  returnFunds,
  type SampleCommand,
  SampleWallet,
  send,
  settle
} from "../../src/testing/contract/SampleWallet.ts"

/** What is easily taken for something else: accents in two forms, case that changes lengths, other scripts, marks. */
const pieces = [
  "Café",
  "Cafe\u0301",
  "cafe",
  "İstanbul",
  "ISTANBUL",
  "ıstanbul",
  "ΟΔΟΣ",
  "οδος",
  "Straße",
  "STRASSE",
  "你好",
  "你",
  "世界",
  "שלום",
  "مرحبا",
  "नमस्ते",
  "🐎",
  "x🐎y",
  "\ufeff",
  "INV-2026_7",
  "inv-2026",
  "2026",
  "7",
  "Own-1",
  "wa-2",
  "%",
  "*",
  "__proto__",
  '"',
  "\\",
  "a"
]

const separators = [" ", " ", ", ", "", "-", "_", "\u00a0"]

const texts = fc
  .array(fc.tuple(fc.constantFrom(...pieces), fc.constantFrom(...separators)), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.flat().join(""))
  .filter((text) => isText(text, 255))

/** Few enough that questions meet them. */
const references = fc.option(fc.oneof(texts, fc.constantFrom("rent", "Rent", "INV-2026_7", "\ufeffrent")))

const metadatas = fc
  .array(
    fc.tuple(fc.constantFrom("k", "K", "__proto__", "Ř", "a.b", ""), fc.oneof(texts, fc.constantFrom("v", "V", ""))),
    {
      maxLength: 3
    }
  )
  .map((pairs): Metadata => Object.fromEntries(pairs.filter(([key]) => key !== "")) as Metadata)

const amounts = fc.constantFrom(1n, 2n, 99n, 100n, 2n ** 53n + 1n, 10n ** 29n)
const owners = fc.constantFrom("Own-1", "own-1", "own_2", "Own-3")
const currencies = fc.constantFrom("EUR", "EUR", "USD")

const step = fc.record({
  kind: fc.constantFrom(
    "credit",
    "debit",
    "hold",
    "capture",
    "release",
    "send",
    "receive",
    "settle",
    "return",
    "freeze"
  ),
  wallet: fc.nat({ max: 5 }),
  other: fc.nat({ max: 5 }),
  amount: amounts,
  reference: references,
  metadata: metadatas,
  /** Since the event before of this wallet: some are of one millisecond. */
  millis: fc.constantFrom(0, 0, 1, 1_000, 3_600_000, 86_400_000),
  expires: fc.boolean(),
  /** So long before its event it counts for the books; `null`: nothing is said of it. */
  earlier: fc.option(fc.constantFrom(0, 1, 1_000, 3_600_000))
})

const start = fc.record({ ownerId: owners, currency: currencies, metadata: metadatas, late: fc.nat({ max: 5 }) })

const worlds = fc.record({
  wallets: fc.array(start, { minLength: 6, maxLength: 6 }),
  steps: fc.array(step, { minLength: 10, maxLength: 40 })
})

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never
type World = typeof worlds extends fc.Arbitrary<infer A> ? A : never

const begin = 1_700_000_000_000

/** Plays a world: its commits, and the names that questions ask for. */
class Play {
  readonly commits: Array<Commit> = []
  readonly names: Array<string> = []
  readonly #wallets: ReadonlyArray<SampleWallet>
  readonly #holds = new Map<string, string>()
  readonly #sent: Array<{
    readonly id: string
    readonly from: SampleWallet
    readonly to: SampleWallet
    open: boolean
  }> = []
  readonly #currencies: ReadonlyArray<string>
  #keys = 0

  readonly #number: number

  constructor({ steps, wallets }: World, number: number) {
    this.#number = number
    this.#wallets = wallets.map(({ currency, late, metadata, ownerId }, index) => {
      const id = `${index % 2 === 0 ? "WaI" : "waI"}-${index}_${number}`
      const sample = new SampleWallet({ id, ownerId, currency, metadata, overdraftLimit: 10n ** 30n - 1n })
      sample.time = begin + late * 1_000
      this.names.push(id)
      // Of some there is nothing but what was sent to them, until they do something themselves.
      if (index < 4) this.#append(sample, sample.creation())
      return sample
    })
    this.#currencies = wallets.map(({ currency }) => currency)
    for (const one of steps) this.#play(one)
  }

  #append(wallet: SampleWallet, command: SampleCommand, by: "c" | "e" = "c"): void {
    const key: CommandKey = `${by}:key-${++this.#keys}`
    this.commits.push(wallet.keyed([key, command]))
    this.names.push(this.commits.at(-1)!.events[0]!.id)
  }

  #play(one: Step): void {
    const [wallet, other] = [this.#wallets[one.wallet]!, this.#wallets[one.other]!]
    if (wallet.wallet === undefined) this.#append(wallet, wallet.creation())
    const isFrozen = wallet.wallet?.status !== "active"
    wallet.time += one.millis
    const effectiveAt = one.earlier === null ? null : wallet.time - one.earlier
    if (one.kind === "credit")
      return this.#append(wallet, credit((one.amount % 10n ** 20n) + 1n, one.reference, one.metadata, effectiveAt))
    if (one.kind === "release" || one.kind === "capture") return this.#close(one, isFrozen)
    if (one.kind === "receive" || one.kind === "settle" || one.kind === "return") return this.#go(one)
    if (isFrozen) return
    if (one.kind === "debit") return this.#append(wallet, debit(one.amount, one.reference, one.metadata, effectiveAt))
    if (one.kind === "hold") return this.#hold(wallet, one)
    if (one.kind === "freeze")
      return this.#append(wallet, { _tag: "Freeze", reason: one.reference, direction: null, until: null })
    if (wallet === other || this.#currencies[one.wallet] !== "EUR" || this.#currencies[one.other] !== "EUR") return
    const id = `TI-${this.#keys}_${this.#number}`
    this.names.push(id)
    this.#append(wallet, send(id, other.id, one.amount, one.reference, one.metadata, effectiveAt))
    this.#sent.push({ id, from: wallet, to: other, open: true })
  }

  #hold(wallet: SampleWallet, { amount, expires, metadata, reference }: Step): void {
    const id = `HI-${this.#keys}`
    this.names.push(id)
    const expiresAt = expires ? wallet.time + 1_000_000_000 : null
    this.#append(wallet, { ...placeHold(id, amount, expiresAt), reference, metadata } as SampleCommand)
    this.#holds.set(wallet.id, id)
  }

  #close({ kind, wallet }: Step, isFrozen: boolean): void {
    const sample = this.#wallets[wallet]!
    const id = this.#holds.get(sample.id)
    if (id === undefined || (kind === "capture" && isFrozen)) return
    this.#holds.delete(sample.id)
    this.#append(sample, kind === "capture" ? capture(id, 1n, true) : release(id))
  }

  #go({ kind, reference }: Step): void {
    const transfer = this.#sent.find(({ open }) => open)
    if (transfer === undefined) return
    const { from, id, to } = transfer
    transfer.open = false
    if (kind === "return") return this.#append(from, returnFunds(id, reference ?? "why"), "e")
    if (to.wallet === undefined) this.#append(to, to.creation())
    this.#append(to, receive(id, from.id, 1n), "e")
    if (kind === "settle") this.#append(from, settle(id), "e")
  }
}

export interface SampleWorld {
  readonly commits: ReadonlyArray<Commit>
  readonly questions: ReadonlyArray<Question>
}

/** One question of each kind is asked with the same filter. */
export interface Question {
  readonly wallets: WalletSearch
  readonly transactions: TransactionSearch
  readonly transfers: TransferSearch
  readonly holds: HoldSearch
  readonly stats: StatsQuery
}

/** Most filters are left out of most questions: else nothing is ever found. */
const oneIn =
  (times: number) =>
  <A>(arbitrary: fc.Arbitrary<A>): fc.Arbitrary<A | undefined> =>
    fc.oneof({ arbitrary, weight: 1 }, { arbitrary: fc.constant(undefined), weight: times - 1 })
const seldom = oneIn(3)
const hardlyEver = oneIn(12)

const times = fc.constantFrom(
  begin,
  begin + 1,
  begin + 2_000,
  begin + 5_000,
  begin + 3_600_000,
  begin + 86_400_000,
  begin + 86_401_000
)

const queries = (names: ReadonlyArray<string>): fc.Arbitrary<string> => {
  const name = fc.constantFrom(...names)
  const words = fc.oneof(
    fc.constantFrom(...pieces),
    name,
    name.map((one) => one.toUpperCase()),
    owners,
    texts
  )
  const beginnings = fc.tuple(words, fc.nat({ max: 6 })).map(([word, length]) => `${word.slice(0, length)}*`)
  return fc
    .array(fc.oneof({ arbitrary: words, weight: 2 }, beginnings), { minLength: 1, maxLength: 2 })
    .map((parts) => parts.join(" "))
    .filter((q) => isText(q, 255))
}

const filtersOf = (names: ReadonlyArray<string>): fc.Arbitrary<SearchFilter> =>
  fc.record({
    limit: fc.constantFrom(1, 3, 7, 50),
    ownerId: seldom(fc.oneof(owners, fc.constant("nobody"))),
    currency: hardlyEver(currencies),
    from: hardlyEver(times),
    to: hardlyEver(times),
    metadata: hardlyEver(metadatas.filter((map) => Object.keys(map).length > 0)),
    q: seldom(queries(names))
  })

const amountsOf = (names: ReadonlyArray<string>): fc.Arbitrary<Omit<AmountSearch, keyof SearchFilter>> =>
  fc.record({
    walletId: seldom(fc.constantFrom(...names.filter((name) => /^wa/i.test(name)))),
    minAmount: hardlyEver(amounts),
    maxAmount: hardlyEver(amounts),
    reference: hardlyEver(references.filter((reference) => reference !== null))
  })

const questionsOf = (names: ReadonlyArray<string>): fc.Arbitrary<Question> => {
  const ids = fc.constantFrom(...names)
  const key = hardlyEver(fc.nat({ max: 50 }).map((number) => `key-${number}`))
  const more = fc.record({
    walletStatus: hardlyEver(fc.constantFrom("active" as const, "frozen" as const)),
    minBalance: hardlyEver(fc.constantFrom(-(10n ** 29n), -1n, 0n, 1n)),
    maxBalance: hardlyEver(fc.constantFrom(-(10n ** 29n), -1n, 0n, 1n)),
    type: hardlyEver(
      fc.constantFrom("credit", "debit", "capture", "transfer_in", "transfer_out", "reversal" as const)
    ) as fc.Arbitrary<TransactionSearch["type"]>,
    transferId: hardlyEver(ids),
    holdId: hardlyEver(ids),
    effectiveFrom: hardlyEver(times),
    effectiveTo: hardlyEver(times),
    idempotencyKey: key,
    transferStatus: hardlyEver(fc.constantFrom("pending" as const, "completed" as const, "reversed" as const)),
    holdStatus: hardlyEver(fc.constantFrom("active" as const, "captured" as const, "released" as const)),
    expiresBefore: hardlyEver(fc.constantFrom(begin + 1_000_000_000, begin + 1_000_001_001)),
    interval: fc.constantFrom("hour" as const, "day" as const, "month" as const)
  })
  return fc.tuple(filtersOf(names), amountsOf(names), more).map(([filter, amount, one]) => {
    const { currency, from, ownerId, to } = filter
    const { expiresBefore, holdId, idempotencyKey, interval, maxBalance, minBalance, transferId, type } = one
    const { effectiveFrom, effectiveTo } = one
    return {
      wallets: { ...filter, status: one.walletStatus, minBalance, maxBalance },
      transactions: { ...filter, ...amount, type, transferId, holdId, idempotencyKey, effectiveFrom, effectiveTo },
      transfers: { ...filter, ...amount, status: one.transferStatus, idempotencyKey },
      holds: { ...filter, ...amount, status: one.holdStatus, expiresBefore },
      stats: { ownerId, currency, from, to, interval }
    }
  })
}

/** The same ones for the same seed, but for the ids of events. Worlds have ids of their own, and owners in common. */
export const sampleWorld = (seed: number, questions: number): SampleWorld => {
  const [world] = fc.sample(worlds, { seed, numRuns: 1 })
  const { commits, names } = new Play(world!, seed)
  return { commits, questions: fc.sample(questionsOf(names), { seed, numRuns: questions }) }
}

type Model = ReadModel["Service"]

const maxPages = 12

/** `more`: whether there are more, or the store has refused to look for them. */
interface Pages {
  readonly pages: ReadonlyArray<ReadonlyArray<unknown>>
  readonly more: boolean | "refused"
}

const pagesOf = Effect.fnUntraced(function* <A>(
  list: (cursor: string | undefined) => Effect.Effect<Page<A>, SearchError>
): Effect.fn.Return<Pages, Exclude<SearchError, QueryTooWide>> {
  const pages: Array<ReadonlyArray<A>> = []
  let cursor: string | undefined
  do {
    const page = yield* Effect.catchTag(list(cursor), "QueryTooWide", () => Effect.undefined)
    if (page === undefined) return { pages, more: "refused" }
    pages.push(page.data)
    cursor = page.next ?? undefined
  } while (cursor !== undefined && pages.length < maxPages)
  return { pages, more: cursor !== undefined }
})

const oneAnswer = (stats: Effect.Effect<Stats, ReadError | QueryTooWide>): Effect.Effect<Pages, ReadError> => {
  const answered = Effect.map(stats, ({ transactions, wallets }): Pages => ({
    pages: [transactions, wallets],
    more: false
  }))
  return Effect.catchTag(answered, "QueryTooWide", () => Effect.succeed<Pages>({ pages: [], more: "refused" }))
}

const answersOf = (model: Model, question: Question) => ({
  wallets: pagesOf((cursor) => model.searchWallets({ ...question.wallets, cursor })),
  transactions: pagesOf((cursor) => model.searchTransactions({ ...question.transactions, cursor })),
  transfers: pagesOf((cursor) => model.searchTransfers({ ...question.transfers, cursor })),
  holds: pagesOf((cursor) => model.searchHolds({ ...question.holds, cursor })),
  stats: oneAnswer(model.stats(question.stats))
})

const kinds = ["wallets", "transactions", "transfers", "holds", "stats"] as const

const shown = (question: object): string =>
  JSON.stringify(question, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value))

/**
 * Fails where `model` answers otherwise than `reference`; with `mayRefuse` it may refuse an answer, or its further
 * pages. Answers how many answers had anything in them, and how many were refused.
 */
export const compareAnswers = Effect.fnUntraced(function* (
  reference: Model,
  model: Model,
  questions: ReadonlyArray<Question>,
  mayRefuse = false
) {
  const seen = { found: 0, refused: 0 }
  for (const question of questions) {
    const [expected, actual] = [answersOf(reference, question), answersOf(model, question)]
    for (const kind of kinds) {
      const answer = yield* expected[kind]
      const other = yield* actual[kind]
      const isRefused = mayRefuse && other.more === "refused"
      const same = isRefused ? { pages: answer.pages.slice(0, other.pages.length), more: other.more } : answer
      assert.deepEqual(other, same, `${kind}: ${shown(question[kind])}`)
      if (other.pages.some((page) => page.length > 0)) seen.found++
      if (isRefused) seen.refused++
    }
  }
  return seen
})
