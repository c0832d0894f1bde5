/**
 * How searches are refused: fairly, and late.
 *
 * No key may have more than half of the searches that wait, so that one key's crowd leaves room for all others. And a
 * refusal is given after a pause. Searches come from closed loops more than from people; whoever is told "no" at once
 * asks again at once, and answering that would cost a node more than the searches themselves.
 * A request whose answer is owed costs nothing, and nothing more of its connection is read meanwhile.
 */
import { type Lane, refusedAt } from "./Lane.ts"

/** Milliseconds until a search that is refused is told so: well within the second of its `Retry-After`. */
const pauseMillis = 500

/** Of the searches that may wait, for one key. */
const keyShare = 0.5

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

  isFull(key: string | undefined, { limit }: Lane): boolean {
    return key !== undefined && (this.searches.get(key) ?? 0) >= limit * refusedAt * keyShare
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
