/** Calls of the engine, short enough that a test reads as what happens. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { partitionOf } from "../../src/domain/Partition.ts"
import type { Command } from "../../src/domain/Command.ts"
import { decide, defaultLimits } from "../../src/domain/Decide.ts"
import type { CommandKey, RecordedEvent } from "../../src/domain/Event.ts"
import { fold } from "../../src/domain/Evolve.ts"
import { fingerprintOf } from "../../src/domain/Fingerprint.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import type { Installation, Node } from "./Installation.ts"
import { partitions, until } from "./Installation.ts"

export const create = (node: Node, id: string) =>
  node.engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `create-${id}` })

export const credit = (node: Node, walletId: string, amount: bigint, idempotencyKey: string) =>
  node.engine.credit({ walletId, amount, idempotencyKey })

export const debit = (node: Node, walletId: string, amount: bigint, idempotencyKey: string) =>
  node.engine.debit({ walletId, amount, idempotencyKey })

/** Until so many commands wait in mailboxes. */
export const waiting = (node: Node, commands: number) =>
  until(() => node.registry.load().waitingCommands === commands, `${commands} commands wait`)

/** Until the node has sent so many appends. */
export const appended = (node: Node, appends: number) =>
  until(() => node.log.appends.length === appends, `${appends} appends are sent`)

/** Wallet ids per append, from the `from`th on. */
export const composition = (node: Node, from: number): ReadonlyArray<ReadonlyArray<string>> =>
  node.log.appends.slice(from).map((commits) => commits.map(({ walletId }) => walletId))

/** Another writer under the claim that stands: decides on what is in the log and appends, past every node. */
export const writeForeign = (installation: Installation, command: Command, key: CommandKey) =>
  Effect.suspend(() => {
    const { walletId } = command
    const state = fold(undefined, installation.events(walletId))
    const partition = partitionOf(walletId, partitions)
    const epoch = installation.state.claims.get(partition) ?? 0
    const expectedVersion = state?.version ?? -1
    const time = state?.updatedAt ?? 0
    const commandId = crypto.randomUUID()
    const metadata = {
      commandId,
      key,
      fingerprint: fingerprintOf(command),
      correlationId: null,
      causationId: null,
      actor: "foreign",
      epoch
    }
    const decided = Result.getOrThrow(decide(state, command, { time, limits: defaultLimits }))
    const events = decided.map((event, index): RecordedEvent => ({
      id: index === 0 ? commandId : crypto.randomUUID(),
      walletId,
      version: expectedVersion + 1 + index,
      time,
      event,
      metadata
    }))
    const wallet = fold(state, events)
    if (wallet === undefined) return Effect.die(new Error("nothing was decided"))
    return Effect.orDie(installation.log.append([{ walletId, partition, epoch, expectedVersion, events, wallet }]))
  })

export const foreignCredit = (walletId: string, amount: bigint): Command => ({
  _tag: "Credit",
  walletId,
  amount,
  reference: null,
  metadata: noMetadata,
  effectiveAt: null
})

export const foreignDebit = (walletId: string, amount: bigint): Command => ({
  _tag: "Debit",
  walletId,
  amount,
  reference: null,
  metadata: noMetadata,
  effectiveAt: null,
  force: null
})
