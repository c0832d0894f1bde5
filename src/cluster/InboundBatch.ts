/** The calls of one batch from another node while this node's wallets work on them. */
import * as Effect from "effect/Effect"
import type { Exit } from "effect/Exit"
import * as Exits from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import type { ActorError, Reply } from "../actors/Mailbox.ts"
import type { Answer } from "./CallCodec.ts"

/** An answer of an actor is made by `succeed`, `fail` or `die`. */
export const answerOf = (answer: Effect.Effect<Reply, ActorError>): Answer => {
  if (!Exits.isExit(answer)) return { _tag: "Defect", reason: "an answer that is not decided" }
  const exit = answer as Exit<Reply, ActorError>
  if (Exits.isSuccess(exit)) return exit.value
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (error === undefined) return { _tag: "Defect", reason: Cause.pretty(exit.cause) }
  return error._tag === "NotOwner" ? { _tag: "NotOwner" } : { _tag: "Failed", error }
}

const pending: Answer = { _tag: "Pending" }

export class InboundBatch {
  private readonly answers: Array<Answer>
  private open: number
  private wake: ((effect: Effect.Effect<void>) => void) | undefined

  constructor(calls: number) {
    this.answers = new Array<Answer>(calls).fill(pending)
    this.open = calls
  }

  get isDone(): boolean {
    return this.open === 0
  }

  /** Once per call. */
  answer(index: number, answer: Answer): void {
    this.answers[index] = answer
    if (--this.open > 0) return
    this.wake?.(Effect.void)
    this.wake = undefined
  }

  /** Waits for all, at most so many milliseconds. One waiter at a time: the last is the one that counts. */
  wait(millis: number): Effect.Effect<void> {
    if (this.isDone) return Effect.void
    return Effect.callback<void>((resume) => {
      if (this.isDone) return resume(Effect.void)
      this.wake = resume
      return Effect.sync(() => {
        if (this.wake === resume) this.wake = undefined
      })
    }).pipe(Effect.timeoutOption(millis), Effect.asVoid)
  }

  /** As they are now. */
  told(): ReadonlyArray<Answer> {
    return this.answers.slice()
  }
}
