/**
 * Callers of one wallet whose command is in the log and who wait for Persistence; and
 * those whose command Persistence has refused, who wait for its reversal.
 */
import * as Effect from "effect/Effect"
import { OperationReversed } from "./EngineError.ts"
import type { Envelope, Reply } from "./Mailbox.ts"
import { answer } from "./Mailbox.ts"

interface Waiting {
  readonly version: number
  readonly envelope: Envelope
  /** The answer, as of now not persisted. */
  readonly reply: Reply
}

export class Pending {
  /** In the order of their coming. */
  private waiting: Array<Waiting> = []
  private first = 0
  /** By version of the command's last event, which was refused. */
  private readonly reversing = new Map<number, Array<Waiting>>()

  get isEmpty(): boolean {
    return this.first === this.waiting.length && this.reversing.size === 0
  }

  /** `version`: of the command's last event. */
  add(version: number, envelope: Envelope, reply: Reply): void {
    this.waiting.push({ version, envelope, reply })
  }

  /** Persistence has decided on all events up to `version`. */
  answerUpTo(version: number, isRefused: (version: number) => boolean): void {
    while (this.first < this.waiting.length && this.waiting[this.first]!.version <= version) {
      const waiting = this.waiting[this.first]!
      this.first++
      if (!isRefused(waiting.version)) {
        answer(waiting.envelope, Effect.succeed({ ...waiting.reply, persisted: true }))
        continue
      }
      const others = this.reversing.get(waiting.version)
      if (others === undefined) this.reversing.set(waiting.version, [waiting])
      else others.push(waiting)
    }
    if (this.first * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.first)
      this.first = 0
    }
  }

  /** The event of that version has been reversed. */
  reversed(version: number, walletId: string, reason: string): void {
    const callers = this.reversing.get(version) ?? []
    this.reversing.delete(version)
    for (const caller of this.waiting.slice(this.first)) if (caller.version === version) callers.push(caller)
    for (const { envelope } of callers) answer(envelope, Effect.fail(new OperationReversed({ walletId, reason })))
  }

  /**
   * Answers those whose time is up with what is true: it is in the log. Those answered
   * are let go first: whoever is answered may come back at once, with another command.
   */
  endWaits(isOver: (envelope: Envelope) => boolean): void {
    const over: Array<Waiting> = []
    const still = (waiting: Waiting): boolean => {
      if (waiting.envelope.stage === "answered") return false
      if (!isOver(waiting.envelope)) return true
      over.push(waiting)
      return false
    }
    this.waiting = this.waiting.slice(this.first).filter(still)
    this.first = 0
    for (const [version, callers] of this.reversing) {
      const left = callers.filter(still)
      if (left.length === 0) this.reversing.delete(version)
      else this.reversing.set(version, left)
    }
    for (const { envelope, reply } of over) answer(envelope, Effect.succeed(reply))
  }
}
