import { assert, describe, it } from "@effect/vitest"
import { Lane, refusedAt } from "../../src/http/Lane.ts"

const lookMillis = 100

/** Begins so many that `waiting` wait, lets `answered` of them be answered, and looks. */
const step = (lane: Lane, waiting: number, answered: number): void => {
  while (lane.inFlight < waiting) lane.began()
  for (let i = 0; i < answered; i++) lane.ended("success")
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
      lane.began()
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
    repeat(lane.inFlight - lane.limit * refusedAt, () => lane.ended("success"))
    assert.isTrue(lane.refuses())
    lane.ended("success")
    assert.isFalse(lane.refuses())
  })

  it("takes bursts again after a while in which it was not full", () => {
    const lane = new Lane(250)
    const atFirst = lane.limit
    repeat(50, () => step(lane, 2_000, 60))
    assert.isBelow(lane.limit, atFirst / 4)
    repeat(lane.inFlight, () => lane.ended("success"))
    repeat(100, () => step(lane, 1, 1))
    assert.isAbove(lane.limit, atFirst * 0.9)
  })

  it("keeps its bound through looks that came late", () => {
    const lane = new Lane(250)
    repeat(50, () => step(lane, 2_000, 200))
    const before = lane.limit
    while (lane.inFlight < 4_000) lane.began()
    repeat(2_000, () => lane.ended("success"))
    lane.look(1_000)
    assert.closeTo(lane.limit, before, before / 10)
  })

  it("stands still when nothing comes to a good end for two seconds, and finds out once a second whether that is over", () => {
    for (const outcome of ["unavailable", undefined] as const) {
      const lane = new Lane(250)
      step(lane, 5, 5)
      lane.began()
      repeat(20, () => {
        assert.isFalse(lane.standsStill)
        if (outcome !== undefined) {
          lane.began()
          lane.ended(outcome)
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
      lane.ended("success")
      assert.isFalse(lane.standsStill)
      assert.isFalse(lane.refuses())
    }
  })

  it("does not stand still while nobody asks for anything, nor because a look came late", () => {
    const lane = new Lane(250)
    step(lane, 1, 1)
    repeat(100, () => lane.look(lookMillis))
    lane.began()
    lane.look(60_000)
    assert.isFalse(lane.standsStill)
  })

  it("is not told by an unknown key that the stores answer", () => {
    const lane = new Lane(250)
    lane.began()
    repeat(30, () => {
      lane.began()
      lane.ended("answered")
      lane.look(lookMillis)
    })
    assert.isTrue(lane.standsStill)
  })
})
