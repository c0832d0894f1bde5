/** Moments between two steps of the write pipeline at which a process can die; named for whoever asks for one. */

export const failPoints = [
  /** A claim has been taken; nothing is served yet. */
  "claim.after",
  /** The events are about to be sent to the log. */
  "append.before",
  /** They are in the log; neither the caller nor PostgreSQL knows. */
  "append.after",
  /** They are in the log, and the rows are about to be written. */
  "write.before",
  /** The rows are there; nobody has been told. */
  "write.after",
  /** A user's rule has said no; its place is about to be taken. */
  "refuse.before",
  /** The refusal stands in the event's place; nothing is reversed. */
  "refuse.after",
  /** The reversal is about to be sent to the log. */
  "reversal.before",
  /** The reversal is in the log; PostgreSQL does not have it. */
  "reversal.after",
  /** The reversal's rows are about to be written. */
  "reversalWrite.before",
  /** The reversal's rows are there; its callers have not been told. */
  "reversalWrite.after",
  /** A transfer is about to be sent. */
  "sent.before",
  /** A transfer has been sent, and is not received. */
  "sent.after",
  /** A transfer has been received, and its source does not know. */
  "received.after",
  /** A transfer's source has been told; nobody knows. */
  "settled.after",
  /** A destination has put on record that it does not want the money. */
  "notWanted.after",
  /** The money is back at its source; nobody knows. */
  "returned.after",
  "snapshot.before",
  "snapshot.after"
] as const

export type FailPoint = (typeof failPoints)[number]

/** Read by the service under test: where it dies, and at the how manieth time. */
export const failPointVariable = "FAULT_POINT"
export const failCountVariable = "FAULT_COUNT"
