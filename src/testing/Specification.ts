/**
 * A test tool: given these events, when this command, then these events.
 *
 * Bound to no test runner: a `then` that does not hold throws an AssertionError
 * of node:assert. Every `then` also folds the new events and answers the wallet
 * after them, so that a test can go on to say what the state is.
 *
 * @example
 * given([created, credited]).when(debit).then([debited])
 * given([created]).when(debit).thenRejected(new InsufficientFunds({ … }))
 */
import * as assert from "node:assert/strict"
import * as Result from "effect/Result"
import type { Command } from "../domain/Command.ts"
import { decide, type DecideContext, defaultLimits } from "../domain/Decide.ts"
import type { EventMetadata, RecordedEvent, WalletEvent } from "../domain/Event.ts"
import { evolve, fold } from "../domain/Evolve.ts"
import type { Rejection } from "../domain/Rejection.ts"
import type { Wallet } from "../domain/Wallet.ts"

export interface GivenOptions {
  /** Default `"wallet-1"`. */
  readonly walletId?: string
  /** Milliseconds, of every given event; default 0. */
  readonly time?: number
}

export interface Given {
  /** What was given, as it would stand in the log. */
  readonly recorded: ReadonlyArray<RecordedEvent>
  /** `undefined`: nothing was given. */
  readonly wallet: Wallet | undefined
  /** `context.time`: default that of the given events; `context.limits`: {@link defaultLimits}. */
  readonly when: (command: Command, context?: Partial<DecideContext>) => When
}

export interface When {
  /** Exactly these events, in this order. Answers the wallet after them. */
  readonly then: (expected: ReadonlyArray<WalletEvent>) => Wallet | undefined
  /** Exactly this rejection, its details included. Answers the wallet as it was. */
  readonly thenRejected: (expected: Rejection) => Wallet | undefined
}

const metadata: EventMetadata = {
  commandId: "given",
  key: "e:given",
  fingerprint: "",
  correlationId: null,
  causationId: null,
  actor: null,
  epoch: 1
}

/** Events at their places in a stream, from version `first` on; ids are `<walletId>-<version>`. */
export const recordedAt = (
  walletId: string,
  first: number,
  time: number,
  events: ReadonlyArray<WalletEvent>
): ReadonlyArray<RecordedEvent> =>
  events.map((event, index) => {
    const version = first + index
    return { id: `${walletId}-${version}`, walletId, version, time, event, metadata }
  })

export const given = (events: ReadonlyArray<WalletEvent>, options: GivenOptions = {}): Given => {
  const { walletId = "wallet-1", time = 0 } = options
  const recorded = recordedAt(walletId, 0, time, events)
  const wallet = fold(undefined, recorded)
  return { recorded, wallet, when: (command, context) => when(wallet, command, { time, ...context }) }
}

const when = (
  wallet: Wallet | undefined,
  command: Command,
  context: Partial<DecideContext> & { readonly time: number }
): When => {
  const decision = decide(wallet, command, { limits: defaultLimits, ...context })
  const then = (expected: ReadonlyArray<WalletEvent>): Wallet | undefined => {
    if (Result.isFailure(decision)) assert.fail(`rejected: ${decision.failure._tag}: ${decision.failure.message}`)
    assert.deepEqual(decision.success, expected)
    let after = wallet
    for (const event of decision.success) after = evolve(after, recordedNext(after, command, context.time, event))
    return after
  }
  return {
    // The word of given/when/then. Nothing here is ever awaited.
    // oxlint-disable-next-line unicorn/no-thenable
    then,
    thenRejected: (expected) => {
      if (Result.isSuccess(decision)) {
        assert.fail(`not rejected, but: ${decision.success.map((event) => event._tag).join(", ")}`)
      }
      assert.deepEqual(rejectionData(decision.failure), rejectionData(expected))
      return wallet
    }
  }
}

const recordedNext = (
  wallet: Wallet | undefined,
  command: Command,
  time: number,
  event: WalletEvent
): RecordedEvent => {
  const version = wallet === undefined ? 0 : wallet.version + 1
  return { id: `${command.walletId}-${version}`, walletId: command.walletId, version, time, event, metadata }
}

/** Without the stack, which says where and not what. */
const rejectionData = (rejection: Rejection): object => ({
  ...rejection,
  _tag: rejection._tag,
  message: rejection.message
})
