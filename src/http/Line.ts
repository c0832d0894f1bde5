/** The connections that wait for room in a lane, and what their turns bring. */
import type { ClientConnection } from "./ClientConnection.ts"
import { Lane } from "./Lane.ts"

/** Requests that a turn is taken to bring before one has been seen. */
const firstPerTurn = 8

/** Who waits for room in a lane. */
export class Line {
  readonly lane: Lane
  readonly waiting: Array<ClientConnection> = []
  /** Requests that a turn brings, a moving average. */
  perTurn = firstPerTurn
  /** Requests that turns given may still bring. */
  expected = 0
  refused = 0

  constructor(millis: number) {
    this.lane = new Lane(millis)
  }
}
