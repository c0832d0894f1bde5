/**
 * A part of the filter of a wallet's idempotency keys, as it is stored: immutable, and
 * derived from the log. `src/actors/KeyFilter.ts` gives the bits their meaning.
 *
 * Nothing depends on a segment being there, and none is believed for its own sake: the
 * segments of a wallet are a chain, each naming the id of the event before its first, and
 * whoever reads them looks the last one's event up in the log. An id stands in one
 * history only, so what matches is of the history that the log has.
 */
export interface KeySegment {
  readonly walletId: string
  /** The keys of all events from this version … */
  readonly fromVersion: number
  /** … to this one are in it. */
  readonly toVersion: number
  /** Id of the event before `fromVersion`; `""`: there is none. */
  readonly previousEventId: string
  /** Id of the event at `toVersion`. */
  readonly eventId: string
  /** How keys become bits; a reader leaves other forms alone. */
  readonly form: number
  /** Distinct keys, at most as many as it was made for: a quarter of its bytes. */
  readonly keys: number
  /** 8 bytes to 16 kB. */
  readonly bits: Uint8Array
}
