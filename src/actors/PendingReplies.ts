/**
 * Callers of one wallet whose command is in the log and who wait for Persistence; and
 * those whose command Persistence has refused, who wait for its reversal.
 *
 * To reply to a caller runs what it does next, and that may be another command to this
 * very wallet. So every method first brings the lists in order and then replies.
 */
import * as Effect from "effect/Effect"
import { OperationReversed } from "./EngineError.ts"
import type { Envelope, Reply } from "./Mailbox.ts"
import { answer } from "./Mailbox.ts"

interface Waiting {
  /** Of the command's last event. */
  readonly version: number
  readonly envelope: Envelope
  /** As of now: not persisted. */
  readonly reply: Reply
}

/** How many callers wait at all wallets of the node. */
export interface PendingCount {
  callers: number
}

export class PendingReplies {
  /** In the order of their coming. */
  private waiting: Array<Waiting> = []
  private first = 0
  /** By version of the command's last event, which was refused. */
  private readonly reversing = new Map<number, Array<Waiting>>()
  private readonly count: PendingCount

  constructor(count: PendingCount) {
    this.count = count
  }

  get isEmpty(): boolean {
    return this.first === this.waiting.length && this.reversing.size === 0
  }

  add(waiting: Waiting): void {
    this.count.callers++
    this.waiting.push(waiting)
  }

  /** For a caller whose command is refused already. */
  addRefused(waiting: Waiting): void {
    this.count.callers++
    this.moveToReversing(waiting)
  }

  /** Persistence has refused the event of that version; it says so before it says that it has decided on it. */
  refuse(version: number): void {
    const concerned = (waiting: Waiting) => waiting.version === version
    const waiting = this.waiting.slice(this.first)
    if (!waiting.some(concerned)) return
    this.waiting = waiting.filter((one) => !concerned(one))
    this.first = 0
    for (const one of waiting) if (concerned(one)) this.moveToReversing(one)
  }

  /** Persistence has accepted or refused all events up to `version`. */
  replyUpTo(version: number): void {
    const { first, waiting } = this
    while (this.first < waiting.length && waiting[this.first]!.version <= version) this.first++
    const end = this.first
    if (end === first) return
    if (end * 2 > waiting.length) {
      this.waiting = waiting.slice(end)
      this.first = 0
    }
    this.count.callers -= end - first
    for (let i = first; i < end; i++) {
      const { envelope, reply } = waiting[i]!
      answer(envelope, Effect.succeed({ ...reply, persisted: true }))
    }
  }

  /** The event of that version has been reversed. */
  reversed(version: number, walletId: string, reason: string): void {
    const callers = this.reversing.get(version)
    if (callers === undefined) return
    this.reversing.delete(version)
    this.count.callers -= callers.length
    for (const { envelope, reply } of callers) {
      const replayed = reply._tag === "Seen" || reply.replayed
      answer(envelope, Effect.fail(new OperationReversed({ walletId, reason, replayed })))
    }
  }

  /** Replies to those whose time is up with what is true: it is in the log. */
  endWaits(isOver: (envelope: Envelope) => boolean): void {
    const over: Array<Waiting> = []
    const still = (waiting: Waiting): boolean => {
      if (!isOver(waiting.envelope)) return true
      over.push(waiting)
      return false
    }
    const left = this.waiting.slice(this.first).filter(still)
    for (const [version, callers] of this.reversing) {
      const stillReversing = callers.filter(still)
      if (stillReversing.length === 0) this.reversing.delete(version)
      else this.reversing.set(version, stillReversing)
    }
    if (over.length === 0) return
    this.waiting = left
    this.first = 0
    this.count.callers -= over.length
    for (const { envelope, reply } of over) answer(envelope, Effect.succeed(reply))
  }

  private moveToReversing(waiting: Waiting): void {
    const others = this.reversing.get(waiting.version)
    if (others === undefined) this.reversing.set(waiting.version, [waiting])
    else others.push(waiting)
  }
}
