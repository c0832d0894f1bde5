/** Who this process is: the name under which it claims partitions and leaves its checkpoint. Another one at every start. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EventIds } from "./EventIds.ts"

export class NodeIdentity extends Context.Service<NodeIdentity, { readonly owner: string }>()(
  "effect-wallet/actors/NodeIdentity"
) {
  static readonly layer = Layer.effect(
    NodeIdentity,
    Effect.gen(function* () {
      const ids = yield* EventIds
      return { owner: ids.next(yield* Clock.currentTimeMillis) }
    })
  )
}
