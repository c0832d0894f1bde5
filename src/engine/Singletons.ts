/** What one node of an installation does for all. Alone, it is this one; a cluster says which. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface SingletonsService {
  /**
   * Has `run` run on one node for as long as the scope is open, if every node registers it by this name. It is
   * started anew where its node has gone; for a moment two nodes may run it.
   */
  readonly register: (name: string, run: Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
}

const alone: SingletonsService = { register: (_name, run) => Effect.asVoid(Effect.forkScoped(run)) }

export const Singletons = Context.Reference<SingletonsService>("effect-wallet/engine/Singletons", {
  defaultValue: () => alone
})
