/**
 * What a load drives: the engine of this process (`EngineTarget.ts`), or a running service (`HttpTarget.ts`). Both
 * take the same commands and tell the same of a wallet; a reply is an outcome and a code, so that refusals are counted
 * and not thrown.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { KeyedCommand, LoadCommand } from "./LoadCommand.ts"
import type { Judgement } from "./Outcome.ts"

/** How far a command has come, as its answer tells. */
export const durabilities = ["committed", "persisted", "indexed"] as const
export type DurabilityLevel = (typeof durabilities)[number]

export interface LoadReply extends Judgement {
  /** `ok`, or the tag of the error, the code of the problem. */
  readonly code: string
  /** Id of the hold, transaction or transfer that was made. */
  readonly made: string | undefined
  /** The furthest that the answer tells; of a read, and of what is not accepted, `undefined`. */
  readonly durable: DurabilityLevel | undefined
  /** The key was known: nothing new has happened. */
  readonly replayed: boolean
  /** After which to try again, milliseconds; `undefined`: the answer says nothing of it. */
  readonly retryAfter: number | undefined
}

/** A read that brought nothing. */
export class ReadFailed extends Schema.TaggedError<ReadFailed>()("ReadFailed", {
  code: Schema.String,
  /** Milliseconds; `undefined`: the same read will fail again. */
  retryAfter: Schema.UndefinedOr(Schema.Finite)
}) {
  override get message(): string {
    return `a read failed: ${this.code}`
  }
}

export interface WalletState {
  readonly balance: bigint
  readonly held: bigint
  readonly version: number
}

/** An event as `GET …/events` shows it. */
export interface ShownEvent {
  readonly version: number
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What a process has used since it began, and what it has now. */
export interface Usage {
  readonly cpuSeconds: number
  readonly residentBytes: number
}

export class LoadTarget extends Context.Service<
  LoadTarget,
  {
    /** Sends one command for one caller, numbered from 0; a caller sends one request at a time. */
    readonly send: (caller: number, command: LoadCommand, key: string) => Effect.Effect<LoadReply>
    /** Up to 1,000 in one request, each with a reply of its own, in order. */
    readonly sendBatch: (
      caller: number,
      commands: ReadonlyArray<KeyedCommand>
    ) => Effect.Effect<ReadonlyArray<LoadReply>>
    readonly wallet: (caller: number, walletId: string) => Effect.Effect<WalletState, ReadFailed>
    /** At most 200, from the version after `after` on. */
    readonly events: (
      caller: number,
      walletId: string,
      after: number
    ) => Effect.Effect<ReadonlyArray<ShownEvent>, ReadFailed>
    /** Of the service's process, where it tells. */
    readonly usage: Effect.Effect<Usage | undefined>
  }
>()("effect-wallet/load/LoadTarget") {}

export const accepted = (durable?: DurabilityLevel, made?: string, replayed = false): LoadReply => ({
  outcome: "accepted",
  tookPlace: "yes",
  code: "ok",
  made,
  durable,
  replayed,
  retryAfter: undefined
})

export const notAccepted = (code: string, judgement: Judgement, retryAfter?: number): LoadReply => ({
  ...judgement,
  code,
  made: undefined,
  durable: undefined,
  replayed: false,
  retryAfter
})
