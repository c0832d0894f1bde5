import { assert, describe, it } from "@effect/vitest"
import { Lane, type LaneOutcome, refusedAt } from "../../src/http/Lane.ts"

const lookMillis = 100

/** Of requests that began in any order: each is told apart by what the lane said of it. */
const begun = new WeakMap<Lane, Array<number>>()

const begin = (lane: Lane): void => {
  if (!begun.has(lane)) begun.set(lane, [])
  begun.get(lane)!.push(lane.began())
}

/** The oldest, or the one that began last. */
const end = (lane: Lane, outcome: LaneOutcome, which: "oldest" | "latest" = "oldest"): void => {
  const all = begun.get(lane)!
  lane.left((which === "oldest" ? all.shift() : all.pop())!)
  lane.told(outcome)
}

/** Begins so many that `waiting` wait, lets `answered` of them be answered, and looks. */
const step = (lane: Lane, waiting: number, answered: number): void => {
  while (lane.inFlight < waiting) begin(lane)
  for (let i = 0; i < answered; i++) end(lane, "success")
  lane.look(lookMillis)
}

const repeat = (times: number, run: () => void): void => {
  for (let i = 0; i < times; i++) run()
}

describe("a lane", () => {
  it("takes a burst before it knows how fast its node is", () => {
    const lane = new Lane(250)
    for (let i = 0; i < 3_000; i++) {
      assert.isFalse(lane.refuses())
      begin(lane)
    }
    assert.isTrue(lane.isFull)
  })

  it("is full at what is answered in its time, once it was full", () => {
    for (const perSecond of [1_000, 2_000, 3_000]) {
      const lane = new Lane(250)
      repeat(50, () => step(lane, 2_000, perSecond / 10))
      assert.closeTo(lane.limit, perSecond / 4, perSecond / 40)
      assert.closeTo(lane.perSecond, perSecond, perSecond / 40)
    }
  })

  it("refuses three times what it holds at, and says when what waits will have been answered", () => {
    const lane = new Lane(250)
    repeat(50, () => step(lane, 6_000, 200))
    assert.isTrue(lane.refuses())
    assert.strictEqual(lane.retryAfterSeconds, 3)
    repeat(lane.inFlight - lane.limit * refusedAt, () => end(lane, "success"))
    assert.isTrue(lane.refuses())
    end(lane, "success")
    assert.isFalse(lane.refuses())
  })

  it("takes bursts again after a while in which it was not full", () => {
    const lane = new Lane(250)
    const atFirst = lane.limit
    repeat(50, () => step(lane, 2_000, 60))
    assert.isBelow(lane.limit, atFirst / 4)
    repeat(lane.inFlight, () => end(lane, "success"))
    repeat(100, () => step(lane, 1, 1))
    assert.isAbove(lane.limit, atFirst * 0.9)
  })

  it("keeps its bound through looks that came late", () => {
    const lane = new Lane(250)
    repeat(50, () => step(lane, 2_000, 200))
    const before = lane.limit
    while (lane.inFlight < 4_000) begin(lane)
    repeat(2_000, () => end(lane, "success"))
    lane.look(1_000)
    assert.closeTo(lane.limit, before, before / 10)
  })

  it("stands still when nothing comes to a good end for two seconds, and finds out once a second whether that is over", () => {
    for (const outcome of ["unavailable", undefined] as const) {
      const lane = new Lane(250)
      step(lane, 5, 5)
      begin(lane)
      repeat(20, () => {
        assert.isFalse(lane.standsStill)
        if (outcome !== undefined) {
          begin(lane)
          end(lane, outcome, "latest")
        }
        lane.look(lookMillis)
      })
      assert.isTrue(lane.standsStill)
      const taken: Array<number> = []
      for (let look = 0; look < 30; look++) {
        if (!lane.refuses()) taken.push(look)
        lane.look(lookMillis)
      }
      assert.deepStrictEqual(taken, [0, 10, 20])
      end(lane, "success")
      assert.isFalse(lane.standsStill)
      assert.isFalse(lane.refuses())
    }
  })

  it("does not stand still while nobody asks for anything, nor because a look came late", () => {
    const lane = new Lane(250)
    step(lane, 1, 1)
    repeat(100, () => lane.look(lookMillis))
    begin(lane)
    lane.look(60_000)
    assert.isFalse(lane.standsStill)
  })

  it("is not told by an unknown key that the stores answer", () => {
    const lane = new Lane(250)
    begin(lane)
    repeat(30, () => {
      begin(lane)
      end(lane, "answered", "latest")
      lane.look(lookMillis)
    })
    assert.isTrue(lane.standsStill)
  })

  it("does not stand still because all that comes is answered, and nothing of it by the stores", () => {
    const lane = new Lane(250)
    repeat(100, () => {
      // Those of the look before are answered, and others are in flight.
      repeat(20, () => begin(lane))
      repeat(lane.inFlight - 20, () => end(lane, "answered"))
      lane.look(lookMillis)
      assert.isFalse(lane.standsStill)
    })
  })

  it("stands still by those that wait, whatever was answered before them", () => {
    for (const before of ["answered", "unavailable", "success"] as const) {
      const lane = new Lane(250)
      begin(lane)
      end(lane, before)
      lane.look(lookMillis)
      begin(lane)
      repeat(21, () => lane.look(lookMillis))
      assert.isTrue(lane.standsStill, before)
    }
  })

  it("finds out that a standstill is over behind any number of requests that need no store", () => {
    const lane = new Lane(250)
    begin(lane)
    repeat(21, () => lane.look(lookMillis))
    assert.isTrue(lane.standsStill)
    repeat(10, () => lane.look(lookMillis))
    repeat(100, () => {
      assert.isFalse(lane.refuses())
      begin(lane)
      assert.isTrue(lane.refuses())
      end(lane, "answered", "latest")
    })
    assert.isTrue(lane.standsStill)
    assert.isFalse(lane.refuses())
    begin(lane)
    end(lane, "success", "latest")
    assert.isFalse(lane.standsStill)
  })
})
