/**
 * Rates that nodes count together, without asking for each request: a node takes a share of a key's rate at a time, and
 * gives requests from it. Measured, a question for each request costs a node 25 to 35 microseconds of processor, more than
 * an empty request does. While the counter does not answer, a node counts for itself.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type RateLimiter, RateLimiterError, RateLimitExceeded } from "effect/persistence/RateLimiter"
import * as Semaphore from "effect/Semaphore"
import type { RateRequest, Rates } from "../../engine/ClusterStatus.ts"

/** Of a key's rate; so much at most lies unused at each node for a moment, and so many questions a second there are. */
const sharesOfRate = 20

/** Keys whose shares a node has at hand; what is forgotten has been taken for nothing. */
const maxShares = 10_000

/** Milliseconds for which a counter that has failed is not asked again. */
const awayMillis = 1_000

interface Share {
  readonly gate: Semaphore.Semaphore
  tokens: number
  /** Then the tokens are no longer of this window. */
  until: number
  /** Until then so many tokens, or more, are refused. */
  refused: { readonly until: number; readonly tokens: number }
}

export interface RateShareOptions {
  /** Counts for all nodes. */
  readonly shared: RateLimiter
  /** Counts for this one, while `shared` fails. */
  readonly own: RateLimiter
  readonly window: Duration.Duration
}

const exceeded = ({ key, limit }: RateRequest, millis: number): RateLimiterError =>
  new RateLimiterError({
    reason: new RateLimitExceeded({ key, limit, remaining: 0, retryAfter: Duration.millis(Math.max(1, millis)) })
  })

/** Says once that it begins, and once that it is over. */
class Absence {
  #until = 0
  #since: number | undefined

  isNow(now: number): boolean {
    return now < this.#until
  }

  begin(now: number, error: RateLimiterError): Effect.Effect<void> {
    this.#until = now + awayMillis
    if (this.#since !== undefined) return Effect.void
    this.#since = now
    return Effect.logWarning("rates: Redis does not count, each node counts for itself until it does", error.reason)
  }

  end(now: number): Effect.Effect<void> {
    if (this.#since === undefined) return Effect.void
    const millis = Math.round(now - this.#since)
    this.#since = undefined
    return Effect.logInfo(`rates: Redis counts again, after ${millis} ms`)
  }
}

/** From what is at hand: that it was enough, or that it is known to be too much. */
const fromHand = (share: Share, request: RateRequest, now: number): boolean | RateLimiterError => {
  if (now < share.until && share.tokens >= request.tokens) {
    share.tokens -= request.tokens
    return true
  }
  const { tokens, until } = share.refused
  return now < until && request.tokens >= tokens && exceeded(request, until - now)
}

export const makeRateShares = Effect.fnUntraced(function* ({ own, shared, window }: RateShareOptions) {
  const clock = yield* Clock.Clock
  const shares = new Map<string, Share>()
  const absence = new Absence()
  const nowMillis = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000

  const shareOf = (key: string): Share => {
    const found = shares.get(key)
    if (found !== undefined) return found
    if (shares.size >= maxShares) shares.clear()
    const share = { gate: Semaphore.makeUnsafe(1), tokens: 0, until: 0, refused: { until: 0, tokens: 0 } }
    shares.set(key, share)
    return share
  }

  /** Takes so many from the counter of all; `false`: there are not so many. */
  const fetch = Effect.fnUntraced(function* (share: Share, request: RateRequest, tokens: number) {
    const taken = yield* shared.consume({ key: request.key, limit: request.limit, tokens, window }).pipe(
      Effect.map(({ resetAfter }) => ({ left: tokens - request.tokens, millis: Duration.toMillis(resetAfter) })),
      Effect.catchIf(
        ({ reason }) => reason._tag === "RateLimitExceeded",
        ({ reason }) =>
          Effect.succeed({
            left: -1,
            millis: reason._tag === "RateLimitExceeded" ? Duration.toMillis(reason.retryAfter) : 0
          })
      )
    )
    const now = nowMillis()
    yield* absence.end(now)
    if (taken.left < 0) {
      if (tokens === request.tokens) share.refused = { until: now + taken.millis, tokens }
      return false
    }
    share.tokens = taken.left + (now < share.until ? share.tokens : 0)
    share.until = now + taken.millis
    return true
  })

  const ask = Effect.fnUntraced(function* (share: Share, request: RateRequest) {
    // One asks; those who have waited for it find what it has brought.
    const now = nowMillis()
    const found = fromHand(share, request, now)
    if (found === true) return
    if (found !== false) return yield* Effect.fail(found)
    if (absence.isNow(now)) return yield* Effect.asVoid(own.consume({ ...request, window }))
    const portion = Math.floor(request.limit / sharesOfRate)
    const isGiven = Effect.gen(function* () {
      if (portion > request.tokens && (yield* fetch(share, request, portion))) return true
      return yield* fetch(share, request, request.tokens)
    })
    const given = yield* isGiven.pipe(
      Effect.catch((error) =>
        Effect.andThen(absence.begin(nowMillis(), error), Effect.as(own.consume({ ...request, window }), true))
      )
    )
    if (!given) return yield* Effect.fail(exceeded(request, share.refused.until - nowMillis()))
  })

  const rates: Rates = {
    consume: (request) =>
      Effect.suspend(() => {
        const share = shareOf(request.key)
        const found = fromHand(share, request, nowMillis())
        if (found === true) return Effect.void
        return found === false ? share.gate.withPermits(1)(ask(share, request)) : Effect.fail(found)
      })
  }
  return rates
})
