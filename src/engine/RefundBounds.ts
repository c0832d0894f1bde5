/** What bounds the legs of a transfer of several that are refunds, for the wallets that send them. */
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import type { PrepareLegs } from "../domain/Command.ts"
import type { OwnLeg } from "../domain/Legs.ts"
import type { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"

/** The legs of one wallet as it is asked to promise them. */
export type BoundedLegs = (
  walletId: string,
  legs: ReadonlyArray<OwnLeg>
) => Effect.Effect<PrepareLegs["legs"], CommandError>

/** All refunds of a transfer are of one other. */
export const makeBoundedLegs = ({
  refunded,
  transfer
}: Pick<Persistence["Service"], "refunded" | "transfer">): BoundedLegs =>
  Effect.fnUntraced(function* (walletId, legs) {
    const asked = legs.flatMap(({ refund }) => (refund === null ? [] : [{ walletId, ...refund }]))
    const [first] = asked
    if (first === undefined) return legs.map((one) => ({ ...one, refund: null }))
    const original = yield* transfer(first.of)
    if (original === undefined) {
      const reason = `transfer ${first.of} may not be persisted yet`
      return yield* new StoreUnavailable({ store: "persistence", reason, retryAfter: 1_000 })
    }
    const found = (yield* refunded(asked)).values()
    return legs.map(({ refund, ...one }) => {
      if (refund === null) return { ...one, refund }
      const { amount } = original.legs[refund.leg]!
      return { ...one, refund: { ...refund, bound: { ...found.next().value!, amount } } }
    })
  })
