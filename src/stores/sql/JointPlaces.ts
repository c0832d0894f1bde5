/** Where the events of a batch stand among each other, in which the events of commits that belong together may be mixed. */
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"

/** The places of the events of commits that belong together, which may stand among each other. */
export interface JointPlaces {
  /** All events of the batch, as they follow one another in the log. */
  readonly order: ReadonlyArray<RecordedEvent>
  /** From 1. */
  readonly places: ReadonlyMap<RecordedEvent, number>
  /** The number of its commit by wallet. */
  readonly numbers: ReadonlyMap<string, number>
  /** By the numbers of the commits: those that belong together have the same one, one that stands alone has 0. */
  readonly units: ReadonlyArray<number>
}

/** `undefined`: none belong together, and the events follow one another as the commits do. */
export const jointPlaces = (commits: ReadonlyArray<Commit>): JointPlaces | undefined => {
  const leaders = new Map<Commit, Commit>()
  for (const commit of commits) for (const follower of commit.joint?.commits ?? []) leaders.set(follower, commit)
  if (leaders.size === 0) return undefined
  const numbers = new Map(commits.map(({ walletId }, index) => [walletId, index + 1]))
  const order = commits.flatMap((commit) => (leaders.has(commit) ? [] : (commit.joint?.order ?? commit.events)))
  return {
    order,
    places: new Map(order.map((recorded, index) => [recorded, index + 1])),
    numbers,
    units: commits.map((commit) => {
      const leader = commit.joint === undefined ? leaders.get(commit) : commit
      return leader === undefined ? 0 : numbers.get(leader.walletId)!
    })
  }
}

/** Where a commit's events stand in its batch. */
export interface Place {
  /** How many events of the batch come before the commit's first, where its events follow one another. */
  readonly before: number
  readonly joint: JointPlaces | undefined
}

/** The place of an event among those of the batch, from 1. */
export const placeOf = ({ events, expectedVersion }: Commit, { before, joint }: Place, version: number): number =>
  joint === undefined ? before + version - expectedVersion : joint.places.get(events[version - expectedVersion - 1]!)!
