/** Rates that the nodes of a cluster count together; where there is none each node counts for itself. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RateLimiterError } from "effect/persistence/RateLimiter"

export interface RateRequest {
  /** Whose rate it is. */
  readonly key: string
  /** What is taken, 1 or more. */
  readonly tokens: number
  /** Tokens of a second. */
  readonly limit: number
}

export interface Rates {
  /** Takes tokens, or fails with how long to wait. Whatever is away, it answers within a tenth of a second or so. */
  readonly consume: (request: RateRequest) => Effect.Effect<void, RateLimiterError>
}

export const SharedRates = Context.Reference<Rates | undefined>("effect-wallet/engine/SharedRates", {
  defaultValue: () => undefined
})
