/**
 * How many requests of one kind may wait for their answers: what is answered in a fixed time,
 * by the rate at which this node answers now. By Little's law a queue of `rate × time`
 * requests is one of that time, so nothing has to be measured per request.
 *
 * The rate is a moving average. Only a queue that was full says what the node can do; while
 * none is, the bound grows back to its maximum.
 *
 * Rejected: a fixed bound (right for one store, minutes of waiting for another); CoDel's look
 * at each request's own wait (a clock and a timer per request, and an answer too late: what is
 * refused at the end of a queue has been read, parsed and kept); a bound that searches for the
 * best throughput by trying (it needs minutes of steady load).
 */

/** Requests in flight below which nothing is held or refused, however slow the stores are. */
const leastLimit = 128

/** Requests in flight at most before a node has shown its rate: they wait half a second at 2,000 a second. */
const mostLimit = 1_024

/** Milliseconds after which what was counts a third in the average. */
const memoryMillis = 500

/** Milliseconds that a request waits, without one success meanwhile, after which the stores are taken to stand still. */
const standstillMillis = 2_000

/** Milliseconds between two requests that find out whether the stores are back. */
const probeMillis = 1_000

/** Milliseconds that a look counts at most: the event loop may have been busy. */
const longestLook = 200

/** Times the limit at which requests are refused: up to there only those who send ahead are slowed down. */
export const refusedAt = 3

/** Seconds after which a client is asked to come again, at most: then it is worth another try, whatever the queue. */
const longestRetrySeconds = 10

/**
 * What became of a request. `success`: the stores took part in it. `answered`: whether they
 * could have is not known. `unavailable`: one of them did not answer. `none`: it was refused, or
 * its connection is gone.
 */
export type LaneOutcome = "success" | "answered" | "unavailable" | "none"

export class Lane {
  /** Requests without an answer. */
  inFlight = 0
  /** Requests in flight from which on who sends ahead is held. */
  limit = mostLimit
  /** Answers since the last look. */
  private answers = 0
  /** The limit was reached since the last look. */
  private wasFull = false
  /** A store was found not to answer since the last look. */
  private wasUnavailable = false
  private hadSuccess = false
  /** How long there has been no success while a request waited all that time; ms. */
  private fruitless = 0
  /** Counts the looks after which those in flight were the ones to watch. */
  private period = 0
  /** Of those so many wait yet. */
  private waitSince = 0
  /** A store was found not to answer since the last success. */
  private hadUnavailable = false
  /** Since the last request that was taken during a standstill, ms. */
  private sinceProbe = 0
  /** Answers per millisecond, a moving average. */
  private rate = 0
  /** That the queue at its limit takes, ms. */
  private readonly millis: number

  constructor(millis: number) {
    this.millis = millis
  }

  get isFull(): boolean {
    return this.inFlight >= this.limit
  }

  /** Asked before each request. During a standstill one at a time is taken, to find out whether it is over. */
  refuses(): boolean {
    if (this.inFlight >= this.limit * refusedAt) return true
    if (!this.standsStill) return false
    if (this.sinceProbe < probeMillis) return true
    this.sinceProbe = 0
    return false
  }

  get perSecond(): number {
    return this.rate * 1_000
  }

  /** Nothing comes to a good end: it is not the callers that are too many. */
  get standsStill(): boolean {
    return this.fruitless >= standstillMillis
  }

  /** Whole seconds until what waits now will have been answered. */
  get retryAfterSeconds(): number {
    const seconds = Math.ceil(this.inFlight / Math.max(this.perSecond, Number.MIN_VALUE))
    return Math.min(longestRetrySeconds, Math.max(1, seconds))
  }

  /** Returns what {@link left} is to be told. */
  began(): number {
    this.inFlight++
    if (this.inFlight >= this.limit) this.wasFull = true
    return this.period + 1
  }

  /** One is no longer in flight: it was answered, or waits for its client. */
  left(began: number): void {
    this.inFlight--
    if (began <= this.period) this.waitSince--
  }

  /** What became of one, in flight or not. */
  told(outcome: LaneOutcome): void {
    switch (outcome) {
      case "none":
        return
      case "unavailable":
        this.wasUnavailable = true
        this.hadUnavailable = true
        return
      case "success":
        this.hadSuccess = true
        this.fruitless = 0
        break
      case "answered":
        // It has not found out whether the stores are back.
        this.sinceProbe = probeMillis
    }
    this.answers++
  }

  /** To be called about ten times a second; `elapsed` ms since the last time. */
  look(elapsed: number): void {
    if (elapsed <= 0) return
    this.rate += (this.answers / elapsed - this.rate) * (1 - Math.exp(-elapsed / memoryMillis))
    this.lookForStandstill(Math.min(elapsed, longestLook))
    this.answers = 0
    const wanted = this.wasFull ? this.rate * this.millis : mostLimit
    const next = this.limit + (wanted - this.limit) / (this.wasFull ? 2 : 10)
    this.limit = Math.min(mostLimit, Math.max(leastLimit, Math.round(next)))
    this.wasFull = this.inFlight >= this.limit
  }

  /**
   * Who is answered has not waited for the stores all the time, whatever the answer says. While nobody
   * asks for anything it is not known whether a standstill is over.
   */
  private lookForStandstill(elapsed: number): void {
    this.sinceProbe += elapsed
    if (this.hadSuccess) this.hadUnavailable = false
    else if (this.waitSince > 0 || this.wasUnavailable) this.fruitless += elapsed
    else {
      if (!this.standsStill && !this.hadUnavailable) this.fruitless = 0
      if (this.inFlight > 0) this.fruitless += elapsed
    }
    if (this.hadSuccess || this.waitSince === 0) {
      this.period++
      this.waitSince = this.inFlight
    }
    this.wasUnavailable = false
    this.hadSuccess = false
  }
}
