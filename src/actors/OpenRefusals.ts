/** The refusals of one wallet that have not been reversed, as far as Persistence knows. */
import * as Effect from "effect/Effect"
import type { Persistence, Refusal } from "../stores/Persistence.ts"
import type { ReadError } from "../stores/StoreError.ts"

/** Refusals per read: a wallet has hardly ever more than one open. */
const pageRefusals = 100

/** The reasons, by version. */
export const openRefusalsOf = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  walletId: string
): Effect.fn.Return<ReadonlyMap<number, string>, ReadError> {
  const open = new Map<number, string>()
  let after = { walletId, version: -1 }
  while (true) {
    const page: ReadonlyArray<Refusal> = yield* persistence.openRefusals({ after, limit: pageRefusals })
    for (const refusal of page) {
      if (refusal.walletId !== walletId) return open
      open.set(refusal.version, refusal.reason)
    }
    if (page.length < pageRefusals) return open
    after = { walletId, version: page[page.length - 1]!.version }
  }
})
