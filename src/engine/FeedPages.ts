/** Pages of the log that were read or have come of late, for all feeds of a node: within a bound, the least recently used goes. */
import type { PublicWalletEvent } from "../domain/Event.ts"
import type { Metadata } from "../domain/Limits.ts"
import type { PositionedEvent } from "../stores/EventStore.ts"
import type { FeedPage } from "./Details.ts"

/** Pages that are kept at most, besides their bound in bytes: they are looked through one by one. */
const maxPages = 256

/** Of an event, or of one of its legs, beside the metadata: the object, and the text where it is served. */
const partBytes = 2_048

/** Of a pair of metadata, the longest. */
const pairBytes = 1_152

/** Frozen: all followers are given the same. */
export interface LogPage extends FeedPage {
  readonly events: ReadonlyArray<PositionedEvent>
}

const freeze = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) freeze(inner)
}

const partBytesOf = (part: object & { readonly metadata?: Metadata }): number =>
  partBytes + (part.metadata === undefined ? 0 : Object.keys(part.metadata).length * pairBytes)

/** What an event takes that is kept to be served, about, and rather more. */
export const servedBytes = (event: PublicWalletEvent): number => {
  let bytes = partBytesOf(event)
  if ("legs" in event) for (const leg of event.legs) bytes += partBytesOf(leg)
  return bytes
}

export class FeedPages {
  readonly #pages = new Map<LogPage, number>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** `events`: at least one, not shared with anybody. Answers the position of the last one. */
  add(after: bigint, events: ReadonlyArray<PositionedEvent>): bigint {
    const page: LogPage = { after, last: events[events.length - 1]!.position, events }
    freeze(page)
    const bytes = events.reduce((total, event) => total + servedBytes(event.recorded.event), 0)
    this.#pages.set(page, bytes)
    this.#bytes += bytes
    for (const [oldest, size] of this.#pages) {
      if (oldest === page || (this.#bytes <= this.#maxBytes && this.#pages.size <= maxPages)) break
      this.#pages.delete(oldest)
      this.#bytes -= size
    }
    return page.last
  }

  /** What is behind the position, if it is here: rather a page that begins there, which others have, too. */
  behind(position: bigint): LogPage | undefined {
    let part: LogPage | undefined
    for (const [page, bytes] of this.#pages) {
      if (page.after > position || position >= page.last) continue
      part = page
      if (page.after < position) continue
      this.#pages.delete(page)
      this.#pages.set(page, bytes)
      return page
    }
    return part && { ...part, after: position, events: part.events.filter((event) => event.position > position) }
  }

  clear(): void {
    this.#pages.clear()
    this.#bytes = 0
  }
}
