/** The parameters of an append: commits turned into columns (see `SqlAppendStatement.ts`). */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import type { Commit } from "../domain/Commit.ts"
import type { EventMetadata, RecordedEvent, WalletEvent } from "../domain/Event.ts"
import { encodeEvent, wireType } from "../domain/EventCodec.ts"
import { type Metadata, noMetadata } from "../domain/Form.ts"
import { holdChanges, transactionOf } from "../domain/Projection.ts"
import type { Transaction } from "../domain/Wallet.ts"
import { transactionWords, walletWords } from "./SearchWords.ts"
import { int4s, int8, int8s, text, texts, times, uuids } from "./SqlParameters.ts"

/** `undefined`: left out of the JSON, SQL's null. */
const metadataOf = (metadata: Metadata): Metadata | undefined =>
  metadata === noMetadata || Object.keys(metadata).length === 0 ? undefined : metadata

const isoTime = (millis: number): string => new Date(millis).toISOString()

/** What else is known of the command, as JSON; `null` when there is nothing else. */
const originOf = (id: string, metadata: EventMetadata): string | null => {
  const { actor, causationId, commandId, correlationId } = metadata
  if (actor === null && causationId === null && correlationId === null && commandId === id) return null
  return JSON.stringify({
    commandId: commandId === id ? undefined : commandId,
    correlationId: correlationId ?? undefined,
    causationId: causationId ?? undefined,
    actor: actor ?? undefined
  })
}

/** What most transactions do not have, as JSON. */
const rareOf = (transaction: Transaction): string | null => {
  const { holdId, metadata, reference, transferId } = transaction
  if (reference === null && holdId === null && transferId === null && metadata === noMetadata) return null
  const words = transactionWords(transaction)
  return JSON.stringify({
    reference: reference ?? undefined,
    metadata: metadataOf(metadata),
    holdId: holdId ?? undefined,
    transferId: transferId ?? undefined,
    words: words.length === 0 ? undefined : words
  })
}

const changesDetails = (event: WalletEvent): boolean =>
  event._tag === "MetadataChanged" || (event._tag === "OperationReversed" && event.restored._tag === "Metadata")

/** What of a wallet's row does not change with its money, as JSON; `null` when it has not changed. */
const detailsOf = ({ events, expectedVersion, wallet }: Commit): string | null => {
  if (expectedVersion !== -1 && !events.some(({ event }) => changesDetails(event))) return null
  return JSON.stringify({
    ownerId: wallet.ownerId,
    createdAt: isoTime(wallet.createdAt),
    metadata: metadataOf(wallet.metadata),
    words: walletWords(wallet)
  })
}

/** Columns of the log. */
class LogColumns {
  readonly walletIds: Array<string> = []
  readonly expected: Array<bigint> = []
  readonly sizes: Array<number> = []
  readonly epochs: Array<bigint> = []
  readonly commits: Array<number> = []
  readonly ids: Array<string> = []
  readonly times: Array<number> = []
  readonly types: Array<string> = []
  readonly data: Array<string> = []
  readonly keys: Array<string> = []
  readonly fingerprints: Array<string> = []
  readonly origins: Array<string | null> = []

  addCommit(commit: Commit): void {
    this.walletIds.push(commit.walletId)
    this.expected.push(BigInt(commit.expectedVersion))
    this.sizes.push(commit.events.length)
    this.epochs.push(BigInt(commit.epoch))
  }

  addEvent(number: number, { event, id, metadata, time }: RecordedEvent): void {
    this.commits.push(number)
    this.ids.push(id)
    this.times.push(time)
    this.types.push(wireType(event))
    this.data.push(encodeEvent(event))
    this.keys.push(metadata.key)
    this.fingerprints.push(metadata.fingerprint)
    this.origins.push(originOf(id, metadata))
  }

