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
  /** What is in the log with this commit, or not at all. Only of an append to a log that writes Persistence. */
  readonly joint?: JointCommits | undefined
}

/** Commits of other wallets that belong to one: all of them happen or none does. */
export interface JointCommits {
  /** At least one, each of another wallet; none of them has any of its own. */
  readonly commits: ReadonlyArray<Commit>
  /** All events of all of them, of the one that they belong to as well, as they follow one another in the log. */
  readonly order: ReadonlyArray<RecordedEvent>
}

/** A commit and those that belong to it. */
export const membersOf = (commit: Commit): ReadonlyArray<Commit> =>
  commit.joint === undefined ? [commit] : [commit, ...commit.joint.commits]

/** How many events are appended with a commit, its own and those of what belongs to it. */
export const eventsWith = ({ events, joint }: Commit): number => (joint === undefined ? events : joint.order).length

/** The commits, each with those that belong to it; the same list where there are none. */
export const allMembers = (commits: ReadonlyArray<Commit>): ReadonlyArray<Commit> =>
  commits.some(({ joint }) => joint !== undefined) ? commits.flatMap(membersOf) : commits
