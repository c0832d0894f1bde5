/**
 * The words of a query: what they may be besides words of a text, and the condition that a row has
 * them. Ids are ASCII, so the database's `lower` is ours.
 */
import * as Effect from "effect/Effect"
import { placeOfEvent } from "../../../domain/EventId.ts"
import { type Metadata, noMetadata } from "../../../domain/Limits.ts"
import { queryWords, transactionWords } from "../../SearchWords.ts"
import type { ReadError } from "../../StoreError.ts"
import { type Conditions, text, texts } from "../Parameters.ts"
import type { Reader } from "./Reader.ts"
import { type Wallets, walletsOfWord } from "./Wallets.ts"

export type EventPlace = NonNullable<ReturnType<typeof placeOfEvent>>

interface AskedWord {
  readonly word: string
  /** Or a word of the row's text, and nothing else. */
  readonly mayBeId: boolean
}

/** A word of the query, and the ids that it may be besides. */
export interface SearchWord extends AskedWord {
  /** Where the event is whose id it may be. */
  readonly event: EventPlace | undefined
  /** Whether there is a transfer with that id. */
  readonly isTransfer: boolean
  /** Wallets whose id it is, or whose owner's. */
  readonly wallets: Wallets
}

export interface SearchWords {
  readonly words: ReadonlyArray<SearchWord>
  readonly prefixes: ReadonlyArray<string>
}

export const noWords: SearchWords = { words: [], prefixes: [] }

/** More words make the index of words no quicker. */
export const maxLeading = 32

/**
 * The words that the row's own text must have: those of the query that cannot be anything else, and
 * those of what it must be equal to.
 */
export const wordsOfText = (
  { words }: SearchWords,
  equal: { readonly reference?: string | undefined; readonly metadata?: Metadata | undefined }
): ReadonlyArray<string> => {
  const exact = transactionWords({ reference: equal.reference ?? null, metadata: equal.metadata ?? noMetadata })
  const plain = words.filter(({ mayBeId }) => !mayBeId).map(({ word }) => word)
  return [...new Set([...plain, ...exact])].slice(0, maxLeading)
}

/** Whether the index of words is a way. */
export const asksWords = (words: SearchWords, equal: Parameters<typeof wordsOfText>[1]): boolean =>
  words.words.length > 0 || wordsOfText(words, equal).length > 0

/** One that may be an id, the one that leads to the fewest rows first. */
export const leadingId = ({ words }: SearchWords): SearchWord | undefined =>
  words.filter(({ mayBeId }) => mayBeId).sort((a, b) => a.wallets.count - b.wallets.count)[0]

const findTransfers = "select distinct lower(id) as id from transfers where lower(id) = any($1)"

/** `undefined`: the query asks for nothing, and finds nothing. `among`: whose ids words may be. */
export const resolveWords = Effect.fnUntraced(function* (
  reader: Reader,
  q: string | undefined,
  among: "transactions" | "transfers"
): Effect.fn.Return<SearchWords | undefined, ReadError> {
  if (q === undefined) return noWords
  const { prefixes, words } = queryWords(q)
  if (words.length === 0) return prefixes.length === 0 ? undefined : { words: [], prefixes }
  const found = among === "transfers" ? yield* reader.read<{ readonly id: string }>(findTransfers, [texts(words)]) : []
  const transfers = new Set(found.map(({ id }) => id))
  const wallets = yield* walletsOfWord(reader, words)
  return {
    prefixes,
    words: words.map((word) => {
      const event = among === "transactions" ? placeOfEvent(word) : undefined
      const isTransfer = transfers.has(word)
      const ofWord = wallets(word)
      const mayBeId = event !== undefined || isTransfer || ofWord.count > 0
      return { word, mayBeId, event, isTransfer, wallets: ofWord }
    })
  }
})

/** How a row is found by words, as expressions. */
export interface WordColumns {
  /** `text[]`. */
  readonly words: string
  /** Found as wholes. */
  readonly ids: ReadonlyArray<string>
  /** The same, each a `text[]`. */
  readonly idLists?: ReadonlyArray<string>
}

/** Whether it takes more than the row's own columns to tell whether the words are there. */
export const looksUp = ({ prefixes, words }: SearchWords): boolean =>
  prefixes.length > 0 || words.some(({ mayBeId }) => mayBeId)

/** Each of the words is there, in one way or another. */
export const wordConditions = (
  { prefixes, words }: { readonly words: ReadonlyArray<AskedWord>; readonly prefixes: ReadonlyArray<string> },
  { idLists = [], ids, words: column }: WordColumns,
  values: Conditions
): ReadonlyArray<string> => [
  ...words.map(({ mayBeId, word }) => {
    const ways = [`${column} @> ${values.parameter(texts([word]))}`]
    if (mayBeId) {
      const p = values.parameter(text(word))
      ways.push(...ids.map((id) => `${id} = ${p}`), ...idLists.map((list) => `${p} = any (${list})`))
    }
    return `(${ways.join(" or ")})`
  }),
  ...prefixes.map((prefix) => {
    const p = values.parameter(text(prefix))
    const ofIds = ids.map((id) => `starts_with(${id}, ${p})`)
    const ofLists = [column, ...idLists].map(
      (list) => `exists (select from unnest(${list}) x (word) where starts_with(x.word, ${p}))`
    )
    return `(${[...ofLists, ...ofIds].join(" or ")})`
  })
]
