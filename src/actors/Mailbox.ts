/**
 * The mailbox of one wallet: first in first out, drained whole by the one fiber that reads
 * it; what is in it, and what is answered. All operations are synchronous; only waiting is
 * an effect. Its bounds are kept by whoever puts something in (`Admission.ts`).
 */
import * as Effect from "effect/Effect"
import type { Command } from "../domain/Command.ts"
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import type { KeyLimit } from "../domain/KeyLimit.ts"
import type { Completion } from "../domain/Transfer.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { CommandError } from "./EngineError.ts"
import type { NotOwner } from "./Ownership.ts"

/** What an actor answers when it does not do what it was asked. */
export type ActorError = CommandError | NotOwner

/** How far a caller waits: the log, PostgreSQL, the search index. Each includes the ones before. */
export type Await = "committed" | "persisted" | "indexed"

/**
 * - `Done`: the command took place just now, or together with an equal one
 *   (`replayed`); `before` and `wallet` are the states around its events. To a dry run
 *   that is no replay: what would be so, had it been a command.
 * - `Seen`: it took place earlier. The log tells the rest.
 */
export type Reply =
  | {
      readonly _tag: "Done"
      readonly before: Wallet | undefined
      readonly wallet: Wallet
      readonly events: ReadonlyArray<RecordedEvent>
      /** Not of a dry run: one that is told this was done for real before, with the same key. */
      readonly replayed: boolean
      /** Whether Persistence has it, as of the answer. */
      readonly persisted: boolean
      /** Of a transfer that has come to its end together with this, its first step. */
      readonly completion?: Completion | undefined
    }
  | Seen

export interface Seen {
  readonly _tag: "Seen"
  /** Of the command's last event. */
  readonly version: number
  /** The state now. */
  readonly current: Wallet
  /** Version of the last event that changed the wallet's status, overdraft limit or metadata. */
  readonly profileVersion: number
  /** Whether Persistence has it, as of the answer. */
  readonly persisted: boolean
}

/**
 * Calls on one wallet that went to an owner together, in this order, and of which no answer
 * came: they are here again. What that owner has rejected left no trace; it must not be
 * done now, behind what came after it and was done.
 */
export interface Resend {
  /** Of all of them, in order. */
  readonly keys: ReadonlyArray<CommandKey>
}

/** Of a dry run without a key: no client's key is empty, so it is no command's. */
export const noKey: CommandKey = "c:"

/** A command on its way, with whom to answer. */
export interface Envelope {
  readonly _tag: "Envelope"
  readonly command: Command
  readonly key: CommandKey
  readonly fingerprint: string
  readonly actor: string | null
  readonly correlationId: string | null
  /** What the key that asks may take; `undefined`: whatever. */
  readonly limit?: KeyLimit | undefined
  /** Size of the free texts it carries, for the mailbox's bound. */
  readonly bytes: number
  readonly await: Await
  /** The version that the wallet has to be at for a command that is not done yet; `null`: whichever. */
  readonly ifVersion: number | null
  /** It is judged and not done: its reply tells what it would come to, and nothing of it is kept. */
  readonly dryRun: boolean
  /** `undefined`: it is here for the first time. */
  readonly resend: Resend | undefined
  readonly resume: (effect: Effect.Effect<Reply, ActorError>) => void
  /** Milliseconds, by the node's clock. */
  readonly offeredAt: number
  /** Answered once, by whoever comes first: the actor or the caller's time limit. */
  stage: "waiting" | "running" | "answered"
}

/** A read of the current state, in line with the commands. */
export interface Inquiry {
  readonly _tag: "Inquiry"
  readonly minVersion: number
  readonly resume: (effect: Effect.Effect<Wallet | undefined, ActorError>) => void
}

export type Message = Envelope | Inquiry

export const answer = (envelope: Envelope, effect: Effect.Effect<Reply, ActorError>): void => {
  if (envelope.stage === "answered") return
  envelope.stage = "answered"
  envelope.resume(effect)
}

const nothing: ReadonlyArray<never> = []

export class Mailbox {
  private readonly messages: Array<Message> = []
  /** The engine's own, before all others: what waits in line may wait for just these. */
  private urgent: Array<Envelope> | undefined = undefined
  private wake: ((effect: Effect.Effect<void>) => void) | undefined
  bytes = 0
  /** Calls {@link onEnough} when so many messages wait. */
  enough = Number.POSITIVE_INFINITY
  /** Synchronous; must not throw. */
  onEnough: (() => void) | undefined = undefined

  get size(): number {
    return this.urgent === undefined ? this.messages.length : this.messages.length + this.urgent.length
  }

  /** The messages that wait, oldest first. */
  get waiting(): ReadonlyArray<Message> {
    return this.messages
  }

  push(message: Message): void {
    this.messages.push(message)
    if (message._tag === "Envelope") this.bytes += message.bytes
    this.signal()
    if (this.messages.length >= this.enough) this.onEnough?.()
  }

  /** Whether what waits may come to an append that can wait: there is a command, and nothing urgent. */
  get mayAppend(): boolean {
    return this.urgent === undefined && this.messages.some(({ _tag }) => _tag === "Envelope")
  }

  /** Not counted among the bytes. */
  pushUrgent(envelope: Envelope): void {
    ;(this.urgent ??= []).push(envelope)
    this.signal()
  }

  get hasUrgent(): boolean {
    return this.urgent !== undefined
  }

  takeUrgent(): ReadonlyArray<Envelope> {
    const taken = this.urgent ?? nothing
    this.urgent = undefined
    return taken
  }

  /** Takes up to `limit` messages; the rest stays in order. */
  take(limit: number): Array<Message> {
    if (this.messages.length <= limit) {
      const taken = this.messages.slice()
      // Never a new array in its place: empty at a wallet at rest it would grow old, and once given away keep what came
      // into it until a full collection.
      this.messages.length = 0
      this.bytes = 0
      return taken
    }
    const taken = this.messages.splice(0, limit)
    for (const message of taken) if (message._tag === "Envelope") this.bytes -= message.bytes
    return taken
  }

  /** Wakes the reader, also without a message. */
  signal(): void {
    const wake = this.wake
    if (wake === undefined) return
    this.wake = undefined
    wake(Effect.void)
  }

  /** Whether the reader waits for a message. */
  get isParked(): boolean {
    return this.wake !== undefined
  }

  /**
   * Waits for the next {@link signal}. One reader. Looks again for messages: between
   * the reader's own look and this step its fiber may have given way to a sender.
   *
   * Rejected: a `Latch`. It is 300 bytes more for every resident wallet, twice the garbage
   * of a wake-up, and cannot tell whether somebody waits at it.
   */
  park(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.size > 0) resume(Effect.void)
      else this.wake = resume
    })
  }
}

/** What waits in all mailboxes of the node: every message goes in and comes out by way of this. */
export class MailboxTotals {
  messages = 0
  /** Of free texts. */
  bytes = 0

  /** Counts it first: who reads the mailbox may take it at once. */
  push(mailbox: Mailbox, message: Message): void {
    this.messages++
    if (message._tag === "Envelope") this.bytes += message.bytes
    mailbox.push(message)
  }

  take(mailbox: Mailbox, limit: number): Array<Message> {
    const bytes = mailbox.bytes
    const messages = mailbox.take(limit)
    this.messages -= messages.length
    this.bytes -= bytes - mailbox.bytes
    return messages
  }
}
