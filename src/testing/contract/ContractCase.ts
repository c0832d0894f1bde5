/**
 * What every adapter of a port must do, as cases that any test runner can run:
 *
 * ```ts
 * for (const { name, run } of eventStoreContract) it.effect(name, () => Effect.provide(run, yourLayer))
 * ```
 *
 * A case passes when its effect succeeds; it fails with an `AssertionError` as its
 * defect. Cases make up their own ids, so they can share one store, also one with
 * other data in it, and run at the same time.
 */
import type * as Effect from "effect/Effect"

export interface ContractCase<R> {
  /** A behaviour: `"refuses …"`, `"answers …"`. */
  readonly name: string
  readonly run: Effect.Effect<void, unknown, R>
}

export const contractCase = <R>(name: string, run: Effect.Effect<void, unknown, R>): ContractCase<R> => ({ name, run })
