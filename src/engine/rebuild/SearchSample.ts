/** Compares some wallets of a new search index with the log and the rows, in full. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { lettersUpTo, letterKey } from "../../search/Letters.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import {
  compareDocuments,
  compareSettled,
  type DocumentFindings,
  type DocumentFlaw,
  type DocumentStores,
  type SizedWallet
} from "../verify/Documents.ts"

/** Places in the order of ids where wallets are taken, and how many from each. */
const places = 16
const walletsAtPlace = 16

/** A wallet with more events is left to `verify`. */
const maxEvents = 20_000

/** Characters of ids, in their order. */
const idCharacters = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

const randomPlace = Effect.map(Random.nextIntBetween(0, idCharacters.length), (at) => idCharacters.charAt(at))

const sampled = Effect.fnUntraced(function* ({
  persistence
}: DocumentStores): Effect.fn.Return<ReadonlyArray<SizedWallet>, ReadError> {
  const wallets = new Map<string, SizedWallet>()
  for (let place = 0; place < places; place++) {
    const after = place === 0 ? "" : `${yield* randomPlace}${yield* randomPlace}`
    for (const { id, version } of yield* persistence.scanWallets({ after, limit: walletsAtPlace })) {
      if (version < maxEvents) wallets.set(id, { id, events: version + 1 })
    }
  }
  return [...wallets.values()]
})

/** Of documents, those that the index has refused left out. */
const flawsIn = (
  findings: Effect.Effect<DocumentFindings, ReadError | EventUnreadable>,
  refused: ReadonlySet<string>
) =>
  findings.pipe(
    Effect.map(({ flaws }) => flaws.filter((flaw) => !refused.has(letterKey(flaw)))),
    // A wallet with an event that cannot be read shows nothing of what is behind it: it is not compared.
    Effect.catchTag("EventUnreadable", () => Effect.succeed<ReadonlyArray<DocumentFlaw>>([]))
  )

/** What is wrong, in words; `undefined`: nothing. `settle`: brings the index up to the log. */
export const compareSample = Effect.fnUntraced(function* (
  stores: DocumentStores,
  settle: Effect.Effect<void, ReadError | EventUnreadable>
): Effect.fn.Return<string | undefined, ReadError | EventUnreadable> {
  const refused = new Set((yield* lettersUpTo(stores.persistence, 10_000)).map(letterKey))
  for (const wallet of yield* sampled(stores)) {
    // Most need no second look.
    if ((yield* flawsIn(compareDocuments(stores, [wallet], Effect.void), refused)).length === 0) continue
    const [flaw] = yield* flawsIn(compareSettled(stores, [wallet], settle), refused)
    if (flaw === undefined) continue
    return `${flaw.kind} ${flaw.id} of wallet ${flaw.walletId}: expected ${flaw.expected}; found ${flaw.found}`
  }
  return undefined
})
