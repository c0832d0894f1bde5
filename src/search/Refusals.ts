/**
 * Tells a document that the index refuses for its own sake from an index that refuses whatever it is given, as with a
 * mapping that was changed by hand: of one kind, document after document, of one wallet after the other, for one reason.
 */
import type { DeadLetter } from "../stores/Persistence.ts"
import { type DocumentKind, documentWallet, type SearchDocument } from "../stores/SearchIndex.ts"

interface Streak {
  readonly reason: string
  readonly wallets: Set<string>
}

/** The same reason names another place and another document each time. */
const withoutPlace = (reason: string): string => reason.replace(/\[\d+:\d+\]|'[^']*'/g, "")

export class Refusals {
  readonly #wallets: number
  readonly #streaks = new Map<DocumentKind, Streak>()

  /** `wallets`: so many in a row whose documents of a kind are refused, and none is taken, are no chance. */
  constructor(wallets: number) {
    this.#wallets = wallets
  }

  /** Of each request, what it was and what was refused of it; answers why the index is at fault as a whole. */
  judge(documents: ReadonlyArray<SearchDocument>, refused: ReadonlyArray<DeadLetter>): string | undefined {
    if (refused.length === 0 && this.#streaks.size === 0) return undefined
    for (const kind of new Set(documents.map((document) => document.kind))) {
      const letters = refused.filter((letter) => letter.kind === kind)
      const ofKind = documents.filter((document) => document.kind === kind)
      const fault = this.#judgeKind(kind, ofKind, letters)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  #judgeKind(
    kind: DocumentKind,
    documents: ReadonlyArray<SearchDocument>,
    letters: ReadonlyArray<DeadLetter>
  ): string | undefined {
    const [first] = letters
    const reason = first && withoutPlace(first.reason)
    if (
      reason === undefined ||
      letters.length < documents.length ||
      letters.some((letter) => withoutPlace(letter.reason) !== reason)
    ) {
      this.#streaks.delete(kind)
      return undefined
    }
    const before = this.#streaks.get(kind)
    const streak = before?.reason === reason ? before : { reason, wallets: new Set<string>() }
    this.#streaks.set(kind, streak)
    for (const document of documents) {
      if (streak.wallets.size < this.#wallets) streak.wallets.add(documentWallet(document))
    }
    return streak.wallets.size < this.#wallets
      ? undefined
      : `it refuses the documents of every ${kind}, ${streak.wallets.size} wallets in a row: ${first!.reason}`
  }
}
