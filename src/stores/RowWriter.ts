/**
 * Writing where one may spoil it for all: the ladder that append, pipeline and rebuild go alike.
 *
 * A batch is tried whole. What a user's rule refuses is found by halves, among the wallets first
 * and then among the commands of the one wallet, about 2 · log2(n) writes for each; all else is
 * written. What becomes of the refused command is its writer's to say.
 */
import * as Effect from "effect/Effect"
import type { Commit } from "../domain/Commit.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import { fold } from "../domain/Evolve.ts"
import type { Wallet } from "../domain/Wallet.ts"

/** `D`: failures that may be those of one item alone. `X`: failures that end it all. */
export interface Bisection<A, B, D, X> {
  /** Answers what came of a part. `whole`: the failure of the larger part that it is a half of. */
  readonly attempt: (part: ReadonlyArray<A>, whole: D | undefined) => Effect.Effect<ReadonlyArray<B>, D | X>
  readonly divides: (failure: D | X) => failure is D
  /** An item that fails by itself. */
  readonly alone: (item: A, failure: D) => Effect.Effect<B, X>
  /** The failure of all of them together, where they have been tried already. */
  readonly failed?: D | undefined
  /** Whether the halves of a part are attempted side by side: one that waits lets the other go on. Default: one by one. */
  readonly sideBySide?: boolean | undefined
}

/** Attempts the items together; where that fails, each half by itself. Answers in the order of the items. */
export const bisect = <A, B, D, X>(
  items: ReadonlyArray<A>,
  bisection: Bisection<A, B, D, X>
): Effect.Effect<ReadonlyArray<B>, X> => {
  if (items.length === 0) return Effect.succeed([])
  const { failed } = bisection
  return failed === undefined ? whole(items, undefined, bisection) : divide(items, failed, bisection)
}

const whole = <A, B, D, X>(
  part: ReadonlyArray<A>,
  before: D | undefined,
  bisection: Bisection<A, B, D, X>
): Effect.Effect<ReadonlyArray<B>, X> =>
  Effect.catch(bisection.attempt(part, before), (failure) =>
    bisection.divides(failure) ? divide(part, failure, bisection) : Effect.fail(failure as X)
  )

const divide = Effect.fnUntraced(function* <A, B, D, X>(
  part: ReadonlyArray<A>,
  failure: D,
  bisection: Bisection<A, B, D, X>
): Effect.fn.Return<ReadonlyArray<B>, X> {
  if (part.length === 1) return [yield* bisection.alone(part[0]!, failure)]
  const middle = part.length >> 1
  const halves = [part.slice(0, middle), part.slice(middle)].map((half) =>
    Effect.suspend(() => whole(half, failure, bisection))
  )
  return (yield* Effect.all(halves, { concurrency: bisection.sideBySide === true ? 2 : 1 })).flat()
})

/** Consecutive commits of one wallet as one. */
export const mergeCommits = (commits: ReadonlyArray<Commit>): Commit => {
  const first = commits[0]!
  if (commits.length === 1) return first
  const last = commits[commits.length - 1]!
  return { ...last, expectedVersion: first.expectedVersion, events: commits.flatMap((commit) => commit.events) }
}

/** The events of each command, which follow one another. */
export const eventsByCommand = (events: ReadonlyArray<RecordedEvent>): ReadonlyArray<ReadonlyArray<RecordedEvent>> => {
  const commands: Array<ReadonlyArray<RecordedEvent>> = []
  let from = 0
  for (const [index, { metadata }] of events.entries()) {
    if (events[index + 1]?.metadata.commandId === metadata.commandId) continue
    commands.push(events.slice(from, index + 1))
    from = index + 1
  }
  return commands
}

/** One commit per command, each with the state after it. `before`: the state before all of them. */
const commandsOf = (before: Wallet | undefined, commit: Commit): ReadonlyArray<Commit> => {
  let wallet = before
  return eventsByCommand(commit.events).map((events) => {
    wallet = fold(wallet, events)!
    return { ...commit, expectedVersion: events[0]!.version - 1, events, wallet }
  })
}

/** A wallet's writing has come to its end before its commands have. */
export class Ended<O> {
  readonly _tag = "Ended"
  readonly outcome: O
  constructor(outcome: O) {
    this.outcome = outcome
  }
}

interface Tagged {
  readonly _tag: string
}

/** What a writer of rows brings. `D`: failures that may be those of one wallet or command alone. */
export interface RowWriter<C extends Commit, O extends Tagged, D extends Tagged, X = never> {
  /** One commit per wallet, all in one transaction; outcomes in their order. */
  readonly write: (commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<O>, D | X>
  readonly divides: (failure: D | X) => failure is D
  /** The wallet's state before its commit. */
  readonly before: (commit: C) => Effect.Effect<Wallet | undefined, X | Ended<O>>
  /** What is not written by itself: a command that a rule refuses; of any other failure all of a wallet's, or a command. */
  readonly failed: (commit: Commit, failure: D) => Effect.Effect<O, X>
}

/** Command by command, up to an outcome that is not `Written`. */
const writeCommands = <C extends Commit, O extends Tagged, D extends Tagged, X>(
  writer: RowWriter<C, O, D, X>,
  commit: C,
  failure: D
): Effect.Effect<O, X> => {
  const proceed = (outcome: O): Effect.Effect<O, Ended<O>> =>
    outcome._tag === "Written" ? Effect.succeed(outcome) : Effect.fail(new Ended(outcome))
  return Effect.flatMap(writer.before(commit), (before) =>
    bisect<Commit, O, D, X | Ended<O>>(commandsOf(before, commit), {
      attempt: (part) =>
        Effect.flatMap(writer.write([mergeCommits(part)]), (outcomes) => Effect.forEach(outcomes, proceed)),
      divides: (error): error is D => !(error instanceof Ended) && writer.divides(error),
      alone: (command, error) => Effect.flatMap(writer.failed(command, error), proceed),
      failed: failure
    })
  ).pipe(
    Effect.map((outcomes) => outcomes[outcomes.length - 1]!),
    Effect.catch((error) => (error instanceof Ended ? Effect.succeed(error.outcome as O) : Effect.fail(error)))
  )
}

/** Writes one commit per wallet; outcomes in their order. `first`: how all of them together are tried first. */
export const writeRows = <C extends Commit, O extends Tagged, D extends Tagged, X>(
  writer: RowWriter<C, O, D, X>,
  commits: ReadonlyArray<C>,
  first: Effect.Effect<ReadonlyArray<O>, D | X> = writer.write(commits)
): Effect.Effect<ReadonlyArray<O>, X> =>
  bisect<C, O, D, X>(commits, {
    attempt: (part, whole) => (whole === undefined ? first : writer.write(part)),
    divides: writer.divides,
    alone: (commit, failure) =>
      failure._tag === "OperationRefused" ? writeCommands(writer, commit, failure) : writer.failed(commit, failure)
  })
