/**
 * Sends what may fail in passing again, the rows of one wallet always in their order: one
 * that has to wait keeps back those behind it, whatever became of them.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { TargetFailed } from "./ImportTarget.ts"

/** About 30 s: a full mailbox drains in milliseconds, a database restarts in seconds. */
const patience = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.upTo({ duration: "30 seconds" })
)

/** The same command with the same key: safe however the first one ended. */
export const persistently = <A>(command: Effect.Effect<A, TargetFailed>): Effect.Effect<A, TargetFailed> =>
  Effect.retry(command, { schedule: patience, while: (error) => error.mayPass })

/** What was asked and is not answered. */
export class ItemFailed<A> {
  readonly _tag = "ItemFailed"
  readonly item: A
  readonly error: TargetFailed

  constructor(item: A, error: TargetFailed) {
    this.item = item
    this.error = error
  }
}

/**
 * The answers in the order of the items. Fails with the first item that will not succeed;
 * those of other wallets, and those sent along behind it, may have been done.
 */
export const sendInOrder = <A extends { readonly walletId: string }, B>(
  items: ReadonlyArray<A>,
  send: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Result.Result<B, TargetFailed>>, TargetFailed>
): Effect.Effect<ReadonlyArray<B>, ItemFailed<A>> => {
  const answers = new Array<B>(items.length)
  let pending = items.map((_, index) => index)

  const attempt = Effect.gen(function* () {
    const asked = pending
    const first = items[asked[0]!]!
    const results = yield* Effect.mapError(
      send(asked.map((index) => items[index]!)),
      (error) => new ItemFailed(first, error)
    )
    const held = new Map<string, ItemFailed<A>>()
    pending = asked.filter((index, place) => {
      const item = items[index]!
      if (held.has(item.walletId)) return true
      const result = results[place] ?? Result.fail(unanswered)
      if (Result.isSuccess(result)) {
        answers[index] = result.success
        return false
      }
      held.set(item.walletId, new ItemFailed(item, result.failure))
      return true
    })
    const failures = [...held.values()]
    const failure = failures.find(({ error }) => !error.mayPass) ?? failures[0]
    if (failure !== undefined) return yield* Effect.fail(failure)
    return answers
  })

  return items.length === 0
    ? Effect.succeed(answers)
    : Effect.retry(attempt, { schedule: patience, while: ({ error }) => error.mayPass })
}

const unanswered = new TargetFailed({
  code: "ReplyUnreadable",
  reason: "the service has answered fewer commands than it was given",
  mayPass: false
})
