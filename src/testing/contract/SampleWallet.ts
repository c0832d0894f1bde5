/**
 * A wallet for the contract suites: decides commands as the engine does and makes
 * the commits that a store is to take.
 */
import * as Result from "effect/Result"
import { randomBytes, randomUUID } from "node:crypto"
import type { Command } from "../../domain/Command.ts"
import type { Commit } from "../../domain/Commit.ts"
import { decide, defaultLimits } from "../../domain/Decide.ts"
import type { CommandKey, RecordedEvent } from "../../domain/Event.ts"
import { eventIdOf, idPrefix } from "../../domain/EventId.ts"
import { walletTag } from "../../domain/WalletTag.ts"
import { evolve } from "../../domain/Evolve.ts"
import { fingerprintOf } from "../../domain/Fingerprint.ts"
import { type Metadata, noMetadata } from "../../domain/Limits.ts"
import type { Wallet } from "../../domain/Wallet.ts"

/** A name that no other case and no other run has. With a capital I: its small letter is not everywhere `i`. */
export const uniqueId = (prefix: string): string => `${prefix}-I${randomBytes(9).toString("hex")}`

/** A partition that most likely no other case claims; far beyond those of any installation. */
export const uniquePartition = (): number => 1_000_000 + (randomBytes(4).readUInt32BE() % 1_000_000_000)

export interface SampleWalletOptions {
  readonly id?: string | undefined
  readonly ownerId?: string | undefined
  readonly currency?: string | undefined
  readonly overdraftLimit?: bigint | undefined
  readonly metadata?: Metadata | undefined
  readonly partition?: number | undefined
  readonly epoch?: number | undefined
}

/** As the engine makes them: they say whose they are, and of when. */
export const sampleEventId = (walletId: string, time: number): string =>
  eventIdOf(idPrefix(time), 0, randomUUID().slice(15), walletTag(walletId))

/** A command without the wallet it is for. */
export type SampleCommand = Command extends infer C ? (C extends Command ? Omit<C, "walletId"> : never) : never

export class SampleWallet {
  readonly id: string
  readonly ownerId: string
  readonly partition: number
  epoch: number
  /** Of the next event, milliseconds; set it to any later time. */
  time = 1_700_000_000_000
  /** As of the last commit that was made. */
  wallet: Wallet | undefined = undefined
  readonly #options: SampleWalletOptions

  constructor(options: SampleWalletOptions = {}) {
    this.id = options.id ?? uniqueId("wallet")
    this.ownerId = options.ownerId ?? uniqueId("owner")
    this.partition = options.partition ?? uniquePartition()
    this.epoch = options.epoch ?? 0
    this.#options = options
  }

  get version(): number {
    return this.wallet?.version ?? -1
  }

  /** The commit of these commands, each under a key of its own; the wallet moves on. */
  commit(...commands: ReadonlyArray<SampleCommand>): Commit {
    return this.keyed(
      ...commands.map((command): readonly [CommandKey, SampleCommand] => [`c:${randomUUID()}`, command])
    )
  }

  /** The same with given keys. */
  keyed(...commands: ReadonlyArray<readonly [CommandKey, SampleCommand]>): Commit {
    const expectedVersion = this.version
    const events = commands.flatMap(([key, command]) => this.#decide(key, { ...command, walletId: this.id } as Command))
    const wallet = this.wallet
    if (wallet === undefined || events.length === 0) throw new Error("a commit has at least one event")
    return { walletId: this.id, partition: this.partition, epoch: this.epoch, expectedVersion, events, wallet }
  }

  create(): Commit {
    return this.commit(this.creation())
  }

  creation(): SampleCommand {
    return {
      _tag: "CreateWallet",
      ownerId: this.ownerId,
      currency: this.#options.currency ?? "EUR",
      overdraftLimit: this.#options.overdraftLimit ?? 0n,
      metadata: this.#options.metadata ?? noMetadata
    }
  }

  #decide(key: CommandKey, command: Command): ReadonlyArray<RecordedEvent> {
    const decided = Result.getOrThrowWith(
      decide(this.wallet, command, { time: this.time, limits: defaultLimits }),
      (rejection) => rejection
    )
    const ids = decided.map(() => sampleEventId(this.id, this.time))
    return decided.map((event, index) => {
      const recorded: RecordedEvent = {
        id: ids[index]!,
        walletId: this.id,
        version: this.version + 1,
        time: this.time,
        event,
        metadata: {
          commandId: ids[0]!,
          key,
          fingerprint: fingerprintOf(command),
          correlationId: null,
          causationId: null,
          actor: null,
          epoch: this.epoch
        }
      }
      this.wallet = evolve(this.wallet, recorded)
      return recorded
    })
  }
}

export const credit = (
  amount: bigint,
  reference: string | null = null,
  metadata: Metadata = noMetadata,
  effectiveAt: number | null = null
): SampleCommand => ({
  _tag: "Credit",
  amount,
  reference,
  metadata,
  effectiveAt
})

export const debit = (
  amount: bigint,
  reference: string | null = null,
  metadata: Metadata = noMetadata,
  effectiveAt: number | null = null
): SampleCommand => ({
  _tag: "Debit",
  amount,
  reference,
  metadata,
  effectiveAt,
  force: null
})

export const placeHold = (holdId: string, amount: bigint, expiresAt: number | null = null): SampleCommand => ({
  _tag: "PlaceHold",
  holdId,
  amount,
  expiresAt,
  reference: null,
  metadata: noMetadata
})

export const capture = (
  holdId: string,
  amount: bigint | null = null,
  final = false,
  effectiveAt: number | null = null
): SampleCommand => ({
  _tag: "CaptureHold",
  holdId,
  amount,
  final,
  effectiveAt
})

export const release = (holdId: string): SampleCommand => ({ _tag: "ReleaseHold", holdId })

export const send = (
  transferId: string,
  to: string,
  amount: bigint,
  reference: string | null = null,
  metadata: Metadata = noMetadata,
  effectiveAt: number | null = null
): SampleCommand => ({
  _tag: "SendTransfer",
  transferId,
  to,
  currency: "EUR",
  destination: null,
  amount,
  reference,
  metadata,
  effectiveAt,
  refund: null
})

export const receive = (
  transferId: string,
  from: string,
  amount: bigint,
  effectiveAt: number | null = null
): SampleCommand => ({
  _tag: "ReceiveTransfer",
  transferId,
  from,
  currency: "EUR",
  amount,
  reference: null,
  metadata: noMetadata,
  effectiveAt
})

export const settle = (transferId: string): SampleCommand => ({ _tag: "SettleTransfer", transferId })

export const returnFunds = (transferId: string, reason: string): SampleCommand => ({
  _tag: "ReverseTransfer",
  transferId,
  reason
})

/** Undoes an event of a commit, of which Persistence has refused all. `before`: the state before it. */
export const undo = (operation: RecordedEvent, before: Wallet | undefined, reason = "refused"): SampleCommand => ({
  _tag: "ReverseOperation",
  operation,
  before,
  reason
})
