/** The wallets of a load: made for it, with money in them, and with a past where one is asked for. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { settled } from "./LoadCheck.ts"
import { type LoadReply, LoadTarget } from "./LoadTarget.ts"
import type { Operations, RunNames } from "./Operations.ts"

/** A wallet of the load could not be made: there is nothing to measure. */
export class LoadImpossible extends Schema.TaggedError<LoadImpossible>()("LoadImpossible", { code: Schema.String }) {
  override get message(): string {
    return this.code === "RunNameTaken"
      ? "the load's wallets cannot be made: there was a run of this name; give another --run"
      : `the load's wallets cannot be made: ${this.code}`
  }
}

const currency = "EUR"

/** So that debits and holds have money to take for as long as a load runs, and sums are still exact. */
export const openingBalance = 1_000_000_000_000n

/** For all of them to be made; a service that limits the rate asks for patience, milliseconds. */
const patienceMillis = 600_000

/** Commands of a wallet's past in one request. */
const pastAtOnce = 200

/** Made at once at most. */
const makers = 64

const required = (reply: LoadReply): Effect.Effect<void, LoadImpossible> =>
  reply.outcome === "accepted" && !reply.replayed
    ? Effect.void
    : Effect.fail(new LoadImpossible({ code: reply.outcome === "accepted" ? "RunNameTaken" : reply.code }))

export interface WalletsOptions {
  readonly wallets: number
  /** Callers of the target. */
  readonly slots: number
  /** Credits of each wallet before the load begins. */
  readonly history: number
  readonly names: RunNames
  readonly operations: Operations
  /** Wallets that are made. */
  readonly onProgress: (made: number) => Effect.Effect<void>
}

/** Asked again while it is refused; a retry of a command that was done after all is no name that is taken. */
const insisted = (send: Effect.Effect<LoadReply>): Effect.Effect<LoadReply> =>
  Effect.flatMap(send, (first) =>
    first.outcome === "accepted" || first.outcome === "rejected"
      ? Effect.succeed(first)
      : Effect.map(settled(send), (reply) => ({ ...reply, replayed: false }))
  )

export const makeWallets = Effect.fnUntraced(function* (options: WalletsOptions) {
  const target = yield* LoadTarget
  const { history, names, onProgress, operations, slots, wallets } = options
  let next = 0
  let made = 0
  const make = Effect.fnUntraced(function* (slot: number, index: number) {
    const walletId = names.wallet(index)
    const create = Effect.suspend(() => target.send(slot, { _tag: "Create", walletId, currency }, `create-${walletId}`))
    yield* required(yield* insisted(create))
    const opening = { _tag: "Credit", walletId, amount: openingBalance } as const
    yield* required(yield* insisted(Effect.suspend(() => target.send(slot, opening, names.openingKey(index)))))
    for (let done = 0; done < history; done += pastAtOnce) {
      const count = Math.min(pastAtOnce, history - done)
      const from = index * history + done
      while (true) {
        const replies = yield* operations.history(slot, index, from, count)
        const open = replies.find(({ outcome }) => outcome !== "accepted")
        if (open === undefined) break
        if (open.outcome === "rejected") return yield* required(open)
        yield* Effect.sleep(open.retryAfter ?? 500)
      }
    }
    yield* onProgress(++made)
  })
  const maker = Effect.fnUntraced(function* (slot: number) {
    for (let index = next++; index < wallets; index = next++) yield* make(slot, index)
  })
  const all = Effect.forEach(
    Array.from({ length: Math.min(slots, wallets, makers) }, (_, slot) => slot),
    maker,
    { concurrency: "unbounded", discard: true }
  )
  yield* Effect.timeoutOrElse(all, {
    duration: patienceMillis,
    orElse: () => Effect.fail(new LoadImpossible({ code: "it takes too long" }))
  })
})
