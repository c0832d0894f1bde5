/**
 * What Elasticsearch is told of the documents: `docs/SEARCH.md` gives the reasons.
 *
 * Everything is strict: what is not named here is refused, and no search depends on what
 * Elasticsearch makes of a text. Words are made by `SearchWords.ts` and stand there as
 * keywords; amounts are never numbers of Elasticsearch's, which are exact to 2^53 at most
 * where they are added up.
 */
import type { DocumentKind } from "../SearchIndex.ts"

/** Compared as it is. */
const exact = { type: "keyword" }
/** Compared as it is, never counted by or sorted by. */
const asked = { type: "keyword", doc_values: false }
/** Only shown: it may have any length. */
const shown = { type: "keyword", index: false, doc_values: false }
/** A time that lists go by or are narrowed by. */
const time = { type: "date", format: "epoch_millis" }
/** A time that is only shown; whoever looks with other tools can sort by it. */
const shownTime = { ...time, index: false }
const shownNumber = { type: "long", index: false, doc_values: false }
/** A fixed-width text that sorts as the amount does (`Amounts.ts`). */
const order = { type: "keyword" }
const part = { type: "integer", index: false }
/** An amount in parts of six digits, the lowest first: each is summed apart, and exactly (`Amounts.ts`). */
const parts = (count: number) => ({
  properties: Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, part]))
})

/** Of no use to whoever reads a document: they are made from the rest. */
const derived = [
  "words",
  "walletIds",
  "currencies",
  "references",
  "pairs",
  "amountOrder",
  "amountParts",
  "balanceOrder",
  "balanceParts"
]

/** Of every document; `asOf`: the version that it is as of, which a wallet's documents are told apart by. */
const common = {
  asOf: { type: "long", index: false },
  id: exact,
  currency: exact,
  metadata: { type: "flattened" },
  words: asked,
  createdAt: time
}

/** Of what moves or holds an amount. */
const movement = { ...common, amount: shown, amountOrder: order, reference: asked }

const mapping = (properties: object) => ({ dynamic: "strict", _source: { excludes: derived }, properties })

/** Of each kind of documents; `meta`: of checkpoints and of who builds a set. */
export const mappings: Record<DocumentKind | "meta", object> = {
  wallet: mapping({
    ...common,
    position: { type: "long" },
    ownerId: exact,
    status: exact,
    freeze: { type: "object", enabled: false },
    balance: shown,
    balanceOrder: order,
    balanceParts: parts(6),
    held: shown,
    overdraftLimit: shown,
    version: shownNumber,
    updatedAt: shownTime
  }),
  transaction: mapping({
    ...movement,
    id: asked,
    position: { type: "long" },
    walletId: exact,
    ownerId: exact,
    key: asked,
    leg: { type: "integer" },
    type: exact,
    amountParts: parts(5),
    balanceAfter: shown,
    holdId: asked,
    transferId: asked,
    version: shownNumber,
    effectiveAt: time
  }),
  transfer: mapping({
    ...movement,
    position: { type: "long" },
    from: exact,
    to: exact,
    // Found by those of all its legs, which are only shown.
    walletIds: asked,
    currencies: asked,
    references: asked,
    pairs: asked,
    legs: { type: "object", enabled: false },
    ownerIds: exact,
    key: asked,
    status: exact,
    reason: shown,
    effectiveAt: shownTime,
    leg: shownNumber,
    updatedAt: shownTime
  }),
  hold: mapping({
    ...movement,
    walletId: exact,
    ownerId: exact,
    status: exact,
    captured: shown,
    remaining: shown,
    expiresAt: time
  }),
  meta: {
    dynamic: "strict",
    properties: { position: shown, walletId: shown, version: shownNumber, id: shown, owner: exact }
  }
}

const newestFirst = { "sort.field": ["position"], "sort.order": ["desc"] }
const byLeg = { "sort.field": ["position", "leg"], "sort.order": ["desc", "desc"] }

/** Documents lie in the order in which they are listed: a page is read, not searched for. */
const sorting: Record<DocumentKind | "meta", object> = {
  wallet: newestFirst,
  transaction: byLeg,
  transfer: newestFirst,
  hold: { "sort.field": ["createdAt", "walletId", "id"], "sort.order": ["desc", "desc", "desc"] },
  meta: {}
}

export interface IndexOptions {
  /** Of each index; fixed when it is made. */
  readonly shards: number
  readonly replicas: number
  /** Milliseconds after which what was written is found by searches, at the latest. */
  readonly refreshInterval: number
}

/** Of an index of that kind. */
export const settings = (
  { refreshInterval, replicas, shards }: IndexOptions,
  kind: DocumentKind | "meta" = "meta"
): object => ({
  number_of_shards: kind === "meta" ? 1 : shards,
  number_of_replicas: replicas,
  // Also where nobody searches: Elasticsearch's default lets an index that was not asked for a while fall behind.
  refresh_interval: `${refreshInterval}ms`,
  // Documents are never deleted; should somebody do it by hand, the document is written anew.
  gc_deletes: "0s",
  codec: "best_compression",
  ...sorting[kind]
})
