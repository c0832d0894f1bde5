/**
 * Positions of the log on KurrentDB, as one number.
 *
 * The server places every event at an offset of its log, in bytes. Those of one
 * append stand one behind the other, each at an offset of its own, and no other
 * append's between them, so offsets are the one order of all events. (Commit and
 * prepare position of such an event are both this offset; measured on 26.1.)
 *
 * The server can read from the offset of an event, and from no other offset. To
 * name also the place just before an event, the position of the event at offset `c`
 * is `2c + 1`: from there a reader goes on behind it; from `2c` it meets it first.
 * `0n` is the start of the log.
 */

export interface ServerPosition {
  readonly commit: bigint
  readonly prepare: bigint
}

export const positionAt = (offset: bigint): bigint => 2n * offset + 1n

/** The offset to begin at. The event at it is to be left out unless its position is above `position`. */
export const offsetOf = (position: bigint): bigint => position >> 1n

export const atOffset = (offset: bigint): ServerPosition => ({ commit: offset, prepare: offset })
