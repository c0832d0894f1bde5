/** How far the log is written to the index, though pages are written in parts, which end in any order. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { PositionedEvent } from "../stores/EventStore.ts"
import type { LogMark } from "../stores/SearchIndex.ts"
import { markOf } from "./LogHistory.ts"

/** A page on its way. */
export interface PagePlace {
  /** Of its last event. */
  readonly through: bigint
  readonly events: number
  /** Of its first event, ms. */
  readonly time: number
  /** Its last event; `undefined`: it has none. */
  readonly mark: LogMark | undefined
  /** Parts that are not written yet. */
  left: number
}

export class Places {
  #written: bigint
  #moved = Deferred.makeUnsafe<void>()
  readonly #pages: Array<PagePlace> = []
  /** Ever. */
  events = 0
  /** The last event that has been written. */
  mark: LogMark | undefined

  /** `from`: all events up to there have been written before, `mark` among them. */
  constructor(from: bigint, mark: LogMark | undefined = undefined) {
    this.#written = from
    this.mark = mark
  }

  /** All events up to it have been written. */
  get written(): bigint {
    return this.#written
  }

  get isIdle(): boolean {
    return this.#pages.length === 0
  }

  /** When the first event was committed that is being written, ms; `undefined`: there is none. */
  get oldest(): number | undefined {
    return this.#pages[0]?.time
  }

  /** Completes the next time that `written` moves. To be taken before `written` is looked at. */
  get moved(): Effect.Effect<void> {
    return Deferred.await(this.#moved)
  }

  /** In the order of the log. */
  begin(through: bigint, events: ReadonlyArray<PositionedEvent>, parts: number): PagePlace {
    const last = events.at(-1)
    const page: PagePlace = {
      through,
      events: events.length,
      time: events[0]?.recorded.time ?? Infinity,
      mark: last && markOf(last),
      left: parts
    }
    this.#pages.push(page)
    if (parts === 0) this.#advance()
    return page
  }

  /** One part of the page is written. */
  ended(page: PagePlace): void {
    page.left--
    if (page.left === 0) this.#advance()
  }

  #advance(): void {
    let page = this.#pages[0]
    if (page === undefined || page.left > 0) return
    while (page !== undefined && page.left === 0) {
      this.#written = page.through
      this.events += page.events
      this.mark = page.mark ?? this.mark
      this.#pages.shift()
      page = this.#pages[0]
    }
    const moved = this.#moved
    this.#moved = Deferred.makeUnsafe()
    Deferred.doneUnsafe(moved, Effect.void)
  }
}