  parameters(generation: bigint): Array<PgTypes.Parameter> {
    return [
      texts(this.walletIds),
      int8s(this.expected),
      int4s(this.sizes),
      int8(generation),
      int8s(this.epochs),
      int4s(this.commits),
      uuids(this.ids),
      times(this.times),
      texts(this.types),
      texts(this.data),
      texts(this.keys),
      texts(this.fingerprints),
      texts(this.origins)
    ]
  }
}

/** Columns of the transactional view. */
class ViewColumns {
  readonly currencies: Array<string> = []
  readonly balances: Array<string> = []
  readonly held: Array<string> = []
  readonly overdraftLimits: Array<string> = []
  readonly statuses: Array<string> = []
  readonly updatedAt: Array<number> = []
  readonly details: Array<string | null> = []
  readonly transactions: Array<string | null> = []
  readonly amounts: Array<string | null> = []
  readonly balancesAfter: Array<string | null> = []
  readonly rare: Array<string | null> = []
  readonly placed: Array<unknown> = []
  readonly changed: Array<unknown> = []

  addCommit(number: number, commit: Commit): void {
    const { wallet } = commit
    this.currencies.push(wallet.currency)
    this.balances.push(String(wallet.balance))
    this.held.push(String(wallet.held))
    this.overdraftLimits.push(String(wallet.overdraftLimit))
    this.statuses.push(wallet.status)
    this.updatedAt.push(wallet.updatedAt)
    this.details.push(detailsOf(commit))
    this.addHolds(number, commit)
  }

  addEvent(recorded: RecordedEvent, wallet: { readonly currency: string }): void {
    const transaction = transactionOf(recorded, wallet)
    this.transactions.push(transaction === undefined ? null : transaction.type)
    this.amounts.push(transaction === undefined ? null : String(transaction.amount))
    this.balancesAfter.push(transaction === undefined ? null : String(transaction.balanceAfter))
    this.rare.push(transaction === undefined ? null : rareOf(transaction))
  }

  addHolds(number: number, commit: Commit): void {
    for (const change of holdChanges(commit)) {
      if (change._tag === "Changed") {
        const { captured, holdId, remaining, status } = change
        this.changed.push({
          commit: number,
          id: holdId,
          captured: String(captured),
          remaining: String(remaining),
          status
        })
        continue
      }
      const { hold, version } = change
      this.placed.push({
        commit: number,
        id: hold.id,
        version,
        amount: String(hold.amount),
        captured: String(hold.captured),
        remaining: String(hold.remaining),
        status: hold.status,
        expires_at: hold.expiresAt === null ? undefined : isoTime(hold.expiresAt),
        reference: hold.reference ?? undefined,
        metadata: metadataOf(hold.metadata),
        created_at: isoTime(hold.createdAt)
      })
    }
  }

  parameters(): Array<PgTypes.Parameter> {
    return [
      texts(this.currencies),
      texts(this.balances),
      texts(this.held),
      texts(this.overdraftLimits),
      texts(this.statuses),
      times(this.updatedAt),
      texts(this.details),
      texts(this.transactions),
      texts(this.amounts),
      texts(this.balancesAfter),
      texts(this.rare),
      text(this.placed.length === 0 ? null : JSON.stringify(this.placed)),
      text(this.changed.length === 0 ? null : JSON.stringify(this.changed))
    ]
  }
}

/** The parameters for these commits, numbered from 1 in their order. */
export const appendParameters = (
  commits: ReadonlyArray<Commit>,
  generation: bigint,
  persistence: boolean
): ReadonlyArray<PgTypes.Parameter> => {
  const log = new LogColumns()
  const view = persistence ? new ViewColumns() : undefined
  for (const [index, commit] of commits.entries()) {
    log.addCommit(commit)
    view?.addCommit(index + 1, commit)
    for (const recorded of commit.events) {
      log.addEvent(index + 1, recorded)
      view?.addEvent(recorded, commit.wallet)
    }
  }
  const parameters = log.parameters(generation)
  return view === undefined ? parameters : [...parameters, ...view.parameters()]
}
