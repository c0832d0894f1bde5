/**
 * How searches are refused: fairly, and late.
 *
 * No key may have more than half of the searches that wait, so that one key's crowd leaves room for all others; and far
 * fewer once searches wait in vain: what is refused at the door costs a tenth of what is refused behind it. And a
 * refusal is given after a pause. Searches come from closed loops more than from people; whoever is told "no" at once
 * asks again at once, and answering that would cost a node more than the searches themselves.
 * A request whose answer is owed costs nothing, and nothing more of its connection is read meanwhile.
 */
import { type Lane, refusedAt } from "./Lane.ts"

/** Milliseconds until a search that is refused is told so: well within the second of its `Retry-After`. */
const pauseMillis = 500

/** Of the searches that may wait, for one key. */
const keyShare = 0.5

/** Searches of one key while it is known that more would wait in vain: as many as are under way at once, and three times as many that wait. */
const crowdedShare = 64

/** Milliseconds after a search has waited in vain for which that is known. */
const crowdedMillis = 10_000

interface Owed {
  /** On the clock of the looks. */
  readonly due: number
  readonly answer: () => void
}

export class SearchShares {
  /** In flight, by key. */
  private readonly searches = new Map<string, number>()
  /** In the order in which they are due. */
  private late: Array<Owed> = []
  private crowdedUntil = 0

  isFull(key: string | undefined, { limit }: Lane, now: number): boolean {
    if (key === undefined) return false
    const share = now < this.crowdedUntil ? crowdedShare : limit * refusedAt * keyShare
    return (this.searches.get(key) ?? 0) >= share
  }

  /** One was refused behind the door: its turn has not come in time. */
  waitedInVain(now: number): void {
    this.crowdedUntil = now + crowdedMillis
  }

  began(key: string): void {
    this.searches.set(key, (this.searches.get(key) ?? 0) + 1)
  }

  left(key: string): void {
    const others = (this.searches.get(key) ?? 0) - 1
    if (others > 0) this.searches.set(key, others)
    else this.searches.delete(key)
  }

  answerLate(now: number, answer: () => void): void {
    this.late.push({ due: now + pauseMillis, answer })
  }

  /** Gives the answers that are due by then. */
  look(now: number): void {
    const due = this.late.findIndex((owed) => owed.due > now)
    for (const { answer } of this.late.splice(0, due === -1 ? this.late.length : due)) answer()
  }
}
