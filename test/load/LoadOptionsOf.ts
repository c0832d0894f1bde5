/** A load of a test: small, closed, checked. */
import * as Effect from "effect/Effect"
import type { LoadOptions } from "../../src/load/Load.ts"
import type { Mix } from "../../src/load/LoadCommand.ts"

export const noMix: Mix = { credit: 0, debit: 0, hold: 0, order: 0, transfer: 0, legs: 0, refund: 0, read: 0 }

/** Of every kind. */
export const wholeMix: Mix = { credit: 2, debit: 1, hold: 1, order: 1, transfer: 1, legs: 1, refund: 1, read: 1 }

export const phase = (name: string, millis: number, perSecond: number, counted = true) => ({
  name,
  millis,
  from: perSecond,
  to: perSecond,
  counted
})

export const loadOptions = (given: Partial<LoadOptions> = {}): LoadOptions => ({
  loop: { _tag: "Closed", callers: 4 },
  phases: [phase("load", 600, 0)],
  distribution: { _tag: "Uniform", wallets: 3 },
  mix: wholeMix,
  batch: 1,
  history: 0,
  seed: "s",
  run: "t1",
  drainMillis: 30_000,
  checkMillis: 60_000,
  onProgress: () => Effect.void,
  ...given
})
