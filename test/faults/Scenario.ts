/** What can be run by its name: by `npm run faults`, and in a short form by the tests. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Outcome } from "./Outcome.ts"
import type { Stores } from "./Rig.ts"

export interface RunOptions {
  readonly stores: Stores
  readonly seed: number
  /** How long the fault lasts, or the load of each round, s. */
  readonly seconds: number
  /** Of a scenario that counts: commands, or rounds. */
  readonly count: number
  /** Of a scenario that kills the service while it counts; default: the scenario's. */
  readonly kills?: number
}

export interface Scenario {
  readonly name: string
  readonly summary: string
  /** Where it makes sense. */
  readonly stores: ReadonlyArray<Stores>
  readonly seconds: number
  readonly count: number
  readonly run: (options: RunOptions) => Effect.Effect<Outcome, never, Scope.Scope>
}
