/**
 * Reverses the events that Persistence has refused: reads the event and the state before
 * it from the log, and asks the wallet, ahead of everything that waits there. One at a
 * time per event, tried again until the reversal is in the log or this node no longer
 * owns the wallet; then the next owner finds the refusal open. And keeps count of them: a
 * rule that refuses too much is a mistake of the rule's.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { fingerprintOf } from "../domain/Fingerprint.ts"
import type { EventStore } from "../stores/EventStore.ts"
import { StoreDefect } from "../stores/StoreError.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import type { ActorError, Envelope, Reply } from "../actors/Mailbox.ts"
import type { WalletHistory } from "../actors/WalletHistory.ts"

interface CompensationContext {
  readonly log: EventStore["Service"]
  readonly history: WalletHistory["Service"]
  readonly clock: Clock.Clock
  /** Puts a command before all others of its wallet; `undefined`: it will be replied to. */
  readonly offerUrgent: (envelope: Envelope) => ActorError | undefined
}

/** 50 ms, doubling, at most 2 s, for ever. */
const retryPause = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.jittered
)

const worthRetrying = (error: ActorError): boolean => {
  switch (error._tag) {
    case "StoreUnavailable":
    case "MailboxFull":
    case "OutcomeUnknown":
      return true
    default:
      return false
  }
}

export interface Compensations {
  /** Sees to it that an event is reversed. Synchronous; repeated calls are one. */
  readonly start: (walletId: string, version: number, reason: string) => void
  /** Wallets with an event that cannot be reversed, and why. */
  readonly failed: ReadonlyMap<string, string>
}

export const make = Effect.fnUntraced(function* ({ clock, history, log, offerUrgent }: CompensationContext) {
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  const running = new Set<string>()
  /** What was told last, by wallet and version. */
  const told = new Map<string, string>()
  const failed = new Map<string, string>()

  const reverse = Effect.fnUntraced(function* (
    walletId: string,
    version: number,
    reason: string
  ): Effect.fn.Return<Reply, ActorError> {
    const [operation] = yield* log.read(walletId, { after: version - 1, limit: 1 })
    if (operation === undefined) {
      return yield* new StoreDefect({ store: "log", reason: `it has no event ${version} of wallet ${walletId}` })
    }
    const before = version === 0 ? undefined : yield* history.atVersion(walletId, version - 1)
    const command = { _tag: "ReverseOperation" as const, walletId, operation, before, reason }
    return yield* Effect.callback<Reply, ActorError>((resume) => {
      const refusal = offerUrgent({
        _tag: "Envelope",
        command,
        key: `e:reverse:${version}`,
        fingerprint: fingerprintOf(command),
        actor: null,
        correlationId: operation.metadata.correlationId,
        bytes: 0,
        await: "committed",
        ifVersion: null,
        dryRun: false,
        resend: undefined,
        resume,
        offeredAt: clock.currentTimeMillisUnsafe(),
        stage: "waiting"
      })
      if (refusal !== undefined) resume(Effect.fail(refusal))
    })
  })

  const succeeded = (walletId: string, name: string) =>
    Effect.sync(() => {
      told.delete(name)
      failed.delete(walletId)
    })

  /** Told once, and from then on in the wallet's health. */
  const hasFailed = (walletId: string, version: number, name: string, error: ActorError) =>
    Effect.suspend(() => {
      const message = `event ${version}, which PostgreSQL has refused, cannot be reversed: ${error.message}`
      const isKnown = told.get(name) === message
      told.set(name, message)
      failed.set(walletId, message)
      if (isKnown) return Effect.void
      return Effect.andThen(
        Metric.update(EngineMetrics.compensationFailures, 1),
        Effect.annotateLogs(Effect.logError(`wallet ${walletId} has stopped: ${message}`), { walletId, version })
      )
    })

  const start = (walletId: string, version: number, reason: string): void => {
    const name = `${walletId} ${version}`
    if (running.has(name)) return
    running.add(name)
    fork(
      reverse(walletId, version, reason).pipe(
        Effect.retry({ schedule: retryPause, while: worthRetrying }),
        Effect.andThen(succeeded(walletId, name)),
        Effect.catch((error) =>
          error._tag === "NotOwner" ? succeeded(walletId, name) : hasFailed(walletId, version, name, error)
        ),
        Effect.ensuring(Effect.sync(() => running.delete(name)))
      )
    )
  }
  return { start, failed } satisfies Compensations as Compensations
})

/** So many compensations in one minute, then none until the next start. */
export class CompensationBudget {
  private readonly clock: Clock.Clock
  private readonly perMinute: number
  private minute = 0
  private taken = 0
  isStopped = false

  constructor(clock: Clock.Clock, perMinute: number) {
    this.clock = clock
    this.perMinute = perMinute
  }

  /** `false`: there are no more. */
  take(): boolean {
    const minute = Math.floor(this.clock.currentTimeMillisUnsafe() / 60_000)
    if (minute !== this.minute) {
      this.minute = minute
      this.taken = 0
    }
    if (this.taken >= this.perMinute) this.isStopped = true
    else this.taken++
    return !this.isStopped
  }
}
