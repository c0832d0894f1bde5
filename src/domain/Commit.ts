/**
 * One wallet's share of an append: the events of a mailbox batch and the state
 * after the last of them. Log, Persistence and read model all take this value.
 */
import type { CommandKey, RecordedEvent } from "./Event.ts"
import type { Wallet } from "./Wallet.ts"

export interface Commit {
  readonly walletId: string
  readonly partition: number
  /** The claim under which the owner appends; the log refuses an older one. */
  readonly epoch: number
  /** Revision before the first event; `-1`: the stream must not exist. */
  readonly expectedVersion: number
  /** At least one, versions `expectedVersion + 1 …` without gaps. */
  readonly events: ReadonlyArray<RecordedEvent>
  readonly wallet: Wallet
  /**
   * Keys of this batch of which the owner's memory cannot tell whether an earlier command
   * of the wallet had them; of rejected commands too. May name a key twice. Absent or
   * empty: memory is sure of all. Only an append to a log that writes Persistence looks.
   */
  readonly unsureKeys?: ReadonlyArray<CommandKey>
}
